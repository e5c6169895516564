//! Repeated blocks: an address whose server blocks the sender day after day gets no bulk mail for a while.
//!
//! A block is the sender's fault and lasts a day. Mail that is blocked again on the next day, and on the one after,
//! only hurts the sender's reputation. Okite keeps the first block of each of the newest days with a block, and judges
//! them when it is about to send bulk mail. The first of a day is a function of the set of blocks, so order and copies
//! make no difference.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The number of days with a block that Okite keeps of an address: the newest.
pub const BLOCK_DAYS_KEPT: usize = 7;
/// The number of days with a block, within fourteen days, that keep an address from bulk mail.
pub const BLOCK_DAYS_ENOUGH: usize = 3;
/// The time before now in which blocks count.
const WINDOW: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Returns the first time of each UTC day, of the newest [`BLOCK_DAYS_KEPT`] days, oldest first.
///
/// A time that is left out stays out whatever times are added later. So a store may drop it.
#[must_use]
pub fn first_blocks_of_days(blocks: impl IntoIterator<Item = Timestamp>) -> Vec<Timestamp> {
    let mut by_day = BTreeMap::new();
    for at in blocks {
        let first = by_day.entry(at.to_zoned(TimeZone::UTC).date()).or_insert(at);
        *first = at.min(*first);
    }
    let beyond = by_day.len().saturating_sub(BLOCK_DAYS_KEPT);
    by_day.into_values().skip(beyond).collect()
}

/// Returns whether a block of `at` still counts at `now`.
pub(super) fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) < WINDOW
}

/// Returns the time of the block from which on an address gets no bulk mail, if it gets none at `now`. `days` are the
/// first blocks of days, oldest first, that count.
pub(super) fn suppressed_since(days: impl Iterator<Item = Timestamp>, now: Timestamp) -> Option<Timestamp> {
    days.filter(|at| is_recent(*at, now)).nth(BLOCK_DAYS_ENOUGH - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(hours: i64) -> Timestamp {
        "2027-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    fn since(hours: &[i64], now: i64) -> Option<Timestamp> {
        suppressed_since(
            first_blocks_of_days(hours.iter().map(|hours| at(*hours))).into_iter(),
            at(now),
        )
    }

    const DAY: i64 = 24;

    #[test]
    fn blocks_on_three_days_of_fourteen_keep_an_address_from_bulk_mail() {
        assert_eq!(since(&[0, DAY, 2 * DAY], 2 * DAY), Some(at(2 * DAY)));
        assert_eq!(since(&[0, 1, 2, 3, 4], 5), None, "one day is one block");
        assert_eq!(since(&[0, DAY], 2 * DAY), None);
        // The fourteen days end before now.
        assert_eq!(since(&[0, 6 * DAY, 13 * DAY], 14 * DAY - 1), Some(at(13 * DAY)));
        assert_eq!(since(&[0, 6 * DAY, 13 * DAY], 14 * DAY), None);
        assert_eq!(since(&[23, 24, 48], 49), Some(at(48)), "days are those of UTC");
    }

    proptest! {
        #[test]
        fn order_copies_and_what_a_store_drops_make_no_difference(
            (blocks, shuffled) in proptest::collection::vec(0_i64..40 * DAY, 0..40).prop_flat_map(|blocks| {
                let copies: Vec<_> = blocks.iter().chain(blocks.iter().step_by(3)).copied().collect();
                (Just(blocks), Just(copies).prop_shuffle())
            }),
            now in 0_i64..60 * DAY,
        ) {
            let whole = first_blocks_of_days(blocks.iter().map(|hours| at(*hours)));
            // A store that drops after every write.
            let mut kept = Vec::new();
            for hours in shuffled {
                kept.push(at(hours));
                kept = first_blocks_of_days(kept);
            }
            prop_assert_eq!(&kept, &whole);
            prop_assert!(kept.len() <= BLOCK_DAYS_KEPT);
            // The newest days are enough to judge any time after the last block.
            let last = blocks.iter().max().copied().unwrap_or(0);
            let now = now.max(last);
            let days: std::collections::BTreeSet<_> =
                blocks.iter().filter(|hours| now - **hours < 14 * DAY).map(|hours| hours / DAY).collect();
            let first_counts = |days: &std::collections::BTreeSet<i64>| days.len();
            // The first block of the oldest day may lie outside of the window while a later one lies inside.
            if first_counts(&days) < BLOCK_DAYS_ENOUGH {
                prop_assert_eq!(suppressed_since(kept.into_iter(), at(now)), None);
            } else if first_counts(&days) > BLOCK_DAYS_ENOUGH {
                prop_assert!(suppressed_since(kept.into_iter(), at(now)).is_some());
            }
        }
    }
}
