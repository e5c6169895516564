//! JSON in, as values: stricter than `serde_json` by itself, and with less memory.
//!
//! - A field that is given twice is refused. Readers of JSON differ in which of the two they take, so whoever looks a
//!   request over might see another recipient than the one that gets the mail.
//! - The bytes of a file as an array of numbers would take ten times the memory of the request as values. Where the content
//!   of a file stands they are read as bytes, and become the base64 string that means the same.
//! - No request needs more values than [`VALUES_MAX`]; millions of empty ones would be out of all proportion to its size.
//!
//! Nesting is bounded by `serde_json`, at 128 levels.

use std::cell::{Cell, RefCell};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::message::InvalidEmail;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::ApiError;

/// How many values a request may have: four times what a hundred emails need that use every limit.
const VALUES_MAX: usize = 100_000;

/// Reads a request's body: an email, or an array of them.
pub(crate) fn read(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Err(ApiError::not_json("it is empty"));
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
        Some(refused) => Err(refused.into()),
        None => read.map_err(ApiError::not_json),
    }
}

/// What is known of a body while it is read.
#[derive(Default)]
struct BodyReading {
    values: Cell<usize>,
    /// Why it is refused although it is JSON.
    refused: RefCell<Option<InvalidEmail>>,
}

impl BodyReading {
    fn refuse<E: Error>(&self, invalid: InvalidEmail) -> E {
        self.refused.replace(Some(invalid));
        E::custom("it is refused")
    }
}

/// Where in a body a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Location {
    /// An email, or an array of them.
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

/// Reads one value.
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
            let problem = format!("The request has more than {VALUES_MAX} values; nothing was sent. Split it up.");
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
            if object.contains_key(&name) {
                return Err(self.reading.refuse(given_twice(&name)));
            }
            let member = members.next_value_seed(self.at(self.location.member(&name)))?;
            object.insert(name, member);
        }
        Ok(Value::Object(object))
    }
}

/// Reads bytes into base64. An array of anything else stays an array, without its elements: it is refused whatever they are.
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

/// A byte, or nothing where there is anything else.
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

/// Names the field only if it looks like a name: others may be anything.
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
        "{field} is given twice in one object; nothing was sent. Give each field once."
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn refused(body: &str) -> String {
        let error = read(body.as_bytes()).unwrap_err();
        assert_eq!((error.status, error.name), (422, "validation_error"), "{body:.80}");
        error.message
    }

    #[test]
    fn a_field_that_is_given_twice_is_refused_at_any_depth_and_named() {
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
    fn the_same_name_in_different_objects_is_no_repetition() {
        let body = r#"{"to": {"to": 1}, "tags": [{"to": 1}, {"to": 1}], "To": 1}"#;
        assert!(read(body.as_bytes()).is_ok());
    }

    #[test]
    fn the_bytes_of_a_file_become_base64() {
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
    fn numbers_anywhere_else_stay_numbers() {
        for body in [
            json!({ "content": [1, 2], "to": [1, 2], "headers": { "content": [1], "data": [2] } }),
            json!({ "attachments": [{ "filename": [1], "x": { "content": [2] } }, [1]], "x": { "attachments": [{ "content": [1] }] } }),
            json!([1, -1, 1.5, "x", null, true, { "a": [] }]),
        ] {
            assert_eq!(read(body.to_string().as_bytes()).unwrap(), body);
        }
    }

    #[test]
    fn more_values_than_any_request_needs_are_refused() {
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
    fn deep_nesting_is_not_json_that_is_taken() {
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
        fn reads_what_serde_json_reads(value in any_json()) {
            let text = value.to_string();
            prop_assert_eq!(read(text.as_bytes()).unwrap(), value);
        }
    }
}
