//! Known fields in another spelling: `replyTo` for `reply_to`, `Bcc` for `bcc`.
//!
//! Unknown fields are ignored, but these are none: SDKs rewrite such names and whoever calls without one may forget to. A
//! mail that goes out at once, or whose answers go astray, is worse than a refusal that names the right spelling.

use domain::message::InvalidEmail;

use super::field::Object;

/// Refuses an object that has one of `fields` in another spelling and not in the right one. `place` stands before the name.
pub(super) fn check(object: &Object, fields: &[&str], place: &str) -> Result<(), InvalidEmail> {
    let missing = || fields.iter().filter(|field| !object.contains_key(**field));
    for name in object.keys() {
        if let Some(field) = missing().find(|field| is_spelling_of(field, name)) {
            return Err(InvalidEmail::field(
                &format!("{place}{name}"),
                format_args!("the field is spelled `{field}`"),
            ));
        }
    }
    Ok(())
}

/// The name is repeated to the caller, so it must not be any longer than a spelling can be.
fn is_spelling_of(field: &str, name: &str) -> bool {
    name.len() < 2 * field.len() && letters(field).eq(letters(name))
}

/// The letters of a name, without what separates its words.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .map(|c| c.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(object: &serde_json::Value) -> Option<String> {
        let error = check(object.as_object().unwrap(), &["reply_to", "bcc"], "x.").err()?;
        Some(error.to_string())
    }

    #[test]
    fn another_spelling_of_a_field_is_told_the_right_one() {
        for name in ["replyTo", "reply-to", "ReplyTo", "Reply_To", "replyto"] {
            let message = refused(&json!({ name: 1 })).unwrap();
            assert_eq!(message, format!("`x.{name}`: the field is spelled `reply_to`."));
        }
        assert!(refused(&json!({ "BCC": 1 })).unwrap().contains("`bcc`"));
    }

    #[test]
    fn a_field_that_is_there_in_the_right_spelling_and_unknown_ones_are_let_be() {
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
