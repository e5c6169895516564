//! The requests of boto3 and of the SDK for JavaScript, as they signed and wrote them. They were recorded with the key
//! that [`key`] makes.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use domain::api_key::{ApiKey, id_of_access_key};
use domain::message::MailContent;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use ses_api::repeat::RepeatKey;
use ses_api::send::SendMail;
use ses_api::signature::{Signature, SignedRequest};
use ses_api::v1::Action;
use ses_api::v2::{ListEmailIdentities, ListSuppressed, ListedReason, Operation, PutSuppressed, send_email};

/// A recorded request.
struct Recorded {
    call: String,
    method: String,
    /// The path as it was on the wire.
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

fn key() -> ApiKey {
    ApiKey::from_random([0xab; 8], [0x01; 32])
}

fn recorded() -> Vec<Recorded> {
    let of_boto3: Vec<Value> = serde_json::from_str(include_str!("boto3.json")).unwrap();
    let of_js: Vec<Value> = serde_json::from_str(include_str!("js.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of_boto3
        .iter()
        .chain(&of_js)
        .map(|one| Recorded {
            call: text(&one["call"]),
            method: text(&one["method"]),
            path: text(&one["path"]),
            query: text(&one["query"]),
            headers: one["headers"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| {
                    let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
                    (HeaderName::from_bytes(name.as_bytes()).unwrap(), value)
                })
                .collect(),
            body: text(&one["body"]).into_bytes(),
        })
        .collect()
}

#[test]
fn every_recorded_request_is_verified() {
    let now: Timestamp = "2026-11-28T12:00:01Z".parse().unwrap();
    for request in recorded() {
        let decoded = percent_decode_str(&request.path).decode_utf8().unwrap();
        for path in [&request.path, &*decoded] {
            let request = SignedRequest {
                method: &request.method,
                path,
                query: &request.query,
                headers: &request.headers,
                body: &request.body,
            };
            let signature = Signature::read(&request).unwrap();
            assert_eq!(id_of_access_key(signature.access_key_id()), Some(key().id()));
            signature
                .verify(&request, &key().secret_access_key(), Some(now))
                .unwrap();
        }
    }
}

/// Returns the recorded requests of a call, in their order.
fn of(call: &str) -> Vec<Recorded> {
    let found: Vec<_> = recorded().into_iter().filter(|one| one.call == call).collect();
    assert!(!found.is_empty(), "{call}");
    found
}

fn body(call: &str) -> Vec<u8> {
    of(call).remove(0).body
}

fn operation(call: &str) -> Operation {
    let request = of(call).remove(0);
    Operation::of(&request.method, &request.path).unwrap()
}

fn raw(mail: SendMail) -> (Vec<u8>, Vec<String>) {
    let MailContent::Raw(email) = mail.mail.content else {
        panic!("a raw mail")
    };
    assert_eq!((email.tags()[0].name(), email.tags()[0].value()), ("shop", "17"));
    assert_eq!(email.source().unwrap().to_string(), "ada@example.com");
    assert_eq!(email.message().subject(), Some("Zürich"));
    assert_eq!(mail.configuration_set.as_deref(), Some("okite"));
    let recipients = email
        .recipients()
        .iter()
        .map(|recipient| recipient.address().as_given().to_owned());
    (email.message().bytes().to_vec(), recipients.collect())
}

/// The message that was recorded.
const MESSAGE: &[u8] =
    b"From: Ada <ada@example.com>\nTo: bob@example.net\nSubject: =?utf-8?q?Z=C3=BCrich?=\n\nHi + 100 % & more\n";

#[test]
fn raw_mails_of_boto3_keep_their_bytes() {
    let (bytes, recipients) = raw(send_email(&body("sesv2.SendEmail")).unwrap());
    assert_eq!(bytes, MESSAGE);
    assert_eq!(recipients, ["bob@example.net", "carol@example.net"]);
    let Action::SendRawEmail(mail) = Action::read(&body("ses.SendRawEmail")).unwrap() else {
        panic!("a raw mail");
    };
    let (bytes, recipients) = raw(mail);
    // The base64 of these bytes has pluses and slashes.
    assert_eq!(bytes, [MESSAGE, &[0xff, 0xfb, 0xef].repeat(3)].concat());
    assert_eq!(recipients, ["bob@example.net", "a+b@example.net"]);
}

#[test]
fn simple_mails_of_boto3_keep_their_fields() {
    let request = of("sesv2.SendEmail").remove(1);
    let MailContent::Simple(email) = send_email(&request.body).unwrap().mail.content else {
        panic!("a simple mail");
    };
    assert_eq!(email.from.to_string(), "Ada <ada@example.com>");
    assert_eq!(
        (email.subject.as_str(), email.text.as_deref()),
        ("Zürich", Some("Hi ü"))
    );
    assert_eq!(email.bcc[0].to_string(), "bcc@example.net");
    assert_eq!(email.attachments[0].content(), b"\x00\xffhello");
    let Action::SendEmail(mail) = Action::read(&body("ses.SendEmail")).unwrap() else {
        panic!("a simple mail");
    };
    let MailContent::Simple(email) = mail.mail.content else {
        panic!("a simple mail")
    };
    assert_eq!(
        (email.subject.as_str(), email.text.as_deref()),
        ("Zürich & more", Some("a + b\n100 %"))
    );
    assert_eq!(email.cc[0].to_string(), "c@example.net");
    assert_eq!(mail.mail.options.feedback_address.unwrap().to_string(), "b@example.com");
}

#[test]
fn every_operation_of_boto3_is_found() {
    assert_eq!(operation("sesv2.GetAccount"), Operation::GetAccount);
    assert_eq!(
        operation("sesv2.GetSuppressedDestination"),
        Operation::GetSuppressed("a+b@example.net".to_owned())
    );
    assert_eq!(
        operation("sesv2.DeleteSuppressedDestination"),
        Operation::DeleteSuppressed("o'neil!*()~x@example.net".to_owned())
    );
    assert_eq!(operation("sesv2.PutSuppressedDestination"), Operation::PutSuppressed);
    let put = PutSuppressed::read(&body("sesv2.PutSuppressedDestination")).unwrap();
    assert_eq!(
        (put.address.as_given(), put.reason),
        ("a+b@example.net", ListedReason::Bounce)
    );
    assert_eq!(operation("sesv2.ListSuppressedDestinations"), Operation::ListSuppressed);
    let list = ListSuppressed::read(&of("sesv2.ListSuppressedDestinations")[0].query).unwrap();
    assert_eq!(list.reasons.len(), 2);
    assert_eq!((list.page_size, list.next_token.as_deref()), (100, Some("a+/=b c")));
    assert_eq!(list.to, Some("2026-11-02T00:00:00Z".parse().unwrap()));
    assert_eq!(
        operation("sesv2.GetEmailIdentity"),
        Operation::GetIdentity("example.com".to_owned())
    );
    assert_eq!(operation("sesv2.ListEmailIdentities"), Operation::ListIdentitiesByBody);
    let list = ListEmailIdentities::by_body(&body("sesv2.ListEmailIdentities")).unwrap();
    assert_eq!(list.page_size, Some(10));
}

#[test]
fn the_sdk_for_javascript_is_understood() {
    let MailContent::Raw(email) = send_email(&body("js.sesv2.SendEmail")).unwrap().mail.content else {
        panic!("a raw mail");
    };
    assert_eq!(email.message().bytes(), b"From: a@example.com\nTo: b@example.net\n\nHi");
    assert!(matches!(
        Action::read(&body("js.ses.SendRawEmail")),
        Ok(Action::SendRawEmail(_))
    ));
    assert_eq!(
        operation("js.sesv2.GetSuppressedDestination"),
        Operation::GetSuppressed("o'neil+b!*()@example.net".to_owned())
    );
    let list = ListSuppressed::read(&of("js.sesv2.ListSuppressedDestinations")[0].query).unwrap();
    assert_eq!(list.from, Some("2026-11-28T12:00:00Z".parse().unwrap()));
    assert_eq!((list.reasons.len(), list.next_token.as_deref()), (2, Some("a+/= b")));
}

#[test]
fn every_action_of_boto3_is_found() {
    for call in [
        "GetSendQuota",
        "GetSendStatistics",
        "ListVerifiedEmailAddresses",
        "ListIdentities",
        "GetIdentityVerificationAttributes",
        "GetAccountSendingEnabled",
    ] {
        let action = Action::read(&body(&format!("ses.{call}"))).unwrap();
        assert!(format!("{action:?}").starts_with(call), "{action:?}");
    }
    assert!(Action::read(&body("ses.VerifyEmailAddress")).is_err());
}

#[test]
fn every_call_has_an_invocation_id_of_its_own() {
    let ids: Vec<_> = recorded()
        .iter()
        .map(|one| RepeatKey::read(&one.headers).unwrap())
        .collect();
    for (index, id) in ids.iter().enumerate() {
        assert!(matches!(id, Some(RepeatKey::Invocation(_))));
        assert!(!ids[..index].contains(id));
    }
}
