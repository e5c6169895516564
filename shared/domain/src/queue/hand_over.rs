//! How many mails the sweep hands to SQS, and when an entry that it handed over is due again.
//!
//! A backlog waits in the index, in order, and each mail is handed over about once. So SQS holds no more than what goes
//! out in the next two minutes.

use std::time::Duration;

use jiff::Timestamp;

use super::delay::{HINT_DELAY_MAX, ahead, whole_seconds};
use crate::pacing::Gate;
use crate::stream::Stream;

/// The queue of SQS may hold as many hints as mails go out in this time.
const HANDED_OVER_AHEAD: Duration = Duration::from_mins(2);
/// The least time after which a mail is handed over again.
const AGAIN_AFTER: Duration = Duration::from_mins(30);

/// The depth of a queue, as SQS returned it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages that a worker may receive.
    pub visible: u64,
    /// Messages that a worker has received and not acknowledged.
    pub in_flight: u64,
}

impl QueueDepth {
    /// Returns how many messages are to be worked off now. Delayed messages do not count.
    #[must_use]
    pub fn waiting(self) -> u64 {
        self.visible.saturating_add(self.in_flight)
    }
}

/// Returns how many mails of `stream` the sweep hands over: what rate and quota let through in the next two minutes,
/// less what the queue of the stream holds. Without an answer about the queue it hands over none this minute.
#[must_use]
pub fn hand_over_budget(gate: &Gate, stream: Stream, queue: Option<QueueDepth>, now: Timestamp) -> u64 {
    let Some(queue) = queue else { return 0 };
    let lets_through = gate.lets_through(stream, HANDED_OVER_AHEAD, now);
    lets_through.saturating_sub(queue.waiting())
}

/// Returns the delay of the hint about a mail that is handed over at `now` and due at `due_at`, in whole seconds.
#[must_use]
pub fn hand_over_delay(due_at: Timestamp, now: Timestamp) -> Duration {
    whole_seconds(ahead(due_at, now).min(HINT_DELAY_MAX))
}

/// Returns when a mail is due again that was handed over at `now` and was due at `due_at`, its `wake_at` before.
/// `waiting` is how many mails are to be worked off before it, and `slot_interval` the time of each, in microseconds.
///
/// The deadline comes first if it is still ahead, so that the mail is settled then.
#[must_use]
pub fn wake_again_at(
    due_at: Timestamp,
    deadline: Timestamp,
    now: Timestamp,
    waiting: u64,
    slot_interval: i64,
) -> Timestamp {
    let twice = waiting.saturating_mul(2).saturating_mul(slot_interval.unsigned_abs());
    let after = AGAIN_AFTER.max(Duration::from_micros(twice));
    let again = due_at.max(now).checked_add(after).unwrap_or(Timestamp::MAX);
    if ahead(deadline, now).is_zero() {
        again
    } else {
        again.min(deadline)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::brake::Brake;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn gate() -> Gate {
        Gate {
            next_free_slot: 0,
            slot_interval: 5_000,
            left_all: 1_000_000,
            left_bulk: 20_000,
            brake: Brake::None,
            account_read_at: now(),
            transactional_until: 0,
        }
    }

    fn depth(visible: u64, in_flight: u64) -> QueueDepth {
        QueueDepth { visible, in_flight }
    }

    #[test]
    fn two_minutes_of_the_rate_are_handed_over_less_what_the_queue_holds() {
        use Stream::{Bulk, Transactional};
        let braked = Gate {
            brake: Brake::Bulk,
            ..gate()
        };
        let used_up = Gate {
            left_all: 100,
            left_bulk: -5,
            ..gate()
        };
        for (gate, stream, queue, budget) in [
            (gate(), Bulk, Some(depth(0, 0)), 20_000),
            (gate(), Transactional, Some(depth(0, 0)), 24_000),
            (gate(), Transactional, Some(depth(10_000, 4_000)), 10_000),
            (gate(), Transactional, Some(depth(24_000, 0)), 0),
            (gate(), Transactional, Some(depth(u64::MAX, 9)), 0),
            (gate(), Transactional, None, 0),
            (braked, Bulk, Some(depth(0, 0)), 0),
            (braked, Transactional, Some(depth(0, 0)), 24_000),
            (used_up, Bulk, Some(depth(0, 0)), 0),
            (used_up, Transactional, Some(depth(30, 0)), 70),
        ] {
            assert_eq!(
                hand_over_budget(&gate, stream, queue, now()),
                budget,
                "{gate:?} {stream:?} {queue:?}"
            );
        }
    }

    #[test]
    fn before_the_first_report_the_rate_of_a_new_account_limits_the_hand_over() {
        let gate = Gate::before_reports();
        for stream in [Stream::Transactional, Stream::Bulk] {
            // 95 % of one recipient a second.
            assert_eq!(hand_over_budget(&gate, stream, Some(depth(0, 0)), now()), 113);
        }
    }

    #[test]
    fn a_hint_is_delayed_until_its_mail_is_due() {
        for (ahead_ms, delay) in [
            (-5_000, 0),
            (0, 0),
            (1, 1),
            (59_001, 60),
            (60_000, 60),
            (3_600_000, 900),
        ] {
            let due_at = now() + SignedDuration::from_millis(ahead_ms);
            assert_eq!(hand_over_delay(due_at, now()), Duration::from_secs(delay), "{ahead_ms}");
        }
    }

    #[test]
    fn the_quota_of_an_old_report_is_left_to_ses() {
        let old = Gate {
            left_all: 0,
            account_read_at: now() - SignedDuration::from_hours(2),
            ..gate()
        };
        assert_eq!(
            hand_over_budget(&old, Stream::Transactional, Some(depth(0, 0)), now()),
            24_000
        );
    }

    #[test]
    fn a_mail_is_due_again_after_twice_the_backlog_and_never_after_its_deadline() {
        let later = |minutes| now() + SignedDuration::from_mins(minutes);
        let far = later(100_000);
        for (due_at, deadline, waiting, again) in [
            (later(-5), far, 0, later(30)),
            (later(1), far, 0, later(31)),
            // 360,000 mails at 200/s are half an hour; twice that is an hour.
            (now(), far, 360_000, later(60)),
            (now(), later(20), 0, later(20)),
            // A deadline that has come does not hand the mail over every minute.
            (now(), now(), 0, later(30)),
            (now(), later(-1), 0, later(30)),
        ] {
            assert_eq!(
                wake_again_at(due_at, deadline, now(), waiting, 5_000),
                again,
                "{due_at} {deadline} {waiting}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_mail_that_is_handed_over_is_not_due_at_once(
            due in any::<i32>(), deadline in any::<i32>(), waiting: u64, slot_interval: i64,
        ) {
            let at = |seconds: i32| now() + SignedDuration::from_secs(seconds.into());
            let again = wake_again_at(at(due), at(deadline), now(), waiting, slot_interval);
            prop_assert!(again > now());
        }
    }
}
