//! Gathers the figures of the account, and makes the report from them.

use std::time::Duration;

use aws::GateState;
use domain::account::Account;
use domain::pacing::{GrantHistory, HeldBack};
use domain::report::{ReadFailure, Report, ReportInput};
use domain::reputation::{AwsRate, AwsRates, RateKind};
use domain::suppression::ReportedReconciliation;
use jiff::Timestamp;
use tokio::time::timeout;

use crate::count;
use crate::state::QuotaReporterState;

/// How long reading one of CloudWatch's figures may take. The gate is set only afterwards, so both times are limited.
const CLOUDWATCH_WITHIN: Duration = Duration::from_secs(4);
/// How long counting the marks may take.
const COUNT_WITHIN: Duration = Duration::from_secs(12);
/// The error code of a read that took too long.
const TOO_SLOW: &str = "TooSlow";

/// Reads AWS's rates, counts the marks, and makes the report. `slot_interval` is the interval that the gate gets. The
/// report lists the reads that failed; they stop nothing
/// else.
pub(crate) async fn judge(
    state: &QuotaReporterState,
    gate: &GateState,
    account: Account,
    slot_interval: i64,
    before: Option<&Report>,
    now: Timestamp,
) -> Report {
    let mut troubles = Vec::new();
    if account.send_rate().is_none() {
        tracing::error!(
            rate = account.max_send_rate,
            "SES's figure is no sending rate; the gate keeps its rate"
        );
        troubles.push(ReadFailure::new("GetAccount", "NotARate"));
    }
    let reputation = AwsRates {
        bounce: aws_rate(state, RateKind::Bounce, before, now, &mut troubles).await,
        complaint: aws_rate(state, RateKind::Complaint, before, now, &mut troubles).await,
    };
    let history = GrantHistory {
        samples: &gate.samples,
        total: gate.granted,
        now,
    };
    let counted = match timeout(COUNT_WITHIN, count::count(state, gate, &history)).await {
        Ok(Ok(counted)) => counted,
        Ok(Err(error)) => {
            tracing::warn!("the marks cannot be counted: {error}");
            troubles.push(ReadFailure::new(error.operation, &error.code));
            None
        }
        Err(_) => {
            tracing::warn!("counting the marks took too long");
            troubles.push(ReadFailure::new("Query", TOO_SLOW));
            None
        }
    };
    let mut report = Report::new(&ReportInput {
        account,
        region: &state.region,
        reputation,
        counted,
        history,
        thresholds: &state.thresholds,
        account_share: state.policy.account_share,
        before,
    });
    report.troubles = troubles;
    let held_back = gate
        .slots
        .and_then(|slots| HeldBack::by(slots, slot_interval, &state.policy, now));
    if let Some(held_back) = held_back {
        report.mail_was_held_back(held_back);
    }
    let kept = gate.reconciliation.as_ref();
    report.suppression_list = kept.map(|kept| ReportedReconciliation::of(&kept.state, now));
    report
}

/// Reads one of AWS's rates. If it cannot be read, the rate of the previous report applies for up to a day.
async fn aws_rate(
    state: &QuotaReporterState,
    kind: RateKind,
    before: Option<&Report>,
    now: Timestamp,
    troubles: &mut Vec<ReadFailure>,
) -> Option<AwsRate> {
    let code = match timeout(CLOUDWATCH_WITHIN, state.cloudwatch.rate(kind, now)).await {
        Ok(Ok(rate)) => return rate,
        Ok(Err(error)) => error.code,
        Err(_) => TOO_SLOW.to_owned(),
    };
    tracing::warn!("one of AWS's rates cannot be read: {code}");
    troubles.push(ReadFailure::new("GetMetricStatistics", &code));
    before?.aws_rate(kind, now)
}
