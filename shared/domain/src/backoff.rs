//! The wait before Okite retries a call that SES throttled.
//!
//! Calls that SES throttled together would collide again if they all waited equally long. So each delay is random,
//! between zero and a bound that doubles with every retry ("full jitter").

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use uuid::Uuid;

/// The upper bound of the first delay, in microseconds.
const FIRST: u64 = 100_000;
/// The number of times that the bound doubles. Its maximum is 3.2 s.
const DOUBLINGS: u32 = 5;

/// Returns the delay before retry number `retry`, counted from 0. Returns `None` if the delay does not fit in `left`.
///
/// The caller draws `random` once for all retries of a mail. Each retry still has a different delay.
#[must_use]
pub fn delay(retry: u32, random: Uuid, left: Duration) -> Option<Duration> {
    let bound = FIRST << retry.min(DOUBLINGS);
    // A fixed hash derives one random number for each retry.
    let mut hasher = DefaultHasher::new();
    (random.as_u128(), retry).hash(&mut hasher);
    let delay = Duration::from_micros(hasher.finish() % bound);
    (delay < left).then_some(delay)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the delays of many mails before the same retry.
    fn delays(retry: u32) -> impl Iterator<Item = Duration> {
        (0..1_000).map(move |random| delay(retry, Uuid::from_u128(random), Duration::MAX).unwrap())
    }

    #[test]
    fn the_bound_doubles_and_then_stays() {
        for (retry, bound) in [
            (0, 100),
            (1, 200),
            (4, 1_600),
            (5, 3_200),
            (6, 3_200),
            (u32::MAX, 3_200),
        ] {
            let bound = Duration::from_millis(bound);
            let longest = delays(retry).max().unwrap();
            assert!(longest < bound && longest > bound * 9 / 10, "{retry}: {longest:?}");
        }
    }

    #[test]
    fn the_whole_range_is_used() {
        let bound = Duration::from_millis(100);
        for tenth in 0..10 {
            let (from, to) = (bound * tenth / 10, bound * (tenth + 1) / 10);
            let count = delays(0).filter(|delay| (from..to).contains(delay)).count();
            assert!((50..200).contains(&count), "{tenth}: {count}");
        }
    }

    #[test]
    fn each_retry_of_a_mail_has_another_delay() {
        let random = Uuid::from_u128(7);
        let late: Vec<_> = (5..9).map(|retry| delay(retry, random, Duration::MAX)).collect();
        assert!(late.windows(2).all(|pair| pair[0] != pair[1]), "{late:?}");
    }

    #[test]
    fn without_time_left_there_is_no_retry() {
        assert_eq!(delay(0, Uuid::nil(), Duration::ZERO), None);
    }

    proptest! {
        #[test]
        fn a_delay_always_fits_into_the_time_left(retry: u32, random: u128, left in 0u64..5_000) {
            let left = Duration::from_millis(left);
            let random = Uuid::from_u128(random);
            let drawn = delay(retry, random, left);
            prop_assert!(drawn.is_none_or(|delay| delay < left));
            // The same values give the same delay.
            prop_assert_eq!(drawn, delay(retry, random, left));
        }
    }
}
