//! When an email is to be sent, and its deadline: the fields `scheduled_at` and `okite_deadline`.
//!
//! What they mean depends on the clock. So they are read when the email itself is known to be valid, and a request that
//! is repeated states the same although it is later.

use domain::message::InvalidEmail;
use domain::queue::{DeadlineError, ScheduleError, parse_deadline, parse_scheduled_at, reparse_scheduled_at};
use jiff::Timestamp;

use super::email::FIELDS;
use super::field::{Object, required, text};
use super::spelling;
use super::wishes::StatedWishes;

/// The name of the field with the time.
pub(super) const SCHEDULED_AT: &str = "scheduled_at";
/// The name of the field with the deadline.
pub(super) const DEADLINE: &str = "okite_deadline";

/// The times of an email at the moment of its request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Times {
    pub(in super::super) scheduled_at: Option<Timestamp>,
    pub(in super::super) deadline: Option<Timestamp>,
    /// The error of an email for which it is too late now, although it may have been valid in an earlier request.
    pub(in super::super) too_late: Option<InvalidEmail>,
}

/// Reads the times of an email whose request arrives at `now`.
pub(in super::super) fn times(wishes: &StatedWishes, now: Timestamp) -> Result<Times, InvalidEmail> {
    let too_late = |error| Times {
        too_late: Some(error),
        ..Times::default()
    };
    let scheduled_at = match wishes.scheduled_at.as_deref().map(|text| parse_scheduled_at(text, now)) {
        Some(Err(ScheduleError::Past)) => return Ok(too_late(unscheduled(ScheduleError::Past))),
        parsed => parsed.transpose().map_err(unscheduled)?,
    };
    let no_deadline = |error| InvalidEmail::field(DEADLINE, error);
    let due = scheduled_at.unwrap_or(now);
    let deadline = match wishes.deadline.as_deref().map(|text| parse_deadline(text, due)) {
        Some(Err(DeadlineError::TooEarly)) => return Ok(too_late(no_deadline(DeadlineError::TooEarly))),
        parsed => parsed.transpose().map_err(no_deadline)?,
    };
    Ok(Times {
        scheduled_at,
        deadline,
        too_late: None,
    })
}

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

/// Returns the error of a time for which no email can be scheduled.
fn unscheduled(error: ScheduleError) -> InvalidEmail {
    InvalidEmail::field(SCHEDULED_AT, error)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(scheduled_at: Option<&str>, deadline: Option<&str>) -> Result<Times, InvalidEmail> {
        let wishes = StatedWishes {
            scheduled_at: scheduled_at.map(str::to_owned),
            deadline: deadline.map(str::to_owned),
            ..StatedWishes::default()
        };
        times(&wishes, at("2026-08-05T12:00:00Z"))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_span_counts_from_the_schedule_or_from_now() {
        let read = |scheduled_at, deadline| {
            let read = read(scheduled_at, deadline).unwrap();
            assert_eq!(read.too_late, None);
            (read.scheduled_at, read.deadline)
        };
        assert_eq!(read(None, None), (None, None));
        assert_eq!(read(None, Some("10m")), (None, Some(at("2026-08-05T12:10:00Z"))));
        assert_eq!(
            read(Some("in 1 hour"), Some("10m")),
            (Some(at("2026-08-05T13:00:00Z")), Some(at("2026-08-05T13:10:00Z")))
        );
        // A minute past is now.
        let now = Some(at("2026-08-05T12:00:00Z"));
        assert_eq!(read(Some("2026-08-05T11:59:00Z"), None), (now, None));
    }

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

    #[test]
    fn a_time_that_is_always_wrong_is_an_error_and_one_that_is_over_is_too_late() {
        for (scheduled_at, deadline, field) in [
            (Some(""), None, SCHEDULED_AT),
            (Some("tomorrow"), None, SCHEDULED_AT),
            (Some("in 31 days"), None, SCHEDULED_AT),
            (None, Some(""), DEADLINE),
            (None, Some("in 10m"), DEADLINE),
            (None, Some("4d"), DEADLINE),
        ] {
            let error = read(scheduled_at, deadline).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{field}`: ")), "{error}");
        }
        for (scheduled_at, deadline, field) in [
            (Some("2026-08-05T11:58:59Z"), None, SCHEDULED_AT),
            (None, Some("2026-08-05T12:00:00Z"), DEADLINE),
            (Some("in 1 hour"), Some("2026-08-05T13:00:00Z"), DEADLINE),
        ] {
            let read = read(scheduled_at, deadline).unwrap();
            assert_eq!((read.scheduled_at, read.deadline), (None, None));
            let error = read.too_late.unwrap().to_string();
            assert!(error.starts_with(&format!("`{field}`: ")), "{error}");
        }
    }
}
