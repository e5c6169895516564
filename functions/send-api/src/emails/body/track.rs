//! The parts of an email that SES is to track: the field `okite_track`. Without it nothing is tracked.

use domain::message::{InvalidEmail, Tracking};
use serde_json::Value;

use super::field::{Object, wrong_type};

/// The name of the field.
pub(in super::super) const FIELD: &str = "okite_track";

/// Removes the choice from an email's fields and returns it.
pub(super) fn field(object: &mut Object) -> Result<Option<Tracking>, InvalidEmail> {
    let members = match object.remove(FIELD) {
        None => return Ok(None),
        Some(Value::Object(members)) => members,
        Some(other) => {
            return Err(wrong_type(
                FIELD,
                "an object like {\"opens\": true, \"clicks\": true}",
                &other,
            ));
        }
    };
    let mut tracking = Tracking::default();
    for (name, value) in members {
        let place = match name.as_str() {
            "opens" => &mut tracking.opens,
            "clicks" => &mut tracking.clicks,
            _ => {
                let problem = "may have `opens` and `clicks` alone";
                return Err(InvalidEmail::field(FIELD, problem));
            }
        };
        *place = match value {
            Value::Null => false,
            Value::Bool(value) => value,
            other => return Err(wrong_type(&format!("{FIELD}.{name}"), "true or false", &other)),
        };
    }
    Ok(Some(tracking))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Option<Tracking>, InvalidEmail> {
        let mut object = Object::from_iter([(FIELD.to_owned(), value)]);
        field(&mut object)
    }

    #[test]
    fn reads_what_is_asked_for_and_tracks_nothing_else() {
        for (value, opens, clicks) in [
            (json!({"opens": true, "clicks": true}), true, true),
            (json!({"opens": true}), true, false),
            (json!({"opens": null, "clicks": true}), false, true),
            (json!({"opens": false}), false, false),
            (json!({}), false, false),
        ] {
            assert_eq!(read(value).unwrap(), Some(Tracking { opens, clicks }));
        }
        assert_eq!(field(&mut Object::new()).unwrap(), None);
    }

    #[test]
    fn names_what_is_wrong() {
        for (value, named) in [
            (json!(true), "`okite_track`"),
            (json!("opens"), "`okite_track`"),
            (json!({"open": true}), "`okite_track`"),
            (json!({"opens": "yes"}), "`okite_track.opens`"),
            (json!({"clicks": 1}), "`okite_track.clicks`"),
        ] {
            let error = read(value.clone()).unwrap_err();
            assert!(error.to_string().contains(named), "{value}: {error}");
        }
    }
}
