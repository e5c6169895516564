//! Storms of blocks: many blocks of one domain within a short time.
//!
//! In a storm the domain blocks the sender, not the recipients. A recipient blocked during a storm is not suppressed,
//! because that would only hide the problem.
//!
//! Okite records every block. Before it sends to a blocked address, it looks at the other blocks of the domain around
//! that time. So the order in which events arrive makes no difference.

use jiff::{SignedDuration, Timestamp};

/// The number of blocks of one domain within the window that makes a storm.
pub const STORM_BLOCKS: usize = 20;
/// The longest time between the first and the last block of a storm.
pub const STORM_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// The number of blocks around one block, within a window before and after it, that always makes a storm. At least
/// half of them are on the same side.
pub const STORM_ENOUGH: usize = 2 * STORM_BLOCKS;

/// Returns whether a block at `at` was part of a storm.
///
/// `blocks` are the times of all blocks of its domain within a window before and after it, including its own. The
/// first [`STORM_ENOUGH`] of them are enough.
#[must_use]
pub fn is_storm(at: Timestamp, blocks: &[Timestamp]) -> bool {
    if blocks.len() >= STORM_ENOUGH {
        return true;
    }
    let mut near: Vec<Timestamp> = blocks.to_vec();
    near.sort_unstable();
    near.windows(STORM_BLOCKS).any(|window| {
        let (first, last) = (window[0], window[STORM_BLOCKS - 1]);
        last.duration_since(first) <= STORM_WINDOW
            && at.duration_since(first) <= STORM_WINDOW
            && last.duration_since(at) <= STORM_WINDOW
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn blocks(seconds: impl IntoIterator<Item = i64>) -> Vec<Timestamp> {
        seconds.into_iter().map(at).collect()
    }

    #[test]
    fn twenty_blocks_within_ten_minutes_are_a_storm_for_each_of_them() {
        let storm = blocks((0..20).map(|number| number * 30));
        for second in [0, 300, 570] {
            assert!(is_storm(at(second), &storm), "{second}");
        }
        assert!(!is_storm(at(0), &storm[1..]));
    }

    #[test]
    fn twenty_blocks_over_a_longer_time_are_no_storm() {
        let slowly = blocks((0..20).map(|number| number * 32));
        assert!(!is_storm(at(0), &slowly));
    }

    #[test]
    fn a_block_long_after_a_storm_is_not_part_of_it() {
        let mut storm = blocks(0..20);
        storm.push(at(700));
        assert!(!is_storm(at(700), &storm));
    }

    proptest! {
        #[test]
        fn enough_blocks_around_a_block_are_always_a_storm(times in prop::collection::vec(-600i64..=600, STORM_ENOUGH)) {
            let near: Vec<_> = times.iter().filter(|time| **time <= 0).copied().collect();
            let half = if near.len() >= STORM_BLOCKS { near } else { times.into_iter().filter(|time| *time >= 0).collect() };
            prop_assert!(half.len() >= STORM_BLOCKS);
            prop_assert!(is_storm(at(0), &blocks(half.into_iter().take(STORM_BLOCKS))));
        }

        #[test]
        fn the_order_makes_no_difference(times in prop::collection::vec(-600i64..=600, 0..STORM_ENOUGH).prop_shuffle()) {
            let mut sorted = times.clone();
            sorted.sort_unstable();
            prop_assert_eq!(is_storm(at(0), &blocks(times)), is_storm(at(0), &blocks(sorted)));
        }
    }
}
