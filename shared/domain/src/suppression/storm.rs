//! Storms of blocks: when a domain turns away one mail of ours after the other, it is we who are blocked, and no longer to
//! mail the addresses that were tried would only hide it.
//!
//! Blocks are always recorded. Whether one was part of a storm is asked when somebody is about to be sent to, of the blocks of
//! its domain around it, so that the order in which events come makes no difference.

use jiff::{SignedDuration, Timestamp};

/// So many blocks of one domain within the window are a storm.
pub const STORM_BLOCKS: usize = 20;
/// The window.
pub const STORM_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// So many blocks around one, on both sides of it, are enough to tell: half of them are in the window before it or in the one
/// after.
pub const STORM_ENOUGH: usize = 2 * STORM_BLOCKS;

/// Tells whether a block at `at` was part of a storm, by the times of all blocks of its domain up to a window before it and
/// after it, itself included; the first [`STORM_ENOUGH`] of them will do.
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
    fn twenty_within_ten_minutes_are_a_storm_wherever_in_it_a_block_is() {
        let storm = blocks((0..20).map(|number| number * 30));
        for second in [0, 300, 570] {
            assert!(is_storm(at(second), &storm), "{second}");
        }
        assert!(!is_storm(at(0), &storm[1..]));
    }

    #[test]
    fn twenty_over_a_longer_time_are_none() {
        let slowly = blocks((0..20).map(|number| number * 32));
        assert!(!is_storm(at(0), &slowly));
    }

    #[test]
    fn a_storm_long_before_a_block_is_not_its_own() {
        let mut storm = blocks(0..20);
        storm.push(at(700));
        assert!(!is_storm(at(700), &storm));
    }

    proptest! {
        #[test]
        fn enough_blocks_around_one_are_always_a_storm(times in prop::collection::vec(-600i64..=600, STORM_ENOUGH)) {
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
