//! How long a mail waits that could not be sent, and how it comes back.
//!
//! A short wait is a fresh hint with a delay. A long wait is written into the index, which has no limit and costs no
//! message. While a hint releases anything, a hint is used whatever the wait: the index does not hold what is released.

use std::time::Duration;

use jiff::Timestamp;

use super::delay::{HINT_DELAY_MAX, ahead, whole_seconds};
use crate::pacing::Throttled;
use crate::ses_error::{ErrorCause, RETRY_LATER, RETRY_SOON, SesRefusal};

/// Up to this wait, a mail comes back by a hint.
const SHORT: Duration = Duration::from_mins(1);
/// The shortest wait.
const LEAST: Duration = Duration::from_secs(1);
/// The wait of a mail that the brake or the quota holds back. It is the shortest one that is left to the index. The
/// sweep looks at the gate each minute: it wakes no stream that is held back, so a short wait costs nothing, and it
/// hands all of the stream over once that has ended.
const HELD_BACK: Duration = SHORT.saturating_add(LEAST);

/// How a mail comes back that is not sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// By a fresh hint with this delay, in whole seconds and at most [`HINT_DELAY_MAX`]. It releases what the hint
    /// before released.
    Hint(Duration),
    /// By the index: this is the entry's new `wake_at`.
    Index(Timestamp),
    /// By the index, at the `wake_at` that the entry has. Nothing is written.
    Standing,
}

/// Returns how a mail comes back whose cause asks for a wait of `cause`: at the latest after a quarter of the time that
/// is left until its deadline, and after a second at the earliest. `releases` says whether the fresh hint would release
/// anything.
#[must_use]
pub fn retry_wait(cause: Duration, deadline: Timestamp, now: Timestamp, releases: bool) -> Wait {
    let wait = cause.min(ahead(deadline, now) / 4).max(LEAST);
    if releases {
        Wait::Hint(whole_seconds(wait.min(HINT_DELAY_MAX)))
    } else if wait <= SHORT {
        Wait::Hint(whole_seconds(wait))
    } else {
        Wait::Index(now.checked_add(wait).unwrap_or(Timestamp::MAX))
    }
}

/// Returns how long the cause of a refused permit asks a worker to wait.
#[must_use]
pub fn cause_wait(refusal: Throttled) -> Duration {
    match refusal {
        Throttled::Rate { retry_after, .. } => retry_after,
        // The next report, or an operator, may change both.
        Throttled::Quota { .. } | Throttled::Brake(_) => HELD_BACK,
    }
}

impl Wait {
    /// Returns how long SES's refusal of a mail asks a worker to wait. Returns `None` if the fault is the mail's: that
    /// mail is not sent later either.
    #[must_use]
    pub fn after_refusal(refusal: SesRefusal) -> Option<Duration> {
        match refusal.fault() {
            ErrorCause::Mail => None,
            ErrorCause::Deployment => Some(seconds(RETRY_LATER)),
            ErrorCause::Capacity | ErrorCause::Service => {
                Some(seconds(refusal.row().retry.seconds().unwrap_or(RETRY_SOON)))
            }
        }
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::brake::Brake;
    use crate::ses_error::TABLE;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn hint(seconds: u64) -> Wait {
        Wait::Hint(Duration::from_secs(seconds))
    }

    #[test]
    fn a_short_wait_is_a_hint_and_a_long_one_is_in_the_index() {
        let later = |seconds| now() + SignedDuration::from_secs(seconds);
        for (cause, left, wait) in [
            (0, 86_400, hint(1)),
            (1, 86_400, hint(1)),
            (60, 86_400, hint(60)),
            (61, 86_400, Wait::Index(later(61))),
            (300, 86_400, Wait::Index(later(300))),
            // A quarter of what is left.
            (300, 600, Wait::Index(later(150))),
            (300, 200, hint(50)),
            (300, 2, hint(1)),
            (300, 0, hint(1)),
            (300, -5, hint(1)),
        ] {
            let cause = Duration::from_secs(cause);
            assert_eq!(retry_wait(cause, later(left), now(), false), wait, "{cause:?} {left}");
        }
    }

    #[test]
    fn while_anything_is_released_a_hint_is_used() {
        let far = now() + SignedDuration::from_hours(72);
        for (cause, wait) in [(5, hint(5)), (61, hint(61)), (900, hint(900)), (10_000, hint(900))] {
            assert_eq!(retry_wait(Duration::from_secs(cause), far, now(), true), wait);
        }
    }

    #[test]
    fn a_part_of_a_second_is_rounded_up() {
        let far = now() + SignedDuration::from_hours(72);
        assert_eq!(retry_wait(Duration::from_millis(1_001), far, now(), false), hint(2));
    }

    #[test]
    fn the_causes_ask_for_their_waits() {
        let rate = Throttled::Rate {
            retry_after: Duration::from_millis(700),
            slot_interval: 1,
        };
        assert_eq!(cause_wait(rate), Duration::from_millis(700));
        for refusal in [Throttled::Quota { reserved: true }, Throttled::Brake(Brake::Bulk)] {
            let wait = cause_wait(refusal);
            assert_eq!(wait, Duration::from_secs(61));
            let far = now() + SignedDuration::from_hours(24);
            // The sweep decides when it ends, and no hint.
            assert!(matches!(retry_wait(wait, far, now(), false), Wait::Index(_)));
        }
    }

    #[test]
    fn only_a_mail_that_is_itself_at_fault_is_not_sent_later() {
        for refusal in TABLE.iter().filter_map(|row| row.refusal) {
            let wait = Wait::after_refusal(refusal);
            assert_eq!(wait.is_none(), refusal.fault() == ErrorCause::Mail, "{refusal:?}");
            if refusal.fault() == ErrorCause::Deployment {
                assert_eq!(wait, Some(Duration::from_mins(5)), "{refusal:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_wait_is_a_second_at_least_and_a_quarter_of_what_is_left_at_most(
            cause in 0u64..100_000_000, left in -1_000_000i64..1_000_000_000, releases: bool,
        ) {
            let deadline = now() + SignedDuration::from_millis(left);
            let most = Duration::from_millis(u64::try_from(left / 4).unwrap_or(0)).max(LEAST) + Duration::from_secs(1);
            match retry_wait(Duration::from_millis(cause), deadline, now(), releases) {
                Wait::Hint(delay) => {
                    prop_assert!(LEAST <= delay && delay <= most && delay <= HINT_DELAY_MAX);
                    prop_assert_eq!(delay.subsec_nanos(), 0);
                    prop_assert!(releases || delay <= SHORT);
                }
                Wait::Index(at) => {
                    prop_assert!(!releases && ahead(at, now()) > SHORT && ahead(at, now()) <= most);
                    prop_assert!(at < deadline);
                }
                Wait::Standing => prop_assert!(false),
            }
        }
    }
}
