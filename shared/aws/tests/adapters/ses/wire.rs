//! Amazon SES by its wire: what goes out, how often, and what each answer means.

use std::time::Duration;

use aws::{Outgoing, SendError, Ses};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future::ProvideCredentials as Provided,
};
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use domain::message::{Attachment, EmailParts, Header, Mail, Tag};
use domain::recipient::ResolvedRecipients;
use domain::ses_error::SesRefusal;
use domain::stream::Stream;
use serde_json::json;
use uuid::Uuid;

use crate::support::{
    Answer, Fake, closed_port, config, config_without_credentials, everybody, full_port, mail, mailboxes, parts,
};

pub(super) const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
/// What SES answers when it takes a mail.
pub(super) const ACCEPTED: &str = r#"{"MessageId":"0100018f-1a2b-000000"}"#;

pub(super) fn ses(endpoint: &str) -> Ses {
    Ses::new(aws::sesv2(&config(endpoint)), "okite-ConfigurationSet".to_owned())
}

pub(super) async fn send(ses: &Ses, mail: &Mail, destination: &ResolvedRecipients<'_>) -> Result<String, SendError> {
    ses.send(Outgoing {
        id: ID,
        attempt: 1,
        stream: Stream::Transactional,
        mail,
        destination,
    })
    .await
}

/// Sends a small mail.
async fn send_small(ses: &Ses) -> Result<String, SendError> {
    let mail = mail(parts());
    send(ses, &mail, &everybody(&mail)).await
}

fn refusal(sent: Result<String, SendError>) -> SesRefusal {
    match sent {
        Err(SendError::Refused { refusal, .. }) => refusal,
        other => panic!("neither sent nor ambiguous was expected: {other:?}"),
    }
}

fn is_ambiguous(sent: &Result<String, SendError>) -> bool {
    matches!(sent, Err(SendError::Ambiguous { .. }))
}

/// What becomes of a small mail whose every request is answered in the same way, and how many requests that took.
async fn answered(answer: impl Fn() -> Answer + Send + Sync + 'static) -> (Result<String, SendError>, usize) {
    let fake = Fake::start(move |_, _| answer()).await;
    let sent = send_small(&ses(&fake.endpoint)).await;
    (sent, fake.requests().len())
}

#[tokio::test]
async fn a_mail_with_everything_goes_out_as_ses_wants_it() {
    let mail = mail(EmailParts {
        from: mailboxes(&["Grüße <No.Reply@Bücher.example>"]).remove(0),
        to: mailboxes(&["Acme, Inc. <Anna.Case@EXAMPLE.org>", "bob@example.org"]),
        cc: mailboxes(&["Carol Plain <Carol@Straße.example>"]),
        bcc: mailboxes(&["dave+tag@example.org"]),
        reply_to: mailboxes(&["Ünï <help@example.com>", "desk@example.com"]),
        subject: "Grüße aus 東京 \u{1f600}".to_owned(),
        text: Some("Hallo\r\nAnna \u{1f600}".to_owned()),
        html: Some("<p>Hallo <img src=\"cid:logo\"></p>".to_owned()),
        headers: vec![
            Header::new("List-Unsubscribe", "<https://example.com/u?id=1>").unwrap(),
            Header::new("X-Entity-Ref-ID", "4711").unwrap(),
        ],
        tags: vec![
            Tag::new("campaign", "spring_2026").unwrap(),
            Tag::new("a", "b").unwrap(),
        ],
        attachments: vec![
            Attachment::new("Rechnung März.pdf", vec![0, 255, 13, 10, 128], None, None).unwrap(),
            Attachment::new(
                "logo.png",
                b"png".to_vec(),
                Some("image/png".to_owned()),
                Some("logo".to_owned()),
            )
            .unwrap(),
        ],
    });
    let fake = Fake::start(|_, _| Answer::ok(ACCEPTED)).await;
    let destination = everybody(&mail);
    let outgoing = Outgoing {
        id: ID,
        attempt: 3,
        stream: Stream::Bulk,
        mail: &mail,
        destination: &destination,
    };
    assert_eq!(
        ses(&fake.endpoint).send(outgoing).await.unwrap(),
        "0100018f-1a2b-000000"
    );

    let requests = fake.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line, "POST /v2/email/outbound-emails HTTP/1.1");
    assert_eq!(requests[0].headers["content-type"], "application/json");
    assert!(requests[0].headers["authorization"].contains("/us-east-1/ses/aws4_request"));
    let utf8 = |data: &str| json!({ "Data": data, "Charset": "UTF-8" });
    let expected = json!({
        "FromEmailAddress": "=?utf-8?b?R3LDvMOfZQ==?= <No.Reply@xn--bcher-kva.example>",
        "Destination": {
            "ToAddresses": ["\"Acme, Inc.\" <Anna.Case@example.org>", "bob@example.org"],
            "CcAddresses": ["Carol Plain <Carol@xn--strae-oqa.example>"],
            "BccAddresses": ["dave+tag@example.org"],
        },
        "ReplyToAddresses": ["=?utf-8?b?w5xuw68=?= <help@example.com>", "desk@example.com"],
        "ConfigurationSetName": "okite-ConfigurationSet",
        "EmailTags": [
            { "Name": "okite_id", "Value": ID.to_string() },
            { "Name": "okite_attempt", "Value": "3" },
            { "Name": "okite_stream", "Value": "bulk" },
            { "Name": "campaign", "Value": "spring_2026" },
            { "Name": "a", "Value": "b" },
        ],
        "Content": { "Simple": {
            "Subject": utf8("Grüße aus 東京 \u{1f600}"),
            "Body": { "Text": utf8("Hallo\r\nAnna \u{1f600}"), "Html": utf8("<p>Hallo <img src=\"cid:logo\"></p>") },
            "Headers": [
                { "Name": "List-Unsubscribe", "Value": "<https://example.com/u?id=1>" },
                { "Name": "X-Entity-Ref-ID", "Value": "4711" },
            ],
            "Attachments": [
                {
                    "FileName": "Rechnung März.pdf", "RawContent": "AP8NCoA=", "ContentDisposition": "ATTACHMENT",
                    "ContentTransferEncoding": "BASE64", "ContentType": "application/pdf",
                },
                {
                    "FileName": "logo.png", "RawContent": "cG5n", "ContentDisposition": "INLINE",
                    "ContentTransferEncoding": "BASE64", "ContentType": "image/png", "ContentId": "logo",
                },
            ],
        } },
    });
    assert_eq!(requests[0].json(), expected);
}

