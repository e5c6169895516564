//! The bounce rate and the complaint rate: AWS's own figures, our estimates of them, and the health that each means.
//!
//! AWS counts hard bounces and complaints over a "representative volume" of mail that it does not publish, and shows
//! the result as the metrics `Reputation.BounceRate` and `Reputation.ComplaintRate`. They are the authority. Our
//! estimate comes from our own marks and the gate's grants, and replaces AWS's figure when CloudWatch has none.
//! <https://docs.aws.amazon.com/ses/latest/dg/reputation-dashboard-dg.html>

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::AccountHealth;
use crate::reputation::RateThresholds;

/// At this bounce rate AWS reviews an account.
pub const BOUNCE_REVIEW: f64 = 0.05;
/// At this bounce rate AWS may pause its sending.
pub const BOUNCE_PAUSE: f64 = 0.1;
/// At this complaint rate AWS reviews an account.
pub const COMPLAINT_REVIEW: f64 = 0.001;
/// At this complaint rate AWS may pause its sending.
pub const COMPLAINT_PAUSE: f64 = 0.005;

/// The share of a threshold below which a rate leaves the level again. At the threshold itself, a rate that wavers
/// around it would set and release the brake with every report.
const RELEASED_AT: f64 = 0.8;

/// The two rates that AWS judges an account by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateKind {
    /// Hard bounces.
    Bounce,
    /// Complaints.
    Complaint,
}

impl RateKind {
    /// Returns the rates at which AWS reviews an account and pauses it.
    #[must_use]
    pub fn limits_of_aws(self) -> (f64, f64) {
        match self {
            Self::Bounce => (BOUNCE_REVIEW, BOUNCE_PAUSE),
            Self::Complaint => (COMPLAINT_REVIEW, COMPLAINT_PAUSE),
        }
    }
}

/// A rate that AWS published, and the time of its reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AwsRate {
    /// The rate, a fraction.
    pub rate: f64,
    /// When CloudWatch returned it.
    pub at: Timestamp,
}

impl AwsRate {
    /// Accepts a figure of CloudWatch. Returns `None` unless it is a number from 0 to 1.
    #[must_use]
    pub fn new(rate: f64, at: Timestamp) -> Option<Self> {
        (0.0..=1.0).contains(&rate).then_some(Self { rate, at })
    }
}

/// CloudWatch's figures of the two rates; `None` where it has no figure of the last 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AwsRates {
    /// CloudWatch's metric `Reputation.BounceRate`.
    pub bounce: Option<AwsRate>,
    /// CloudWatch's metric `Reputation.ComplaintRate`.
    pub complaint: Option<AwsRate>,
}

impl AwsRates {
    /// Returns the figure of one kind of rate.
    #[must_use]
    pub fn of(&self, kind: RateKind) -> Option<AwsRate> {
        match kind {
            RateKind::Bounce => self.bounce,
            RateKind::Complaint => self.complaint,
        }
    }
}

/// Our own counts over some days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackCounts {
    /// Days (UTC) that were counted, the present one included.
    pub days: u32,
    /// Recipients that the gate granted in these days.
    pub sent: u64,
    /// Hard bounces in these days, without recipients at domains that the account has verified.
    pub bounces: u64,
    /// Complaints in these days, without recipients at domains that the account has verified.
    pub complaints: u64,
    /// Whether there were more bounces than were counted.
    #[serde(default)]
    pub has_more_bounces: bool,
    /// Whether there were more complaints than were counted.
    #[serde(default)]
    pub has_more_complaints: bool,
}

impl FeedbackCounts {
    /// Returns the count of one kind.
    #[must_use]
    pub fn of(&self, kind: RateKind) -> u64 {
        match kind {
            RateKind::Bounce => self.bounces,
            RateKind::Complaint => self.complaints,
        }
    }

    /// Returns whether there were more of one kind than were counted.
    #[must_use]
    pub fn has_more(&self, kind: RateKind) -> bool {
        match kind {
            RateKind::Bounce => self.has_more_bounces,
            RateKind::Complaint => self.has_more_complaints,
        }
    }
}

/// Our estimate of a rate: near AWS's figure, never equal to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateEstimate {
    /// `count` of `sent`, as a fraction; `null` when nothing was sent.
    pub rate: Option<f64>,
    /// The number of bounces or complaints.
    pub count: u64,
    /// Whether there were more than were counted, so that `count` and `rate` are the least that they can be.
    #[serde(default)]
    pub at_least: bool,
    /// The number of recipients.
    pub sent: u64,
    /// Days (UTC) that were counted, the present one included.
    pub days: u32,
}

