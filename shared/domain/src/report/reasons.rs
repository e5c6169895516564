//! The reasons for the health in a report.

use serde::{Deserialize, Serialize};

use super::{LimitDrop, Quota, SendingRate};
use crate::account::{Account, AccountHealth, EnforcementStatus};
use crate::reputation::percent;
use crate::reputation::{RateKind, RateSource, ReputationRate, ReputationRates};

/// The share of the quota from which on somebody is warned; an alarm of the template has the same.
const QUOTA_WARN: f64 = 0.8;
/// A quota that lasts no longer than this is warned of.
const EXHAUSTED_SOON_SECONDS: u64 = 2 * 3_600;

/// Why the verdict is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReason {
    /// What it is about; a stable name.
    pub code: String,
    /// What it asks for.
    pub level: AccountHealth,
    /// What is the case, with its figures.
    pub message: String,
}

impl HealthReason {
    /// Makes one.
    #[must_use]
    pub fn new(code: &str, level: AccountHealth, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            level,
            message: message.into(),
        }
    }
}

/// Lists what is wrong with the account, the worst first; nothing when all is well. By rates, the brake goes to bulk mail
/// at most: a rate does not get better when nothing is sent, and password resets must pass. Only AWS's own shutdown stops
/// everything.
#[must_use]
pub(super) fn reasons(
    account: &Account,
    quota: &Quota,
    rate: &SendingRate,
    rates: &ReputationRates,
) -> Vec<HealthReason> {
    let mut reasons = Vec::new();
    reasons.extend(standing(account));
    reasons.extend(rates.bounce.and_then(|rate| of_rate(RateKind::Bounce, &rate)));
    reasons.extend(rates.complaint.and_then(|rate| of_rate(RateKind::Complaint, &rate)));
    reasons.extend(of_quota(quota));
    reasons.extend(
        quota
            .fell
            .map(|fell| of_fall("quota_fell", "the 24-hour quota", "recipients", fell)),
    );
    reasons.extend(
        rate.fell
            .map(|fell| of_fall("rate_fell", "the sending rate", "recipients a second", fell)),
    );
    // Stable: those of one level stay in this order.
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.level));
    reasons
}

fn standing(account: &Account) -> Option<HealthReason> {
    match account.enforcement_status {
        EnforcementStatus::Shutdown => Some(HealthReason::new(
            "shutdown",
            AccountHealth::BrakeAll,
            "AWS has ended the account's sending (enforcement status SHUTDOWN): nothing is sent until AWS lifts it",
        )),
        EnforcementStatus::Probation => Some(HealthReason::new(
            "probation",
            AccountHealth::Warn,
            "AWS is reviewing the account (enforcement status PROBATION): answer AWS's message before the date in it",
        )),
        EnforcementStatus::Healthy if !account.sending_enabled => Some(HealthReason::new(
            "sending_paused",
            AccountHealth::Warn,
            "sending is paused for the account: SES refuses all mail until it is resumed",
        )),
        EnforcementStatus::Healthy => None,
    }
}

fn of_rate(kind: RateKind, rate: &ReputationRate) -> Option<HealthReason> {
    if rate.level == AccountHealth::Healthy {
        return None;
    }
    let (code, name) = match kind {
        RateKind::Bounce => ("bounce_rate", "bounce rate"),
        RateKind::Complaint => ("complaint_rate", "complaint rate"),
    };
    let figure = match (rate.source, rate.judged()) {
        (Some(RateSource::Aws), Some(judged)) => format!("is {} (AWS's figure)", percent(judged)),
        (Some(RateSource::Estimate), Some(judged)) => format!("is {} (our estimate)", percent(judged)),
        _ => "cannot be read, and stays what it was judged to be".to_owned(),
    };
    let does = match rate.level {
        AccountHealth::BrakeBulk | AccountHealth::BrakeAll => "bulk mail is held back",
        AccountHealth::Healthy | AccountHealth::Warn if rate.judged() >= Some(rate.brake_at) => {
            "bulk mail is not held back, for too little was sent to judge by"
        }
        AccountHealth::Healthy | AccountHealth::Warn => "bulk mail is not held back yet",
    };
    let message = format!(
        "the {name} {figure}: {does}; AWS reviews an account at {} and may pause it at {}",
        percent(rate.review_at),
        percent(rate.pause_at),
    );
    Some(HealthReason::new(code, rate.level, message))
}

fn of_quota(quota: &Quota) -> Option<HealthReason> {
    let (remaining, share) = (quota.remaining_to_us()?, quota.used_share?);
    let limit = quota.share.map_or(quota.limit?, |share| {
        share.limit.min(quota.limit.unwrap_or(share.limit))
    });
    let whose = if quota.share.is_some() {
        "this stack's part of the 24-hour quota"
    } else {
        "the 24-hour quota"
    };
    if remaining < 1.0 {
        let message = format!("{whose}, {limit} recipients, is used up: mail is refused until some of it is a day old");
        return Some(HealthReason::new("quota_exhausted", AccountHealth::Warn, message));
    }
    if let Some(seconds) = quota
        .exhausted_in_seconds
        .filter(|seconds| *seconds <= EXHAUSTED_SOON_SECONDS)
    {
        let message = format!(
            "at the present {} recipients an hour {whose} is used up in {} minutes; {remaining} are left",
            quota.per_hour,
            seconds / 60,
        );
        return Some(HealthReason::new("quota_soon_exhausted", AccountHealth::Warn, message));
    }
    (share >= QUOTA_WARN).then(|| {
        let message = format!("{} of {whose} is used; {remaining} recipients are left", percent(share));
        HealthReason::new("quota_low", AccountHealth::Warn, message)
    })
}

fn of_fall(code: &str, what: &str, unit: &str, fell: LimitDrop) -> HealthReason {
    let from = if fell.from < 0.0 {
        "unlimited".to_owned()
    } else {
        fell.from.to_string()
    };
    let message = format!(
        "{what} fell from {from} to {} {unit} at {}: AWS lowers it for complaints or poor content",
        fell.to, fell.at
    );
    HealthReason::new(code, AccountHealth::Warn, message)
}
