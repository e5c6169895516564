//! Slow endpoints: every worker waits two seconds for an answer, and only one worker at a time waits longer.
//!
//! So endpoints that answer late or never occupy one worker, whatever their number, and the others deliver meanwhile.
//! A worker that may not wait ends its request, and the delivery waits in the table.
//!
//! Each process remembers which endpoints are slow. It begins no request to one of them unless it may wait for the end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How long every worker waits for an answer.
pub const QUICK_ANSWER: Duration = Duration::from_secs(2);
/// The late answers in a row that make an endpoint slow. A busy endpoint has a late one now and then.
const LATE_TO_BE_SLOW: u32 = 2;
/// How long a process remembers a slow endpoint after its last late answer.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(1);

/// The memory that a process has of the late answers of an endpoint. A quick answer ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slowness {
    /// The late answers in a row.
    late: u32,
    last_at: Timestamp,
}

impl Slowness {
    /// Returns the memory after an answer was late at `now`.
    #[must_use]
    pub fn after_late(before: Option<Self>, now: Timestamp) -> Self {
        Self {
            late: before.map_or(0, |before| before.late).saturating_add(1),
            last_at: now,
        }
    }

    /// Returns whether the endpoint is slow, as far as the process knows.
    #[must_use]
    pub fn is_slow(self, now: Timestamp) -> bool {
        // A time in the future is none: the clock was set back.
        self.late >= LATE_TO_BE_SLOW && (SignedDuration::ZERO..REMEMBERED).contains(&now.duration_since(self.last_at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn two_late_answers_in_a_row_make_an_endpoint_slow_for_a_minute() {
        let once = Slowness::after_late(None, at(0));
        assert!(!once.is_slow(at(0)));
        let twice = Slowness::after_late(Some(once), at(1));
        for (second, is_slow) in [(0, false), (1, true), (60, true), (61, false), (-100, false)] {
            assert_eq!(twice.is_slow(at(second)), is_slow, "{second}");
        }
        // After that, one is enough: the endpoint has answered nothing quickly since.
        assert!(Slowness::after_late(Some(twice), at(500)).is_slow(at(501)));
    }

    proptest! {
        /// However answers come: an endpoint is slow exactly if its last two answers were late, and the last of them
        /// less than a minute ago.
        #[test]
        fn the_memory_follows_from_the_last_answers(
            answers in prop::collection::vec((0_i64..90, any::<bool>()), 0..40), later in 0_i64..90,
        ) {
            let (mut memory, mut now) = (None, 0);
            for (wait, is_late) in &answers {
                now += wait;
                memory = is_late.then(|| Slowness::after_late(memory, at(now)));
            }
            let both_late = answers.len() >= 2 && answers.iter().rev().take(2).all(|(_, is_late)| *is_late);
            let is_slow = memory.is_some_and(|memory| memory.is_slow(at(now + later)));
            prop_assert_eq!(is_slow, both_late && later < 60);
        }
    }
}
