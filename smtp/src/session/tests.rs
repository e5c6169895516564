use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

const KEY: &str = "ok_1_secret";

fn key() -> ApiKey {
    ApiKey::parse(KEY).unwrap()
}

/// A server on the same machine with a key for clients that give none.
fn local() -> Offer {
    Offer {
        bytes_max: 1_000,
        starttls: false,
        is_local: true,
        default_key: Some(key()),
        http_url: None,
    }
}

/// A server in a network.
fn remote() -> Offer {
    Offer {
        starttls: true,
        is_local: false,
        default_key: None,
        ..local()
    }
}

fn say(session: &mut Session, line: &str) -> String {
    match session.line(line.as_bytes()) {
        Step::Reply(reply) | Step::StartTls(reply) | Step::ReceiveMail(reply) => reply.to_string(),
        Step::Close(reply) => format!("close: {reply}"),
        Step::CheckKey(key) => format!("check: {}", key.id()),
    }
}

/// Says lines and compares the beginnings of the answers.
fn converse(session: &mut Session, lines: &[(&str, &str)]) {
    for (line, begin) in lines {
        let answer = say(session, line);
        assert!(answer.starts_with(begin), "{line:?}: {answer:?}, not {begin:?}");
    }
}

fn plain() -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0me\0{KEY}")))
}

#[test]
fn a_server_that_needs_no_key_takes_one_from_anywhere() {
    let offer = Offer {
        is_local: false,
        ..local()
    };
    let mut session = Session::new(offer, false);
    converse(&mut session, &[("EHLO container", "250-okite"), (&plain(), "check: 1")]);
}

#[test]
fn a_mail_is_sent_with_the_local_key() {
    let mut session = Session::new(local(), false);
    assert_eq!(Session::greeting().to_string(), "220 okite ESMTP");
    assert_eq!(
        say(&mut session, "EHLO laptop"),
        "250-okite\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n\
         250 AUTH PLAIN LOGIN"
    );
    converse(
        &mut session,
        &[
            ("MAIL FROM:<a@example.com> SIZE=1000", "250 2.1.0"),
            ("RCPT TO:<b@example.net>", "250 2.1.5"),
            ("RCPT TO:<B@EXAMPLE.NET>", "250 2.1.5"),
            ("RCPT TO:<c@example.net>", "250 2.1.5"),
            ("DATA", "354 "),
        ],
    );
    let recipients = session.take_recipients();
    let recipients: Vec<_> = recipients.iter().map(EmailAddress::as_given).collect();
    assert_eq!(recipients, ["b@example.net", "c@example.net"]);
    assert_eq!(session.key(), Some(&key()));
    converse(&mut session, &[("MAIL FROM:<>", "250 "), ("QUIT", "close: 221 2.0.0")]);
}

#[test]
fn commands_have_an_order() {
    let mut session = Session::new(local(), false);
    converse(
        &mut session,
        &[
            ("MAIL FROM:<a@example.com>", "503 5.5.1"),
            ("HELO a", "250 okite"),
            ("RCPT TO:<b@example.net>", "503 5.5.1"),
            ("DATA", "503 5.5.1"),
            ("MAIL FROM:<a@example.com>", "250 "),
            ("MAIL FROM:<a@example.com>", "503 5.5.1"),
            ("DATA", "554 5.5.1"),
            ("RSET", "250 2.0.0"),
            ("RCPT TO:<b@example.net>", "503 5.5.1"),
            ("MAIL FROM:<a@example.com>", "250 "),
            ("EHLO a", "250-okite"),
            ("RCPT TO:<b@example.net>", "503 5.5.1"),
        ],
    );
}

