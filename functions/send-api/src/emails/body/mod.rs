//! The body of `POST /emails`: JSON into a valid [`Email`](domain::message::Email).
//!
//! | module | concept |
//! |---|---|
//! | `email` | the fields of one email |
//! | `field` | reads single fields of an object |
//! | `addresses`, `attachments`, `labels` | the values of the fields |
//! | `base64_text` | base64 in the forms that programs write |
//! | `wishes` | what the fields state about how the email is to be sent |
//! | `on_suppressed` | how the caller wants suppressed recipients handled |
//! | `when_busy` | what the caller wants if there is no room |
//! | `track` | the parts of the email that SES tracks |
//! | `unsubscribe` | the unsubscribe link that the email is to have |
//! | `times` | when the email is to be sent, and its deadline |
//! | `new_time` | another time for an email that waits: `PATCH /emails/{id}` |

mod addresses;
mod attachments;
mod base64_text;
mod email;
mod field;
mod labels;
mod new_time;
mod on_suppressed;
mod times;
mod track;
mod unsubscribe;
mod when_busy;
mod wishes;

use domain::message::InvalidEmail;
use serde_json::Value;

pub(super) use email::{ParsedBody, email};
pub(super) use field::Object;
pub(super) use new_time::{new_time, rescheduled};
pub(super) use on_suppressed::with_header as on_suppressed;
pub(super) use times::{Times, times};
pub(super) use track::FIELD as TRACK;
pub(super) use when_busy::or_default as when_busy;

use crate::error::ApiError;
use crate::json;
use crate::request::Request;

/// Reads the body as a JSON object.
pub(super) fn parse(request: &Request) -> Result<Object, ApiError> {
    match json::read(request)? {
        Value::Object(object) => Ok(object),
        _ => Err(InvalidEmail::Whole("The request body must be a JSON object.".to_owned()).into()),
    }
}

/// Reads the body as a JSON array.
pub(super) fn parse_array(request: &Request) -> Result<Vec<Value>, ApiError> {
    match json::read(request)? {
        Value::Array(array) => Ok(array),
        _ => Err(InvalidEmail::Whole("The request body must be a JSON array of emails.".to_owned()).into()),
    }
}

