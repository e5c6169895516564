//! Headroom: how many more bounces or complaints reach each limit.

use serde::{Deserialize, Serialize};

use crate::account::AccountHealth;
use crate::reputation::{RateKind, RateThresholds, ReputationRate};

/// How many more bounces or complaints reach each limit if nothing else is sent; 0 when the limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headroom {
    /// Until Okite warns the operators.
    pub warn: u64,
    /// Until Okite holds bulk mail back.
    pub brake: u64,
    /// Until AWS reviews the account.
    pub review: u64,
    /// Until AWS may pause the account's sending.
    pub pause: u64,
}

/// Works out the headroom of a rate. Returns `None` when there is no figure or nothing was sent. The headroom of
/// complaints covers at least those missing from the minimum that a judgement needs.
#[must_use]
pub fn headroom(kind: RateKind, rate: &ReputationRate, thresholds: &RateThresholds) -> Option<Headroom> {
    let (count, sent) = rate.count_of()?;
    let until = |limit: f64| whole((limit * sent - count - TOLERANCE).ceil());
    let missing = match kind {
        RateKind::Bounce => 0,
        RateKind::Complaint => thresholds.complaints_min.saturating_sub(whole(count.round())),
    };
    let until_level = |limit: f64, level: AccountHealth| {
        if rate.level >= level {
            0
        } else {
            until(limit).max(missing)
        }
    };
    Some(Headroom {
        warn: until_level(rate.warn_at, AccountHealth::Warn),
        brake: until_level(rate.brake_at, AccountHealth::BrakeBulk),
        review: until(rate.review_at),
        pause: until(rate.pause_at),
    })
}

/// The tolerance for the error of floating-point arithmetic: 5 % of 1,000 is exactly 50.
const TOLERANCE: f64 = 1e-6;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from f64 saturates, and NaN becomes 0"
)]
fn whole(count: f64) -> u64 {
    count as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reputation::{AwsRate, FeedbackCounts, judge_rate};

    fn of(kind: RateKind, aws: Option<f64>, sent: u64, count: u64) -> Option<Headroom> {
        let counted = FeedbackCounts {
            days: 7,
            sent,
            bounces: count,
            complaints: count,
            ..FeedbackCounts::default()
        };
        let aws = aws.and_then(|rate| AwsRate::new(rate, jiff::Timestamp::UNIX_EPOCH));
        let thresholds = RateThresholds::default();
        let rate = judge_rate(kind, aws, Some(&counted), 0.0, &thresholds, AccountHealth::Healthy);
        headroom(kind, &rate, &thresholds)
    }

    #[test]
    fn counts_how_many_more_reach_each_limit() {
        let until = |warn, brake, review, pause| {
            Some(Headroom {
                warn,
                brake,
                review,
                pause,
            })
        };
        assert_eq!(of(RateKind::Bounce, None, 1_000, 13), until(17, 32, 37, 87));
        assert_eq!(of(RateKind::Bounce, None, 1_000, 50), until(0, 0, 0, 50));
        assert_eq!(of(RateKind::Bounce, Some(0.02), 1_000, 13), until(10, 25, 30, 80));
        assert_eq!(of(RateKind::Complaint, None, 100_000, 0), until(50, 80, 100, 500));
        assert_eq!(of(RateKind::Complaint, None, 1_001, 0), until(2, 2, 2, 6));
    }

    #[test]
    fn there_is_no_headroom_without_figures() {
        assert_eq!(of(RateKind::Bounce, None, 0, 0), None);
        assert_eq!(of(RateKind::Bounce, Some(0.5), 0, 0), None);
        assert_eq!(of(RateKind::Bounce, None, 10, 1), None);
    }

    proptest! {
        #[test]
        fn that_many_more_reach_the_limit_and_one_less_does_not(sent in 1_000_u64..10_000_000, count in 0_u64..100_000) {
            let headroom = of(RateKind::Bounce, None, sent, count).unwrap();
            let reaches = |more: u64| (count + more) * 20 >= sent;
            prop_assert!(reaches(headroom.review));
            prop_assert!(headroom.review == 0 || !reaches(headroom.review - 1));
        }
    }
}