#[test]
fn every_other_command_has_an_answer() {
    let mut session = Session::new(local(), false);
    converse(
        &mut session,
        &[
            ("NOOP", "250 2.0.0"),
            ("VRFY a", "252 2.5.0"),
            ("HELP", "214 2.0.0"),
            ("EXPN all", "502 5.5.1"),
            ("BDAT 5", "502 5.5.1"),
            ("STARTTLS", "502 5.5.1"),
            ("XCLIENT", "500 5.5.1"),
            ("MAIL FROM:a@example.com", "501 5.5.4"),
            ("MAIL FROM:<a>", "501 5.1.7"),
            ("MAIL FROM:<a@example.com> SIZE=x", "501 5.5.4"),
            ("MAIL FROM:<a@example.com> SMTPUTF8", "555 5.6.7"),
            ("MAIL FROM:<a@example.com> RET=HDRS", "555 5.5.4"),
            ("RCPT TO:<a@example.com> NOTIFY=NEVER", "555 5.5.4"),
        ],
    );
    assert!(matches!(session.line_too_long(), Step::Reply(reply) if reply.to_string().starts_with("500 5.5.2")));
}

#[test]
fn recipients_that_ses_does_not_accept_are_refused_one_by_one() {
    let mut session = Session::new(local(), false);
    converse(
        &mut session,
        &[
            ("EHLO a", "250-"),
            ("MAIL FROM:<a@example.com>", "250 "),
            ("RCPT TO:<b@localhost>", "550 5.1.3"),
            ("RCPT TO:<b@[127.0.0.1]>", "550 5.1.3"),
            ("RCPT TO:<bär@example.net>", "550 5.1.3"),
            ("RCPT TO:<>", "550 5.1.3"),
            ("RCPT TO:<Postmaster>", "550 5.1.3"),
            ("RCPT TO:<b>", "550 5.1.3"),
            ("RCPT TO:<b@example.net>", "250 2.1.5"),
            ("DATA", "354 "),
        ],
    );
    assert_eq!(session.take_recipients().len(), 1);
}

#[test]
fn five_hundred_recipients_are_taken() {
    let mut session = Session::new(local(), false);
    converse(
        &mut session,
        &[("EHLO a", "250-"), ("MAIL FROM:<a@example.com>", "250 ")],
    );
    for nth in 0..RECIPIENTS_MAX {
        converse(&mut session, &[(&format!("RCPT TO:<r{nth}@example.net>"), "250 ")]);
    }
    converse(
        &mut session,
        &[
            ("RCPT TO:<one-more@example.net>", "452 4.5.3"),
            // Who is on the list already is no other recipient.
            ("RCPT TO:<r1@example.net>", "250 "),
            ("DATA", "354 "),
        ],
    );
    assert_eq!(session.take_recipients().len(), RECIPIENTS_MAX);
}

#[test]
fn a_size_that_is_announced_is_refused_at_once() {
    let mut session = Session::new(local(), false);
    converse(
        &mut session,
        &[
            ("EHLO a", "250-"),
            ("MAIL FROM:<a@example.com> SIZE=1001", "552 5.3.4"),
            ("MAIL FROM:<a@example.com> SIZE=999999999999999999", "552 5.3.4"),
            ("RCPT TO:<b@example.net>", "503 "),
        ],
    );
}

#[test]
fn a_key_is_given_in_every_usual_form() {
    let (user, password) = (STANDARD.encode("me"), STANDARD.encode(KEY));
    let response = STANDARD.encode(format!("\0me\0{KEY}"));
    for lines in [
        &[(plain().as_str(), "check: 1")][..],
        &[("AUTH PLAIN", "334 "), (&response, "check: 1")],
        &[
            ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
            (&user, "334 UGFzc3dvcmQ6"),
            (&password, "check: 1"),
        ],
        &[
            (&format!("AUTH LOGIN {user}"), "334 UGFzc3dvcmQ6"),
            (&password, "check: 1"),
        ],
    ] {
        let mut session = Session::new(remote(), true);
        converse(
            &mut session,
            &[("EHLO a", "250-"), ("MAIL FROM:<a@example.com>", "530 5.7.0 Auth")],
        );
        converse(&mut session, lines);
        assert_eq!(session.key(), None);
        let Step::Reply(reply) = session.key_checked(KeyStatus::Valid) else {
            panic!()
        };
        assert_eq!(reply.to_string(), "235 2.7.0 Authentication succeeded");
        assert_eq!(session.key(), Some(&key()));
        converse(
            &mut session,
            &[
                (&plain(), "503 5.5.1"),
                ("MAIL FROM:<a@example.com>", "250 "),
                ("AUTH PLAIN", "503 5.5.1"),
            ],
        );
    }
}

