//! The report on the account: the reporter writes it, `GET /quota` returns it, and operators read it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

mod advice;
mod quota;
mod reasons;
mod verdict_change;

use crate::account::{Account, AccountHealth};
use crate::brake::Brake;
use crate::pacing::{GrantHistory, HeldBack};
use crate::reputation::{
    AwsRate, AwsRates, FeedbackCounts, Headroom, RateKind, RateThresholds, ReputationRate, ReputationRates, headroom,
    judge_rate,
};
pub use advice::Advice;
use advice::advice;
pub use quota::{LimitDrop, Quota, QuotaShare, SendingRate};
use quota::{quota, send_rate};
pub use reasons::HealthReason;
use reasons::reasons;
pub use verdict_change::VerdictChange;

use crate::suppression::ReportedReconciliation;

/// The reporter's answer: one JSON object whose field names are a contract. Fields missing from an older report get
/// their default: nothing is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When the account was read.
    pub at: Timestamp,
    /// The account's region: SES accounts are regional.
    pub region: String,
    /// The account's limits and standing, as SES reports them.
    pub account: ReportedAccount,
    /// The account's health.
    pub verdict: AccountHealth,
    /// The reasons for the health, the worst first; empty when the account is `healthy`.
    #[serde(default)]
    pub reasons: Vec<HealthReason>,
    /// The 24-hour quota.
    #[serde(default)]
    pub quota: Quota,
    /// The sending rate.
    #[serde(default)]
    pub rate: SendingRate,
    /// The bounce rate and the complaint rate.
    #[serde(default)]
    pub rates: ReputationRates,
    /// How many more bounces and complaints it takes to reach each threshold.
    #[serde(default)]
    pub headroom: Headrooms,
    /// Advice to the operator.
    #[serde(default)]
    pub advice: Vec<Advice>,
    /// The mail that the gate holds back.
    #[serde(default)]
    pub brake: ReportedBrake,
    /// The reads that failed. The report keeps the previous values for them.
    #[serde(default)]
    pub troubles: Vec<ReadFailure>,
    /// How SES's own suppression list compares with ours; `null` before the first comparison.
    #[serde(default)]
    pub suppression_list: Option<ReportedReconciliation>,
    /// The changes of the health whose events are not emitted yet, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdict_changes: Vec<VerdictChange>,
}

/// The account as the report shows it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportedAccount {
    /// The account as SES reports it.
    #[serde(flatten)]
    pub account: Account,
    /// The remaining quota in recipients; `null` when it is unlimited.
    pub remaining: Option<f64>,
}

/// The headroom of both rates; `null` when there is no figure or nothing was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headrooms {
    /// More hard bounces.
    pub bounces: Option<Headroom>,
    /// More complaints.
    pub complaints: Option<Headroom>,
}

/// The author of the brake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrakeSetBy {
    /// The reporter set it from the account's health.
    #[default]
    Reporter,
    /// An operator set it with `okite brake`.
    Operator,
}

/// The brake as the report shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedBrake {
    /// The mail that is held back.
    pub level: Brake,
    /// Its author.
    pub set_by: BrakeSetBy,
}

/// A read of AWS that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadFailure {
    /// The operation of AWS, such as `GetAccount`.
    pub operation: String,
    /// The code of AWS's error.
    pub code: String,
}

impl ReadFailure {
    /// Makes the failure of an operation of AWS with an error code.
    #[must_use]
    pub fn new(operation: &str, code: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            code: code.to_owned(),
        }
    }
}

/// The evidence for a report.
#[derive(Clone, Copy, Debug)]
pub struct ReportInput<'a> {
    /// The account as SES reports it.
    pub account: Account,
    /// The account's region.
    pub region: &'a str,
    /// The rates that CloudWatch publishes.
    pub reputation: AwsRates,
    /// Our own counts; `None` when they could not be read.
    pub counted: Option<FeedbackCounts>,
    /// The history of the gate's grants. Its `now` is the time of the report.
    pub history: GrantHistory<'a>,
    /// The thresholds of the stack.
    pub thresholds: &'a RateThresholds,
    /// This stack's share of the account.
    pub account_share: f64,
    /// The previous report: it drives hysteresis and the detection of lowered limits.
    pub before: Option<&'a Report>,
}