#[tokio::test]
async fn a_small_mail_goes_out_without_the_fields_that_it_has_not() {
    let fake = Fake::start(|_, _| Answer::ok(ACCEPTED)).await;
    send_small(&ses(&fake.endpoint)).await.unwrap();
    let expected = json!({
        "FromEmailAddress": "Acme <acme@example.com>",
        "Destination": { "ToAddresses": ["anna@example.org"] },
        "ConfigurationSetName": "okite-ConfigurationSet",
        "EmailTags": [
            { "Name": "okite_id", "Value": ID.to_string() },
            { "Name": "okite_attempt", "Value": "1" },
            { "Name": "okite_stream", "Value": "transactional" },
        ],
        "Content": { "Simple": {
            "Subject": { "Data": "Hello", "Charset": "UTF-8" },
            "Body": { "Text": { "Data": "Hello Anna", "Charset": "UTF-8" } },
        } },
    });
    assert_eq!(fake.requests()[0].json(), expected);
}

#[tokio::test]
async fn recipients_that_were_left_out_are_nowhere_in_the_request() {
    let mail = mail(EmailParts {
        to: mailboxes(&["anna@example.org", "Bob <left-out@example.org>"]),
        cc: mailboxes(&["left-out-too@example.org"]),
        ..parts()
    });
    let fake = Fake::start(|_, _| Answer::ok(ACCEPTED)).await;
    let destination = ResolvedRecipients {
        to: vec![&mail.lines()[0][0]],
        ..ResolvedRecipients::default()
    };
    send(&ses(&fake.endpoint), &mail, &destination).await.unwrap();
    let request = fake.requests().remove(0);
    assert_eq!(
        request.json()["Destination"],
        json!({ "ToAddresses": ["anna@example.org"] })
    );
    assert!(!String::from_utf8(request.body).unwrap().contains("left-out"));
}

#[tokio::test]
async fn fifty_recipients_with_long_unicode_names_are_one_line_of_ascii_each() {
    let named: Vec<String> = (0..50)
        .map(|n| format!("{} <u{n}@example.org>", "漢字かな".repeat(20)))
        .collect();
    let mail = mail(EmailParts {
        to: mailboxes(&named.iter().map(String::as_str).collect::<Vec<_>>()),
        ..parts()
    });
    let fake = Fake::start(|_, _| Answer::ok(ACCEPTED)).await;
    send(&ses(&fake.endpoint), &mail, &everybody(&mail)).await.unwrap();
    let request = fake.requests()[0].json();
    let to = request["Destination"]["ToAddresses"].as_array().unwrap();
    assert_eq!(to.len(), 50);
    for (number, mailbox) in to.iter().map(|mailbox| mailbox.as_str().unwrap()).enumerate() {
        assert!(mailbox.is_ascii() && !mailbox.contains(['\r', '\n']), "{mailbox}");
        assert!(mailbox.ends_with(&format!(" <u{number}@example.org>")), "{mailbox}");
    }
}

