//! The item as DynamoDB holds it; [`super`] lists its attributes.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::dynamodb::item::{Item, n, number_of, s, text_of, time, time_of};
use domain::webhook::{
    ANSWER_MAX, ATTEMPTS_KEPT, Attempt, Delivery, DeliveryRecord, DeliverySummary, EventDeliveryState, EventId,
    EventKind,
};

/// Makes the value of an attempt.
pub(super) fn of_attempt(attempt: &Attempt) -> AttributeValue {
    let duration = i64::try_from(attempt.duration.as_millis()).unwrap_or(i64::MAX);
    let status = attempt.status.map(|status| ("status", n(status.into())));
    let error = attempt.error.as_ref().map(|error| ("error", s(beginning(error))));
    let attributes = [
        ("at", time(attempt.at)),
        ("duration_ms", n(duration)),
        ("answer", s(beginning(&attempt.answer))),
    ];
    let attributes = attributes.into_iter().chain(status).chain(error);
    AttributeValue::M(attributes.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Returns the beginning of a text that is kept.
fn beginning(text: &str) -> &str {
    let mut end = text.len().min(ANSWER_MAX);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    &text[..end]
}

/// Reads the attempts, the oldest first. One that cannot be read is left out.
pub(super) fn attempts(item: &Item) -> Vec<Attempt> {
    let attempt = |value: &AttributeValue| {
        let item = value.as_m().ok()?;
        Some(Attempt {
            at: time_of(item, "at")?,
            status: number_of(item, "status").and_then(|status| status.try_into().ok()),
            error: text_of(item, "error").map(str::to_owned),
            duration: Duration::from_millis(number_of(item, "duration_ms")?.try_into().ok()?),
            answer: text_of(item, "answer")?.to_owned(),
        })
    };
    let list = item.get("attempts").and_then(|value| value.as_l().ok());
    let mut attempts: Vec<Attempt> = list.into_iter().flatten().filter_map(attempt).collect();
    // A write that was overtaken was added last.
    attempts.sort_by_key(|attempt| attempt.at);
    attempts
}

/// Returns the attempts with one more, in their order, and without the oldest beyond those that are kept.
pub(super) fn with_attempt(mut attempts: Vec<Attempt>, attempt: &Attempt) -> Vec<Attempt> {
    attempts.push(attempt.clone());
    attempts.sort_by_key(|attempt| attempt.at);
    let beyond = attempts.len().saturating_sub(ATTEMPTS_KEPT);
    attempts.split_off(beyond)
}

pub(super) fn state(item: &Item) -> Option<EventDeliveryState> {
    EventDeliveryState::parse(text_of(item, "state")?)
}

/// Reads a count; 0 if there is none.
pub(super) fn count(item: &Item, name: &str) -> u32 {
    number_of(item, name)
        .and_then(|count| count.try_into().ok())
        .unwrap_or(0)
}

/// Reads a delivery as lists show it.
pub(super) fn summary(item: &Item) -> Option<DeliverySummary> {
    Some(DeliverySummary {
        event: EventId::parse(text_of(item, "event")?)?,
        kind: EventKind::parse(text_of(item, "kind")?)?,
        created_at: time_of(item, "created_at")?,
        state: state(item)?,
        attempts_made: count(item, "count"),
        due_at: time_of(item, "due_at"),
    })
}

/// Reads a delivery with its body and its attempts.
pub(super) fn record(endpoint: &str, item: &Item) -> Option<DeliveryRecord> {
    let summary = summary(item)?;
    Some(DeliveryRecord {
        delivery: Delivery {
            endpoint: endpoint.to_owned(),
            event: summary.event,
            kind: summary.kind,
            created_at: summary.created_at,
            body: text_of(item, "body")?.to_owned(),
            attempts: count(item, "tries"),
        },
        state: summary.state,
        attempts: attempts(item),
        attempts_made: summary.attempts_made,
        due_at: summary.due_at,
        wake_at: time_of(item, "wake_at"),
    })
}
