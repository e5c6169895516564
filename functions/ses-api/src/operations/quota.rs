//! The limits of the account, as far as this stack may use them, from the last report and the gate. SES is never asked:
//! it allows one such call a second for the whole account, and some applications ask before each mail.

use domain::account::Account;
use domain::brake::Brake;
use domain::pacing::Gate;
use domain::report::Report;
use domain::stream::Stream;

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
        Ok(own_part(
            &report.ok_or_else(no_report)?,
            gate.as_ref(),
            self.api_key.stream,
        ))
    }
}

/// Returns the part of the account that mail of a stream may use. The quota that is used is what the gate does not
/// leave of it, so that the difference is what the gate grants: bulk mail has less, and is stopped earlier.
fn own_part(report: &Report, gate: Option<&Gate>, stream: Stream) -> Account {
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
        let left = gate.left(stream).max(0) as f64;
        account.sent_last_24_hours = (limit - left).clamp(0.0, limit);
    }
    account.sending_enabled &= gate.brake < Brake::against(stream);
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
    use serde_json::json;

    use super::*;

    /// The report on an account of 50,000 a day, of which this stack may use `share`.
    fn report(limit: Option<f64>, share: Option<f64>) -> Report {
        serde_json::from_value(json!({
            "at": "2026-01-01T00:00:00Z",
            "region": "eu-west-1",
            "account": {
                "max_24_hour_send": limit.unwrap_or(-1.0), "sent_last_24_hours": 700.0, "remaining": null,
                "max_send_rate": 14.0, "production_access": true, "sending_enabled": true,
                "enforcement_status": "HEALTHY",
            },
            "verdict": "healthy",
            "quota": {
                "limit": limit, "used": 700.0, "remaining": null, "used_share": null,
                "share": share.map(|limit| json!({ "limit": limit, "remaining": limit })),
                "by_us": 0.0, "by_others": 0.0, "per_hour": 0.0, "exhausted_in_seconds": null, "fell": null,
            },
        }))
        .unwrap()
    }

    /// A gate of ten recipients a second.
    fn gate(left_all: i64, left_bulk: i64, brake: Brake) -> Gate {
        Gate {
            slot_interval: 100_000,
            left_all,
            left_bulk,
            brake,
            ..Gate::before_reports()
        }
    }

    fn figures(account: &Account) -> (f64, f64, f64, bool) {
        (
            account.max_24_hour_send,
            account.max_send_rate,
            account.sent_last_24_hours,
            account.sending_enabled,
        )
    }

    #[test]
    fn the_difference_of_quota_and_use_is_what_the_gate_leaves_the_stream() {
        use Stream::{Bulk, Transactional};
        let gate = |left_all, left_bulk| Some(gate(left_all, left_bulk, Brake::None));
        let (whole, half) = (report(Some(50_000.0), None), report(Some(50_000.0), Some(25_000.0)));
        for (report, gate, stream, wanted) in [
            (&whole, None, Transactional, (50_000.0, 14.0, 700.0, true)),
            (&half, None, Transactional, (25_000.0, 14.0, 700.0, true)),
            (
                &whole,
                gate(49_000, 39_000),
                Transactional,
                (50_000.0, 10.0, 1_000.0, true),
            ),
            (&whole, gate(49_000, 39_000), Bulk, (50_000.0, 10.0, 11_000.0, true)),
            (&half, gate(24_000, -5), Transactional, (25_000.0, 10.0, 1_000.0, true)),
            (&half, gate(24_000, -5), Bulk, (25_000.0, 10.0, 25_000.0, true)),
            // The gate may leave more than the quota: another report set it.
            (&half, gate(30_000, 20_000), Transactional, (25_000.0, 10.0, 0.0, true)),
            (
                &report_without_limit(),
                gate(i64::MAX, i64::MAX),
                Bulk,
                (-1.0, 10.0, 700.0, true),
            ),
        ] {
            let account = own_part(report, gate.as_ref(), stream);
            assert_eq!(figures(&account), wanted, "{gate:?} {stream:?}");
        }
    }

    fn report_without_limit() -> Report {
        report(None, None)
    }

    #[test]
    fn sending_is_disabled_for_the_mail_that_the_brake_holds_back() {
        for (brake, transactional, bulk) in [
            (Brake::None, true, true),
            (Brake::Bulk, true, false),
            (Brake::All, false, false),
        ] {
            let gate = gate(1, 1, brake);
            let is_enabled = |stream| own_part(&report(Some(1.0), None), Some(&gate), stream).sending_enabled;
            assert_eq!(
                (is_enabled(Stream::Transactional), is_enabled(Stream::Bulk)),
                (transactional, bulk),
                "{brake:?}"
            );
        }
        let mut paused = report(Some(1.0), None);
        paused.account.account.sending_enabled = false;
        assert!(!own_part(&paused, Some(&gate(1, 1, Brake::None)), Stream::Transactional).sending_enabled);
    }

    #[test]
    fn a_rate_is_a_number_whatever_the_gate_says() {
        for slot_interval in [i64::MIN, -1, 0, 1, i64::MAX] {
            let rate = rate(slot_interval);
            assert!(rate.is_finite() && rate > 0.0, "{slot_interval}: {rate}");
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these are the exact figures that applications show")]
    fn a_rate_is_rounded_but_never_to_nothing() {
        // The interval of 13.3 a second is rounded up to whole microseconds.
        assert_eq!([75_188, 1_000_000].map(rate), [13.3, 1.0]);
        assert_eq!(rate(4_000_000_000), 0.000_25);
    }
}
