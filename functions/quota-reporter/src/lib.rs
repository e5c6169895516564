//! The quota reporter: reads the SES account, reports its state, and sets the gate that limits sending.
//!
//! It runs on two schedules: one for the report, and one for the pass over SES's own suppression list, which may take
//! hours in parts. Its failures never stop sending. If a figure cannot be read, the report names the failure
//! and the previous value stays, above all the gate's. If the store cannot be reached, or the account cannot be read
//! and there is no previous report, the run fails and the previous gate stays in force.
//!
//! | module | concept |
//! |---|---|
//! | `judge` | gathers the figures and makes the report |
//! | `count` | counts bounces and complaints for the report |
//! | `gate` | sets the gate |
//! | `announce` | notifies operators and applications of changes of the brake and of the health |
//! | `metrics` | publishes the report as metrics |
//! | `reconcile` | compares SES's suppression list with Okite's |
//! | `error` | the errors of a run that makes no report |
//! | `config`, `state` | the variables of the function, and its clients |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

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
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

pub use config::Config;
pub use error::ReporterError;
pub use state::QuotaReporterState;

use gate::{report_without_account, set_gate, take_back_slots};
use judge::judge;

/// The function's timeout in the template, which is that of a pass. The schedule starts the next part of the pass when
/// this one has ended.
const TIMEOUT: Duration = Duration::from_mins(5);
/// The longest time that a report may take.
const REPORT_TIMEOUT: Duration = Duration::from_mins(1);

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// A report, which sets the gate.
    Report,
    /// A part of the pass over SES's own suppression list.
    SuppressionList,
}

impl Task {
    /// Reads the task of an event. An event without one asks for a report.
    fn of(event: &Value) -> Self {
        if event["task"] == "suppression-list" {
            Self::SuppressionList
        } else {
            Self::Report
        }
    }
}

/// The answer of the function.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Report(Box<Report>),
    SuppressionList(ReportedReconciliation),
}

/// Runs the function until Lambda ends it.
///
/// # Errors
/// If a variable is missing or invalid, or the Runtime API is unreachable.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    function::run(
        env!("CARGO_CRATE_NAME"),
        TIMEOUT,
        Config::read,
        QuotaReporterState::new,
        async |state: &QuotaReporterState, call: Invocation<Value>| {
            let new_id = || call.ids.new_id();
            let answer = match Task::of(&call.event) {
                Task::Report => {
                    let report = timeout(REPORT_TIMEOUT, handle(state, call.now, new_id)).await;
                    let report = report.unwrap_or(Err(ReporterError::TooSlow));
                    report.map(Box::new).map(Answer::Report)
                }
                Task::SuppressionList => {
                    let done = pass_over_ses_list(state, call.now, call.deadline, new_id).await;
                    done.map(Answer::SuppressionList)
                }
            };
            answer.map_err(|error| {
                tracing::error!("the run did not end: {error}");
                // The runtime would show the whole error, including DynamoDB's answer. The diagnostic has only its
                // text.
                Diagnostic::from(error)
            })
        },
    )
    .await
}

/// Makes one report and sets the gate from it. If the account cannot be read, the report repeats the previous one and
/// names the failure, and the gate stays.
///
/// # Errors
/// [`ReporterError`]. The gate then has its previous settings, or those of this report.
pub async fn handle(
    state: &QuotaReporterState,
    now: Timestamp,
    new_id: impl Fn() -> Uuid,
) -> Result<Report, ReporterError> {
    // The granted total is read before the account, so that the gate counts later grants itself.
    let gate = state.usage.gate_state().await?;
    let account = state.ses.account().await;
    // The previous report drives hysteresis and quota-drop detection. An invalid one must not stop later reports. One
    // that cannot be read now may be readable in the next run, so this run fails.
    let before = match state.usage.latest_report().await {
        Err(error) if error.code == NOT_A_REPORT => {
            tracing::warn!("the stored report is not valid; the report starts anew");
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
    let slots = gate.slots;
    let settings = pacing::gate_settings(&account, &state.policy, granted, slots.map(|slots| slots.slot_interval));
    if gate
        .account_read_at
        .is_some_and(|read_at| read_at > pacing::latest_report(now))
    {
        tracing::error!("the previous report is from the future: its clock or the clock of this run is wrong");
    }
    let mut report = judge(state, &gate, account, settings.slot_interval, before.as_ref(), now).await;
    report.suppression_list = Some(reconcile::reported(state, &gate, now).await);
    report.note_verdict_change(before.as_ref(), now);

    // One after the other over one open connection. Each write is tried even if the previous one failed.
    let set = set_gate(state, gate, settings, &mut report, now).await;
    let taken_back = match &set {
        Ok((_, GateSet::Done)) => take_back_slots(state, slots, settings.slot_interval, now).await,
        Ok(_) | Err(_) => Ok(()),
    };
    let sample = GrantSample {
        at: now,
        total: granted.total,
    };
    let sampled = state.usage.put_sample(sample).await;
    let kept = state.usage.put_report(&report).await;
    state.publish_metrics(&report, now);
    let (gate, set) = set?;
    taken_back.and(sampled).and(kept)?;
    announce::verdict_changes(state, &mut report, now).await;
    tracing::info!(verdict = ?report.verdict, brake = report.brake.level.level(), "the account was read and the gate is set");
    if set == GateSet::Done {
        announce::changes(state, &gate, &report, now, new_id()).await;
    }
    Ok(report)
}

/// Continues the daily pass over SES's own suppression list until `deadline`, if one is due. The next report has the
/// result.
///
/// # Errors
/// [`ReporterError`] if the state of the pass could not be read. Every other failure is part of the state.
pub async fn pass_over_ses_list(
    state: &QuotaReporterState,
    now: Timestamp,
    deadline: Instant,
    new_id: impl Fn() -> Uuid,
) -> Result<ReportedReconciliation, ReporterError> {
    let gate = state.usage.gate_state().await?;
    let reconciled = reconcile::run(state, gate, now, deadline, new_id).await;
    Ok(ReportedReconciliation::of(&reconciled, now))
}
