//! Rejects known fields in another spelling: `replyTo` for `reply_to`, `Bcc` for `bcc`.
//!
//! Unknown fields are ignored, but a misspelled one is a mistake: SDKs convert such names, and a caller without an SDK
//! may forget to. A mail sent too early or with the wrong reply address does more harm than an error that names the
//! field.

use domain::message::InvalidEmail;
use serde_json::{Map, Value};

/// Rejects an object that has one of `fields` only in another spelling. `place` is the prefix of the field's name in
/// errors.
pub(crate) fn check(object: &Map<String, Value>, fields: &[&str], place: &str) -> Result<(), InvalidEmail> {
    let missing = || fields.iter().filter(|field| !object.contains_key(**field));
    let unknown = object.keys().filter(|name| !fields.contains(&name.as_str()));
    for name in unknown {
        if let Some(field) = missing().find(|field| is_spelling_of(field, name)) {
            return Err(InvalidEmail::field(
                &format!("{place}{name}"),
                format_args!("the field is spelled `{field}`"),
            ));
        }
    }
    Ok(())
}

/// Returns whether `name` is another spelling of `field`. The error repeats the name, so a longer one does not count.
fn is_spelling_of(field: &str, name: &str) -> bool {
    name.len() < 2 * field.len() && letters(field).eq(letters(name))
}

/// Returns the letters of a name in lower case, without the separators of its words.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .map(|c| c.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(object: &Value) -> Option<String> {
        let error = check(object.as_object().unwrap(), &["reply_to", "bcc"], "x.").err()?;
        Some(error.to_string())
    }

    #[test]
    fn names_the_right_spelling_of_a_field() {
        for name in ["replyTo", "reply-to", "ReplyTo", "Reply_To", "replyto"] {
            let message = refused(&json!({ name: 1 })).unwrap();
            assert_eq!(message, format!("`x.{name}`: the field is spelled `reply_to`."));
        }
        assert!(refused(&json!({ "BCC": 1 })).unwrap().contains("`bcc`"));
    }

    #[test]
    fn accepts_unknown_fields_and_fields_in_the_right_spelling() {
        for object in [
            json!({ "reply_to": 1, "replyTo": 2 }),
            json!({ "reply": 1, "to": 2, "replyToo": 3, "colour": 4 }),
            json!({ "bcc": 1, "Bcc": 2 }),
            json!({ "bcc_________": 1 }),
        ] {
            assert_eq!(refused(&object), None, "{object}");
        }
    }
}
