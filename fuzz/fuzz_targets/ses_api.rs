//! Every request to the SES API is read without a panic, and what was read keeps its invariants: a mail has 1 to 50
//! recipients, a raw message is the same when it is read again, and a signature that nobody made is never right. The
//! seeds are the bodies in events/ses-api and the recorded requests of the function's tests; `fuzz/run` extracts them
//! and starts.

#![no_main]

use domain::message::raw::RawMessage;
use domain::message::{MailContent, RECIPIENTS_MAX};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use ses_api::send::SendMail;
use ses_api::signature::{Signature, SignedRequest};
use ses_api::v1::Action;
use ses_api::v2::send_email;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Action::SendRawEmail(mail) | Action::SendEmail(mail)) = Action::read(bytes) {
        check(&mail);
    }
    if let Ok(mail) = send_email(bytes) {
        check(&mail);
    }
    if let Ok(message) = RawMessage::read(bytes.to_vec()) {
        check_message(&message);
    }
    check_signature(bytes);
});

fn check(mail: &SendMail) {
    let recipients = mail.mail.recipients().count();
    assert!((1..=RECIPIENTS_MAX).contains(&recipients), "{recipients} recipients");
    assert!(mail.mail.senders().count() > 0);
    if let MailContent::Raw(email) = &mail.mail.content {
        check_message(email.message());
        let first = email.recipients()[0].address();
        let without = email.without_recipient(first);
        assert_eq!(without.map_or(0, |email| email.recipients().len()), recipients - 1);
    }
}

/// A second reading of a message leaves nothing more out.
fn check_message(message: &RawMessage) {
    let again = RawMessage::read(message.bytes().to_vec()).expect("a message that was read");
    assert_eq!(again.bytes(), message.bytes());
    assert!(again.bcc().is_empty());
    assert!(again.senders().eq(message.senders()));
    assert_eq!((again.to(), again.cc()), (message.to(), message.cc()));
    assert_eq!(
        (again.subject(), again.message_id()),
        (message.subject(), message.message_id())
    );
}

fn check_signature(bytes: &[u8]) {
    let Ok(authorization) = HeaderValue::from_bytes(bytes) else {
        return;
    };
    let headers = HeaderMap::from_iter([
        (AUTHORIZATION, authorization),
        (http::header::HOST, HeaderValue::from_static("mail.example.com")),
        (http::header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (
            http::HeaderName::from_static("x-amz-date"),
            HeaderValue::from_static("20261128T120000Z"),
        ),
    ]);
    let request = SignedRequest {
        method: "GET",
        path: "/v2/email/account",
        query: "",
        headers: &headers,
        body: b"",
    };
    if let Ok(signature) = Signature::read(&request) {
        assert!(
            signature
                .verify(&request, "a secret that signed nothing", None)
                .is_err()
        );
    }
}