#[test]
fn a_wrong_key_gets_in_nowhere() {
    let mut session = Session::new(remote(), true);
    let not_a_key = format!("AUTH PLAIN {}", STANDARD.encode("\0me\0password"));
    converse(
        &mut session,
        &[(&plain(), "503 5.5.1"), ("EHLO a", "250-"), (&plain(), "check: 1")],
    );
    let Step::Reply(reply) = session.key_checked(KeyStatus::Wrong) else {
        panic!()
    };
    assert!(reply.to_string().starts_with("535 5.7.8"), "{reply}");
    converse(
        &mut session,
        &[
            ("MAIL FROM:<a@example.com>", "530 5.7.0"),
            (&not_a_key, "535 5.7.8"),
            (&plain(), "check: 1"),
        ],
    );
    assert!(matches!(session.key_checked(KeyStatus::Wrong), Step::Close(reply) if reply.code == 421));
}

#[test]
fn a_key_that_cannot_be_checked_may_be_tried_again() {
    let mut session = Session::new(remote(), true);
    converse(&mut session, &[("EHLO a", "250-"), (&plain(), "check: 1")]);
    let Step::Reply(reply) = session.key_checked(KeyStatus::Unknown) else {
        panic!()
    };
    assert!(reply.to_string().starts_with("454 4.7.0"), "{reply}");
    converse(
        &mut session,
        &[("MAIL FROM:<a@example.com>", "530 "), (&plain(), "check: 1")],
    );
}

#[test]
fn an_authentication_can_be_cancelled_or_go_wrong() {
    let mut session = Session::new(remote(), true);
    converse(
        &mut session,
        &[
            ("EHLO a", "250-"),
            ("AUTH PLAIN", "334 "),
            ("*", "501 5.7.0"),
            ("AUTH LOGIN", "334 "),
            ("%", "501 5.5.2"),
            ("AUTH PLAIN", "334 "),
            ("NOOP", "501 5.5.2"),
            ("NOOP", "250 "),
            ("AUTH CRAM-MD5", "504 5.5.4"),
            ("AUTH", "501 5.5.4"),
        ],
    );
}

#[test]
fn a_key_is_not_taken_in_clear_text_from_elsewhere() {
    let mut session = Session::new(remote(), false);
    assert_eq!(
        say(&mut session, "EHLO a"),
        "250-okite\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS"
    );
    converse(
        &mut session,
        &[
            (&plain(), "530 5.7.0 Say STARTTLS"),
            ("AUTH LOGIN", "530 5.7.0 Say STARTTLS"),
            ("MAIL FROM:<a@example.com>", "530 5.7.0 Say STARTTLS"),
            ("STARTTLS", "220 2.0.0"),
        ],
    );
}

#[test]
fn what_was_said_in_clear_text_is_forgotten() {
    let mut session = Session::new(
        Offer {
            starttls: true,
            ..local()
        },
        false,
    );
    converse(&mut session, &[("EHLO a", "250-"), (&plain(), "check: 1")]);
    let _ = session.key_checked(KeyStatus::Valid);
    converse(
        &mut session,
        &[
            ("MAIL FROM:<a@example.com>", "250 "),
            ("RCPT TO:<b@example.net>", "250 "),
            ("STARTTLS", "220 "),
        ],
    );
    session.secured();
    converse(
        &mut session,
        &[
            ("DATA", "503 "),
            ("RCPT TO:<b@example.net>", "503 "),
            ("MAIL FROM:<a@example.com>", "503 "),
        ],
    );
    assert!(session.key.is_none());
    assert!(!say(&mut session, "EHLO a").contains("STARTTLS"));
    converse(&mut session, &[("STARTTLS", "503 5.5.1"), (&plain(), "check: 1")]);
}

#[test]
fn too_many_wrong_commands_end_the_connection() {
    let mut session = Session::new(local(), false);
    for _ in 1..ERRORS_MAX {
        converse(&mut session, &[("XYZ", "500 ")]);
    }
    converse(&mut session, &[("XYZ", "close: 421 4.7.0")]);
}

