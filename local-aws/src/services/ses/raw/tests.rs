//! Raw mails, checked as requests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::permission_inputs;
use crate::services::ses::mail::Mail;
use crate::services::ses::mailbox::Mailbox;
use crate::services::ses::send_email::check;

const PLAIN: &str = "From: Ada <ada@example.com>\r\nTo: bob@example.net\r\nSubject: Hi\r\n\r\nHello\r\n";

/// Makes a request with a message and other members.
fn request(source: &[u8], members: Value) -> Value {
    let mut request = members;
    request["Content"] = json!({"Raw": {"Data": STANDARD.encode(source)}});
    request
}

fn with(source: impl AsRef<[u8]>, members: Value) -> Result<Mail, String> {
    let request = request(source.as_ref(), members);
    check(serde_json::from_value(request).unwrap()).map_err(|error| {
        assert_eq!(error.code(), "BadRequestException");
        error.to_string()
    })
}

fn read(source: impl AsRef<[u8]>) -> Mail {
    with(source, json!({})).unwrap()
}

fn refusal(source: impl AsRef<[u8]>) -> String {
    with(source, json!({})).unwrap_err()
}

fn recipients(mail: &Mail) -> Vec<String> {
    mail.recipients().map(|mailbox| mailbox.given.clone()).collect()
}

#[test]
fn reads_a_message_and_keeps_its_bytes() {
    let mail = read(PLAIN);
    assert_eq!(mail.from.given, "Ada <ada@example.com>");
    assert_eq!(recipients(&mail), ["bob@example.net"]);
    assert_eq!((mail.subject.as_str(), mail.text.as_deref()), ("Hi", Some("Hello\r\n")));
    assert_eq!(mail.html, None);
    assert_eq!(mail.raw.unwrap().source, PLAIN.as_bytes());
}

#[test]
fn sends_to_the_people_of_the_header_if_the_request_names_nobody() {
    let source = "From: ada@example.com\nTo: a@example.net, \"B, B\" <b@example.net>\nCc: c@example.net\n\
        Bcc: d@example.net\n\nHi";
    let everybody = [
        "a@example.net",
        "\"B, B\" <b@example.net>",
        "c@example.net",
        "d@example.net",
    ];
    assert_eq!(recipients(&read(source)), everybody);
    let nobody = json!({"Destination": {"ToAddresses": []}});
    assert_eq!(recipients(&with(source, nobody).unwrap()), everybody);
    for list in ["ToAddresses", "CcAddresses", "BccAddresses"] {
        let one = json!({"Destination": {list: ["z@example.net"]}});
        assert_eq!(recipients(&with(source, one).unwrap()), ["z@example.net"], "{list}");
    }
}

#[test]
fn takes_the_blind_copies_and_the_fields_of_ses_out_of_the_bytes_and_nothing_else() {
    let source = b"x-ses-configuration-set: shop\r\nFrom: ada@example.com\r\nBCC: a@example.net,\r\n b@example.net\r\n\
        To:b@example.net\r\nX-SES-MESSAGE-TAGS: a=b\r\nX-Odd :  \xff\r\n\tkept \r\n\r\nBcc: not a header\r\n\xfe\0";
    let rest =
        b"From: ada@example.com\r\nTo:b@example.net\r\nX-Odd :  \xff\r\n\tkept \r\n\r\nBcc: not a header\r\n\xfe\0";
    let mail = read(source);
    assert_eq!(mail.raw.unwrap().source, rest);
    assert!(mail.headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("Bcc")));
    let last = "From: ada@example.com\nTo: b@example.net\nBcc: c@example.net\n\nHi";
    assert_eq!(
        read(last).raw.unwrap().source,
        b"From: ada@example.com\nTo: b@example.net\n\nHi"
    );
}

#[test]
fn the_sender_of_the_request_goes_before_that_of_the_header_and_both_are_senders() {
    let source = "From: Ada <ada@example.com>\r\nSender: office@example.org\r\nReturn-Path: <b@bounces.example>\r\n\
        To: bob@example.net\r\n\r\nHi";
    let mail = with(source, json!({"FromEmailAddress": "Shop <shop@example.com>"})).unwrap();
    assert_eq!(mail.from.given, "Shop <shop@example.com>");
    let senders: Vec<String> = mail.other_senders.iter().map(Mailbox::bare).collect();
    assert_eq!(senders, ["ada@example.com", "office@example.org", "b@bounces.example"]);
    let empty = PLAIN.replace("Subject", "Return-Path: <>\r\nSubject");
    assert_eq!(read(empty).other_senders.len(), 1);
}

