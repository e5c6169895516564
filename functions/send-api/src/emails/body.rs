//! The body of `POST /emails`: JSON into a valid [`Email`].
//!
//! Fields are taken out of the object one by one, so that every error names its field. A field that is `null` counts as
//! absent: SDKs in languages without optional fields send them so. Unknown fields are ignored, and fields that are known
//! and not supported are refused: a mail that was meant for later is never sent at once.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use shared::address::Mailbox;
use shared::message::{Attachment, Email, EmailParts, Header, InvalidEmail, Tag};

use crate::error::ApiError;

/// What to do instead of `okite_on_suppressed`.
pub(super) const ON_SUPPRESSED_REMEDY: &str =
    "Suppressed recipients are left out, and `recipients` in the answer says which.";

/// Fields that this version refuses, and what to do instead.
const NOT_SUPPORTED: [(&str, &str); 4] = [
    ("scheduled_at", "Send the email when it is due."),
    (
        "template",
        "Render the template before sending and use `html` and `text`.",
    ),
    ("topic_id", "Leave out who unsubscribed before sending."),
    ("okite_on_suppressed", ON_SUPPRESSED_REMEDY),
];

pub(super) type Object = Map<String, Value>;

/// Reads the body as a JSON object.
pub(super) fn parse(body: &[u8]) -> Result<Object, ApiError> {
    match json(body)? {
        Value::Object(object) => Ok(object),
        _ => Err(InvalidEmail::Whole("The request body must be a JSON object.".to_owned()).into()),
    }
}

/// Reads the body as a JSON array.
pub(super) fn parse_array(body: &[u8]) -> Result<Vec<Value>, ApiError> {
    match json(body)? {
        Value::Array(array) => Ok(array),
        _ => Err(InvalidEmail::Whole("The request body must be a JSON array of emails.".to_owned()).into()),
    }
}

fn json(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Err(ApiError::not_json("it is empty"));
    }
    serde_json::from_slice(body).map_err(ApiError::not_json)
}

/// Reads one email out of the fields of an object.
pub(super) fn email(mut object: Object) -> Result<Email, ApiError> {
    object.retain(|_, value| !value.is_null());
    for (field, remedy) in NOT_SUPPORTED {
        if object.contains_key(field) {
            return Err(ApiError::not_supported(field, remedy));
        }
    }
    let attachments = attachments(&mut object)?;
    Ok(Email::new(parts(&mut object, attachments)?)?)
}

fn parts(object: &mut Object, attachments: Vec<Attachment>) -> Result<EmailParts, InvalidEmail> {
    let from = required(object, "from")?;
    Ok(EmailParts {
        from: mailbox("from", &text("from", from)?)?,
        to: mailboxes("to", Some(required(object, "to")?))?,
        cc: mailboxes("cc", object.remove("cc"))?,
        bcc: mailboxes("bcc", object.remove("bcc"))?,
        reply_to: mailboxes("reply_to", object.remove("reply_to"))?,
        subject: required(object, "subject").and_then(|subject| text("subject", subject))?,
        html: optional_text(object, "html")?,
        text: optional_text(object, "text")?,
        headers: headers(object.remove("headers"))?,
        tags: tags(object.remove("tags"))?,
        attachments,
    })
}

fn required(object: &mut Object, field: &str) -> Result<Value, InvalidEmail> {
    object
        .remove(field)
        .ok_or_else(|| InvalidEmail::Missing(format!("The field `{field}` is required.")))
}

fn text(field: &str, value: Value) -> Result<String, InvalidEmail> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong_type(field, "a string", &other)),
    }
}

fn optional_text(object: &mut Object, field: &str) -> Result<Option<String>, InvalidEmail> {
    object.remove(field).map(|value| text(field, value)).transpose()
}

fn wrong_type(field: &str, expected: &str, found: &Value) -> InvalidEmail {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    InvalidEmail::field(field, format_args!("must be {expected}, not {found}"))
}

fn mailbox(field: &str, text: &str) -> Result<Mailbox, InvalidEmail> {
    Mailbox::parse(text).map_err(|error| InvalidEmail::field(field, error))
}

/// Reads one address or a list of them; none if the field is absent.
fn mailboxes(field: &str, value: Option<Value>) -> Result<Vec<Mailbox>, InvalidEmail> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(address)) => Ok(vec![mailbox(field, &address)?]),
        Some(Value::Array(addresses)) => {
            let entry = |(index, value)| {
                let field = format!("{field}[{index}]");
                mailbox(&field, &text(&field, value)?)
            };
            addresses.into_iter().enumerate().map(entry).collect()
        }
        Some(other) => Err(wrong_type(field, "a string or an array of strings", &other)),
    }
}

fn headers(value: Option<Value>) -> Result<Vec<Header>, InvalidEmail> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Object(headers)) => headers.into_iter().map(header).collect(),
        Some(other) => Err(wrong_type("headers", "an object", &other)),
    }
}

fn header((name, value): (String, Value)) -> Result<Header, InvalidEmail> {
    match value {
        Value::String(value) => Header::new(&name, &value),
        other => Err(wrong_type("headers", "an object of strings, and no value", &other)),
    }
}

