//! The time between two attempts at a delivery, and the place where the delivery waits meanwhile.
//!
//! A delivery waits in SQS for some minutes at most: SQS delays no message by more than 15 minutes, and a queue holds
//! 120,000 messages in flight, which one dead endpoint would fill. Every longer wait is that of a row.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// The waits after the first attempts. A delivery has failed when the attempt after the last wait failed.
const WAITS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];
/// The longest wait that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(10);
/// The longest delay of a message of SQS.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-timers.html>
const SQS_DELAY_MAX: Duration = Duration::from_mins(15);
/// How many attempts a delivery has at most.
pub const ATTEMPTS_MAX: u32 = 8;

/// The next attempt at a delivery after one failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAttempt {
    /// A message of SQS with this delay brings it back.
    Queued(Duration),
    /// A row waits for so long.
    Stored(Duration),
    /// There is none: the delivery failed.
    Never,
}

impl NextAttempt {
    /// Returns what becomes of a delivery of which `attempts` have failed, the last of them with a receiver that asked
    /// for a wait of `retry_after`.
    #[must_use]
    pub fn after(attempts: u32, retry_after: Option<Duration>) -> Self {
        let wait = attempts
            .checked_sub(1)
            .and_then(|index| WAITS.get(usize::try_from(index).ok()?));
        let Some(wait) = wait else {
            return Self::Never;
        };
        let wait = (*wait).max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX));
        if wait <= SQS_DELAY_MAX {
            Self::Queued(wait)
        } else {
            Self::Stored(wait)
        }
    }
}

/// Reads the header `retry-after` of an answer that came at `now`: a number of seconds, or a date. Returns `None` for
/// any other text.
#[must_use]
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds are longer than any bound.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::NextAttempt::{Never, Queued, Stored};
    use super::*;

    #[test]
    fn the_first_waits_are_in_sqs_and_the_last_attempt_is_the_eighth() {
        let (second, minute, hour) = (Duration::from_secs(1), Duration::from_mins(1), Duration::from_hours(1));
        for (attempts, next) in [
            (0, Never),
            (1, Queued(5 * second)),
            (2, Queued(5 * minute)),
            (3, Stored(30 * minute)),
            (4, Stored(2 * hour)),
            (5, Stored(5 * hour)),
            (6, Stored(10 * hour)),
            (7, Stored(10 * hour)),
            (ATTEMPTS_MAX, Never),
            (u32::MAX, Never),
        ] {
            assert_eq!(NextAttempt::after(attempts, None), next, "{attempts}");
        }
    }

    #[test]
    fn a_receiver_may_lengthen_a_wait_within_bounds() {
        for (attempts, asked, next) in [
            (1, 1, Queued(Duration::from_secs(5))),
            (1, 60, Queued(Duration::from_mins(1))),
            (1, 900, Queued(Duration::from_mins(15))),
            (1, 901, Stored(Duration::from_secs(901))),
            (1, u64::MAX, Stored(Duration::from_hours(10))),
            (4, 60, Stored(Duration::from_hours(2))),
            (8, 60, Never),
        ] {
            assert_eq!(
                NextAttempt::after(attempts, Some(Duration::from_secs(asked))),
                next,
                "{attempts} {asked}"
            );
        }
    }

    #[test]
    fn reads_a_wait_in_seconds_or_as_a_date() {
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sat, 28 Nov 2026 12:01:00 GMT", Some(60)),
            ("Sat, 28 Nov 2026 11:00:00 GMT", Some(0)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("Mon, 28 Nov 2026 12:01:00 GMT", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_ten_hours(attempts in any::<u32>(), text in ".*") {
            let now = Timestamp::UNIX_EPOCH;
            let wait = match NextAttempt::after(attempts, retry_after(&text, now)) {
                Queued(wait) | Stored(wait) => wait,
                Never => Duration::ZERO,
            };
            prop_assert!(wait <= Duration::from_hours(10));
        }
    }
}
