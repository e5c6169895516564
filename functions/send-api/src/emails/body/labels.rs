//! The headers and the tags of an email: pairs of a name and a value.

use domain::message::{Header, InvalidEmail, Tag, WRITTEN_BY_SES};
use serde_json::Value;

use super::field::{Object, is_blank, objects, text, wrong_type};

/// Reads `headers`, an object of strings. Returns the headers, and a note for each header that is dropped because SES
/// writes its own. A header that is `null` counts as absent.
pub(super) fn headers(value: Option<Value>) -> Result<(Vec<Header>, Vec<String>), InvalidEmail> {
    let mut read = (Vec::new(), Vec::new());
    let members = match value {
        Some(Value::Object(members)) => members,
        // PHP writes an empty object as an empty array.
        Some(Value::Array(none)) if none.is_empty() => return Ok(read),
        Some(value) if !is_blank(&value) => return Err(wrong_type("headers", "an object", &value)),
        _ => return Ok(read),
    };
    for (name, value) in members {
        match WRITTEN_BY_SES.iter().find(|own| own.eq_ignore_ascii_case(&name)) {
            _ if value.is_null() && !name.is_empty() => {}
            Some(own) => read.1.push(format!(
                "The header `{own}` was left out: Amazon SES writes its own, whatever the email says."
            )),
            None => read.0.push(header((name, value))?),
        }
    }
    Ok(read)
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
