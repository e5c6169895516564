//! The limits of the account, as far as this stack may use them, from the last report and the gate. SES is never asked:
//! it allows one such call a second for the whole account, and some applications ask before each mail.

use domain::account::Account;
use domain::brake::Brake;
use domain::pacing::Gate;
use domain::report::Report;

use super::Call;
use crate::fault::{ApiFault, FaultKind};

impl Call<'_> {
    /// Returns the account, with the part of its limits that is this stack's. A client that paces itself by these
    /// figures is seldom refused by the gate.
    pub(super) async fn account(&self) -> Result<Account, ApiFault> {
        let usage = &self.state.usage;
        let report = self.deadlines.before_answering(usage.latest_report()).await??;
        let gate = self.deadlines.before_answering(usage.gate()).await??;
        let no_report = || {
            ApiFault::new(
                FaultKind::Unavailable,
                "The account was not read yet. The quota reporter reads it every few minutes: repeat the request.",
            )
        };
        Ok(own_part(&report.ok_or_else(no_report)?, gate.as_ref()))
    }
}

/// Returns the part of the account that is this stack's. The quota that is used is what the gate does not leave of it,
/// so that the difference is what the gate grants.
fn own_part(report: &Report, gate: Option<&Gate>) -> Account {
    let mut account = report.account.account;
    let limit = report.quota.share.map(|share| share.limit).or(report.quota.limit);
    if let Some(limit) = limit {
        account.max_24_hour_send = limit;
    }
    let Some(gate) = gate else {
        return account;
    };
    account.max_send_rate = rate(gate.slot_interval).min(account.max_send_rate);
    if let Some(limit) = limit {
        #[expect(clippy::cast_precision_loss, reason = "a quota is far below 2^53")]
        let left = gate.left_all.max(0) as f64;
        account.sent_last_24_hours = (limit - left).clamp(0.0, limit);
    }
    account.sending_enabled &= gate.brake != Brake::All;
    account
}

/// Returns the rate of a gate that lets a recipient through every so many microseconds. Applications show it to people,
/// so a rate of one or more is rounded to thousandths.
#[expect(clippy::cast_precision_loss, reason = "an interval is far below 2^53")]
fn rate(slot_interval: i64) -> f64 {
    let rate = 1_000_000.0 / slot_interval.max(1) as f64;
    if rate < 1.0 {
        rate
    } else {
        (rate * 1_000.0).round() / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "these are the exact figures that applications show")]
    fn a_rate_is_rounded_but_never_to_nothing() {
        // The interval of 13.3 a second is rounded up to whole microseconds.
        assert_eq!([75_188, 1_000_000].map(rate), [13.3, 1.0]);
        assert_eq!(rate(4_000_000_000), 0.000_25);
    }
}
