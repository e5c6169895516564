//! `GET /webhooks/{id}/events/{event}`: shows an event, its state and its body.

use domain::webhook::DeliveryRecord;
use jiff::Timestamp;
use sending::Deadlines;
use serde::Serialize;
use serde_json::Value;

use super::body::to_the_millisecond_if_any;
use super::events::{EventBody, status};
use super::find;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

#[derive(Serialize)]
struct ShownEventBody<'a> {
    object: &'static str,
    #[serde(flatten)]
    event: EventBody<'a>,
    #[serde(serialize_with = "to_the_millisecond_if_any")]
    next_attempt_at: Option<Timestamp>,
    payload: Value,
}

impl<'a> ShownEventBody<'a> {
    fn of(record: &'a DeliveryRecord) -> Self {
        let delivery = &record.delivery;
        Self {
            object: "webhook_event",
            event: EventBody {
                id: delivery.event.as_str(),
                r#type: delivery.kind.as_str(),
                created_at: delivery.created_at,
                status: status(record.state, record.attempts_made),
            },
            next_attempt_at: record.due_at,
            // Okite wrote the body as an object, so it can be read.
            payload: serde_json::from_str(&delivery.body).unwrap_or_else(|_| Value::Object(serde_json::Map::new())),
        }
    }
}

pub(crate) async fn event(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    id: &str,
    event: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let webhook = find::webhook(state, deadlines, id).await?;
    let record = find::event(state, deadlines, &webhook, event).await?;
    Ok(Response::ok(&ShownEventBody::of(&record)))
}

#[cfg(test)]
pub(super) mod tests {
    use domain::webhook::{Delivery, EventDeliveryState, EventId, EventKind};
    use serde_json::json;

    use super::*;

    pub(in crate::webhooks) fn record() -> DeliveryRecord {
        let created_at = Timestamp::from_millisecond(1_795_867_200_123).unwrap();
        DeliveryRecord {
            delivery: Delivery {
                endpoint: "0199".to_owned(),
                event: EventId::of(created_at, &["x"]),
                kind: EventKind::EmailBounced,
                created_at,
                body: r#"{"type":"email.bounced"}"#.to_owned(),
                attempts: 1,
            },
            state: EventDeliveryState::Waiting,
            attempts: Vec::new(),
            attempts_made: 1,
            due_at: Some(created_at),
            wake_at: Some(created_at),
        }
    }

    #[test]
    fn shows_the_body_as_json_and_the_next_attempt() {
        let record = record();
        let shown = serde_json::to_value(ShownEventBody::of(&record)).unwrap();
        assert_eq!(
            shown,
            json!({
                "object": "webhook_event", "id": record.delivery.event.as_str(), "type": "email.bounced",
                "created_at": "2026-11-28T12:00:00.123Z", "status": "attempting",
                "next_attempt_at": "2026-11-28T12:00:00.123Z", "payload": {"type": "email.bounced"},
            })
        );
    }
}
