//! The deadline of a waiting mail: what is not sent by then becomes `failed`, with the reason `expired`.

use std::time::Duration;

use jiff::Timestamp;

use super::scheduled_at::rfc_3339;
use super::time_span::{UNITS_LISTED, parse_span};
use crate::idempotency::REMEMBERED;
use crate::stream::Stream;

/// The latest deadline, counted from when the mail is to be sent.
pub const AFTER_SCHEDULE_MAX: Duration = Duration::from_hours(3 * 24);

/// How long a mail of each stream waits if the caller names no deadline, counted from when it is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineDefaults {
    /// For transactional mail.
    pub transactional: Duration,
    /// For bulk mail.
    pub bulk: Duration,
}

impl Default for DeadlineDefaults {
    fn default() -> Self {
        Self {
            transactional: Duration::from_hours(24),
            bulk: Duration::from_hours(72),
        }
    }
}

impl DeadlineDefaults {
    /// Returns the deadline of a mail of `stream` that is to be sent at `scheduled_at`.
    #[must_use]
    pub fn deadline(&self, stream: Stream, scheduled_at: Timestamp) -> Timestamp {
        let span = match stream {
            Stream::Transactional => self.transactional,
            Stream::Bulk => self.bulk,
        };
        let span = span.min(AFTER_SCHEDULE_MAX);
        scheduled_at.checked_add(span).unwrap_or(Timestamp::MAX)
    }
}

/// Why an `okite_deadline` cannot be followed. It repeats nothing of what the caller wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeadlineError {
    /// The text has none of the forms.
    #[error(
        "write a time as in RFC 3339, with its offset, such as `2026-08-05T11:52:00Z`, or a span such as `10m`, `2h` or `3d`; \
         the units are {UNITS_LISTED}"
    )]
    Unreadable,
    /// The deadline is not after the time at which the mail is to be sent.
    #[error("the deadline must be after the time at which the mail is to be sent")]
    TooEarly,
    /// The deadline is more than [`AFTER_SCHEDULE_MAX`] after that time.
    #[error("the deadline must be at most 3 days after the time at which the mail is to be sent")]
    TooLate,
}

/// Reads the deadline of a mail that is to be sent at `scheduled_at` (now, for a mail that is not scheduled): RFC 3339,
/// or a span that counts from `scheduled_at`.
///
/// # Errors
/// [`DeadlineError`] if the text is no deadline, or one that no mail can have.
pub fn parse_deadline(text: &str, scheduled_at: Timestamp) -> Result<Timestamp, DeadlineError> {
    let text = text.trim();
    let deadline = match parse_span(text) {
        Some(span) => scheduled_at.checked_add(span).map_err(|_| DeadlineError::TooLate)?,
        None => rfc_3339(text).ok_or(DeadlineError::Unreadable)?,
    };
    if deadline <= scheduled_at {
        Err(DeadlineError::TooEarly)
    } else if deadline.duration_since(scheduled_at).unsigned_abs() > AFTER_SCHEDULE_MAX {
        Err(DeadlineError::TooLate)
    } else {
        Ok(deadline)
    }
}

/// Returns how long the idempotency key of a waiting mail is remembered: a day from now, and a day after the deadline.
#[must_use]
pub fn claim_expires(now: Timestamp, deadline: Timestamp) -> Timestamp {
    now.max(deadline).checked_add(REMEMBERED).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn scheduled_at() -> Timestamp {
        "2026-08-05T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_span_counts_from_the_schedule_and_a_time_is_itself() {
        for (text, seconds) in [
            ("10m", 600),
            ("2h", 7_200),
            ("3d", 259_200),
            (" 1 second ", 1),
            ("2026-08-05T12:00:00.001Z", 0),
            ("2026-08-08T14:00:00+02:00", 259_200),
        ] {
            let deadline = parse_deadline(text, scheduled_at()).unwrap();
            assert_eq!(deadline.duration_since(scheduled_at()).as_secs(), seconds, "{text}");
        }
    }

    #[test]
    fn what_is_no_deadline_is_refused_with_the_cause() {
        for (text, error) in [
            ("", DeadlineError::Unreadable),
            ("10", DeadlineError::Unreadable),
            ("in 10m", DeadlineError::Unreadable),
            ("never", DeadlineError::Unreadable),
            ("2026-08-06", DeadlineError::Unreadable),
            ("0m", DeadlineError::TooEarly),
            ("2026-08-05T12:00:00Z", DeadlineError::TooEarly),
            ("2026-08-05T11:59:59Z", DeadlineError::TooEarly),
            ("4d", DeadlineError::TooLate),
            ("73h", DeadlineError::TooLate),
            ("999999999d", DeadlineError::TooLate),
            ("2026-08-08T12:00:00.001Z", DeadlineError::TooLate),
        ] {
            assert_eq!(parse_deadline(text, scheduled_at()), Err(error), "{text}");
        }
    }

    #[test]
    fn the_streams_have_their_own_defaults_within_the_bound() {
        let defaults = DeadlineDefaults::default();
        let hours = |defaults: DeadlineDefaults, stream| {
            let deadline = defaults.deadline(stream, scheduled_at());
            deadline.duration_since(scheduled_at()).as_hours()
        };
        assert_eq!(
            (hours(defaults, Stream::Transactional), hours(defaults, Stream::Bulk)),
            (24, 72)
        );
        let long = DeadlineDefaults {
            bulk: Duration::from_hours(100),
            ..defaults
        };
        assert_eq!(hours(long, Stream::Bulk), 72);
        assert_eq!(defaults.deadline(Stream::Bulk, Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_key_is_remembered_a_day_from_now_and_a_day_after_the_deadline() {
        let hour = SignedDuration::from_hours(1);
        assert_eq!(
            claim_expires(scheduled_at(), scheduled_at() - hour),
            scheduled_at() + hour * 24
        );
        assert_eq!(
            claim_expires(scheduled_at(), scheduled_at() + hour),
            scheduled_at() + hour * 25
        );
    }

    proptest! {
        #[test]
        fn no_text_and_no_schedule_panics(
            text in ".*", near in "[0-9]{0,12} ?[a-z]{0,7}", at in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(),
        ) {
            let scheduled_at = Timestamp::from_second(at).unwrap();
            for text in [text, near] {
                if let Ok(deadline) = parse_deadline(&text, scheduled_at) {
                    prop_assert!(deadline > scheduled_at);
                    prop_assert!(deadline.duration_since(scheduled_at).unsigned_abs() <= AFTER_SCHEDULE_MAX);
                }
            }
            prop_assert!(claim_expires(scheduled_at, scheduled_at) >= scheduled_at);
        }
    }
}
