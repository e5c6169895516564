//! Advice to the operator: remedies for the report's findings, and SES's conditions for a higher quota.

use serde::{Deserialize, Serialize};

use crate::account::{Account, AccountHealth, EnforcementStatus};
use crate::report::Quota;
use crate::reputation::ReputationRates;
use crate::reputation::percent;

/// The share of the quota that counts as near it. SES raises quotas by itself when the volume comes near them, and AWS
/// publishes no figure.
const NEAR_THE_QUOTA: f64 = 0.5;

/// A piece of advice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// The topic, a stable name.
    pub code: String,
    /// The action, and the reason for it.
    pub message: String,
}

impl Advice {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

/// Returns advice on the sandbox, on AWS's enforcement and on SES's conditions for a higher quota.
/// <https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas.html>
#[must_use]
pub(super) fn advice(account: &Account, quota: &Quota, rates: &ReputationRates) -> Vec<Advice> {
    let mut advice = Vec::new();
    if !account.production_access {
        advice.push(Advice::new(
            "sandbox",
            "The account is in SES's sandbox. SES sends only to verified addresses and domains and to the mailbox \
             simulator, and its own suppression list cannot be changed. You can still try sending, bounces, complaints and \
             suppressions. Ask for production access in the SES console, in this region.",
        ));
    }
    if account.enforcement_status != EnforcementStatus::Healthy {
        advice.push(Advice::new(
            "enforcement",
            "AWS has sent a message to the account's address. It expects an answer that explains the cause and the \
             changes you made. `okite incident` drafts that answer.",
        ));
    }
    if [&rates.bounce, &rates.complaint]
        .iter()
        .any(|rate| rate.is_some_and(|rate| rate.level > AccountHealth::Healthy))
    {
        advice.push(Advice::new(
            "quota_needs_low_rates",
            "SES raises no quota while the bounce rate or the complaint rate is high. `okite incident --days 7` shows by \
             domain, tag and key where bounces and complaints come from. Pause that sender first.",
        ));
    }
    if let Some(share) = quota.used_share.filter(|_| account.production_access) {
        let used = percent(share);
        advice.push(if share < NEAR_THE_QUOTA {
            Advice::new(
                "quota_grows_with_volume",
                format!(
                    "The account used {used} of the quota in the last 24 hours. SES raises quotas by itself for accounts \
                     that send near them with few bounces and complaints. To get a higher quota by a date, raise the \
                     volume step by step (`okite status --need 200000 --by 60d` plans the steps), or ask for it in \
                     the Service Quotas console."
                ),
            )
        } else {
            Advice::new(
                "quota_is_used",
                format!(
                    "The account used {used} of the quota in the last 24 hours. If you plan to send more, ask for a higher \
                     quota in the Service Quotas console now. An answer takes a day or more."
                ),
            )
        });
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacing::GrantHistory;
    use crate::report::{Report, ReportInput};
    use crate::reputation::{AwsRate, AwsRates, RateThresholds};

    fn codes(change: impl Fn(&mut Account), bounce: Option<f64>) -> Vec<String> {
        let mut account = Account {
            max_24_hour_send: 50_000.0,
            sent_last_24_hours: 5_000.0,
            max_send_rate: 14.0,
            production_access: true,
            sending_enabled: true,
            enforcement_status: EnforcementStatus::Healthy,
        };
        change(&mut account);
        let report = Report::new(&ReportInput {
            account,
            region: "us-east-1",
            reputation: AwsRates {
                bounce: bounce.and_then(|rate| AwsRate::new(rate, jiff::Timestamp::UNIX_EPOCH)),
                complaint: None,
            },
            counted: None,
            history: GrantHistory {
                samples: &[],
                total: 0,
                now: jiff::Timestamp::UNIX_EPOCH,
            },
            thresholds: &RateThresholds::default(),
            account_share: 1.0,
            before: None,
        });
        report.advice.into_iter().map(|advice| advice.code).collect()
    }

    #[test]
    fn advises_on_each_condition_that_the_account_does_not_meet() {
        assert_eq!(codes(|_| (), None), ["quota_grows_with_volume"]);
        assert_eq!(
            codes(|account| account.sent_last_24_hours = 25_000.0, None),
            ["quota_is_used"]
        );
        assert_eq!(codes(|account| account.max_24_hour_send = -1.0, None), [""; 0]);
        assert_eq!(codes(|account| account.production_access = false, None), ["sandbox"]);
        assert_eq!(
            codes(|_| (), Some(0.04)),
            ["quota_needs_low_rates", "quota_grows_with_volume"]
        );
        let reviewed = |account: &mut Account| account.enforcement_status = EnforcementStatus::Probation;
        assert_eq!(codes(reviewed, None), ["enforcement", "quota_grows_with_volume"]);
    }
}