#[test]
fn a_request_of_http_ends_the_connection() {
    for line in [
        "GET / HTTP/1.1",
        "POST /v2/email/outbound-emails HTTP/1.1",
        "CONNECT a:25 HTTP/1.1",
    ] {
        converse(
            &mut Session::new(local(), false),
            &[(
                line,
                "close: 554 5.5.1 This port speaks SMTP. Send HTTP requests to the URL of Okite's API",
            )],
        );
    }
    let offer = Offer {
        http_url: Some("http://127.0.0.1:3000".to_owned()),
        ..local()
    };
    let told = "close: 554 5.5.1 This port speaks SMTP. Send HTTP requests to http://127.0.0.1:3000";
    converse(&mut Session::new(offer, false), &[("GET / HTTP/1.1", told)]);
}

/// The rules of the protocol, in other words.
#[derive(Debug, Default)]
struct Model {
    is_greeted: bool,
    is_secure: bool,
    has_key: bool,
    /// The recipients of the mail that has begun.
    mail: Option<HashSet<String>>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_order_of_commands_breaks_the_rules(
        commands in prop::collection::vec(
            prop_oneof![
                Just("EHLO a"), Just("HELO a"), Just("MAIL FROM:<a@example.com>"), Just("MAIL FROM:<>"),
                Just("RCPT TO:<b@example.net>"), Just("RCPT TO:<c@example.net>"), Just("RCPT TO:<c>"), Just("DATA"),
                Just("RSET"), Just("STARTTLS"), Just("NOOP"), Just("AUTH"), Just("WRONG KEY"), Just("XYZ"),
            ],
            0..60,
        ),
        is_local: bool,
        starttls: bool,
        has_default: bool,
    ) {
        let default_key = has_default.then(key);
        let mut session = Session::new(Offer { starttls, is_local, default_key, ..local() }, false);
        let mut model = Model::default();
        for command in commands {
            let line = match command {
                "AUTH" | "WRONG KEY" => plain(),
                line => line.to_owned(),
            };
            match session.line(line.as_bytes()) {
                Step::CheckKey(_) => {
                    prop_assert!(model.is_greeted && !model.has_key && model.mail.is_none());
                    prop_assert!(model.is_secure || is_local || has_default);
                    let status = if command == "AUTH" { KeyStatus::Valid } else { KeyStatus::Wrong };
                    model.has_key = command == "AUTH";
                    if let Step::Close(_) = session.key_checked(status) {
                        return Ok(());
                    }
                }
                Step::StartTls(reply) => {
                    prop_assert_eq!(reply.code, 220);
                    prop_assert!(starttls && !model.is_secure);
                    session.secured();
                    model = Model { is_secure: true, ..Model::default() };
                }
                Step::ReceiveMail(reply) => {
                    prop_assert_eq!(reply.code, 354);
                    prop_assert!(model.has_key || has_default);
                    let expected = model.mail.take().unwrap();
                    let recipients = session.take_recipients();
                    prop_assert_eq!(recipients.len(), expected.len());
                    prop_assert!(!recipients.is_empty());
                    prop_assert!(recipients.iter().all(|recipient| expected.contains(recipient.as_given())));
                }
                Step::Close(reply) => {
                    prop_assert_eq!(reply.code, 421);
                    return Ok(());
                }
                Step::Reply(reply) if reply.is_positive() => match command {
                    "EHLO a" | "HELO a" => model = Model { is_greeted: true, mail: None, ..model },
                    "RSET" => model.mail = None,
                    "NOOP" => {}
                    mail if mail.starts_with("MAIL") => {
                        prop_assert!(model.is_greeted && model.mail.is_none() && (model.has_key || has_default));
                        model.mail = Some(HashSet::new());
                    }
                    rcpt => {
                        let address = rcpt.strip_prefix("RCPT TO:<").unwrap().trim_end_matches('>');
                        model.mail.as_mut().unwrap().insert(address.to_owned());
                    }
                },
                Step::Reply(reply) => prop_assert!((400..600).contains(&reply.code) && reply.status.is_some()),
            }
        }
    }

    #[test]
    fn no_line_makes_a_session_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..30)) {
        let mut session = Session::new(local(), false);
        for line in lines {
            if let Step::Close(_) = session.line(&line) {
                break;
            }
        }
    }
}
