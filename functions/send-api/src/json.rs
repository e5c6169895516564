//! Parses JSON bodies into values, more strictly than `serde_json` and with less memory.
//!
//! - A repeated field is rejected. JSON parsers differ in which of the two values they take, so a program that checks
//!   the request might see another recipient than the one that receives the mail.
//! - The bytes of a file, written as an array of numbers, would take ten times the request's memory as values. In the
//!   content of an attachment they are parsed as bytes and become the equivalent base64 string.
//! - A request has at most [`VALUES_MAX`] values. Millions of empty values would take far more memory than their text.
//!
//! `serde_json` limits nesting to 128 levels.

use std::cell::{Cell, RefCell};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::message::InvalidEmail;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::request::Request;
use crate::unreadable;

/// The most values in a request: four times the need of 100 emails that reach every limit.
const VALUES_MAX: usize = 100_000;

/// Parses a request's body: an email, or an array of emails.
pub(crate) fn read(request: &Request) -> Result<Value, ApiError> {
    parse(&request.body).map_err(|error| error.unwrap_or_else(|problem| unreadable::error(request, &problem)))
}

/// Parses a body. The error is the problem that makes it no JSON, or else the answer to what the JSON holds.
fn parse(body: &[u8]) -> Result<Value, Result<ApiError, String>> {
    if body.is_empty() {
        return Err(Err("the body is empty".to_owned()));
    }
    let reading = BodyReading::default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let seed = Seed {
        reading: &reading,
        location: Location::Body,
    };
    let read = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match reading.refused.into_inner() {
        Some(refused) => Err(Ok(refused.into())),
        None => read.map_err(|error| Err(error.to_string())),
    }
}

/// The progress of parsing one body.
#[derive(Default)]
struct BodyReading {
    values: Cell<usize>,
    /// Why the body is rejected although it is JSON.
    refused: RefCell<Option<InvalidEmail>>,
}

impl BodyReading {
    fn refuse<E: Error>(&self, invalid: InvalidEmail) -> E {
        self.refused.replace(Some(invalid));
        E::custom("the body is rejected")
    }
}

/// The location of a value in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Location {
    /// The whole body, or an email in an array.
    Body,
    Attachments,
    Attachment,
    /// The content of an attachment, or the `data` of one.
    Content,
    Elsewhere,
}

impl Location {
    fn member(self, name: &str) -> Self {
        match (self, name) {
            (Self::Body, "attachments") => Self::Attachments,
            (Self::Attachment, "content") | (Self::Content, "data") => Self::Content,
            _ => Self::Elsewhere,
        }
    }

    fn element(self) -> Self {
        match self {
            Self::Body => Self::Body,
            Self::Attachments => Self::Attachment,
            Self::Attachment | Self::Content | Self::Elsewhere => Self::Elsewhere,
        }
    }
}

/// Parses one value at a location.
#[derive(Clone, Copy)]
struct Seed<'a> {
    reading: &'a BodyReading,
    location: Location,
}

impl Seed<'_> {
    fn at(self, location: Location) -> Self {
        Self { location, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let values = self.reading.values.get() + 1;
        self.reading.values.set(values);
        if values > VALUES_MAX {
            let problem = format!(
                "The request has more than {VALUES_MAX} values, so nothing was sent. Split it into several requests."
            );
            return Err(self.reading.refuse(InvalidEmail::Whole(problem)));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        if self.location == Location::Content {
            return bytes(elements);
        }
        let seed = self.at(self.location.element());
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(seed)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if self.location == Location::Content && name == "0" {
                // `JSON.stringify` writes a Uint8Array as {"0":104,"1":105}, which is rejected later by what it is. As
                // values it would exceed the limit.
                members.next_value::<IgnoredAny>()?;
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Value::Object(Map::from_iter([(name, Value::Null)])));
            }
            if object.contains_key(&name) {
                return Err(self.reading.refuse(given_twice(&name)));
            }
            let member = members.next_value_seed(self.at(self.location.member(&name)))?;
            object.insert(name, member);
        }
        Ok(Value::Object(object))
    }
}

/// Parses an array of bytes into base64. Any other array becomes an empty array, which is rejected later.
fn bytes<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Value, A::Error> {
    let mut bytes = Vec::new();
    while let Some(Element(element)) = elements.next_element()? {
        let Some(byte) = element else {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Array(Vec::new()));
        };
        bytes.push(byte);
    }
    Ok(Value::String(STANDARD.encode(bytes)))
}

/// An array element that is a byte; `None` if it is anything else.
struct Element(Option<u8>);

impl<'de> serde::Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(None))
    }
}

