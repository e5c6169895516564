//! Reads the fields of an object one by one, so that every error names its field.

use domain::message::InvalidEmail;
use serde_json::{Map, Value};

pub(in super::super) type Object = Map<String, Value>;

pub(super) fn required(object: &mut Object, field: &str) -> Result<Value, InvalidEmail> {
    object
        .remove(field)
        .ok_or_else(|| InvalidEmail::Missing(format!("The field `{field}` is required.")))
}

/// Returns whether a value is an empty text, which says no more than an absent field.
pub(super) fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

pub(super) fn text(field: &str, value: Value) -> Result<String, InvalidEmail> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong_type(field, "a string", &other)),
    }
}

pub(super) fn optional_text(object: &mut Object, field: &str) -> Result<Option<String>, InvalidEmail> {
    object.remove(field).map(|value| text(field, value)).transpose()
}

/// Returns the objects in a field that is an array of objects, each with its path. An empty text counts as an empty
/// array, and a `null` in an object as absent.
pub(super) fn objects(field: &str, value: Option<Value>) -> Result<Vec<(String, Object)>, InvalidEmail> {
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
        Some(value) if is_blank(&value) => Ok(Vec::new()),
        Some(Value::Array(entries)) => entries.into_iter().enumerate().map(entry).collect(),
        Some(other) => Err(wrong_type(field, "an array of objects", &other)),
    }
}

pub(super) fn wrong_type(field: &str, expected: &str, found: &Value) -> InvalidEmail {
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