#[test]
fn names_the_rule_that_a_message_breaks() {
    let missing = "Missing required header 'From'.";
    for (source, expected) in [
        ("", missing),
        ("\r\nFrom: ada@example.com\r\n\r\nHi", missing),
        ("To: bob@example.net\r\n\r\nHi", missing),
        ("From: \r\nTo: bob@example.net\r\n\r\nHi", missing),
        (
            "From: ada@example.com\r\nTo: a@example.net\r\nSubject: a\r\nSubject: b\r\n\r\nHi",
            "Duplicate header 'Subject'.",
        ),
        ("From: ada@example.com\r\n\r\nHi", "At least one recipient is required."),
        (
            "From: ada@example.com\r\nTo: undisclosed-recipients:;\r\n\r\nHi",
            "At least one recipient is required.",
        ),
        ("From: ada\r\nTo: a@example.net\r\n\r\nHi", "Missing final '@domain'"),
        ("From: ada@example.com\r\nTo: bob\r\n\r\nHi", "Missing final '@domain'"),
    ] {
        assert!(refusal(source).contains(expected), "{source:?}: {}", refusal(source));
    }
    let without_from = with(
        "To: a@example.net\r\n\r\nHi",
        json!({"FromEmailAddress": "ada@example.com"}),
    );
    assert_eq!(without_from.unwrap_err(), missing);
}

#[test]
fn takes_fifty_recipients_whoever_names_them() {
    let addresses = |n: usize| (0..n).map(|i| format!("r{i}@example.net")).collect::<Vec<_>>();
    let source = |n: usize| format!("From: ada@example.com\r\nTo: {}\r\n\r\nHi", addresses(n).join(",\r\n "));
    assert_eq!(read(source(50)).to.len(), 50);
    assert_eq!(refusal(source(51)), "Recipient count exceeds 50.");
    let named = |n: usize| with(PLAIN, json!({"Destination": {"BccAddresses": addresses(n)}}));
    assert_eq!(named(50).unwrap().bcc.len(), 50);
    assert!(named(51).is_err());
    let one = json!({"Destination": {"ToAddresses": ["z@example.net"]}});
    assert!(with(source(51), one).is_ok());
}

#[test]
fn takes_forty_megabytes_of_message() {
    let most = 40 * 1024 * 1024;
    let source = |size: usize| format!("{PLAIN}{}", "a".repeat(size - PLAIN.len()));
    assert!(with(source(most), json!({})).is_ok());
    let expected = format!("Message length is more than {most} bytes long: '{}'.", most + 1);
    assert_eq!(refusal(source(most + 1)), expected);
}

#[test]
fn data_must_be_base64_and_there() {
    let checked = |raw: Value| {
        let request = serde_json::from_value(json!({"Content": {"Raw": raw}}));
        request.map(|request| check(request).unwrap_err().code().to_owned())
    };
    assert_eq!(checked(json!({"Data": "%%"})).unwrap(), "SerializationException");
    assert!(checked(json!({})).is_err());
}

