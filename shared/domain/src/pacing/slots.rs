//! How long slots of the gate stay taken: what a process may remember of them, and which of them a report takes back.
//!
//! Slots that a clock which is right cannot have taken, and slots that were taken at a slower rate than the present
//! one, would hold all mail back for nothing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{PacingPolicy, RememberedGate, micros};

/// How long a process refuses sends by what it remembers of the gate, before it asks again.
pub const REMEMBERED_FOR: SignedDuration = SignedDuration::from_secs(1);
/// By how much the clocks of two processes may differ before one of them counts as wrong. No run of the reporter is
/// that long, so no report is that much older than one that was set before it.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(2);
/// Mail that is held back for less than this is not worth a warning: one email to 50 recipients at 1 a second takes
/// nearly a minute.
const WORTH_A_WARNING: Duration = Duration::from_mins(1);

/// Returns the latest time that a report can have by a clock that agrees with `now`.
#[must_use]
pub fn latest_report(now: Timestamp) -> Timestamp {
    now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX)
}

/// Slots that a report takes back, in microseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotsTakenBack {
    /// The time up to which slots are taken.
    pub from: i64,
    /// The time up to which they are taken from now on.
    pub to: i64,
}

/// Works out the slots that a report at `now` takes back from the gate as it was read, when the interval becomes
/// `slot_interval`.
///
/// Taken slots keep their recipients: at a faster rate they take less time. At a slower rate they keep their time,
/// because their mails are already under way. Slots that are too far ahead for the rate at which they were taken count
/// for nothing.
#[must_use]
pub fn taken_back(
    read: RememberedGate,
    slot_interval: i64,
    policy: &PacingPolicy,
    now: Timestamp,
) -> Option<SlotsTakenBack> {
    let (from, now) = (read.next_free_slot, now.as_microsecond());
    let ahead = from.saturating_sub(now);
    if ahead <= 0 {
        return None;
    }
    let to = if ahead > policy.furthest(read.slot_interval) {
        now
    } else {
        now + scaled(ahead, read.slot_interval.max(1), slot_interval)
    };
    (to < from).then_some(SlotsTakenBack { from, to })
}

/// Returns the time of the recipients that take `time` at one interval, at another; never more than `time`.
fn scaled(time: i64, from: i64, to: i64) -> i64 {
    if to >= from {
        return time;
    }
    let scaled = i128::from(time) * i128::from(to) / i128::from(from);
    i64::try_from(scaled).unwrap_or(time)
}

/// All mail, held back for its sending rate when a report was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// For how long no mail could pass the gate as it was read.
    pub time: Duration,
    /// Whether the report takes the slots back.
    pub is_taken_back: bool,
}

impl HeldBack {
    /// Returns for how long the gate that was read holds all mail back, if that is worth a warning.
    #[must_use]
    pub fn by(read: RememberedGate, slot_interval: i64, policy: &PacingPolicy, now: Timestamp) -> Option<Self> {
        let ahead = read.next_free_slot.saturating_sub(now.as_microsecond());
        let time = ahead.saturating_sub(micros(policy.wait));
        let time = Duration::from_micros(u64::try_from(time).unwrap_or(0));
        (time >= WORTH_A_WARNING).then(|| Self {
            time,
            is_taken_back: taken_back(read, slot_interval, policy, now).is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::model::{HOUR, SECOND, at, micros, policy};
    use super::*;

    fn gate(slot_interval: i64, ahead: i64) -> RememberedGate {
        RememberedGate {
            slot_interval,
            next_free_slot: micros(at(ahead)),
        }
    }

    /// How far ahead slots are taken after a report at time 0, in microseconds.
    fn after(slot_interval_before: i64, ahead: i64, slot_interval: i64) -> i64 {
        let policy = policy(SECOND, 2 * SECOND);
        let back = taken_back(gate(slot_interval_before, ahead), slot_interval, &policy, at(0));
        back.map_or(ahead, |back| back.to - micros(at(0)))
    }

    #[test]
    fn slots_keep_their_recipients_when_the_rate_rises_and_their_time_when_it_falls() {
        assert_eq!(after(1_000_000, 50 * SECOND, 100_000), 5 * SECOND);
        assert_eq!(after(100_000, 5 * SECOND, 1_000_000), 5 * SECOND);
        // Five recipients at one an hour.
        assert_eq!(after(HOUR, 5 * HOUR, 75_188), 5 * 75_188);
    }

    #[test]
    fn slots_that_no_right_clock_takes_count_for_nothing() {
        // An email to 50 at 1 a second, that waited for its slot, is the furthest.
        assert_eq!(after(SECOND, 52 * SECOND, SECOND), 52 * SECOND);
        assert_eq!(after(SECOND, 67 * SECOND, SECOND), 67 * SECOND);
        assert_eq!(after(SECOND, 67 * SECOND + 1, SECOND), 0);
        assert_eq!(after(75_188, HOUR, 75_188), 0);
    }

    #[test]
    fn slots_of_the_past_stay() {
        assert_eq!(after(75_188, 0, 1), 0);
        assert_eq!(after(75_188, -HOUR, 1), -HOUR);
    }

    #[test]
    fn warns_when_mail_waits_for_a_minute_or_longer() {
        let policy = policy(SECOND, 2 * SECOND);
        let held = |interval, ahead| HeldBack::by(gate(interval, ahead), 100_000, &policy, at(0));
        assert_eq!(held(SECOND, 61 * SECOND), None);
        let time = Duration::from_mins(1);
        let is_taken_back = true;
        assert_eq!(held(SECOND, 62 * SECOND), Some(HeldBack { time, is_taken_back }));
        let slow = HeldBack::by(gate(10 * SECOND, 62 * SECOND), 10 * SECOND, &policy, at(0));
        assert_eq!(slow.map(|held| held.is_taken_back), Some(false));
    }

    proptest! {
        #[test]
        fn whatever_was_read_slots_are_not_too_far_ahead_for_the_new_rate_afterwards(
            next_free_slot: i64, before: i64, slot_interval in 1..HOUR, burst in 0..5 * SECOND, wait in 0..30 * SECOND,
        ) {
            let policy = policy(burst, wait);
            let read = RememberedGate { slot_interval: before, next_free_slot };
            let to = taken_back(read, slot_interval, &policy, at(0)).map_or(next_free_slot, |back| back.to);
            prop_assert!(to <= next_free_slot);
            prop_assert!(to.saturating_sub(micros(at(0))) <= policy.furthest(slot_interval));
        }
    }
}