#[cfg(test)]
mod tests {
    use domain::message::{Email, Header};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: &[u8]) -> Result<Email, ApiError> {
        Ok(email(parse(&Request::with_body(body))?)?.email)
    }

    fn minimal() -> Value {
        json!({ "from": "Acme <acme@example.com>", "to": "anna@example.org", "subject": "Hi", "text": "Hello" })
    }

    /// The error for the minimal email with one field replaced.
    fn error(field: &str, value: Value) -> ApiError {
        let mut body = minimal();
        body[field] = value;
        match read(body.to_string().as_bytes()) {
            Err(error) => error,
            Ok(_) => panic!("`{field}` was accepted"),
        }
    }

    fn accepted(field: &str, value: Value) -> Email {
        let mut body = minimal();
        body[field] = value;
        read(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error:?}"))
    }

    #[test]
    fn reads_every_field() {
        let email = read(
            json!({
                "from": "Acme, Inc. <acme@example.com>",
                "to": ["Ünï <uni@example.org>", "b@example.org"],
                "cc": "c@example.org",
                "bcc": [],
                "reply_to": ["help@example.com"],
                "subject": "Ünï",
                "html": "<p>Hi</p>",
                "text": "Hi",
                "headers": {"X-Entity-Ref-ID": "1"},
                "tags": [{"name": "campaign", "value": "spring"}],
                "attachments": [{"filename": "a.txt", "content": "aGk=", "content_type": "text/plain"},
                                {"filename": "b.png", "content": "aGk=", "content_id": "logo"}],
                "unknown": {"is": "ignored"},
            })
            .to_string()
            .as_bytes(),
        )
        .unwrap();
        assert_eq!(email.from.name(), Some("Acme, Inc."));
        assert_eq!(
            (email.to.len(), email.cc.len(), email.bcc.len(), email.reply_to.len()),
            (2, 1, 0, 1)
        );
        assert_eq!(email.attachments[0].content(), b"hi");
        assert_eq!(email.attachments[1].content_id(), Some("logo"));
        assert_eq!((email.headers[0].value(), email.tags[0].value()), ("1", "spring"));
    }

    #[test]
    fn distinguishes_invalid_json_from_an_invalid_email() {
        for body in [
            "",
            "{",
            "{\"a\":\"\\ud800\"}",
            "hello",
            &"[".repeat(10_000),
            "\u{feff}{}",
        ] {
            let error = read(body.as_bytes()).unwrap_err();
            assert_eq!((error.status, error.name), (400, "validation_error"), "{body:.20}");
        }
        assert_eq!(read(b"\xff\xfe").unwrap_err().status, 400);
        for body in ["null", "[]", "1", "\"x\""] {
            assert_eq!(read(body.as_bytes()).unwrap_err().status, 422, "{body}");
        }
    }

    #[test]
    fn names_a_missing_field() {
        for field in ["from", "to", "subject"] {
            for value in [None, Some(Value::Null)] {
                let mut body = minimal();
                match value {
                    None => drop(body.as_object_mut().unwrap().remove(field)),
                    Some(value) => body[field] = value,
                }
                let error = read(body.to_string().as_bytes()).unwrap_err();
                assert_eq!((error.status, error.name), (422, "missing_required_field"));
                assert!(error.message.contains(field));
            }
        }
        assert_eq!(error("text", Value::Null).name, "missing_required_field");
    }

    #[test]
    fn names_a_field_of_the_wrong_type() {
        let wrong = [json!(1), json!(true), json!({})];
        for field in ["from", "to", "cc", "bcc", "reply_to", "subject", "html", "text"] {
            for value in &wrong {
                let error = error(field, value.clone());
                assert_eq!((error.status, error.name), (422, "validation_error"));
                assert!(error.message.contains(&format!("`{field}`")), "{}", error.message);
            }
        }
        for field in ["scheduled_at", "okite_deadline", "okite_when_busy"] {
            for value in &wrong {
                assert!(error(field, value.clone()).message.contains(&format!("`{field}`")));
            }
        }
        for field in ["headers", "tags", "attachments"] {
            assert_eq!(error(field, json!("x")).name, "validation_error");
        }
        assert!(error("to", json!(["a@example.org", 5])).message.contains("`to[1]`"));
        assert_eq!(error("headers", json!({"X-A": 1})).name, "validation_error");
        assert_eq!(error("tags", json!([1])).name, "validation_error");
        assert_eq!(error("tags", json!([{"name": "a"}])).name, "validation_error");
    }

    #[test]
    fn treats_a_null_optional_field_as_absent() {
        for field in [
            "cc",
            "bcc",
            "reply_to",
            "html",
            "headers",
            "tags",
            "attachments",
            "scheduled_at",
            "okite_deadline",
            "okite_when_busy",
            "okite_track",
            "okite_unsubscribe",
            "template",
        ] {
            accepted(field, Value::Null);
        }
        accepted(
            "attachments",
            json!([{"filename": "a.txt", "content": "aGk=", "path": null, "content_id": null}]),
        );
    }

    #[test]
    fn treats_an_empty_optional_field_as_absent() {
        let plain = accepted("cc", Value::Null);
        for field in ["cc", "bcc", "reply_to"] {
            for value in [json!(""), json!(" "), json!([]), json!([""]), json!([" ", ""])] {
                let email = accepted(field, value.clone());
                let lists = [&email.cc, &email.bcc, &email.reply_to].map(Vec::len);
                assert_eq!((lists, &email.to), ([0; 3], &plain.to), "{field} {value}");
            }
            let email = accepted(field, json!(["", "b@example.org"]));
            assert_eq!(email.cc.len() + email.bcc.len() + email.reply_to.len(), 1);
        }
        for (field, value) in [
            ("headers", json!("")),
            ("headers", json!([])),
            ("headers", json!({"X-A": null})),
            ("tags", json!("")),
            ("attachments", json!("")),
            ("html", json!("")),
            ("template", json!("")),
            ("topic_id", json!(" ")),
        ] {
            let email = accepted(field, value);
            assert!(email.headers.is_empty() && email.tags.is_empty() && email.attachments.is_empty());
        }
        let file = json!([{"filename": "a.txt", "content": "aGk=", "path": "", "content_type": "", "content_id": "", "inline_content_id": ""}]);
        let email = accepted("attachments", file);
        assert_eq!(
            (email.attachments[0].content_type(), email.attachments[0].content_id()),
            (Some("text/plain"), None)
        );
    }

    #[test]
    fn an_empty_required_field_is_a_mistake() {
        for field in ["from", "to"] {
            for value in [json!(""), json!(" ")] {
                assert!(error(field, value).message.contains(&format!("`{field}`")));
            }
        }
        for to in [json!([""]), json!(["a@example.org", ""])] {
            assert!(error("to", to).message.contains("`to["));
        }
        assert_eq!(error("cc", json!([null])).status, 422);
        for field in ["okite_on_suppressed", "okite_when_busy"] {
            assert_eq!(error(field, json!("")).status, 422);
        }
        assert_eq!(error("headers", json!(["X-A"])).status, 422);
    }

    #[test]
    fn leaves_out_the_headers_that_ses_writes_and_notes_it() {
        let mut body = minimal();
        body["headers"] = json!({"message-id": "<1@x>", "DATE": "Sat, 28 Nov 2026 08:00:00 +0000", "X-A": "1"});
        let parsed = email(parse(&Request::with_body(body.to_string().as_bytes())).unwrap()).unwrap();
        assert_eq!(
            parsed.email.headers.iter().map(Header::name).collect::<Vec<_>>(),
            ["X-A"]
        );
        assert_eq!(parsed.notes.len(), 2);
        for name in ["`Date`", "`Message-ID`"] {
            assert!(parsed.notes.iter().any(|note| note.contains(name)), "{name}");
        }
        for name in ["Sender", "From", "Return-Path", "Content-Type"] {
            assert!(
                error("headers", json!({ name: "a@example.com" }))
                    .message
                    .contains(name),
                "{name}"
            );
        }
    }

    #[test]
    fn says_what_the_content_of_a_file_is_when_it_is_no_content() {
        let message = |content: Value| {
            let file = json!([{"filename": "a.txt", "content": content}]);
            let error = error("attachments", file);
            assert_eq!((error.status, error.name), (422, "invalid_attachment"));
            assert!(error.message.contains("`attachments[0].content`"), "{}", error.message);
            error.message
        };
        let many: serde_json::Map<String, Value> = (0..150_000).map(|n| (n.to_string(), json!(7))).collect();
        for content in [json!({"0": 104, "1": 105}), json!({"0": 1}), json!(many)] {
            assert!(message(content).contains("Uint8Array"));
        }
        for content in [json!({}), json!({"type": "Buffer"}), json!({"size": 3})] {
            assert!(message(content).contains("ArrayBuffer"));
        }
    }

    #[test]
    fn rejects_invalid_addresses_without_repeating_them() {
        for (field, value) in [
            ("from", json!("secret-person")),
            ("to", json!(["secret-person@"])),
            ("cc", json!("a\r\nsecret-person@b.c")),
        ] {
            let error = error(field, value);
            assert_eq!((error.status, error.name), (422, "validation_error"));
            assert!(!error.message.contains("secret-person"), "{}", error.message);
        }
        assert!(error("to", json!([])).message.contains("at least one"));
    }

    #[test]
    fn names_a_field_that_it_does_not_support() {
        for field in ["template", "topic_id"] {
            let error = error(field, json!("x"));
            assert_eq!((error.status, error.name), (422, "validation_error"));
            assert!(error.message.contains(field), "{}", error.message);
        }
        let error = error(
            "attachments",
            json!([{"filename": "a.txt", "path": "https://example.com/a.txt"}]),
        );
        assert_eq!(error.status, 422);
        assert!(error.message.contains("path"));
    }

    #[test]
    fn rejects_attachments_without_name_or_content_or_with_invalid_base64() {
        for attachment in [
            json!({"content": "aGk="}),
            json!({"filename": "a.txt"}),
            json!({"filename": "a.txt", "content": ""}),
            json!({"filename": "a.txt", "content": "%%%"}),
            json!({"filename": "a.txt", "content": {"0": 104, "1": 105}}),
            json!({"filename": "a.txt", "content": []}),
            json!({"filename": "a.txt", "content": [104, 256]}),
            json!({"filename": "a.txt", "content": {"type": "Buffer", "data": [104, "105"]}}),
            json!({"filename": "a.txt", "content": {"type": "Buffer"}}),
            json!({"filename": "a.exe", "content": "aGk="}),
        ] {
            let error = error("attachments", json!([attachment]));
            assert_eq!((error.status, error.name), (422, "invalid_attachment"), "{attachment}");
        }
    }

    #[test]
    fn names_the_attachment_whose_content_is_not_bytes() {
        let file = |content: Value| json!([{"filename": "a.txt", "content": content}]);
        for content in [
            json!([256]),
            json!([-1]),
            json!([1.5]),
            json!(["1"]),
            json!("%"),
            json!(1),
        ] {
            let error = error("attachments", file(content));
            assert!(error.message.contains("`attachments[0].content`"), "{}", error.message);
        }
    }

    #[test]
    fn accepts_the_content_of_a_file_in_three_forms() {
        for content in [
            json!("aGk="),
            json!([104, 105]),
            json!({"type": "Buffer", "data": [104, 105]}),
        ] {
            let email = accepted("attachments", json!([{"filename": "a.txt", "content": content}]));
            assert_eq!(email.attachments[0].content(), b"hi");
        }
    }

    #[test]
    fn accepts_the_older_name_of_the_content_id() {
        let email = accepted(
            "attachments",
            json!([{"filename": "a.png", "content": "aGk=", "inline_content_id": "logo"}]),
        );
        assert_eq!(email.attachments[0].content_id(), Some("logo"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            Just(json!("a@example.org")),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::hash_map(
                    "\\PC{0,6}|name|value|filename|content|data|content_type|path|X-Tags|X-Metadata",
                    inner,
                    0..4
                )
                .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_in_any_field_is_accepted_or_rejected_with_a_documented_error(
            field in "from|to|cc|bcc|reply_to|subject|html|text|headers|tags|attachments|scheduled_at|okite_on_suppressed|okite_when_busy|okite_deadline", value in any_json(),
        ) {
            let mut body = minimal();
            body[field] = value;
            if let Err(error) = read(body.to_string().as_bytes()) {
                prop_assert!(error.status == 422);
                prop_assert!(["validation_error", "missing_required_field", "invalid_attachment"].contains(&error.name));
            }
        }

        #[test]
        fn any_bytes_are_rejected_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(read(&body).is_err());
        }
    }
}