impl RateEstimate {
    fn of(kind: RateKind, counted: &FeedbackCounts) -> Self {
        let (count, sent) = (counted.of(kind), counted.sent);
        Self {
            // More events than mails are possible: some belong to mails from before the counted days, or to other
            // senders.
            rate: (sent > 0).then(|| (float(count) / float(sent)).min(1.0)),
            count,
            at_least: counted.has_more(kind),
            sent,
            days: counted.days,
        }
    }
}

/// The source of a judged rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateSource {
    /// AWS's own figure.
    Aws,
    /// Our estimate of it.
    Estimate,
}

/// One of the rates, as the report shows it. All rates are fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReputationRate {
    /// AWS's figure; `null` when CloudWatch has none of the last 24 hours.
    pub aws: Option<f64>,
    /// When CloudWatch returned AWS's figure: earlier than the report if CloudWatch could not be read for it.
    #[serde(default)]
    pub aws_at: Option<Timestamp>,
    /// Our own estimate; `null` when it could not be made.
    pub estimate: Option<RateEstimate>,
    /// Which of the two was judged; `null` when neither is sufficient.
    pub source: Option<RateSource>,
    /// The health that the rate means: `healthy`, `warn` or `brake_bulk`.
    pub level: AccountHealth,
    /// The rate from which the level is `warn`.
    pub warn_at: f64,
    /// The rate from which the level is `brake_bulk`.
    pub brake_at: f64,
    /// The rate at which AWS reviews the account.
    pub review_at: f64,
    /// The rate at which AWS may pause the account's sending.
    pub pause_at: f64,
}

impl ReputationRate {
    /// Returns the rate that was judged.
    #[must_use]
    pub fn judged(&self) -> Option<f64> {
        match self.source? {
            RateSource::Aws => self.aws,
            RateSource::Estimate => self.estimate?.rate,
        }
    }

    /// Returns the number of bounces or complaints, and the number of recipients. AWS does not publish the volume
    /// behind its figure, so the figure is applied to our own volume.
    #[must_use]
    pub fn count_of(&self) -> Option<(f64, f64)> {
        let sent = float(self.estimate?.sent);
        let rate = self.judged()?;
        (sent > 0.0).then_some((rate * sent, sent))
    }
}

/// Both rates; `null` in a report of an older version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReputationRates {
    /// Hard bounces.
    pub bounce: Option<ReputationRate>,
    /// Complaints.
    pub complaint: Option<ReputationRate>,
}

