//! Sets the gate by a report, and leaves it where the account could not be read.

use aws::{AccountError, GateSet, GateState, OverrideInGate};
use domain::brake::BrakeOverride;
use domain::pacing::GateSettings;
use domain::report::{ReadFailure, Report};
use jiff::Timestamp;

use crate::announce;
use crate::error::ReporterError;
use crate::state::QuotaReporterState;

/// Sets the gate, with the brake that an operator or else the report says, which the report is told. Where an operator speaks at
/// the same moment, their word is read and it is tried once more. Returns the state by which it was set, and what came of it.
pub(crate) async fn set_gate(
    state: &QuotaReporterState,
    mut read: GateState,
    settings: GateSettings,
    report: &mut Report,
    now: Timestamp,
) -> Result<(GateState, GateSet), ReporterError> {
    for _ in 0..2 {
        report.brake = report.brake_or(read.brake_override.as_ref().and_then(BrakeOverride::brake));
        let brake = report.brake.level;
        match state.usage.set_gate(settings, brake, read.overridden_at, now).await? {
            GateSet::Overridden => read = state.usage.gate_state().await?,
            set @ (GateSet::Done | GateSet::LaterReport) => return Ok((read, set)),
        }
    }
    Err(ReporterError::Overridden)
}

/// The report of a run that could not read the account. It is kept in the place of the one before, which it says again. The
/// gate stays as it is, but for an operator's word that is not in it yet.
pub(crate) async fn report_without_account(
    state: &QuotaReporterState,
    gate: &GateState,
    before: Report,
    error: AccountError,
    now: Timestamp,
) -> Result<Report, ReporterError> {
    tracing::error!("the account could not be read, the last gate stays in force: {error}");
    let mut report = before.unread(ReadFailure::new("GetAccount", &error.code), now);
    let word = gate.brake_override.as_ref();
    report.brake = report.brake_or(word.and_then(BrakeOverride::brake));
    if gate.brake != Some(report.brake.level) {
        let in_force = match word.and_then(|word| word.at) {
            Some(at) => state.usage.set_brake(report.brake.level, at).await.ok() == Some(OverrideInGate::InForce),
            None => false,
        };
        if !in_force {
            report.brake.level = gate.brake.unwrap_or_default();
        }
    }
    let kept = state.usage.put_report(&report).await;
    state.publish_metrics(&report, now);
    kept?;
    // Of operators, those that were not told yet are told now.
    announce::publish(state, now).await;
    Ok(report)
}