/// Takes the objects out of a field that is an array of objects, each with its place; a field of an object that is `null`
/// counts as absent.
fn objects(field: &str, value: Option<Value>) -> Result<Vec<(String, Object)>, InvalidEmail> {
    let entry = |(index, value): (usize, Value)| {
        let place = format!("{field}[{index}]");
        match value {
            Value::Object(mut object) => {
                object.retain(|_, value| !value.is_null());
                Ok((place, object))
            }
            other => Err(wrong_type(&place, "an object", &other)),
        }
    };
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(entries)) => entries.into_iter().enumerate().map(entry).collect(),
        Some(other) => Err(wrong_type(field, "an array of objects", &other)),
    }
}

fn tags(value: Option<Value>) -> Result<Vec<Tag>, InvalidEmail> {
    let tag = |(place, mut tag): (String, Object)| {
        let mut part = |name: &str| {
            let missing = || InvalidEmail::field(&place, "each needs `name` and `value`");
            text(&format!("{place}.{name}"), tag.remove(name).ok_or_else(missing)?)
        };
        Tag::new(&part("name")?, &part("value")?).map_err(|error| error.at(&place))
    };
    objects("tags", value)?.into_iter().map(tag).collect()
}

fn attachments(object: &mut Object) -> Result<Vec<Attachment>, ApiError> {
    objects("attachments", object.remove("attachments"))?
        .into_iter()
        .map(|(place, object)| attachment(&place, object))
        .collect()
}

fn attachment(place: &str, mut object: Object) -> Result<Attachment, ApiError> {
    if object.contains_key("path") {
        let remedy = "Fetch the file yourself and send it as base64 in `content`.";
        return Err(ApiError::not_supported(&format!("{place}.path"), remedy));
    }
    let refuse = |problem: &str| InvalidEmail::attachment(problem).at(place);
    let filename = object
        .remove("filename")
        .ok_or_else(|| refuse("it needs a `filename`"))?;
    let filename = text(&format!("{place}.filename"), filename)?;
    let content = match object.remove("content") {
        Some(Value::String(content)) => STANDARD
            .decode(content.trim_ascii())
            .map_err(|_| refuse("the `content` is not valid base64: with padding, and without `data:…;base64,`"))?,
        Some(_) => return Err(refuse("the `content` must be a base64 string").into()),
        None => return Err(refuse("it needs `content`, as a base64 string").into()),
    };
    let mut parameter = |name: &str| {
        let value = object.remove(name);
        value.map(|value| text(&format!("{place}.{name}"), value)).transpose()
    };
    let content_type = parameter("content_type")?;
    // Older clients call the content id `inline_content_id`.
    let content_id = match parameter("content_id")? {
        None => parameter("inline_content_id")?,
        some => some,
    };
    let attachment = Attachment::new(&filename, content, content_type, content_id);
    Ok(attachment.map_err(|error| error.at(place))?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: &[u8]) -> Result<Email, ApiError> {
        email(parse(body)?)
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
            Ok(_) => panic!("`{field}` was taken"),
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
    fn tells_what_is_not_json_from_what_is_not_an_email() {
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
    fn names_the_field_that_is_missing() {
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
    fn names_the_field_of_the_wrong_type() {
        let wrong = [json!(1), json!(true), json!({})];
        for field in ["from", "to", "cc", "bcc", "reply_to", "subject", "html", "text"] {
            for value in &wrong {
                let error = error(field, value.clone());
                assert_eq!((error.status, error.name), (422, "validation_error"));
                assert!(error.message.contains(&format!("`{field}`")), "{}", error.message);
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
    fn an_optional_field_that_is_null_is_absent() {
        for field in [
            "cc",
            "bcc",
            "reply_to",
            "html",
            "headers",
            "tags",
            "attachments",
            "scheduled_at",
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
    fn refuses_bad_addresses_without_repeating_them() {
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
    fn refuses_by_name_what_it_does_not_do() {
        for field in ["scheduled_at", "template", "topic_id", "okite_on_suppressed"] {
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
    fn refuses_attachments_without_name_or_content_or_with_bad_base64() {
        for attachment in [
            json!({"content": "aGk="}),
            json!({"filename": "a.txt"}),
            json!({"filename": "a.txt", "content": ""}),
            json!({"filename": "a.txt", "content": "%%%"}),
            json!({"filename": "a.txt", "content": [104, 105]}),
            json!({"filename": "a.exe", "content": "aGk="}),
        ] {
            let error = error("attachments", json!([attachment]));
            assert_eq!((error.status, error.name), (422, "invalid_attachment"), "{attachment}");
        }
    }

    #[test]
    fn takes_the_older_name_of_the_content_id() {
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
                proptest::collection::hash_map("\\PC{0,6}|name|value|filename|content|path", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_in_any_field_is_taken_or_refused_with_a_documented_error(
            field in "from|to|cc|bcc|reply_to|subject|html|text|headers|tags|attachments|scheduled_at", value in any_json(),
        ) {
            let mut body = minimal();
            body[field] = value;
            if let Err(error) = read(body.to_string().as_bytes()) {
                prop_assert!(error.status == 422);
                prop_assert!(["validation_error", "missing_required_field", "invalid_attachment"].contains(&error.name));
            }
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(read(&body).is_err());
        }
    }
}
