//! The reasons for the health in a report.

use serde::{Deserialize, Serialize};

use super::{LimitDrop, Quota, SendingRate};
use crate::account::{Account, AccountHealth, EnforcementStatus};
use crate::pacing::HeldBack;
use crate::reputation::percent;
use crate::reputation::{RateKind, RateSource, ReputationRate, ReputationRates};

/// The used share of the quota from which the report warns. An alarm of the template has the same threshold.
const QUOTA_WARN: f64 = 0.8;
/// The report warns when the quota lasts no longer than this.
const EXHAUSTED_SOON_SECONDS: u64 = 2 * 3_600;

/// One reason for the account's health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReason {
    /// The topic, a stable name.
    pub code: String,
    /// The health that follows from this reason alone.
    pub level: AccountHealth,
    /// The finding, with its figures.
    pub message: String,
}

impl HealthReason {
    /// Makes a reason with a stable code, its level and its text.
    #[must_use]
    pub fn new(code: &str, level: AccountHealth, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            level,
            message: message.into(),
        }
    }
}

/// Lists the account's problems, the worst first. The list is empty for a healthy account.
///
/// The bounce rate and the complaint rate stop bulk mail at most: no rate improves while nothing is sent, and password
/// resets must pass. Only AWS's own shutdown stops all mail.
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
    if account.send_rate().is_none() {
        let message = format!(
            "SES reports a sending rate of {} recipients a second: no mail can be sent at that rate, so Okite keeps the rate \
             of the gate",
            account.max_send_rate
        );
        reasons.push(HealthReason::new("no_rate", AccountHealth::Warn, message));
    }
    reasons.extend(
        quota
            .fell
            .map(|fell| of_fall("quota_fell", "the 24-hour quota", "recipients", fell)),
    );
    reasons.extend(
        rate.fell
            .map(|fell| of_fall("rate_fell", "the sending rate", "recipients a second", fell)),
    );
    // The sort is stable: reasons of one level keep this order.
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.level));
    reasons
}

fn standing(account: &Account) -> Option<HealthReason> {
    match account.enforcement_status {
        EnforcementStatus::Shutdown => Some(HealthReason::new(
            "shutdown",
            AccountHealth::BrakeAll,
            "AWS has shut down the account's sending (enforcement status SHUTDOWN): SES sends no mail until AWS lifts it",
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
        (Some(RateSource::Estimate), Some(judged)) => {
            let at_least = if rate.estimate.is_some_and(|estimate| estimate.at_least) {
                "at least "
            } else {
                ""
            };
            format!("is {at_least}{} (our estimate)", percent(judged))
        }
        _ => "cannot be read, so the health stays as last judged".to_owned(),
    };
    let does = match rate.level {
        AccountHealth::BrakeBulk | AccountHealth::BrakeAll => "bulk mail is held back",
        AccountHealth::Healthy | AccountHealth::Warn if rate.judged() >= Some(rate.brake_at) => {
            "bulk mail is not held back because too little was sent to judge the rate"
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
        let message =
            format!("{whose}, {limit} recipients, is used up: Okite refuses mail until the oldest sends are a day old");
        return Some(HealthReason::new("quota_exhausted", AccountHealth::Warn, message));
    }
    if let Some(seconds) = quota
        .exhausted_in_seconds
        .filter(|seconds| *seconds <= EXHAUSTED_SOON_SECONDS)
    {
        let message = format!(
            "at the present pace of {} recipients an hour, {whose} is used up in {} minutes; {remaining} recipients are left",
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

/// Writes that the gate held all mail back.
pub(super) fn held_back(held_back: HeldBack) -> String {
    let seconds = held_back.time.as_secs();
    if held_back.is_taken_back {
        format!(
            "the gate held all mail back for another {seconds} seconds, because the clock of a process was wrong or the \
             sending rate was lower before; this report lets mail pass again"
        )
    } else {
        format!(
            "the gate holds all mail back for {seconds} seconds, because the recipients of the last emails take so long at \
             the account's sending rate"
        )
    }
}

fn of_fall(code: &str, what: &str, unit: &str, fell: LimitDrop) -> HealthReason {
    let from = if fell.from < 0.0 {
        "unlimited".to_owned()
    } else {
        fell.from.to_string()
    };
    let message = format!(
        "{what} fell from {from} to {} {unit} at {}: AWS lowers it because of complaints or poor content",
        fell.to, fell.at
    );
    HealthReason::new(code, AccountHealth::Warn, message)
}