/// Judges one rate. `before` is its level in the previous report; `sent_last_24_hours` is SES's own count.
///
/// An estimate *enters* a level only with enough mail and enough complaints. With less, AWS's own figure causes a
/// warning but no brake. So one bounce in ten mails does not stop a new account.
///
/// A rate *leaves* a level only when a figure is well below it, however little mail there is: a braked account may send
/// hardly any. The level stays when nothing can be read. It is healthy when nothing was sent in all counted days.
#[must_use]
pub fn judge_rate(
    kind: RateKind,
    aws: Option<AwsRate>,
    counted: Option<&FeedbackCounts>,
    sent_last_24_hours: f64,
    thresholds: &RateThresholds,
    before: AccountHealth,
) -> ReputationRate {
    let threshold = thresholds.of(kind);
    let estimate = counted.map(|counted| RateEstimate::of(kind, counted));
    let (sent, count) = counted.map_or((0.0, 0.0), |counted| (float(counted.sent), float(counted.of(kind))));
    let count_min = match kind {
        RateKind::Bounce => 0.0,
        RateKind::Complaint => float(thresholds.complaints_min),
    };
    let volume_min = float(thresholds.volume_min);
    let level_of = |rate: f64, entered_at_most: AccountHealth| {
        let reached = |level: AccountHealth, at: f64| {
            let stays = before >= level && rate >= at * RELEASED_AT;
            rate > 0.0 && (stays || (rate >= at && level <= entered_at_most))
        };
        if reached(AccountHealth::BrakeBulk, threshold.brake) {
            AccountHealth::BrakeBulk
        } else if reached(AccountHealth::Warn, threshold.warn) {
            AccountHealth::Warn
        } else {
            AccountHealth::Healthy
        }
    };
    let (source, level) = match (aws, estimate.map(|estimate| estimate.rate)) {
        (Some(AwsRate { rate, .. }), _) => {
            let volume = sent.max(if sent_last_24_hours.is_finite() {
                sent_last_24_hours
            } else {
                0.0
            });
            // AWS does not publish the count.
            let enough = volume >= volume_min && (rate * volume).round().max(count) >= count_min;
            let most = if enough {
                AccountHealth::BrakeBulk
            } else {
                AccountHealth::Warn
            };
            (Some(RateSource::Aws), level_of(rate, most))
        }
        (None, Some(Some(rate))) => {
            let enough = sent >= volume_min && count >= count_min;
            let most = if enough {
                AccountHealth::BrakeBulk
            } else {
                AccountHealth::Healthy
            };
            let judged = sent >= volume_min || before > AccountHealth::Healthy;
            (judged.then_some(RateSource::Estimate), level_of(rate, most))
        }
        (None, Some(None)) => (None, AccountHealth::Healthy),
        (None, None) => (None, before.min(AccountHealth::BrakeBulk)),
    };
    let (review_at, pause_at) = kind.limits_of_aws();
    ReputationRate {
        aws: aws.map(|aws| aws.rate),
        aws_at: aws.map(|aws| aws.at),
        estimate,
        source,
        level,
        warn_at: threshold.warn,
        brake_at: threshold.brake,
        review_at,
        pause_at,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of mails are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::account::AccountHealth::{BrakeBulk, Healthy, Warn};
    use crate::reputation::RateKind::{Bounce, Complaint};

    fn counted(sent: u64, count: u64) -> FeedbackCounts {
        FeedbackCounts {
            days: 7,
            sent,
            bounces: count,
            complaints: count,
            ..FeedbackCounts::default()
        }
    }

    fn judge(
        kind: RateKind,
        aws: Option<f64>,
        counted: Option<FeedbackCounts>,
        before: AccountHealth,
    ) -> ReputationRate {
        let aws = aws.and_then(|rate| AwsRate::new(rate, Timestamp::UNIX_EPOCH));
        judge_rate(kind, aws, counted.as_ref(), 0.0, &RateThresholds::default(), before)
    }

    #[test]
    fn aws_is_the_authority_and_our_estimate_replaces_a_missing_figure() {
        let bad = Some(counted(10_000, 900));
        let rate = judge(Bounce, Some(0.001), bad, Healthy);
        assert_eq!(
            (rate.level, rate.source, rate.judged()),
            (Healthy, Some(RateSource::Aws), Some(0.001))
        );
        let rate = judge(Bounce, None, bad, Healthy);
        assert_eq!(
            (rate.level, rate.source, rate.judged()),
            (BrakeBulk, Some(RateSource::Estimate), Some(0.09))
        );
    }

    #[test]
    fn a_count_that_was_cut_is_the_least_that_it_can_be() {
        let cut = FeedbackCounts {
            has_more_complaints: true,
            ..counted(10_000, 900)
        };
        let at_least = |kind| {
            judge(kind, None, Some(cut), Healthy)
                .estimate
                .map(|estimate| estimate.at_least)
        };
        assert_eq!([Bounce, Complaint].map(at_least), [Some(false), Some(true)]);
    }

    #[test]
    fn a_level_stays_until_a_figure_ends_it() {
        for before in [Healthy, Warn, BrakeBulk] {
            // Nothing could be read.
            let rate = judge(Bounce, None, None, before);
            assert_eq!((rate.level, rate.source, rate.judged()), (before, None, None));
            // Nothing was sent for a week.
            assert_eq!(judge(Bounce, None, Some(counted(0, 0)), before).level, Healthy);
        }
        // Bulk mail is held back, and so there is little mail.
        for (kind, aws, sent, count, level) in [
            (Bounce, Some(0.06), 10, 0, BrakeBulk),
            (Bounce, Some(0.03), 10, 0, Warn),
            (Bounce, None, 100, 6, BrakeBulk),
            (Bounce, None, 100, 3, Warn),
            (Bounce, None, 100, 0, Healthy),
            (Complaint, Some(0.001), 100, 0, BrakeBulk),
            (Complaint, None, 900, 1, BrakeBulk),
        ] {
            let rate = judge(kind, aws, Some(counted(sent, count)), BrakeBulk);
            assert_eq!(rate.level, level, "{kind:?} {aws:?} {count} of {sent}");
            assert!(rate.source.is_some());
        }
    }

    #[test]
    fn each_threshold_is_reached_at_its_own_figure() {
        for (kind, count, level) in [
            (Bounce, 0, Healthy),
            (Bounce, 2_999, Healthy),
            (Bounce, 3_000, Warn),
            (Bounce, 4_499, Warn),
            (Bounce, 4_500, BrakeBulk),
            (Bounce, 100_000, BrakeBulk),
            (Bounce, 200_000, BrakeBulk),
            (Complaint, 49, Healthy),
            (Complaint, 50, Warn),
            (Complaint, 79, Warn),
            (Complaint, 80, BrakeBulk),
        ] {
            let rate = judge(kind, None, Some(counted(100_000, count)), Healthy);
            assert_eq!(rate.level, level, "{kind:?} {count}");
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let aws = judge(
                kind,
                Some((count as f64 / 100_000.0).min(1.0)),
                Some(counted(100_000, 0)),
                Healthy,
            );
            assert_eq!(aws.level, level, "AWS's {kind:?} {count}");
        }
    }

    #[test]
    fn a_level_is_left_well_below_where_it_was_reached() {
        for (rate, before, level) in [
            (0.045, Healthy, BrakeBulk),
            (0.0449, BrakeBulk, BrakeBulk),
            (0.0449, Warn, Warn),
            (0.036, BrakeBulk, BrakeBulk),
            (0.0359, BrakeBulk, Warn),
            (0.0241, BrakeBulk, Warn),
            (0.0241, Warn, Warn),
            (0.0241, Healthy, Healthy),
            (0.0239, BrakeBulk, Healthy),
            (0.0, BrakeBulk, Healthy),
        ] {
            let judged = judge(Bounce, Some(rate), Some(counted(10_000, 0)), before);
            assert_eq!(judged.level, level, "{rate} after {before:?}");
        }
    }

    #[test]
    fn little_mail_brakes_nothing() {
        for (kind, aws, sent, count, level) in [
            // One bounce in ten mails.
            (Bounce, None, 10, 1, Healthy),
            (Bounce, Some(0.1), 10, 1, Warn),
            (Bounce, None, 999, 999, Healthy),
            (Bounce, None, 1_000, 45, BrakeBulk),
            (Bounce, None, 0, 0, Healthy),
            (Bounce, None, 0, 5, Healthy),
            // One complaint, in however little.
            (Complaint, None, 1_000, 1, Healthy),
            (Complaint, None, 1_000, 2, BrakeBulk),
            (Complaint, Some(0.001), 1_000, 1, Warn),
            (Complaint, Some(0.001), 1_600, 1, BrakeBulk),
            (Complaint, Some(0.001), 999, 9, Warn),
        ] {
            let rate = judge(kind, aws, Some(counted(sent, count)), Healthy);
            assert_eq!(rate.level, level, "{kind:?} {aws:?} {count} of {sent}");
        }
        // Others of the account sent enough.
        let thresholds = RateThresholds::default();
        let aws = AwsRate::new(0.05, Timestamp::UNIX_EPOCH);
        let judged = judge_rate(Bounce, aws, None, 1_000.0, &thresholds, Healthy);
        assert_eq!(judged.level, BrakeBulk);
        let judged = judge_rate(Bounce, aws, None, f64::NAN, &thresholds, Healthy);
        assert_eq!(judged.level, Warn);
    }

    #[test]
    fn a_value_outside_0_to_1_is_no_figure() {
        for value in [f64::NAN, f64::INFINITY, -1.0, -0.1, 1.1, 5.0] {
            assert_eq!(AwsRate::new(value, Timestamp::UNIX_EPOCH), None, "{value}");
        }
        for value in [0.0, -0.0, 0.5, 1.0] {
            assert!(AwsRate::new(value, Timestamp::UNIX_EPOCH).is_some(), "{value}");
        }
    }

    #[test]
    fn an_estimate_shows_its_figures() {
        let estimate = judge(Bounce, Some(0.01), Some(counted(2_000, 30)), Healthy)
            .estimate
            .unwrap();
        assert_eq!(
            serde_json::to_value(estimate).unwrap(),
            serde_json::json!({
                "rate": 0.015, "count": 30, "at_least": false, "sent": 2_000, "days": 7,
            })
        );
        let of_nothing = judge(Bounce, None, Some(counted(0, 3)), Healthy).estimate.unwrap();
        assert_eq!((of_nothing.rate, of_nothing.count), (None, 3));
        let more_than_sent = judge(Bounce, None, Some(counted(2, 3)), Healthy).estimate.unwrap();
        assert_eq!(more_than_sent.rate, Some(1.0));
    }

    proptest! {
        #[test]
        fn a_higher_rate_is_never_judged_milder(sent in 0_u64..1_000_000, low in 0_u64..1_000, more in 0_u64..1_000, aws in proptest::option::of(0.0..=1.0), step in 0.0..0.5_f64, before in 0_usize..3) {
            let before = [Healthy, Warn, BrakeBulk][before];
            for kind in [Bounce, Complaint] {
                let one = judge(kind, aws, Some(counted(sent, low)), before);
                let other = judge(kind, aws.map(|aws| f64::min(aws + step, 1.0)), Some(counted(sent, low + more)), before);
                prop_assert!(one.level <= other.level);
                prop_assert!(other.level <= BrakeBulk);
            }
        }
    }
}
