//! Telling the operators of changes of the brake: each is kept, then published, then marked as published.
//!
//! Whoever dies in between leaves one that is kept and not marked, and the next run publishes it: twice at worst, and never
//! not at all. A gate that nobody recorded is made good in the same way: the record follows the gate.

use aws::{GateState, StoreError};
use domain::brake::Brake;
use domain::brake::{BY_THE_REPORTER, BrakeChange};
use domain::report::{BrakeSetBy, Report};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::state::QuotaReporterState;

/// A change that nobody could be told of is old news after that, and so is one from before there was a topic.
const NEWS_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Whoever gives a word on the brake records it right after; what they may be about to record is left to them.
const RECORDED_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// Records and publishes a change of the brake. Says what failed in the log: mail is held back or let go either way, and the
/// next run tries again.
pub(crate) async fn changes(state: &QuotaReporterState, read: &GateState, report: &Report, now: Timestamp, id: Uuid) {
    if let Err(error) = record(state, read, report, now, id).await {
        tracing::error!("a change of the brake was not recorded: {error}");
    }
    publish(state, now).await;
}

/// Records that the brake is what `report` says, if the gate of `read` had another one, or if that is not on record.
async fn record(
    state: &QuotaReporterState,
    read: &GateState,
    report: &Report,
    now: Timestamp,
    id: Uuid,
) -> Result<(), StoreError> {
    let (before, to) = (read.brake.unwrap_or_default(), report.brake.level);
    let word = read.brake_override.as_ref();
    let just_given = word.and_then(|word| word.at).is_some_and(|at| {
        // A clock that is ahead of ours must not silence us for long.
        (SignedDuration::ZERO..RECORDED_WITHIN).contains(&now.duration_since(at))
    });
    if just_given {
        return Ok(());
    }
    let recorded = state
        .brake_changes
        // More than one, in case that the last is none that can be read.
        .latest(5)
        .await?
        .first()
        .map_or(Brake::None, |change| change.to);
    // Another run at the same time records its own change; what it may be about to record is not made good.
    let from = if before == to { recorded } else { before };
    if from == to || (before != to && recorded == to) {
        return Ok(());
    }
    let (by, why) = match (report.brake.set_by, word) {
        (BrakeSetBy::Operator, Some(word)) => (word.by.clone(), word.why.clone()),
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

/// Publishes what was not published yet.
pub(crate) async fn publish(state: &QuotaReporterState, now: Timestamp) {
    let Some(topic) = &state.notifications else { return };
    let changes = match state.brake_changes.unpublished(now - NEWS_FOR).await {
        Ok(changes) => changes,
        Err(error) => {
            tracing::warn!("what operators are to be told could not be read: {error}");
            return;
        }
    };
    for change in changes {
        let notice = change.notice(&state.region);
        if let Err(error) = topic.publish(&notice.subject, &notice.message).await {
            tracing::error!("operators could not be told of the brake: {error}");
            return;
        }
        if let Err(error) = state.brake_changes.published(&change, now).await {
            tracing::warn!("operators will be told again of the brake: {error}");
        }
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
    "no figure asks for it any more: AWS has not ended the account's sending, and the rates are well below their thresholds, or \
     nothing was sent in the days that are counted"
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
