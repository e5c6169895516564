//! Advice: what an operator can do about what the report says, and what SES asks of an account before it raises a quota.

use serde::{Deserialize, Serialize};

use crate::account::{Account, AccountHealth, EnforcementStatus};
use crate::report::Quota;
use crate::reputation::ReputationRates;
use crate::reputation::percent;

/// What is "near the quota": SES raises quotas by itself where the volume comes near, and names no figure.
const NEAR_THE_QUOTA: f64 = 0.5;

/// A piece of advice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// What it is about; a stable name.
    pub code: String,
    /// What to do, and why.
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

/// Says what the account misses of SES's conditions for a higher quota, and what the sandbox leaves.
/// <https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas.html>
#[must_use]
pub(super) fn advice(account: &Account, quota: &Quota, rates: &ReputationRates) -> Vec<Advice> {
    let mut advice = Vec::new();
    if !account.production_access {
        advice.push(Advice::new(
            "sandbox",
            "The account is in SES's sandbox: mail goes to verified addresses and domains and to the mailbox simulator \
             only, and SES's own suppression list cannot be changed. Sending, bounces, complaints and suppressions can all \
             be tried. Ask for production access in the SES console, in this region.",
        ));
    }
    if account.enforcement_status != EnforcementStatus::Healthy {
        advice.push(Advice::new(
            "enforcement",
            "AWS has sent a message to the account's address, and waits for an answer that says what was wrong and what \
             was changed. `okite incident` writes what it will ask for.",
        ));
    }
    if [&rates.bounce, &rates.complaint]
        .iter()
        .any(|rate| rate.is_some_and(|rate| rate.level > AccountHealth::Healthy))
    {
        advice.push(Advice::new(
            "quota_needs_low_rates",
            "SES raises no quota while bounces or complaints are high. `okite incident --days 7` shows by domain, tag and \
             key where they come from: pause that sender first.",
        ));
    }
    if let Some(share) = quota.used_share.filter(|_| account.production_access) {
        let used = percent(share);
        advice.push(if share < NEAR_THE_QUOTA {
            Advice::new(
                "quota_grows_with_volume",
                format!(
                    "{used} of the quota was used in the last 24 hours. SES raises quotas by itself for accounts that send \
                     near them, with few bounces and complaints; one that idles is not raised. For a higher quota by a \
                     date, raise the volume step by step (`okite status --need 200000 --by 2027-01-31` says from where), \
                     or ask for it in the Service Quotas console."
                ),
            )
        } else {
            Advice::new(
                "quota_is_used",
                format!(
                    "{used} of the quota was used in the last 24 hours. If more is to come, ask for a higher quota in the \
                     Service Quotas console now: an answer takes a day or more."
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
    fn says_what_the_account_misses() {
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
