//! The body of a request that gives an email another time.

use domain::message::InvalidEmail;
use domain::queue::reparse_scheduled_at;
use jiff::Timestamp;

use super::email::FIELDS;
use super::field::{Object, required, text};
use super::times::unscheduled;
use super::wishes::SCHEDULED_AT;
use crate::spelling;

/// Reads the body of a request that gives an email another time, and returns the text of that time. Other fields of an
/// email are refused, so that no caller believes that they were changed.
pub(in super::super) fn new_time(mut object: Object) -> Result<String, InvalidEmail> {
    object.retain(|_, value| !value.is_null());
    spelling::check(&object, &[SCHEDULED_AT], "")?;
    let is_other = |field: &&str| *field != SCHEDULED_AT && object.contains_key(*field);
    if let Some(field) = FIELDS.into_iter().find(|field| is_other(field)) {
        let problem = "it cannot be changed. Only `scheduled_at` can, and the deadline moves with it";
        return Err(InvalidEmail::field(field, problem));
    }
    required(&mut object, SCHEDULED_AT).and_then(|time| text(SCHEDULED_AT, time))
}

/// Reads the new time of an email that was accepted at `accepted_at`.
pub(in super::super) fn rescheduled(
    text: &str,
    now: Timestamp,
    accepted_at: Timestamp,
) -> Result<Timestamp, InvalidEmail> {
    reparse_scheduled_at(text, now, accepted_at).map_err(unscheduled)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_time_of_an_email_can_be_changed() {
        let read =
            |body: serde_json::Value| new_time(body.as_object().unwrap().clone()).map_err(|error| error.to_string());
        let accepted = json!({ "scheduled_at": "in 1 min", "subject": null, "id": "x" });
        assert_eq!(read(accepted).as_deref(), Ok("in 1 min"));
        for (body, named) in [
            (json!({}), "`scheduled_at`"),
            (json!({ "scheduled_at": null }), "`scheduled_at`"),
            (json!({ "scheduled_at": 1 }), "`scheduled_at`"),
            (json!({ "scheduledAt": "in 1 min" }), "spelled `scheduled_at`"),
            (json!({ "scheduled_at": "in 1 min", "subject": "x" }), "`subject`"),
            (
                json!({ "scheduled_at": "in 1 min", "okite_deadline": "1h" }),
                "`okite_deadline`",
            ),
        ] {
            assert!(read(body.clone()).unwrap_err().contains(named), "{body}");
        }
    }
}
