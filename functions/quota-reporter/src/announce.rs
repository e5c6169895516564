//! Notifies the operators and the applications of changes of the brake. Each change is recorded, then published and
//! emitted as an event for webhooks, then marked as such.
//!
//! If a run stops in between, the change stays unmarked and the next run publishes or emits it. A change is published
//! at least once and at worst twice; its events have the same id. If the gate changed without a record, the next run
//! adds the record.

use aws::{BrakeMark, GateState, StoreError};
use domain::brake::Brake;
use domain::brake::{BY_THE_REPORTER, BrakeChange};
use domain::report::{BrakeSetBy, Report};
use domain::time::minus;
use domain::webhook::WebhookEvent;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::state::QuotaReporterState;

/// How long an unpublished change is still published. Older ones, such as those from before the topic existed, are not.
const NEWS_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How long the reporter waits for the record of an override: the operator's command writes it right after the
/// override.
const RECORDED_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// Records and publishes a change of the brake. A failure is only logged: the gate is already set, and the next run
/// tries again.
pub(crate) async fn changes(state: &QuotaReporterState, read: &GateState, report: &Report, now: Timestamp, id: Uuid) {
    if let Err(error) = record(state, read, report, now, id).await {
        tracing::error!("a change of the brake was not recorded: {error}");
    }
    publish(state, now).await;
    emit(state, now).await;
}

/// Records the brake of `report`, if the gate that was read had another one, or if the brake has no record.
async fn record(
    state: &QuotaReporterState,
    read: &GateState,
    report: &Report,
    now: Timestamp,
    id: Uuid,
) -> Result<(), StoreError> {
    let (before, to) = (read.brake.unwrap_or_default(), report.brake.level);
    let brake_override = read.brake_override.as_ref();
    let just_given = brake_override
        .and_then(|brake_override| brake_override.at)
        .is_some_and(|at| {
            // An operator's clock that is ahead must not suppress the record for long.
            (SignedDuration::ZERO..RECORDED_WITHIN).contains(&now.duration_since(at))
        });
    if just_given {
        return Ok(());
    }
    let recorded = state
        .brake_changes
        // More than one, because the latest may be unreadable.
        .latest(5)
        .await?
        .first()
        .map_or(Brake::None, |change| change.to);
    // A concurrent run records its own change, so this run does not record it too.
    let from = if before == to { recorded } else { before };
    if from == to || (before != to && recorded == to) {
        return Ok(());
    }
    let (by, why) = match (report.brake.set_by, brake_override) {
        (BrakeSetBy::Operator, Some(brake_override)) => (brake_override.by.clone(), brake_override.why.clone()),
        (BrakeSetBy::Operator, None) | (BrakeSetBy::Reporter, _) => (BY_THE_REPORTER.to_owned(), why(report)),
    };
    state
        .brake_changes
        .record(&BrakeChange {
            at: now,
            id,
            from,
            to,
            by,
            why,
            figures: figures(report),
        })
        .await
}

/// Publishes the changes that are not yet marked as published.
pub(crate) async fn publish(state: &QuotaReporterState, now: Timestamp) {
    let Some(topic) = &state.notifications else { return };
    let changes = match state
        .brake_changes
        .without(BrakeMark::Published, minus(now, NEWS_FOR))
        .await
    {
        Ok(changes) => changes,
        Err(error) => {
            tracing::warn!("the unpublished changes of the brake cannot be read: {error}");
            return;
        }
    };
    for change in changes {
        let notice = change.notice(&state.region);
        if let Err(error) = topic.publish(&notice.subject, &notice.message).await {
            tracing::error!("a change of the brake was not published to the operators: {error}");
            return;
        }
        if let Err(error) = state.brake_changes.mark(BrakeMark::Published, &change, now).await {
            tracing::warn!(
                "a change of the brake was not marked as published; operators will receive it again: {error}"
            );
        }
    }
}

/// Emits the changes that are not yet marked as emitted.
pub(crate) async fn emit(state: &QuotaReporterState, now: Timestamp) {
    let changes = match state
        .brake_changes
        .without(BrakeMark::Emitted, minus(now, NEWS_FOR))
        .await
    {
        Ok(changes) => changes,
        Err(error) => {
            tracing::warn!("the changes of the brake that are not emitted cannot be read: {error}");
            return;
        }
    };
    for change in changes {
        let events: Vec<WebhookEvent> = WebhookEvent::of_brake(&change, &state.region).into_iter().collect();
        if let Err(error) = state.emitter.emit(&events, now).await {
            tracing::error!(
                cause = "not_emitted",
                "a change of the brake was not emitted; the next run tries again: {error}"
            );
            return;
        }
        if let Err(error) = state.brake_changes.mark(BrakeMark::Emitted, &change, now).await {
            tracing::warn!("a change of the brake was not marked as emitted; it is emitted again: {error}");
        }
    }
}

/// Emits the changes of the health that `report` has noted, and stores the report without them. If that fails, the next
/// run emits them.
pub(crate) async fn verdict_changes(state: &QuotaReporterState, report: &mut Report, now: Timestamp) {
    if report.verdict_changes.is_empty() {
        return;
    }
    let changes = report.verdict_changes.iter();
    let events: Vec<WebhookEvent> = changes.map(|change| change.event(&state.region)).collect();
    if let Err(error) = state.emitter.emit(&events, now).await {
        tracing::error!(
            cause = "not_emitted",
            "a change of the verdict was not emitted; the next run tries again: {error}"
        );
        return;
    }
    report.verdict_changes.clear();
    if let Err(error) = state.usage.put_report(report).await {
        tracing::warn!("a change of the verdict was not marked as emitted; it is emitted again: {error}");
    }
}

fn why(report: &Report) -> String {
    let braking = report
        .reasons
        .iter()
        .filter(|reason| Brake::from(reason.level) > Brake::None);
    let messages: Vec<&str> = braking.map(|reason| reason.message.as_str()).collect();
    if !messages.is_empty() {
        return messages.join("; ");
    }
    "no figure requires the brake any more: AWS has not shut down the account's sending, and the rates are well below their \
     thresholds or no mail was sent in the counted days"
        .to_owned()
}

fn figures(report: &Report) -> Value {
    let rate = |rate: Option<domain::reputation::ReputationRate>| {
        let rate = rate?;
        let estimate = rate.estimate;
        Some(json!({
            "aws": rate.aws,
            "estimate": estimate.and_then(|estimate| estimate.rate),
            "count": estimate.map(|estimate| estimate.count),
            "at_least": estimate.map(|estimate| estimate.at_least),
            "sent": estimate.map(|estimate| estimate.sent),
        }))
    };
    json!({
        "verdict": report.verdict,
        "bounce": rate(report.rates.bounce),
        "complaint": rate(report.rates.complaint),
        "enforcement_status": report.account.account.enforcement_status,
    })
}
