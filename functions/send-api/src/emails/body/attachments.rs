//! The attachments of an email. Their content is base64, or bytes in one of the two forms in which programs write them.
//!
//! [`super::json`] has already converted bytes to base64, so here the content is a string, or the `data` of an object.

use domain::message::{Attachment, InvalidEmail};
use serde_json::Value;

use super::base64_text;
use super::field::{Object, is_blank, objects, text};
use crate::error::ApiError;
use crate::spelling;

/// The fields of an attachment that Okite knows.
const FIELDS: [&str; 6] = [
    "filename",
    "content",
    "content_type",
    "content_id",
    "inline_content_id",
    "path",
];

pub(super) fn attachments(object: &mut Object) -> Result<Vec<Attachment>, ApiError> {
    objects("attachments", object.remove("attachments"))?
        .into_iter()
        .map(|(place, object)| attachment(&place, object))
        .collect()
}

fn attachment(place: &str, mut object: Object) -> Result<Attachment, ApiError> {
    // The others are required, and an empty one is a mistake.
    let is_optional = |name: &str| !matches!(name, "filename" | "content");
    object.retain(|name, value| !(is_optional(name) && is_blank(value)));
    if object.contains_key("path") {
        let remedy = "Download the file and send it as base64 in `content`.";
        return Err(ApiError::not_supported(&format!("{place}.path"), remedy));
    }
    spelling::check(&object, &FIELDS, &format!("{place}."))?;
    let filename = object
        .remove("filename")
        .ok_or_else(|| InvalidEmail::attachment("it needs a `filename`").at(place))?;
    let filename = text(&format!("{place}.filename"), filename)?;
    let content = content(&format!("{place}.content"), object.remove("content"))?;
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

fn content(place: &str, value: Option<Value>) -> Result<Vec<u8>, InvalidEmail> {
    let refuse = |problem: &str| InvalidEmail::attachment(problem).at(place);
    let value = match value {
        // `JSON.stringify` writes a Node.js Buffer as {"type": "Buffer", "data": […]}.
        Some(Value::Object(mut buffer)) => match buffer.remove("data") {
            None if buffer.contains_key("0") => {
                return Err(refuse(
                    "it is an object with a number for each byte, as `JSON.stringify` writes a Uint8Array. Write the bytes in base64: \
                     `Buffer.from(bytes).toString(\"base64\")`",
                ));
            }
            None => {
                return Err(refuse(
                    "it is an object without `data`, as `JSON.stringify` writes an ArrayBuffer, a Blob, a stream or a Promise. Wait for \
                     the bytes and write them in base64",
                ));
            }
            data => data,
        },
        other => other,
    };
    match value {
        Some(Value::String(content)) => base64_text::decode(content).ok_or_else(|| {
            refuse("it is not valid base64. Encode the bytes of the file once, and send all of the result and nothing else")
        }),
        Some(Value::Array(_)) => Err(refuse(
            "an array must contain only whole numbers from 0 to 255, one for each byte",
        )),
        Some(_) => Err(refuse("it must be a base64 string or an array of bytes")),
        None => Err(refuse("it is missing. Give a base64 string or an array of bytes")),
    }
}
