//! How direct calls, transactional mail that waits and bulk mail that waits share the sending rate.
//!
//! The gate has one line of slots and no memory of who waits. So a worker takes little at a time: it asks for the next
//! permit when its last slot is over ([`wait_after`](super::Permit::wait_after) all of its recipients), and each permit
//! is for a fraction of a second. If it asked when that slot begins, two workers at one mail a second would leave
//! nothing to direct calls. Transactional workers are as patient as direct calls, and get their turn among them. Bulk
//! workers must be done soon, and transactional workers can hold them back for some seconds.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{RememberedGate, micros};
use crate::stream::Stream;

/// How long the slots of a chunk of a worker may take.
pub const WORKER_CHUNK_TIME: Duration = Duration::from_millis(250);
/// The most mails of such a chunk.
pub const WORKER_CHUNK_MAX: usize = 25;
/// How long a direct call waits for its slot, and a transactional worker beyond the time of its chunk.
const DIRECT_PATIENCE: Duration = Duration::from_secs(2);
/// When the last slot of a bulk chunk must be over, from now.
const BULK_HORIZON: Duration = Duration::from_millis(500);
/// How long bulk mail is held back after the last slot of a transactional worker that leaves mails waiting.
pub(super) const HELD_BACK: SignedDuration = SignedDuration::from_secs(2);
/// The furthest that such a worker holds bulk mail back, from now.
pub(super) const HELD_BACK_MAX: SignedDuration = SignedDuration::from_secs(10);
/// A time further ahead than this comes from a wrong clock.
pub(super) const PLAUSIBLE: SignedDuration = SignedDuration::from_secs(30);

impl RememberedGate {
    /// Returns how many mails of one recipient a worker's chunk has at most.
    #[must_use]
    pub fn worker_chunk(&self) -> usize {
        let fitting = usize::try_from(self.recipients_within(WORKER_CHUNK_TIME)).unwrap_or(1);
        fitting.clamp(1, WORKER_CHUNK_MAX)
    }

    /// Returns how long a worker waits for the first slot of a chunk with so many recipients.
    ///
    /// Bulk mail waits only if its last slot is over soon. One mail may always start now, however many recipients it
    /// has: a chunk of several whose patience is zero is to be made smaller.
    #[must_use]
    pub fn worker_patience(&self, stream: Stream, recipients: i64) -> Duration {
        let chunk = self.time_of(recipients);
        match stream {
            Stream::Transactional => DIRECT_PATIENCE + chunk,
            Stream::Bulk => BULK_HORIZON.saturating_sub(chunk),
        }
    }
}

/// Returns until when a permit holds bulk mail back: that of a transactional worker which leaves mails of its batch
/// waiting. `last_slot` is the last slot of the permit, from `now`.
#[must_use]
pub fn transactional_until(now: Timestamp, last_slot: Duration) -> Timestamp {
    let after = SignedDuration::from_micros(micros(last_slot)).saturating_add(HELD_BACK);
    now.checked_add(after.min(HELD_BACK_MAX)).unwrap_or(Timestamp::MAX)
}

/// Returns whether bulk mail passes at `now`. A time that is too far ahead does not stop it: the worker that set it has
/// a wrong clock.
#[must_use]
pub fn lets_bulk_pass(transactional_until: Timestamp, now: Timestamp) -> bool {
    transactional_until <= now || transactional_until.duration_since(now) > PLAUSIBLE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gate(rate: i64) -> RememberedGate {
        RememberedGate {
            slot_interval: 1_000_000 / rate,
            next_free_slot: 0,
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    #[test]
    fn a_chunk_is_a_quarter_of_a_second_of_the_rate_and_1_to_25_mails() {
        for (rate, chunk) in [(1, 1), (4, 1), (8, 2), (14, 3), (100, 25), (200, 25), (10_000, 25)] {
            assert_eq!(gate(rate).worker_chunk(), chunk, "{rate}");
        }
    }

    #[test]
    fn a_transactional_worker_waits_as_long_as_a_direct_call_and_one_chunk() {
        let wait = |rate, recipients| gate(rate).worker_patience(Stream::Transactional, recipients);
        assert_eq!(wait(100, 25), Duration::from_millis(2_250));
        assert_eq!(wait(1, 1), Duration::from_secs(3));
    }

    #[test]
    fn a_bulk_chunk_ends_within_half_a_second_and_one_mail_may_always_start() {
        let wait = |rate, recipients| gate(rate).worker_patience(Stream::Bulk, recipients);
        assert_eq!(wait(100, 25), Duration::from_millis(250));
        assert_eq!(wait(10, 5), Duration::ZERO);
        // One mail to 50 people.
        assert_eq!(wait(1, 50), Duration::ZERO);
    }

    #[test]
    fn a_worker_that_leaves_mails_waiting_holds_bulk_mail_back_for_some_seconds() {
        for (last_slot, seconds) in [(0, 2), (3, 5), (8, 10), (100, 10)] {
            let until = transactional_until(now(), Duration::from_secs(last_slot));
            assert_eq!(until, now() + SignedDuration::from_secs(seconds), "{last_slot}");
        }
        assert_eq!(transactional_until(Timestamp::MAX, Duration::MAX), Timestamp::MAX);
    }

    #[test]
    fn bulk_mail_passes_when_the_time_is_over_or_cannot_be_right() {
        for (ahead, passes) in [(-5, true), (0, true), (1, false), (10, false), (30, false), (31, true)] {
            assert_eq!(
                lets_bulk_pass(now() + SignedDuration::from_secs(ahead), now()),
                passes,
                "{ahead}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_worker_holds_bulk_mail_back_for_longer_than_ten_seconds(last_slot in 0u64..u64::MAX / 2, passed in 10_001i64..1_000_000) {
            let until = transactional_until(now(), Duration::from_micros(last_slot));
            prop_assert!(lets_bulk_pass(until, now() + SignedDuration::from_millis(passed)));
        }
    }
}
