//! The quota reporter: reads the SES account, says where it stands, and sets the gate that sends obey.
//!
//! It runs on a schedule and never takes sending down: what cannot be read is named in the report and stays as it was, the
//! gate first of all. Without a report before, or without the store, the run fails, and the gate of the run before stays in force.

mod announce;
mod config;
mod count;
mod error;
mod gate;
mod judge;
mod metrics;
mod reconcile;
mod state;

use std::time::Duration;

use aws::{GateSet, NOT_A_REPORT};
use domain::pacing::{self, GrantSample};
use domain::report::Report;
use domain::suppression::ReportedReconciliation;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use runtime::function::{self, Invocation};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

pub use config::Config;
pub use error::ReporterError;
pub use state::QuotaReporterState;

use gate::{report_without_account, set_gate};
use judge::judge;

/// The function's timeout in the template.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Runs the function until Lambda ends it.
///
/// # Errors
/// When the environment is not complete, or the Runtime API is gone.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    function::run(
        env!("CARGO_CRATE_NAME"),
        TIMEOUT,
        Config::read,
        QuotaReporterState::new,
        async |state: &QuotaReporterState, call: Invocation<Value>| {
            let report = handle(state, call.now, call.deadline, || call.ids.new_id()).await;
            report.map_err(|error| {
                tracing::error!("there is no report: {error}");
                // The runtime shows an error with all that is in it, an answer of DynamoDB included; this is its text alone.
                Diagnostic::from(error)
            })
        },
    )
    .await
}

/// Makes one report and sets the gate by it; in the time that is left until `deadline`, goes on with the daily pass over
/// SES's own suppression list. An account that cannot be read makes the report of before, which says so, and leaves the gate.
///
/// # Errors
/// [`ReporterError`]; the gate is then as it was, or as this report wants it.
pub async fn handle(
    state: &QuotaReporterState,
    now: Timestamp,
    deadline: Instant,
    new_id: impl Fn() -> Uuid,
) -> Result<Report, ReporterError> {
    // What was granted is read before the account: what is granted in between is then counted by the gate itself.
    let gate = state.usage.gate_state().await?;
    let account = state.ses.account().await;
    // By what was known before levels are left and falls are seen. One that is no report any more must not stop those that follow;
    // one that cannot be read now can with the next run.
    let before = match state.usage.latest_report().await {
        Err(error) if error.code == NOT_A_REPORT => {
            tracing::warn!("the report before is none, and is begun anew");
            None
        }
        before => before?,
    };
    let account = match (account, before.clone()) {
        (Ok(account), _) => account,
        (Err(error), None) => return Err(error.into()),
        (Err(error), Some(before)) => return report_without_account(state, &gate, before, error, now).await,
    };
    let granted = pacing::grant_totals(gate.granted, &gate.samples, &state.policy, now);
    let settings = pacing::gate_settings(&account, &state.policy, granted);
    let mut report = judge(state, &gate, account, before.as_ref(), now).await;

    // One after the other, over the one connection that is open; each is tried, whatever became of the one before.
    let set = set_gate(state, gate, settings, &mut report, now).await;
    let sample = GrantSample {
        at: now,
        total: granted.total,
    };
    let sampled = state.usage.put_sample(sample).await;
    let kept = state.usage.put_report(&report).await;
    state.publish_metrics(&report, now);
    let (mut gate, set) = set?;
    sampled.and(kept)?;
    tracing::info!(verdict = ?report.verdict, brake = report.brake.level.level(), "the account was read and the gate is set");
    if set == GateSet::Done {
        announce::changes(state, &gate, &report, now, new_id()).await;
    }

    // Last, for it may take long and fail; the report is kept already.
    let before = report.suppression_list.take();
    if let (Some(kept), Some(wanted_at)) = (&mut gate.reconciliation, gate.reconciliation_wanted_at) {
        kept.state.wanted(wanted_at);
    }
    let reconciled = reconcile::run(state, gate.reconciliation, now, deadline, new_id).await;
    report.suppression_list = Some(ReportedReconciliation::from(&reconciled));
    if report.suppression_list != before
        && let Err(error) = state.usage.put_report(&report).await
    {
        tracing::warn!("how the pass over SES's own list went was not added to the report: {error}");
    }
    Ok(report)
}