#[tokio::test]
async fn nothing_that_ses_answers_is_asked_twice() {
    for (status, code) in [
        (500, "InternalServiceErrorException"),
        (500, "InternalFailure"),
        (502, ""),
        (503, "ServiceUnavailable"),
        (504, "GatewayTimeoutException"),
        (429, "TooManyRequestsException"),
        (429, "ThrottlingException"),
        (400, "Throttling"),
        (400, "LimitExceededException"),
        (400, "RequestTimeout"),
        (403, "RequestTimeTooSkewed"),
    ] {
        let (sent, requests) = answered(move || Answer::error(status, code, "anna@example.org")).await;
        assert!(sent.is_err(), "{status} {code}: {sent:?}");
        assert_eq!(requests, 1, "{status} {code}");
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_after_the_request_leaves_it_open_and_is_not_asked_twice() {
    let (sent, requests) = answered(Answer::cut).await;
    assert!(is_ambiguous(&sent), "{sent:?}");
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn a_connection_that_is_cut_on_its_second_request_leaves_it_open_and_is_not_asked_twice() {
    let fake = Fake::start(|number, _| {
        if number == 0 {
            Answer::ok(ACCEPTED)
        } else {
            Answer::cut()
        }
    })
    .await;
    let ses = ses(&fake.endpoint);
    send_small(&ses).await.unwrap();
    let sent = send_small(&ses).await;
    assert!(is_ambiguous(&sent), "{sent:?}");
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn half_an_answer_leaves_it_open_and_is_not_asked_twice() {
    for half in [
        "HTTP/1.1 20",
        "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{\"MessageId\":",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"Mes",
        "SMTP ready\r\n\r\n",
    ] {
        let (sent, requests) = answered(move || Answer::Raw(half)).await;
        assert!(is_ambiguous(&sent), "{half:?}: {sent:?}");
        assert_eq!(requests, 1, "{half:?}");
    }
}

#[tokio::test]
async fn a_refusal_whose_text_was_cut_off_is_a_refusal() {
    let half = "HTTP/1.1 429 Too Many\r\ncontent-length: 40\r\n\r\n{\"mess";
    let (sent, requests) = answered(move || Answer::Raw(half)).await;
    assert_eq!((refusal(sent), requests), (SesRefusal::Unavailable, 1));
}

#[tokio::test]
async fn a_server_error_whose_text_was_cut_off_leaves_it_open() {
    let half = "HTTP/1.1 503 Unavailable\r\ncontent-length: 40\r\n\r\n{\"mess";
    let (sent, requests) = answered(move || Answer::Raw(half)).await;
    assert!(is_ambiguous(&sent), "{sent:?}");
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn an_acceptance_that_cannot_be_read_leaves_it_open() {
    for body in [
        "",
        "{}",
        "null",
        "[]",
        "<html>",
        "{\"MessageId\":null}",
        "{\"MessageId\":7}",
        "{\"messageId\":\"x\"}",
        "{\"M",
    ] {
        let (sent, requests) = answered(move || Answer::ok(body)).await;
        assert!(is_ambiguous(&sent), "{body}: {sent:?}");
        assert_eq!(requests, 1, "{body}");
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_leaves_it_open_and_is_not_asked_twice() {
    // As `aws::sesv2` sets it, but for how long it waits.
    let fake = Fake::start(|_, _| Answer::Silence).await;
    let client = aws_sdk_sesv2::config::Builder::from(&config(&fake.endpoint))
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(Duration::from_millis(200))
                .build(),
        );
    let ses = Ses::new(aws_sdk_sesv2::Client::from_conf(client.build()), "okite".to_owned());
    let sent = send_small(&ses).await;
    assert!(
        matches!(&sent, Err(SendError::Ambiguous { code }) if code == "Timeout"),
        "{sent:?}"
    );
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn the_client_has_no_retries_and_gives_up_before_the_function_does() {
    let client = aws::sesv2(&config("http://127.0.0.1:1"));
    assert_eq!(client.config().retry_config().unwrap().max_attempts(), 1);
    let timeouts = client.config().timeout_config().unwrap();
    assert_eq!(timeouts.operation_timeout(), Some(domain::pacing::SEND_TIMEOUT));
    assert!(timeouts.connect_timeout().is_some());
}

#[tokio::test]
async fn a_connection_that_is_refused_was_never_used() {
    let sent = send_small(&ses(&closed_port().await)).await;
    assert_eq!(refusal(sent), SesRefusal::Unreachable);
}

#[tokio::test]
async fn a_connection_that_does_not_open_in_time_was_never_used() {
    let full = full_port().await;
    // As `aws::sesv2` sets it, but for how long it waits.
    let client = aws_sdk_sesv2::config::Builder::from(&config(&full.endpoint))
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_millis(200))
                .build(),
        );
    let ses = Ses::new(aws_sdk_sesv2::Client::from_conf(client.build()), "okite".to_owned());
    assert_eq!(refusal(send_small(&ses).await), SesRefusal::Unreachable);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_was_never_reached() {
    // Too long for a label, so that nobody is asked about it.
    let sent = send_small(&ses(&format!("http://{}.invalid", "a".repeat(64)))).await;
    assert_eq!(refusal(sent), SesRefusal::Unreachable);
}

/// Fails as a provider of credentials does.
#[derive(Debug)]
struct NoCredentials(fn() -> CredentialsError);

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::ready(Err::<Credentials, _>(self.0()))
    }
}

#[tokio::test]
async fn without_credentials_nothing_goes_out() {
    let failures: [fn() -> CredentialsError; 4] = [
        || CredentialsError::not_loaded("the variable is not set"),
        || CredentialsError::invalid_configuration("half a pair"),
        || CredentialsError::provider_error("down"),
        || CredentialsError::unhandled("odd"),
    ];
    let fake = Fake::start(|_, _| Answer::ok(ACCEPTED)).await;
    let bare = config_without_credentials(&fake.endpoint);
    for failure in failures {
        let provider = SharedCredentialsProvider::new(NoCredentials(failure));
        let config = bare.to_builder().credentials_provider(provider).build();
        let ses = Ses::new(aws::sesv2(&config), "okite".to_owned());
        assert_eq!(refusal(send_small(&ses).await), SesRefusal::BadCredentials);
    }
    // A client that was not even given a place to look: no function is made like that.
    let ses = Ses::new(aws::sesv2(&bare), "okite".to_owned());
    assert!(send_small(&ses).await.is_err());
    assert!(fake.requests().is_empty());
}

/// Status, type and text of an error, and what it means for a mail from acme@example.com.
const ERRORS: [(u16, &str, &str, SesRefusal); 21] = [
    (
        429,
        "TooManyRequestsException",
        "Maximum sending rate exceeded.",
        SesRefusal::RateExceeded,
    ),
    (
        400,
        "Throttling",
        "Maximum sending rate exceeded.",
        SesRefusal::RateExceeded,
    ),
    (
        429,
        "TooManyRequestsException",
        "Daily message quota exceeded.",
        SesRefusal::QuotaExceeded,
    ),
    (
        400,
        "Throttling",
        "Daily message quota exceeded.",
        SesRefusal::QuotaExceeded,
    ),
    (
        400,
        "LimitExceededException",
        "Too many of something.",
        SesRefusal::AccountLimit,
    ),
    (400, "SendingPausedException", "paused", SesRefusal::SendingPaused),
    (
        400,
        "AccountSuspendedException",
        "suspended",
        SesRefusal::AccountSuspended,
    ),
    (
        400,
        "MailFromDomainNotVerifiedException",
        "not verified",
        SesRefusal::MailFromNotVerified,
    ),
    (
        400,
        "MessageRejected",
        "Email address is not verified. The following identities failed the check in region US-EAST-1: acme@example.com",
        SesRefusal::SenderNotVerified,
    ),
    (
        400,
        "MessageRejected",
        "Email address is not verified. The following identities failed the check in region US-EAST-1: anna@example.org",
        SesRefusal::RecipientNotVerified,
    ),
    (400, "MessageRejected", "Address blacklisted.", SesRefusal::Blacklisted),
    (
        400,
        "MessageRejected",
        "Message contains a virus.",
        SesRefusal::ContentRejected,
    ),
    (400, "BadRequestException", "odd", SesRefusal::BadRequest),
    (
        404,
        "NotFoundException",
        "Configuration set <okite> does not exist.",
        SesRefusal::StackIncomplete,
    ),
    (
        403,
        "AccessDeniedException",
        "User is not authorized",
        SesRefusal::NotAllowed,
    ),
    (403, "ExpiredTokenException", "expired", SesRefusal::BadCredentials),
    (
        403,
        "InvalidSignatureException",
        "does not match",
        SesRefusal::BadCredentials,
    ),
    (
        403,
        "UnrecognizedClientException",
        "The security token is invalid.",
        SesRefusal::BadCredentials,
    ),
    (
        403,
        "OptInRequired",
        "The AWS Access Key Id needs a subscription for the service",
        SesRefusal::NotSubscribed,
    ),
    (503, "ServiceUnavailable", "busy", SesRefusal::Unavailable),
    (400, "NobodyKnowsThisException", "odd", SesRefusal::Unknown),
];

#[tokio::test]
async fn every_error_of_ses_is_distinguished() {
    for (status, code, message, expected) in ERRORS {
        // AWS's front ends add a namespace or an address to the type now and then.
        for spelled in [
            code.to_owned(),
            format!("{code}:http://internal.amazon.com/coral/"),
            format!("aws.ses#{code}"),
        ] {
            let message = message.to_owned();
            let (sent, requests) = answered(move || Answer::error(status, &spelled, &message)).await;
            let Err(SendError::Refused { refusal, code: logged }) = sent else {
                panic!("{code}: {sent:?}")
            };
            assert_eq!((refusal, logged.as_str(), requests), (expected, code, 1), "{code}");
        }
    }
}

#[tokio::test]
async fn a_fault_inside_ses_leaves_it_open() {
    for (status, code) in [
        (500, "InternalServiceErrorException"),
        (500, "InternalFailure"),
        (502, ""),
        (504, "GatewayTimeoutException"),
        (408, "RequestTimeoutException"),
        (400, "RequestAbortedException"),
        (503, ""),
        (503, "NobodyKnowsThisException"),
        (599, ""),
    ] {
        let (sent, requests) = answered(move || Answer::error(status, code, "odd")).await;
        assert!(is_ambiguous(&sent), "{status} {code}: {sent:?}");
        assert_eq!(requests, 1, "{status} {code}");
    }
}

#[tokio::test]
async fn an_error_named_in_the_body_is_distinguished_too() {
    for field in ["__type", "code"] {
        let body = json!({ field: "SendingPausedException", "message": "paused" }).to_string();
        let (sent, _) = answered(move || Answer::Reply(400, Vec::new(), body.clone())).await;
        assert_eq!(refusal(sent), SesRefusal::SendingPaused, "{field}");
    }
}

#[tokio::test]
async fn an_error_without_a_name_is_judged_by_its_status() {
    for (status, body, expected) in [
        (429, "{}", SesRefusal::Unavailable),
        (400, "", SesRefusal::Unknown),
        (403, "<html>", SesRefusal::Unknown),
    ] {
        let (sent, requests) = answered(move || Answer::Reply(status, Vec::new(), body.to_owned())).await;
        assert_eq!((refusal(sent), requests), (expected, 1), "{status} {body}");
    }
}

/// A proxy or a load balancer may have passed the mail on before it answered.
#[tokio::test]
async fn a_server_error_without_a_name_leaves_it_open() {
    for status in [500, 502, 503, 504, 507, 520, 529] {
        for body in [
            "",
            "{}",
            "<html><h1>503 Service Temporarily Unavailable</h1></html>",
            "upstream",
            "null",
        ] {
            let (sent, requests) = answered(move || Answer::Reply(status, Vec::new(), body.to_owned())).await;
            assert!(is_ambiguous(&sent), "{status} {body}: {sent:?}");
            assert_eq!(requests, 1, "{status} {body}");
        }
    }
}

#[tokio::test]
async fn no_error_shows_an_address_or_sess_text() {
    let text = "Email address is not verified. region US-EAST-1: anna@example.org";
    let mut errors = Vec::new();
    for (status, code) in [
        (400, "MessageRejected"),
        (500, "InternalFailure"),
        (400, "NobodyKnowsThis"),
        (404, "NotFoundException"),
    ] {
        errors.push(answered(move || Answer::error(status, code, text)).await.0.unwrap_err());
    }
    errors.push(answered(Answer::cut).await.0.unwrap_err());
    errors.push(answered(move || Answer::ok(text)).await.0.unwrap_err());
    errors.push(
        answered(move || Answer::Reply(503, Vec::new(), text.to_owned()))
            .await
            .0
            .unwrap_err(),
    );
    errors.push(send_small(&ses(&closed_port().await)).await.unwrap_err());
    for error in errors {
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains('@') && !shown.contains("verified."), "{shown}");
        }
    }
}