impl Report {
    /// Makes a report from the evidence.
    #[must_use]
    pub fn new(evidence: &ReportInput<'_>) -> Self {
        let ReportInput { account, before, .. } = evidence;
        let quota = quota(
            account,
            evidence.account_share,
            &evidence.history,
            before
                .filter(|before| before.rate.limit > 0.0)
                .map(|before| &before.quota),
        );
        let rate = send_rate(account, evidence.history.now, before.map(|before| &before.rate));
        let judge = |kind: RateKind, rate_before: fn(&ReputationRates) -> Option<ReputationRate>| {
            let level_before = before
                .and_then(|before| rate_before(&before.rates))
                .map_or(AccountHealth::Healthy, |rate| rate.level);
            judge_rate(
                kind,
                evidence.reputation.of(kind),
                evidence.counted.as_ref(),
                account.sent_last_24_hours,
                evidence.thresholds,
                level_before,
            )
        };
        let bounce = judge(RateKind::Bounce, |rates| rates.bounce);
        let complaint = judge(RateKind::Complaint, |rates| rates.complaint);
        let rates = ReputationRates {
            bounce: Some(bounce),
            complaint: Some(complaint),
        };
        let reasons = reasons(account, &quota, &rate, &rates);
        Self {
            at: evidence.history.now,
            region: evidence.region.to_owned(),
            account: ReportedAccount {
                account: *account,
                remaining: account.remaining(),
            },
            verdict: worst(&reasons),
            advice: advice(account, &quota, &rates),
            reasons,
            quota,
            rate,
            rates,
            headroom: Headrooms {
                bounces: headroom(RateKind::Bounce, &bounce, evidence.thresholds),
                complaints: headroom(RateKind::Complaint, &complaint, evidence.thresholds),
            },
            brake: ReportedBrake::default(),
            troubles: Vec::new(),
            suppression_list: None,
            verdict_changes: Vec::new(),
        }
    }

    /// Adds a warning that the gate held all mail back for its sending rate when the report was made.
    pub fn mail_was_held_back(&mut self, held_back: HeldBack) {
        let message = reasons::held_back(held_back);
        self.warn(HealthReason::new("gate_held_back", AccountHealth::Warn, message));
    }

    /// Adds a reason and judges anew.
    fn warn(&mut self, reason: HealthReason) {
        self.reasons.push(reason);
        self.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.level));
        self.verdict = worst(&self.reasons);
    }

    /// Makes the report of a run at `now` that could not read the account: the previous figures, and a warning about
    /// their age. The report keeps the time of its reading and does not set the gate.
    #[must_use]
    pub fn unread(mut self, trouble: ReadFailure, now: Timestamp) -> Self {
        let minutes = now.duration_since(self.at).as_mins().max(0);
        let message = format!(
            "the account could not be read ({}): these figures and the gate are {minutes} minutes old; after an hour the gate \
             limits only the sending rate",
            trouble.code
        );
        self.reasons.retain(|reason| reason.code != UNREAD);
        self.warn(HealthReason::new(UNREAD, AccountHealth::Warn, message));
        self.troubles = vec![trouble];
        self
    }

    /// Returns AWS's figure of a rate from this report, for a report at `now` that could not read it. Returns `None`
    /// once the figure is a day old, counted from its first reading.
    #[must_use]
    pub fn aws_rate(&self, kind: RateKind, now: Timestamp) -> Option<AwsRate> {
        let rate = match kind {
            RateKind::Bounce => self.rates.bounce,
            RateKind::Complaint => self.rates.complaint,
        }?;
        let figure = AwsRate::new(rate.aws?, rate.aws_at?)?;
        (now.duration_since(figure.at) < AWS_RATE_KEPT).then_some(figure)
    }

    /// Returns the operator's override, or else the brake that follows from the account's health.
    #[must_use]
    pub fn brake_or(&self, overridden: Option<Brake>) -> ReportedBrake {
        match overridden {
            Some(level) => ReportedBrake {
                level,
                set_by: BrakeSetBy::Operator,
            },
            None => ReportedBrake {
                level: self.verdict.into(),
                set_by: BrakeSetBy::Reporter,
            },
        }
    }
}