impl<'de> Visitor<'de> for Element {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a byte")
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self, E> {
        Ok(Self(u8::try_from(value).ok()))
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Self, A::Error> {
        IgnoredAny.visit_seq(elements).map(|_| self)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self, A::Error> {
        IgnoredAny.visit_map(members).map(|_| self)
    }
}

/// Returns the error for a repeated field. It names the field only if the name is harmless text.
fn given_twice(name: &str) -> InvalidEmail {
    let is_name = (1..=126).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let field = if is_name {
        format!("The field `{name}`")
    } else {
        "A field".to_owned()
    };
    InvalidEmail::Whole(format!(
        "{field} is given twice in one object, so nothing was sent. Give each field once."
    ))
}

/// Reads the body as an object, without its `null` fields.
pub(crate) fn object(request: &Request) -> Result<Map<String, Value>, ApiError> {
    match read(request)? {
        Value::Object(mut object) => {
            object.retain(|_, value| !value.is_null());
            Ok(object)
        }
        _ => Err(InvalidEmail::Whole("The request body must be a JSON object.".to_owned()).into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: &[u8]) -> Result<Value, ApiError> {
        super::read(&Request::with_body(body))
    }

    fn refused(body: &str) -> String {
        let error = read(body.as_bytes()).unwrap_err();
        assert_eq!((error.status, error.name), (422, "validation_error"), "{body:.80}");
        error.message
    }

    #[test]
    fn rejects_a_repeated_field_at_any_depth_and_names_it() {
        for body in [
            r#"{"to": "a@example.org", "to": "b@example.org"}"#,
            r#"{"to": 1, "t\u006f": 1}"#,
            r#"{"headers": {"to": "1", "to": "1"}}"#,
            r#"{"tags": [{"name": "a", "to": 1, "to": 1}]}"#,
            r#"[{"x": {"y": [{"to": 1, "from": {}, "to": 1}]}}]"#,
            r#"{"attachments": [{"content": {"to": 1, "to": 1}}]}"#,
        ] {
            assert!(refused(body).contains("`to`"), "{body}");
        }
        let message = refused(r#"{"secret person@x": 1, "secret person@x": 2}"#);
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn accepts_the_same_name_in_different_objects() {
        let body = r#"{"to": {"to": 1}, "tags": [{"to": 1}, {"to": 1}], "To": 1}"#;
        assert!(read(body.as_bytes()).is_ok());
    }

    #[test]
    fn converts_the_bytes_of_a_file_to_base64() {
        let with = |content: &str| format!(r#"{{"attachments": [{{"content": {content}}}]}}"#);
        let content = |body: String| read(body.as_bytes()).unwrap()["attachments"][0]["content"].take();
        assert_eq!(content(with("[104, 105, 0, 255]")), "aGkA/w==");
        assert_eq!(
            content(with(r#"{"type": "Buffer", "data": [104,105]}"#))["data"],
            "aGk="
        );
        assert_eq!(content(with("[]")), "");
        for other in ["256", "-1", "1.5", "1e2", "\"1\"", "null", "true", "[1]", "{\"a\":1}"] {
            assert_eq!(content(with(&format!("[1, {other}, 2]"))), json!([]), "{other}");
        }
    }

    #[test]
    fn keeps_numbers_everywhere_else() {
        for body in [
            json!({ "content": [1, 2], "to": [1, 2], "headers": { "content": [1], "data": [2] } }),
            json!({ "attachments": [{ "filename": [1], "x": { "content": [2] } }, [1]], "x": { "attachments": [{ "content": [1] }] } }),
            json!([1, -1, 1.5, "x", null, true, { "a": [] }]),
        ] {
            assert_eq!(read(body.to_string().as_bytes()).unwrap(), body);
        }
    }

    #[test]
    fn rejects_more_values_than_any_request_needs() {
        let of = |n: usize| format!("[{}1]", "1,".repeat(n));
        assert!(read(of(VALUES_MAX - 2).as_bytes()).is_ok());
        for body in [
            of(VALUES_MAX - 1),
            of(2_000_000),
            "[".to_owned() + &"{},".repeat(VALUES_MAX),
        ] {
            assert!(refused(&body).contains("100000"));
        }
        let file = format!(r#"{{"attachments":[{{"content":[{}1]}}]}}"#, "1,".repeat(2_000_000));
        assert!(read(file.as_bytes()).is_ok());
    }

    #[test]
    fn rejects_deep_nesting() {
        for body in [
            "[".repeat(10_000),
            "{\"a\":".repeat(10_000),
            format!("{{\"attachments\":[{{\"content\":{}", "[".repeat(10_000)),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap_err().status, 400);
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("\\PC{0,6}|to|data", inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_the_same_values_as_serde_json(value in any_json()) {
            let text = value.to_string();
            prop_assert_eq!(read(text.as_bytes()).unwrap(), value);
        }
    }
}
