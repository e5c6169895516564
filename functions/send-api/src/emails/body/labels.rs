//! The headers and the tags of an email: pairs of a name and a value.

use domain::message::{Header, InvalidEmail, Tag};
use serde_json::Value;

use super::field::{Object, objects, text, wrong_type};

/// Reads `headers`, an object of strings.
pub(super) fn headers(value: Option<Value>) -> Result<Vec<Header>, InvalidEmail> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Object(headers)) => headers.into_iter().map(header).collect(),
        Some(other) => Err(wrong_type("headers", "an object", &other)),
    }
}

fn header((name, value): (String, Value)) -> Result<Header, InvalidEmail> {
    match value {
        Value::String(value) => Header::new(&name, &value),
        other => Err(wrong_type("headers", "an object whose values are strings", &other)),
    }
}

/// Reads `tags`, an array of objects with `name` and `value`.
pub(super) fn tags(value: Option<Value>) -> Result<Vec<Tag>, InvalidEmail> {
    let tag = |(place, mut tag): (String, Object)| {
        let mut part = |name: &str| {
            let missing = || InvalidEmail::field(&place, "each tag needs `name` and `value`");
            text(&format!("{place}.{name}"), tag.remove(name).ok_or_else(missing)?)
        };
        Tag::new(&part("name")?, &part("value")?).map_err(|error| error.at(&place))
    };
    objects("tags", value)?.into_iter().map(tag).collect()
}
