//! When the caller wants a mail to be sent.
//!
//! A time that cannot be read is an error and never "now": a mail that goes out too early cannot be called back.

use std::time::Duration;

use jiff::Timestamp;

use super::time_span::{UNITS_LISTED, parse_span};

/// How far ahead a mail may be scheduled, counted from its acceptance.
pub const SCHEDULE_MAX: Duration = Duration::from_hours(30 * 24);
/// How far in the past a time may be and still count as now: clocks differ, and requests take time.
const PAST_MAX: Duration = Duration::from_mins(1);

/// Why a `scheduled_at` cannot be followed. It repeats nothing of what the caller wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The text has none of the forms.
    #[error(
        "write a time as in RFC 3339, with its offset, such as `2026-08-05T11:52:00Z`, or `in N UNIT`, such as `in 10 min`; \
         the units are {UNITS_LISTED}"
    )]
    Unreadable,
    /// The time is more than [`SCHEDULE_MAX`] after the acceptance of the mail.
    #[error("the time is too far ahead: a mail may be scheduled for up to 30 days after it was accepted")]
    TooFarAhead,
    /// The time is past.
    #[error("the time is more than 60 seconds in the past")]
    Past,
}

/// Reads the `scheduled_at` of a mail that is accepted at `now`: RFC 3339, or `in N UNIT`. Returns `now` for a time
/// that is at most a minute past.
///
/// # Errors
/// [`ScheduleError`] if the text is no time, or a time for which no mail can be scheduled.
pub fn parse_scheduled_at(text: &str, now: Timestamp) -> Result<Timestamp, ScheduleError> {
    reparse_scheduled_at(text, now, now)
}

/// Reads the new `scheduled_at` of a mail that was accepted at `accepted_at`. See [`parse_scheduled_at`].
///
/// # Errors
/// [`ScheduleError`] if the text is no time, or a time for which this mail cannot be scheduled.
pub fn reparse_scheduled_at(text: &str, now: Timestamp, accepted_at: Timestamp) -> Result<Timestamp, ScheduleError> {
    let text = text.trim();
    let at = match relative(text) {
        Some(span) => now.checked_add(span).map_err(|_| ScheduleError::TooFarAhead)?,
        None => rfc_3339(text).ok_or(ScheduleError::Unreadable)?,
    };
    if now.duration_since(at).unsigned_abs() > PAST_MAX && at < now {
        return Err(ScheduleError::Past);
    }
    let at = at.max(now);
    let ahead = at.duration_since(accepted_at);
    if !ahead.is_negative() && ahead.unsigned_abs() > SCHEDULE_MAX {
        return Err(ScheduleError::TooFarAhead);
    }
    Ok(at)
}

/// Reads `in N UNIT`.
fn relative(text: &str) -> Option<Duration> {
    let (word, span) = text.split_once(' ')?;
    parse_span(span).filter(|_| word.eq_ignore_ascii_case("in"))
}

/// Reads a time as in RFC 3339 and nothing else: jiff alone also reads times without seconds and with time zones.
pub(super) fn rfc_3339(text: &str) -> Option<Timestamp> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let bytes = text.as_bytes();
    let (head, rest) = (bytes.get(..SHAPE.len())?, text.get(SHAPE.len()..)?);
    let has_shape = head.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        _ => byte == shape,
    });
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            // More digits than a nanosecond has mean nothing.
            (1..=9).contains(&(fraction.len() - offset.len())).then_some(offset)?
        }
        None => rest,
    };
    (has_shape && is_offset(offset)).then(|| text.parse().ok()).flatten()
}