#[test]
fn tags_of_the_request_replace_those_of_the_header() {
    let source = PLAIN.replace("Subject", "X-SES-MESSAGE-TAGS: kind=receipt,  shop_id = m-1\r\nSubject");
    let tags = |members: Value| -> Vec<(String, String)> {
        let mail = with(&source, members).unwrap();
        mail.tags.into_iter().map(|tag| (tag.name, tag.value)).collect()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(tags(json!({})), [pair("kind", "receipt"), pair("shop_id", "m-1")]);
    let own = json!({"EmailTags": [{"Name": "a", "Value": "b"}]});
    assert_eq!(tags(own), [pair("a", "b")]);
    for bad in ["a", "a=", "=b", "a=b c", "a=b;c=d"] {
        let source = PLAIN.replace("Subject", &format!("X-SES-MESSAGE-TAGS: {bad}\r\nSubject"));
        assert!(refusal(&source).starts_with("Tag <"), "{bad}");
    }
}

#[test]
fn the_configuration_set_of_the_request_goes_before_that_of_the_header() {
    let source = PLAIN.replace("Subject", "X-SES-CONFIGURATION-SET: header\r\nSubject");
    assert_eq!(read(&source).configuration_set.as_deref(), Some("header"));
    let set = with(&source, json!({"ConfigurationSetName": "request"}))
        .unwrap()
        .configuration_set;
    assert_eq!(set.as_deref(), Some("request"));
    assert_eq!(read(PLAIN).configuration_set, None);
}

const PARTS: &str = "From: =?utf-8?Q?Zo=C3=AB?= <zoe@example.com>\r\nTo: bob@example.net\r\nMIME-Version: 1.0\r\n\
    Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
    --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
    --a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
    Gr=C3=BC=C3=9Fe\r\n\
    --a\r\nContent-Type: multipart/related; boundary=r\r\n\r\n\
    --r\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hi <img src=\"cid:dot\">\r\n\
    --r\r\nContent-Type: image/gif\r\nContent-ID: <dot>\r\nContent-Transfer-Encoding: base64\r\n\r\n\
    R0lGODlh\r\n--r--\r\n\
    --a--\r\n\
    --m\r\nContent-Type: text/plain; name=\"notes.txt\"\r\n\
    Content-Disposition: attachment; filename=\"notes.txt\"\r\n\r\nonce\r\n\
    --m--\r\n";

#[test]
fn reads_the_parts_of_a_message_for_people() {
    let mail = read(PARTS);
    assert_eq!(mail.subject, "Grüße");
    assert_eq!(mail.text.as_deref(), Some("Grüße"));
    assert_eq!(mail.html.as_deref(), Some("<p>Hi <img src=\"cid:dot\">"));
    assert_eq!(mail.raw.as_ref().unwrap().from, ["Zoë <zoe@example.com>"]);
    assert_eq!(mail.from.given, "zoe@example.com");
    let files: Vec<_> = mail
        .attachments
        .iter()
        .map(|file| {
            (
                file.file_name.as_deref(),
                file.content_type.as_deref(),
                file.content_id.as_deref(),
                file.raw_content.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        files,
        [
            (None, Some("image/gif"), Some("dot"), Some("R0lGODlh")),
            (Some("notes.txt"), Some("text/plain"), None, Some("b25jZQ==")),
        ]
    );
}

#[test]
fn refuses_files_that_ses_refuses() {
    let error = refusal(PARTS.replace("notes.txt", "notes.EXE"));
    assert_eq!(error, "Illegal filename 'notes.EXE'.");
    assert!(with(PARTS.replace("notes.txt", "notes"), json!({})).is_ok());
}

#[test]
fn finds_the_sender_and_the_set_without_a_check() {
    let inputs = |source: &str, members: Value| permission_inputs(&request(source.as_bytes(), members)).unwrap();
    assert_eq!(inputs(PLAIN, json!({})), ("Ada <ada@example.com>".to_owned(), None));
    let members = json!({"FromEmailAddress": "a@b.example", "ConfigurationSetName": "shop"});
    assert_eq!(
        inputs("x", members),
        ("a@b.example".to_owned(), Some("shop".to_owned()))
    );
    let source = PLAIN.replace("Subject", "X-SES-Configuration-Set: shop\r\nSubject");
    assert_eq!(inputs(&source, json!({})).1.as_deref(), Some("shop"));
    assert_eq!(inputs("", json!({})).0, "");
    assert_eq!(permission_inputs(&json!({"Content": {"Simple": {}}})), None);
}

proptest! {
    #[test]
    fn never_panics_and_never_changes_a_body(
        header in "((From|To|Bcc|X-SES-A|Content-Type|[A-Za-z:]{1,5})(: ?)[ -~]{0,20}\r?\n( [!-~]{1,9}\r?\n)?){0,6}",
        body in "[ -~\r\n]{0,60}",
    ) {
        let source = format!("From: ada@example.com\r\nTo: b@example.net\r\n{header}\r\n{body}");
        let destination = json!({"Destination": {"ToAddresses": ["z@example.net"]}});
        if let Ok(mail) = with(&source, destination) {
            let sent = mail.raw.unwrap().source;
            let end = format!("\r\n{body}");
            prop_assert!(sent.ends_with(end.as_bytes()));
            prop_assert!(sent.len() <= source.len());
        }
    }

    #[test]
    fn never_panics_on_any_bytes(source in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = with(source, json!({}));
    }
}
