//! The sending rate as the headers of every answer show it to the caller.

use jiff::Timestamp;

use crate::pacing::{PacingPolicy, RememberedGate};

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// The sending rate and its free part, from the gate as the container last saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Recipients a second, rounded down, one at least.
    pub limit: i64,
    /// Recipients that could go out at once without waiting, at most `limit`.
    pub remaining: i64,
    /// Seconds, rounded up, until `remaining` reaches its maximum if nobody sends.
    pub reset: i64,
}

impl RememberedGate {
    /// Works out the allowance at `now`.
    #[must_use]
    pub fn allowance(&self, policy: &PacingPolicy, now: Timestamp) -> Allowance {
        let now = now.as_microsecond();
        let limit = (SECOND / self.slot_interval).max(1);
        // The recipients of the burst and the one whose slot is now pass at once.
        let slack = policy.slack(self.slot_interval);
        let most = (slack / self.slot_interval + 1).min(limit);
        let ahead = now.saturating_sub(self.next_free_slot.max(now - slack));
        let remaining = if ahead < 0 { 0 } else { ahead / self.slot_interval + 1 };
        let full_at = self.next_free_slot.saturating_add((most - 1) * self.slot_interval);
        Allowance {
            limit,
            remaining: remaining.min(most),
            reset: full_at
                .saturating_sub(now)
                .max(0)
                .unsigned_abs()
                .div_ceil(SECOND.unsigned_abs())
                .cast_signed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const POLICY: PacingPolicy = PacingPolicy {
        account_share: 1.0,
        burst: Duration::from_secs(1),
        wait: Duration::from_secs(2),
        bulk_reserve: 0.2,
    };

    fn told(next_free_slot: i64) -> (i64, i64, i64) {
        let known = RememberedGate {
            slot_interval: 100_000,
            next_free_slot,
        };
        let told = known.allowance(&POLICY, Timestamp::UNIX_EPOCH + SignedDuration::from_secs(100));
        (told.limit, told.remaining, told.reset)
    }

    #[test]
    fn after_a_pause_a_second_of_the_rate_is_free() {
        assert_eq!(told(0), (10, 10, 0));
        assert_eq!(told(99_000_000), (10, 10, 0));
    }

    #[test]
    fn taken_slots_become_free_again_with_time() {
        assert_eq!(told(99_500_000), (10, 6, 1));
        assert_eq!(told(100_000_000), (10, 1, 1));
        assert_eq!(told(100_000_001), (10, 0, 1));
        assert_eq!(told(102_500_000), (10, 0, 4));
    }

    #[test]
    fn a_rate_below_one_is_shown_as_one() {
        let known = RememberedGate {
            slot_interval: 3_000_000,
            next_free_slot: 0,
        };
        let told = known.allowance(&POLICY, Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1));
        assert_eq!((told.limit, told.remaining, told.reset), (1, 1, 0));
    }

    proptest! {
        #[test]
        fn the_free_part_never_exceeds_the_limit(
            slot_interval in 1i64..10_000_000, next_free_slot in 0i64..200_000_000, now in 0i64..200_000_000, burst in 0u64..5_000,
        ) {
            let policy = PacingPolicy { burst: Duration::from_millis(burst), ..POLICY };
            let at = |micros| Timestamp::from_microsecond(micros).unwrap();
            let known = RememberedGate { slot_interval, next_free_slot };
            let told = known.allowance(&policy, at(now));
            prop_assert!((0..=told.limit).contains(&told.remaining));
            let reset = known.allowance(&policy, at(now + told.reset * SECOND));
            prop_assert_eq!(reset.reset, 0);
            prop_assert!(reset.remaining >= told.remaining && reset.remaining > 0);
        }
    }
}
