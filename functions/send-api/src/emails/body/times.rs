//! When an email is to be sent, and its deadline: the fields `scheduled_at` and `okite_deadline`.
//!
//! What they mean depends on the clock. So they are read when the email itself is known to be valid, and a request that
//! is repeated states the same although it is later.

use domain::message::InvalidEmail;
use domain::queue::{DeadlineError, ScheduleError, parse_deadline, parse_scheduled_at};
use jiff::Timestamp;

use super::wishes::{DEADLINE, SCHEDULED_AT, StatedWishes};

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

/// Returns the error of a time for which no email can be scheduled.
pub(super) fn unscheduled(error: ScheduleError) -> InvalidEmail {
    InvalidEmail::field(SCHEDULED_AT, error)
}

#[cfg(test)]
mod tests {
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