fn is_offset(text: &str) -> bool {
    let digit = |byte: &u8| byte.is_ascii_digit();
    match text.as_bytes() {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].into_iter().all(digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-08-05T12:00:00.5Z".parse().unwrap()
    }

    fn after(seconds: i64) -> Timestamp {
        now() + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn the_forms_are_read() {
        for (text, expected) in [
            ("2026-08-05T12:00:01.5Z", after(1)),
            ("2026-08-05t12:01:00.500z", after(60)),
            ("2026-08-05 14:00:01.500000000+02:00", after(1)),
            ("2026-08-05T11:30:00.5-00:30", after(0)),
            ("2026-09-04T12:00:00.5Z", after(30 * 86_400)),
            (" 2026-08-05T12:00:01.5Z\n", after(1)),
            ("in 1 second", after(1)),
            ("in 0s", after(0)),
            ("in 10 min", after(600)),
            ("IN 10MIN", after(600)),
            ("in 2 hours", after(7_200)),
            ("in 30 days", after(30 * 86_400)),
        ] {
            assert_eq!(parse_scheduled_at(text, now()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_an_error_that_lists_the_forms() {
        for text in [
            "",
            "now",
            "tomorrow",
            "tomorrow at 9am",
            "in",
            "in ",
            "in an hour",
            "in 1.5 hours",
            "in -1 min",
            "in  1 min",
            "in 1 hour 30 min",
            "in 1 week",
            "in 1 month",
            "1 min",
            "10m",
            "in 10",
            "1754395200",
            "2026-08-05",
            "2026-08-05T12:00:00",
            "2026-08-05T12:00Z",
            "2026-08-05T12:00:00+02",
            "2026-08-05T12:00:00+0200",
            "2026-08-05T12:00:00.Z",
            "2026-08-05T12:00:00Z[Europe/Berlin]",
            "20260805T120000Z",
            "2026-13-05T12:00:00Z",
            "2026-02-30T12:00:00Z",
            "2026-08-05T25:00:00Z",
            "2026-08-05T12:00:00+99:00",
            "Wed, 05 Aug 2026 12:00:00 GMT",
            "２026-08-05T12:00:00Z",
        ] {
            let error = parse_scheduled_at(text, now()).unwrap_err();
            assert_eq!(error, ScheduleError::Unreadable, "{text}");
        }
        let listed = ScheduleError::Unreadable.to_string();
        for part in ["RFC 3339", "in N", "second", "min", "hr", "day"] {
            assert!(listed.contains(part), "{listed}");
        }
    }

    #[test]
    fn a_minute_past_counts_as_now_and_more_is_an_error() {
        assert_eq!(parse_scheduled_at("2026-08-05T11:59:00.5Z", now()), Ok(now()));
        assert_eq!(
            parse_scheduled_at("2026-08-05T11:59:00.4Z", now()),
            Err(ScheduleError::Past)
        );
        assert_eq!(
            parse_scheduled_at("0001-01-01T00:00:00Z", now()),
            Err(ScheduleError::Past)
        );
    }

    #[test]
    fn a_time_more_than_thirty_days_after_acceptance_is_an_error() {
        for text in [
            "2026-09-04T12:00:00.6Z",
            "in 31d",
            "in 720 hours 1",
            "9999-12-31T00:00:00Z",
            "in 999999999 days",
        ] {
            assert!(parse_scheduled_at(text, now()).is_err(), "{text}");
        }
        assert_eq!(parse_scheduled_at("in 31d", now()), Err(ScheduleError::TooFarAhead));
        // The count begins when the mail was accepted, not when it is rescheduled.
        let accepted_at = now() - SignedDuration::from_hours(48);
        assert!(reparse_scheduled_at("in 28 days", now(), accepted_at).is_ok());
        assert_eq!(
            reparse_scheduled_at("in 29 days", now(), accepted_at),
            Err(ScheduleError::TooFarAhead)
        );
    }

    fn any_time() -> impl Strategy<Value = Timestamp> {
        (Timestamp::MIN.as_second()..=Timestamp::MAX.as_second()).prop_map(|at| Timestamp::from_second(at).unwrap())
    }

    proptest! {
        #[test]
        fn no_text_and_no_clock_panics(
            text in ".*", near in "(in )?[0-9]{0,12} ?[a-z]{0,7}", date in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}.?[0-9]{0,10}.{0,6}",
            now in any_time(), accepted_at in any_time(),
        ) {
            for text in [text, near, date] {
                if let Ok(at) = parse_scheduled_at(&text, now) {
                    prop_assert!(at >= now && at.duration_since(now).unsigned_abs() <= SCHEDULE_MAX);
                }
                let _ = reparse_scheduled_at(&text, now, accepted_at);
            }
        }

        #[test]
        fn a_time_reads_back_as_itself(ahead in 0..=i64::try_from(SCHEDULE_MAX.as_millis()).unwrap()) {
            let at = now() + SignedDuration::from_millis(ahead);
            prop_assert_eq!(parse_scheduled_at(&at.to_string(), now()), Ok(at));
        }
    }
}
