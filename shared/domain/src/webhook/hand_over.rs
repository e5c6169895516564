//! How many waiting deliveries the sweep hands to SQS, and when it looks at one again that it handed over.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::queue::QueueDepth;
use crate::time::plus;

/// How many deliveries to an endpoint the sweep hands over in a minute at most, while SQS holds none.
const HANDED_OVER_MAX: u64 = 600;
/// The least time after which a delivery is handed over again whose message was lost.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// The time that each message before it may take. A slow endpoint takes 15 seconds, but there are several at a time.
const EACH: Duration = Duration::from_secs(2);

/// Returns how many deliveries to one endpoint the sweep hands over, by what the queue of SQS holds. Without an answer
/// about the queue it hands over none this minute.
#[must_use]
pub fn deliveries_handed_over(queue: Option<QueueDepth>) -> usize {
    let budget = queue.map_or(0, |queue| HANDED_OVER_MAX.saturating_sub(queue.waiting()));
    usize::try_from(budget).unwrap_or(usize::MAX)
}

/// Returns when the sweep looks again at a delivery that was due at `due_at` and that it handed over at `now`, with so
/// many messages `before` it in SQS.
#[must_use]
pub fn delivery_wakes_again_at(due_at: Timestamp, now: Timestamp, before: u64) -> Timestamp {
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    plus(plus(due_at.max(now), AGAIN_AFTER), EACH.saturating_mul(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_of_sqs_holds_one_minutes_worth() {
        let depth = |visible, in_flight| Some(QueueDepth { visible, in_flight });
        for (queue, budget) in [
            (depth(0, 0), 600),
            (depth(100, 20), 480),
            (depth(600, 0), 0),
            (depth(u64::MAX, 1), 0),
            (None, 0),
        ] {
            assert_eq!(deliveries_handed_over(queue), budget, "{queue:?}");
        }
    }

    #[test]
    fn a_delivery_comes_again_when_those_before_it_must_be_done() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(delivery_wakes_again_at(at(0), at(100), 0), at(700));
        assert_eq!(delivery_wakes_again_at(at(150), at(100), 0), at(750));
        assert_eq!(delivery_wakes_again_at(at(0), at(100), 599), at(700 + 1_198));
        assert_eq!(
            delivery_wakes_again_at(at(0), at(100), u64::MAX),
            delivery_wakes_again_at(at(0), at(100), u32::MAX.into())
        );
    }
}