/// How long a report reuses AWS's last figure when the current one cannot be read.
const AWS_RATE_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// The code of the reason that the account could not be read.
const UNREAD: &str = "account_unread";

fn worst(reasons: &[HealthReason]) -> AccountHealth {
    reasons.iter().map(|reason| reason.level).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::account::EnforcementStatus;
    use crate::pacing::GrantSample;

    const ACCOUNT: Account = Account {
        max_24_hour_send: 50_000.0,
        sent_last_24_hours: 120.0,
        max_send_rate: 14.0,
        production_access: true,
        sending_enabled: true,
        enforcement_status: EnforcementStatus::Healthy,
    };

    fn report_of(account: Account, counted: Option<FeedbackCounts>, before: Option<&Report>) -> Report {
        Report::new(&ReportInput {
            account,
            region: "eu-west-1",
            reputation: AwsRates::default(),
            counted,
            history: GrantHistory {
                samples: &[GrantSample {
                    at: Timestamp::constant(1_800_000_000, 0),
                    total: 0,
                }],
                total: 100,
                now: Timestamp::constant(1_800_000_000, 0) + SignedDuration::from_hours(2),
            },
            thresholds: &RateThresholds::default(),
            account_share: 1.0,
            before,
        })
    }

    fn codes(report: &Report) -> Vec<(&str, AccountHealth)> {
        report
            .reasons
            .iter()
            .map(|reason| (reason.code.as_str(), reason.level))
            .collect()
    }

    #[test]
    fn reports_in_the_agreed_shape() {
        let counted = FeedbackCounts {
            days: 1,
            sent: 2_000,
            bounces: 4,
            complaints: 0,
            ..FeedbackCounts::default()
        };
        let report = serde_json::to_value(report_of(ACCOUNT, Some(counted), None)).unwrap();
        let expected = json!({
            "at": "2027-01-15T10:00:00Z",
            "region": "eu-west-1",
            "account": {
                "max_24_hour_send": 50000.0, "sent_last_24_hours": 120.0, "remaining": 49880.0, "max_send_rate": 14.0,
                "production_access": true, "sending_enabled": true, "enforcement_status": "HEALTHY",
            },
            "verdict": "healthy",
            "reasons": [],
            "quota": {
                "limit": 50000.0, "used": 120.0, "remaining": 49880.0, "used_share": 0.0024, "by_us": 100.0,
                "by_others": 20.0, "share": null, "per_hour": 50.0, "exhausted_in_seconds": null, "fell": null,
            },
            "rate": { "limit": 14.0, "fell": null },
            "rates": {
                "bounce": {
                    "aws": null, "aws_at": null, "estimate": { "rate": 0.002, "count": 4, "at_least": false, "sent": 2000, "days": 1 }, "source": "estimate",
                    "level": "healthy", "warn_at": 0.03, "brake_at": 0.045, "review_at": 0.05, "pause_at": 0.1,
                },
                "complaint": {
                    "aws": null, "aws_at": null, "estimate": { "rate": 0.0, "count": 0, "at_least": false, "sent": 2000, "days": 1 }, "source": "estimate",
                    "level": "healthy", "warn_at": 0.0005, "brake_at": 0.0008, "review_at": 0.001, "pause_at": 0.005,
                },
            },
            "headroom": {
                "bounces": { "warn": 56, "brake": 86, "review": 96, "pause": 196 },
                "complaints": { "warn": 2, "brake": 2, "review": 2, "pause": 10 },
            },
            "advice": report["advice"],
            "brake": { "level": "none", "set_by": "reporter" },
            "troubles": [],
            "suppression_list": null,
        });
        assert_eq!(report, expected);
    }

    #[test]
    fn reads_a_report_of_an_older_version_and_detects_no_lowered_limit() {
        let old = json!({
            "at": "1970-01-01T00:00:00Z",
            "region": "eu-west-1",
            "account": {
                "max_24_hour_send": 50000.0, "sent_last_24_hours": 120.0, "remaining": 49880.0, "max_send_rate": 14.0,
                "production_access": true, "sending_enabled": true, "enforcement_status": "HEALTHY",
            },
            "verdict": "healthy",
        });
        let old: Report = serde_json::from_value(old).unwrap();
        assert_eq!(codes(&report_of(ACCOUNT, None, Some(&old))), []);
    }

    #[test]
    fn only_a_shutdown_stops_everything() {
        let judged = |status, sending_enabled| {
            let account = Account {
                enforcement_status: status,
                sending_enabled,
                ..ACCOUNT
            };
            report_of(account, None, None).verdict
        };
        assert_eq!(judged(EnforcementStatus::Healthy, true), AccountHealth::Healthy);
        assert_eq!(judged(EnforcementStatus::Healthy, false), AccountHealth::Warn);
        assert_eq!(judged(EnforcementStatus::Probation, true), AccountHealth::Warn);
        assert_eq!(judged(EnforcementStatus::Shutdown, true), AccountHealth::BrakeAll);
    }

    #[test]
    fn the_worst_reason_sets_the_health_and_comes_first() {
        let counted = FeedbackCounts {
            days: 7,
            sent: 10_000,
            bounces: 500,
            complaints: 6,
            ..FeedbackCounts::default()
        };
        let account = Account {
            sent_last_24_hours: 45_000.0,
            enforcement_status: EnforcementStatus::Probation,
            ..ACCOUNT
        };
        let report = report_of(account, Some(counted), None);
        assert_eq!(report.verdict, AccountHealth::BrakeBulk);
        let expected = [
            ("bounce_rate", AccountHealth::BrakeBulk),
            ("probation", AccountHealth::Warn),
            ("complaint_rate", AccountHealth::Warn),
            ("quota_low", AccountHealth::Warn),
        ];
        assert_eq!(codes(&report), expected);
        assert!(
            report.reasons[0]
                .message
                .contains("5 % (our estimate): bulk mail is held back")
        );
        assert!(
            report.reasons[2]
                .message
                .contains("0.06 % (our estimate): bulk mail is not held back yet")
        );
    }

    #[test]
    fn warns_of_the_quota_before_it_is_used_up_and_when_it_is() {
        let warned = |limit, sent| {
            let account = Account {
                max_24_hour_send: limit,
                sent_last_24_hours: sent,
                ..ACCOUNT
            };
            codes(&report_of(account, None, None))
                .first()
                .map(|(code, _)| (*code).to_owned())
        };
        for (limit, sent, code) in [
            (50_000.0, 39_999.0, None),
            (50_000.0, 40_000.0, Some("quota_low")),
            // 50 an hour
            (50_000.0, 49_900.0, Some("quota_soon_exhausted")),
            (50_000.0, 50_000.0, Some("quota_exhausted")),
            (50_000.0, 60_000.0, Some("quota_exhausted")),
            (0.0, 0.0, Some("quota_exhausted")),
            (f64::NAN, 0.0, Some("quota_exhausted")),
            (-1.0, 1e9, None),
        ] {
            assert_eq!(warned(limit, sent).as_deref(), code, "{sent} of {limit}");
        }
    }

    #[test]
    fn warns_of_a_quota_and_a_sending_rate_that_fell() {
        let before = report_of(ACCOUNT, None, None);
        let account = Account {
            max_24_hour_send: 10_000.0,
            max_send_rate: 5.0,
            ..ACCOUNT
        };
        let report = report_of(account, None, Some(&before));
        assert_eq!(
            codes(&report),
            [("quota_fell", AccountHealth::Warn), ("rate_fell", AccountHealth::Warn)]
        );
        assert_eq!(codes(&report_of(account, None, Some(&report))).len(), 2);
        assert_eq!(codes(&report_of(ACCOUNT, None, Some(&report))), []);
    }

    #[test]
    fn an_account_that_could_not_be_read_is_reported_as_it_was() {
        let before = report_of(ACCOUNT, None, None);
        let trouble = ReadFailure::new("GetAccount", "TooManyRequestsException");
        let now = before.at + SignedDuration::from_mins(7);
        let report = before.clone().unread(trouble.clone(), now);
        assert_eq!((report.at, report.verdict), (before.at, AccountHealth::Warn));
        assert_eq!(codes(&report), [("account_unread", AccountHealth::Warn)]);
        assert!(
            report.reasons[0].message.contains("7 minutes old"),
            "{:?}",
            report.reasons
        );
        // A second failure adds no second reason.
        let report = report.unread(trouble, now);
        assert_eq!(codes(&report).len(), 1);
        assert_eq!(codes(&report_of(ACCOUNT, None, Some(&report))), []);
    }

    #[test]
    fn a_figure_of_aws_expires_a_day_after_its_reading_even_when_reports_pass_it_on() {
        let mut before = report_of(ACCOUNT, None, None);
        let read_at = before.at;
        let hours = |hours| read_at + SignedDuration::from_hours(hours);
        for (now, stands) in [(0, true), (12, true), (23, true), (24, false), (25, false)] {
            let bounce = if now == 0 {
                AwsRate::new(0.06, read_at)
            } else {
                before.aws_rate(RateKind::Bounce, hours(now))
            };
            assert_eq!(bounce.is_some(), stands, "{now}");
            before = Report::new(&ReportInput {
                account: ACCOUNT,
                region: "eu-west-1",
                reputation: AwsRates {
                    bounce,
                    complaint: None,
                },
                counted: None,
                history: GrantHistory {
                    samples: &[],
                    total: 0,
                    now: hours(now),
                },
                thresholds: &RateThresholds::default(),
                account_share: 1.0,
                before: Some(&before),
            });
        }
    }

    #[test]
    fn a_high_rate_of_little_mail_explains_why_nothing_is_held_back() {
        let report = Report::new(&ReportInput {
            account: ACCOUNT,
            region: "eu-west-1",
            reputation: AwsRates {
                bounce: AwsRate::new(0.1, Timestamp::UNIX_EPOCH),
                complaint: None,
            },
            counted: None,
            history: GrantHistory {
                samples: &[],
                total: 0,
                now: Timestamp::UNIX_EPOCH,
            },
            thresholds: &RateThresholds::default(),
            account_share: 1.0,
            before: None,
        });
        assert_eq!(codes(&report), [("bounce_rate", AccountHealth::Warn)]);
        assert!(
            report.reasons[0].message.contains("too little was sent"),
            "{:?}",
            report.reasons
        );
    }

    #[test]
    fn a_level_without_a_figure_is_explained() {
        let mut before = report_of(ACCOUNT, None, None);
        before.rates.bounce.as_mut().unwrap().level = AccountHealth::BrakeBulk;
        let report = report_of(ACCOUNT, None, Some(&before));
        assert_eq!(codes(&report), [("bounce_rate", AccountHealth::BrakeBulk)]);
        assert!(
            report.reasons[0].message.contains("cannot be read"),
            "{:?}",
            report.reasons
        );
    }

    #[test]
    fn a_stack_with_a_share_is_warned_when_its_own_share_runs_out() {
        let report = |share| {
            Report::new(&ReportInput {
                account: ACCOUNT,
                region: "eu-west-1",
                reputation: AwsRates::default(),
                counted: None,
                history: GrantHistory {
                    samples: &[GrantSample {
                        at: Timestamp::UNIX_EPOCH,
                        total: 0,
                    }],
                    total: 110,
                    now: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(30),
                },
                thresholds: &RateThresholds::default(),
                account_share: share,
                before: None,
            })
        };
        assert_eq!(codes(&report(0.5)), []);
        // 88 of 100 recipients, by a straight line from 0 to 110 in 30 hours.
        let report = report(0.002);
        assert_eq!(codes(&report), [("quota_low", AccountHealth::Warn)]);
        assert!(
            report.reasons[0].message.contains("12 recipients are left"),
            "{:?}",
            report.reasons
        );
    }

    #[test]
    fn an_operators_override_takes_precedence_over_the_health() {
        let report = report_of(ACCOUNT, None, None);
        let brake = report.brake_or(Some(Brake::All));
        assert_eq!((brake.level, brake.set_by), (Brake::All, BrakeSetBy::Operator));
        let brake = report.brake_or(None);
        assert_eq!((brake.level, brake.set_by), (Brake::None, BrakeSetBy::Reporter));
    }
}
