//! The rolling 24-hour quota and the sending rate: who uses how much, how long the quota lasts, and whether SES lowered
//! either.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::pacing::GrantHistory;
use crate::time;

/// How long a report shows that the quota or the sending rate fell. AWS lowers them because of complaints, so an
/// operator must see it.
const FELL_REPORTED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The period over which the present pace is measured.
const PACE_OVER: SignedDuration = SignedDuration::from_hours(1);
/// Hours of a day.
const DAY: i64 = 24;

/// A limit that SES lowered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitDrop {
    /// The limit before; −1 is no limit.
    pub from: f64,
    /// The limit since then.
    pub to: f64,
    /// When a report first saw the lower limit.
    pub at: Timestamp,
}

impl LimitDrop {
    /// Returns the drop if the limit fell since the previous report, or fell lately and has not recovered. A negative
    /// limit means no limit.
    #[must_use]
    pub fn seen(before: Option<(f64, Option<Self>)>, limit: f64, at: Timestamp) -> Option<Self> {
        let height = |limit: f64| if limit < 0.0 { f64::INFINITY } else { limit };
        let (limit_before, fell_before) = before?;
        let still =
            fell_before.filter(|fell| height(limit) < height(fell.from) && at.duration_since(fell.at) < FELL_REPORTED);
        if height(limit) < height(limit_before) {
            return Some(Self {
                // Several steps down count as one drop.
                from: still.map_or(limit_before, |fell| fell.from),
                to: limit,
                at,
            });
        }
        still
    }
}

/// The quota. Figures are recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    /// The limit for 24 hours; `null` when unlimited.
    pub limit: Option<f64>,
    /// Recipients in the last 24 hours, by SES's count.
    pub used: f64,
    /// The remaining recipients; `null` when unlimited.
    pub remaining: Option<f64>,
    /// The used share, from 0 to 1: the greater of the account's and of this stack's part. `null` when unlimited.
    pub used_share: Option<f64>,
    /// This stack's own part of the quota; `null` when the stack may use the whole quota.
    #[serde(default)]
    pub share: Option<QuotaShare>,
    /// The part of `used` that this stack sent: an estimate from its gate's grants, at most an hour's mail too high.
    pub by_us: f64,
    /// The part of `used` that other stacks and applications of the account sent in this region.
    pub by_others: f64,
    /// Recipients an hour that this stack sends at present.
    pub per_hour: f64,
    /// Seconds until the quota, or this stack's part of it, is used up at this pace; `null` when it lasts 24 hours.
    pub exhausted_in_seconds: Option<u64>,
    /// Whether the quota fell in the last 7 days.
    pub fell: Option<LimitDrop>,
}

/// The part of the quota that this stack may use (`AccountShare`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QuotaShare {
    /// The limit in recipients for 24 hours.
    pub limit: f64,
    /// The recipients that remain of it.
    pub remaining: f64,
}

impl Quota {
    /// Returns how many recipients this stack may still send to, by the account's quota and by its own part.
    #[must_use]
    pub fn remaining_to_us(&self) -> Option<f64> {
        let remaining = self.remaining?;
        Some(self.share.map_or(remaining, |share| share.remaining.min(remaining)))
    }
}

/// The sending rate, in recipients a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendingRate {
    /// SES's limit.
    pub limit: f64,
    /// Whether it fell in the last 7 days.
    pub fell: Option<LimitDrop>,
}

/// Works out where the quota stands, for a stack whose part of it is `account_share`. `before` is the quota of the
/// report before.
#[must_use]
pub(super) fn quota(
    account: &Account,
    account_share: f64,
    history: &GrantHistory<'_>,
    before: Option<&Quota>,
) -> Quota {
    let now = history.now;
    let used = if account.sent_last_24_hours.is_finite() {
        account.sent_last_24_hours.max(0.0)
    } else {
        0.0
    };
    let ago = |duration: SignedDuration| time::minus(now, duration);
    // SES refused recipients that were granted and not sent, so our part is at most SES's count.
    let by_us = history.granted(ago(SignedDuration::from_hours(DAY)), now).min(used);
    let per_hour = history.granted(ago(PACE_OVER), now);
    let limit = account.quota();
    let before = before.map(|before| (before.limit.unwrap_or(-1.0), before.fell));
    let own_limit = limit
        .filter(|_| account_share < 1.0)
        .map(|limit| (limit * account_share).floor());
    let exhausted = |limit: Option<f64>, used| limit.and_then(|limit| exhausted_in(limit, used, per_hour, history));
    let both = |account: Option<u64>, own: Option<u64>| account.into_iter().chain(own).min();
    let used_of = |used: f64, limit: f64| if limit > 0.0 { (used / limit).min(1.0) } else { 1.0 };
    Quota {
        limit,
        used,
        remaining: account.remaining(),
        used_share: limit.map(|limit| {
            own_limit
                .map_or(0.0, |own| used_of(by_us, own))
                .max(used_of(used, limit))
        }),
        share: own_limit.map(|limit| QuotaShare {
            limit,
            remaining: (limit - by_us).max(0.0).round(),
        }),
        by_us: by_us.round(),
        by_others: (used - by_us).round(),
        per_hour: per_hour.round(),
        exhausted_in_seconds: both(exhausted(limit, used), exhausted(own_limit, by_us)),
        fell: LimitDrop::seen(before, limit.unwrap_or(-1.0), now),
    }
}

