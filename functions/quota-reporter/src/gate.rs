//! Sets the gate from a report. If the account cannot be read, the gate keeps its previous settings.

use aws::{AccountError, GateSet, GateState, OverrideInGate, StoreError};
use domain::brake::BrakeOverride;
use domain::pacing::{GateSettings, RememberedGate, taken_back};
use domain::report::{ReadFailure, Report};
use jiff::Timestamp;

use crate::announce;
use crate::error::ReporterError;
use crate::state::QuotaReporterState;

/// Sets the gate. The brake is the operator's override, or else the level that the report asks for; the report records
/// which. If an operator changes the override meanwhile, the function reads it and tries once more. Returns the state
/// that the gate was set from, and the outcome.
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

/// How often the slots are tried to be taken back, while sends take others.
const TRIES: usize = 3;

/// Takes back the slots that would hold mail back for nothing: those that are too far ahead, and those taken at a
/// slower rate. The next report goes on if sends are in the way.
pub(crate) async fn take_back_slots(
    state: &QuotaReporterState,
    read: Option<RememberedGate>,
    slot_interval: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(mut slots) = read else { return Ok(()) };
    for _ in 0..TRIES {
        let Some(back) = taken_back(slots, slot_interval, &state.policy, now) else {
            break;
        };
        let Some(others) = state.usage.take_back_slots(back).await? else {
            tracing::warn!(
                seconds = (back.from - back.to) / 1_000_000,
                "slots of the gate were too far ahead and are taken back"
            );
            break;
        };
        // The interval of the gate is the new one by now.
        slots.next_free_slot = others.next_free_slot;
    }
    Ok(())
}

/// Makes the report of a run that could not read the account. It repeats the figures of the previous report and
/// replaces it. The gate stays as it is, except that an operator's override that is not yet in it is applied.
pub(crate) async fn report_without_account(
    state: &QuotaReporterState,
    gate: &GateState,
    before: Report,
    error: AccountError,
    now: Timestamp,
) -> Result<Report, ReporterError> {
    tracing::error!("the account cannot be read; the previous gate stays in force: {error}");
    let earlier = before.clone();
    let mut report = before.unread(ReadFailure::new("GetAccount", &error.code), now);
    let brake_override = gate.brake_override.as_ref();
    report.brake = report.brake_or(brake_override.and_then(BrakeOverride::brake));
    if gate.brake != Some(report.brake.level) {
        let in_force = match brake_override.and_then(|brake_override| brake_override.at) {
            Some(at) => state.usage.set_brake(report.brake.level, at).await.ok() == Some(OverrideInGate::InForce),
            None => false,
        };
        if !in_force {
            report.brake.level = gate.brake.unwrap_or_default();
        }
    }
    report.note_verdict_change(Some(&earlier), now);
    let kept = state.usage.put_report(&report).await;
    state.publish_metrics(&report, now);
    kept?;
    announce::verdict_changes(state, &mut report, now).await;
    // Changes that earlier runs could not publish or emit are published and emitted now.
    announce::publish(state, now).await;
    announce::emit(state, now).await;
    Ok(report)
}
