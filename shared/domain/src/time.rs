//! The times that Okite reckons with: from 1970 to 2200.
//!
//! Arithmetic on a [`Timestamp`] panics at the ends of its range, and an item can hold a time that cannot be read back.
//! So every time from outside (an event, a request, a file, an item) is held to this span where it enters, and the
//! arithmetic on times goes through [`plus`] and [`minus`], which stop at the ends. A lint rejects the operators.

use jiff::{Timestamp, TimestampArithmetic};

/// The earliest time: 1970-01-01T00:00:00Z.
pub const EARLIEST: Timestamp = Timestamp::UNIX_EPOCH;
/// The latest time: 2200-01-01T00:00:00Z.
pub const LATEST: Timestamp = Timestamp::constant(7_258_118_400, 0);

/// Returns a time that is within the span, and `None` for any other.
#[must_use]
pub fn possible(at: Timestamp) -> Option<Timestamp> {
    (EARLIEST..=LATEST).contains(&at).then_some(at)
}

/// Moves a time that is outside the span to the nearer end.
#[must_use]
pub fn clamped(at: Timestamp) -> Timestamp {
    at.clamp(EARLIEST, LATEST)
}

/// Returns the time as an item holds it: in whole milliseconds.
#[must_use]
pub fn in_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Returns the time that is `by` later, and the end of the span beyond it.
#[must_use]
pub fn plus(at: Timestamp, by: impl Into<TimestampArithmetic>) -> Timestamp {
    clamped(at.saturating_add(by).unwrap_or(LATEST))
}

/// Returns the time that is `by` earlier, and the end of the span beyond it.
#[must_use]
pub fn minus(at: Timestamp, by: impl Into<TimestampArithmetic>) -> Timestamp {
    clamped(at.saturating_sub(by).unwrap_or(EARLIEST))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_span_ends_with_the_year_2199() {
        assert_eq!(LATEST.to_string(), "2200-01-01T00:00:00Z");
        assert_eq!(possible(LATEST), Some(LATEST));
        for outside in [
            Timestamp::MIN,
            Timestamp::MAX,
            LATEST.checked_add(SignedDuration::from_nanos(1)).unwrap(),
        ] {
            assert_eq!(possible(outside), None, "{outside}");
        }
    }

    #[test]
    fn a_duration_of_any_length_is_added_and_subtracted() {
        assert_eq!(plus(EARLIEST, Duration::from_secs(1)).as_second(), 1);
        assert_eq!(plus(Timestamp::MAX, Duration::MAX), LATEST);
        assert_eq!(minus(Timestamp::MIN, Duration::MAX), EARLIEST);
    }

    proptest! {
        #[test]
        fn no_sum_leaves_the_span(second in Timestamp::MIN.as_second()..Timestamp::MAX.as_second(), by in any::<i64>()) {
            let (at, by) = (Timestamp::from_second(second).unwrap(), SignedDuration::from_secs(by));
            prop_assert!(possible(plus(at, by)).is_some() && possible(minus(at, by)).is_some());
        }
    }
}