/// Works out the sending rate and whether SES lowered it. A figure that is no rate leaves both as they were.
#[must_use]
pub(super) fn send_rate(account: &Account, now: Timestamp, before: Option<&SendingRate>) -> SendingRate {
    if account.send_rate().is_none() {
        return before.copied().unwrap_or_default();
    }
    SendingRate {
        limit: account.max_send_rate,
        fell: LimitDrop::seen(
            before.map(|before| (before.limit, before.fell)),
            account.max_send_rate,
            now,
        ),
    }
}

/// Finds the time until the quota is used up, hour by hour. It assumes that we keep the present pace, that our sends of
/// a day ago leave the 24 hours, and that others keep their pace.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most a day of seconds, and not negative"
)]
fn exhausted_in(limit: f64, used: f64, per_hour: f64, history: &GrantHistory<'_>) -> Option<u64> {
    if used >= limit {
        return Some(0);
    }
    let day_ago = time::minus(history.now, SignedDuration::from_hours(DAY));
    let mut left = limit - used;
    for hour in 0_u8..24 {
        let from = time::plus(day_ago, SignedDuration::from_hours(hour.into()));
        let grows = per_hour - history.granted(from, time::plus(from, SignedDuration::from_hours(1)));
        if grows >= left {
            let part = left / grows;
            return Some(((f64::from(hour) + part) * 3_600.0) as u64);
        }
        left -= grows;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::account::EnforcementStatus;
    use crate::pacing::GrantSample;

    fn account(max_24_hour_send: f64, sent_last_24_hours: f64) -> Account {
        Account {
            max_24_hour_send,
            sent_last_24_hours,
            max_send_rate: 14.0,
            production_access: true,
            sending_enabled: true,
            enforcement_status: EnforcementStatus::Healthy,
        }
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1_000 + hours)
    }

    /// Samples at hours before now, and the total now.
    fn of(account: Account, samples: &[(i64, i64)], total: i64) -> Quota {
        let samples: Vec<GrantSample> = samples
            .iter()
            .map(|(hours, total)| GrantSample {
                at: at(-hours),
                total: *total,
            })
            .collect();
        let history = GrantHistory {
            samples: &samples,
            total,
            now: at(0),
        };
        quota(&account, 1.0, &history, None)
    }

    #[test]
    fn separates_our_sends_from_those_of_others() {
        let of = |sent, samples: &[(i64, i64)], total| {
            let quota = of(account(50_000.0, sent), samples, total);
            (quota.used, quota.by_us, quota.by_others)
        };
        assert_eq!(
            of(5_000.0, &[(30, 100), (24, 1_000), (1, 3_000)], 4_000),
            (5_000.0, 3_000.0, 2_000.0)
        );
        // Half of what was granted from 26 to 22 hours ago.
        assert_eq!(of(5_000.0, &[(26, 0), (22, 1_000)], 1_000), (5_000.0, 500.0, 4_500.0));
        // A new stack.
        assert_eq!(of(5_000.0, &[(2, 0)], 700), (5_000.0, 700.0, 4_300.0));
        assert_eq!(of(5_000.0, &[], 700), (5_000.0, 0.0, 5_000.0));
        // SES refused some recipients after the gate granted them.
        assert_eq!(of(100.0, &[(24, 0)], 700), (100.0, 100.0, 0.0));
        // The gate's item was lost and made anew.
        assert_eq!(of(100.0, &[(24, 9_000)], 50), (100.0, 0.0, 100.0));
        assert_eq!(of(f64::NAN, &[(24, 0)], 700), (0.0, 0.0, 0.0));
    }

    #[test]
    fn reports_the_remaining_quota_and_the_used_share() {
        let of = |limit, sent| {
            let quota = of(account(limit, sent), &[], 0);
            (quota.limit, quota.remaining, quota.used_share)
        };
        assert_eq!(of(1_000.0, 250.0), (Some(1_000.0), Some(750.0), Some(0.25)));
        assert_eq!(of(1_000.0, 1_250.0), (Some(1_000.0), Some(0.0), Some(1.0)));
        assert_eq!(of(0.0, 0.0), (Some(0.0), Some(0.0), Some(1.0)));
        assert_eq!(of(-1.0, 9e9), (None, None, None));
        assert_eq!(of(f64::NAN, 5.0), (Some(0.0), Some(0.0), Some(1.0)));
    }

    #[test]
    fn predicts_when_the_quota_is_used_up_at_the_present_pace() {
        let of =
            |limit, sent, samples: &[(i64, i64)], total| of(account(limit, sent), samples, total).exhausted_in_seconds;
        // 600 an hour, 900 left, and no sends of a day ago leave the 24 hours.
        assert_eq!(of(2_000.0, 1_100.0, &[(30, 0), (23, 0), (1, 0)], 600), Some(5_400));
        assert_eq!(of(2_000.0, 2_000.0, &[], 0), Some(0));
        assert_eq!(of(2_000.0, 1_900.0, &[(24, 0)], 0), None);
        // As many sends leave the 24 hours as are added.
        assert_eq!(of(2_000.0, 1_990.0, &[(24, 0), (0, 1_990)], 1_990), None);
        // 100 an hour for ever makes 2,400 in a day.
        assert_eq!(of(2_000.0, 100.0, &[(24, 0), (1, 0)], 100), Some(19 * 3_600));
        assert_eq!(of(-1.0, 1e9, &[(1, 0)], 1_000_000), None);
    }

    #[test]
    fn the_pace_is_that_of_the_last_hour() {
        let per_hour = |samples: &[(i64, i64)]| format!("{:.3}", of(account(5e4, 900.0), samples, 900).per_hour);
        assert_eq!(per_hour(&[(5, 0), (1, 300)]), "600.000");
        assert_eq!(per_hour(&[(2, 0)]), "450.000");
        assert_eq!(per_hour(&[]), "0.000");
    }

    #[test]
    fn a_limit_that_fell_is_reported_for_a_week() {
        let fell = |from, to, hours| {
            Some(LimitDrop {
                from,
                to,
                at: at(hours),
            })
        };
        for (before, limit, now, expected) in [
            (None, 100.0, 0, None),
            (Some((100.0, None)), 100.0, 0, None),
            (Some((100.0, None)), 200.0, 0, None),
            (Some((200.0, None)), 100.0, 0, fell(200.0, 100.0, 0)),
            (Some((-1.0, None)), 100.0, 0, fell(-1.0, 100.0, 0)),
            (Some((100.0, None)), -1.0, 0, None),
            // It stays.
            (Some((100.0, fell(200.0, 100.0, 0))), 100.0, 167, fell(200.0, 100.0, 0)),
            (Some((100.0, fell(200.0, 100.0, 0))), 100.0, 168, None),
            // It fell again, rose a little, and came back.
            (Some((100.0, fell(200.0, 100.0, 0))), 50.0, 5, fell(200.0, 50.0, 5)),
            (Some((100.0, fell(200.0, 100.0, 0))), 150.0, 5, fell(200.0, 100.0, 0)),
            (Some((100.0, fell(200.0, 100.0, 0))), 200.0, 5, None),
            (Some((100.0, None)), 0.0, 0, fell(100.0, 0.0, 0)),
        ] {
            assert_eq!(LimitDrop::seen(before, limit, at(now)), expected, "{before:?} {limit}");
        }
    }

    proptest! {
        #[test]
        fn figures_are_never_negative_and_add_up(
            limit in -1.0..1e6_f64, sent in 0.0..1e6_f64,
            samples in proptest::collection::vec((0_i64..60, 0_i64..1_000_000), 0..8), total in 0_i64..1_000_000,
        ) {
            let quota = of(account(limit, sent), &samples, total);
            prop_assert!(quota.by_us >= 0.0 && quota.by_others >= 0.0 && quota.per_hour >= 0.0);
            prop_assert!((quota.by_us + quota.by_others - quota.used).abs() <= 1.0);
            prop_assert!(quota.exhausted_in_seconds.is_none_or(|seconds| seconds <= 24 * 3_600));
        }
    }
}
