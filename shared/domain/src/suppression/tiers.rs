//! The tiers of soft bounces: how many of them suppress an address, and for how long.
//!
//! The cause of one soft bounce often ends within a day. The cause of several in a row seldom does. A tier has a number
//! of soft bounces, a window and a duration. Okite applies the tiers to the recorded times before it sends. So it
//! counts and resets nothing, and the order in which bounces arrive makes no difference.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::SOFT_BOUNCES_KEPT;

/// The longest window and the longest duration, in days.
const DAYS_MAX: i64 = 999;

/// The tiers of soft bounces, in no particular order. Without a tier, soft bounces suppress no address.
///
/// As text, they are `off` or a list separated by commas. `3/14d:3d` suppresses for 3 days after 3 soft bounces
/// within 14 days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftBounceTiers(Vec<Tier>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tier {
    /// The number of soft bounces that reaches the tier.
    count: usize,
    /// The time within which they must happen.
    window: SignedDuration,
    /// The duration of the suppression, from the last of them.
    lasts: SignedDuration,
}

/// The text is neither `off` nor a list of tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("soft bounce tiers must be `off` or a list such as `{}`", SoftBounceTiers::EXAMPLE)]
pub struct InvalidTiers;

impl SoftBounceTiers {
    /// An example of tiers as text. It is the default in the template.
    pub const EXAMPLE: &str = "3/14d:3d,5/14d:30d";

    /// Decides whether soft bounces at `times`, oldest first, suppress an address at `now`.
    ///
    /// Returns the time since which they do: that of the latest soft bounce that reached a tier still in force.
    #[must_use]
    pub fn since(&self, times: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
        self.0.iter().filter_map(|tier| tier.since(times, now)).max()
    }
}

impl Tier {
    fn since(&self, times: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
        let reached = times.windows(self.count).filter_map(|bounces| {
            let (first, last) = (bounces.first()?, bounces.last()?);
            (last.duration_since(*first) < self.window).then_some(*last)
        });
        reached.max().filter(|last| now.duration_since(*last) < self.lasts)
    }
}

impl FromStr for SoftBounceTiers {
    type Err = InvalidTiers;

    fn from_str(text: &str) -> Result<Self, InvalidTiers> {
        if text == "off" {
            return Ok(Self::default());
        }
        let tiers = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self(tiers))
    }
}

impl FromStr for Tier {
    type Err = InvalidTiers;

    fn from_str(text: &str) -> Result<Self, InvalidTiers> {
        let days = |text: &str| {
            let days = text.strip_suffix('d')?.parse().ok();
            let days = days.filter(|days| (1..=DAYS_MAX).contains(days))?;
            Some(SignedDuration::from_hours(24 * days))
        };
        let read = || {
            let (bounces, lasts) = text.split_once(':')?;
            let (count, window) = bounces.split_once('/')?;
            let count = count.parse().ok();
            Some(Self {
                count: count.filter(|count| (1..=SOFT_BOUNCES_KEPT).contains(count))?,
                window: days(window)?,
                lasts: days(lasts)?,
            })
        };
        read().ok_or(InvalidTiers)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the time that is `tenths` tenths of a day after the start that all tests share.
    fn at(tenths: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + tenths * 8_640).unwrap()
    }

    fn tiers(text: &str) -> SoftBounceTiers {
        text.parse().unwrap()
    }

    /// Returns the tenth of a day since which the soft bounces at `times` suppress at `now`.
    fn since(text: &str, times: &[i64], now: i64) -> Option<i64> {
        let times: Vec<_> = times.iter().map(|tenths| at(*tenths)).collect();
        let since = tiers(text).since(&times, at(now))?;
        Some((since.as_second() - 1_800_000_000) / 8_640)
    }

    const USUAL: &str = SoftBounceTiers::EXAMPLE;

    #[test]
    fn too_few_soft_bounces_do_not_suppress() {
        for times in [&[][..], &[0], &[0, 1]] {
            assert_eq!(since(USUAL, times, 1), None);
        }
    }

    #[test]
    fn three_within_14_days_suppress_for_3_days_from_the_last_of_them() {
        for now in [139, 168] {
            assert_eq!(since(USUAL, &[0, 70, 139], now), Some(139));
        }
        assert_eq!(since(USUAL, &[0, 70, 139], 169), None);
        assert_eq!(since(USUAL, &[0, 70, 140], 140), None, "the 14 days were over");
    }

    #[test]
    fn five_within_14_days_suppress_for_30_days() {
        let times = [0, 10, 20, 60, 100];
        assert_eq!(since(USUAL, &times, 100), Some(100));
        assert_eq!(since(USUAL, &times, 399), Some(100));
        assert_eq!(since(USUAL, &times, 400), None);
    }

    #[test]
    fn one_more_bounce_after_an_expired_suppression_suppresses_again() {
        assert_eq!(since(USUAL, &[0, 1, 2], 32), None);
        assert_eq!(since(USUAL, &[0, 1, 2, 33], 34), Some(33));
    }

    #[test]
    fn a_later_bounce_that_reaches_no_tier_does_not_end_a_suppression() {
        let times = [0, 10, 20, 30, 40, 300];
        assert_eq!(since(USUAL, &times, 300), Some(40));
        assert_eq!(since(USUAL, &times, 340), None);
    }

    #[test]
    fn a_bounce_with_a_time_in_the_future_counts_at_once() {
        assert_eq!(since(USUAL, &[0, 1, 5], 0), Some(5));
    }

    #[test]
    fn off_never_suppresses() {
        assert_eq!(since("off", &[0; 50], 0), None);
    }

    #[test]
    fn a_tier_of_one_bounce_works() {
        assert_eq!(since("1/1d:2d", &[0], 19), Some(0));
        assert_eq!(since("1/1d:2d", &[0], 20), None);
    }

    #[test]
    fn rejects_invalid_tiers_and_shows_an_example() {
        for text in [
            "",
            "on",
            ",",
            "3/14d:3d,",
            "3/14d",
            "3/14=3",
            "14d:3d",
            "0/14d:3d",
            "51/14d:3d",
            "3/0d:3d",
            "3/14d:0d",
            "3/14d:1000d",
            "-3/14d:3d",
            "3/14h=3d",
            "3/14d:3d;5/14d:30d",
            "3 / 14d = 3d",
        ] {
            assert_eq!(text.parse::<SoftBounceTiers>(), Err(InvalidTiers), "{text}");
        }
        assert!(InvalidTiers.to_string().contains(USUAL));
    }

    proptest! {
        #[test]
        fn no_suppression_outlasts_the_longest_tier(
            mut times in proptest::collection::vec(0_i64..1_000, 0..60), later in 0_i64..1_000,
        ) {
            times.sort_unstable();
            let now = times.last().unwrap_or(&0) + 300 + later;
            prop_assert_eq!(since(USUAL, &times, now), None);
        }

        #[test]
        fn soft_bounces_that_are_not_kept_make_no_difference(
            mut times in proptest::collection::vec(0_i64..2_000, 51..200), now in 0_i64..2_500,
        ) {
            times.sort_unstable();
            let kept = &times[times.len() - SOFT_BOUNCES_KEPT..];
            let now = now.max(times[times.len() - 1]);
            prop_assert_eq!(since(USUAL, kept, now), since(USUAL, &times, now));
        }
    }
}
