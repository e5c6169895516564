//! `POST /webhooks/{id}/events/{event}/replay`: delivers an event again, with the same id and the same body.
//!
//! The row of the event waits first, so the sweep delivers it within a minute or two even if SQS takes no message.

use std::time::Duration;

use aws::QueuedDelivery;
use domain::webhook::{DeliveryMessage, EndpointState};
use sending::Deadlines;

use super::body::ChangedBody;
use super::find;
use crate::error::{ApiError, Problem};
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

pub(crate) async fn replay(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    id: &str,
    event: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let webhook = find::webhook(state, deadlines, id).await?;
    let record = find::event(state, deadlines, &webhook, event).await?;
    if webhook.state == EndpointState::Disabled {
        return Err(Problem::WebhookDisabled.into());
    }
    let event = record.delivery.event;
    let now = deadlines.arrived;
    let replayed = state.deliveries.replay(&webhook.id, &event, now, now);
    let replayed = deadlines.before_answering(replayed).await??;
    replayed.ok_or(Problem::WebhookEventNotFound)?;
    let message = QueuedDelivery {
        message: DeliveryMessage::Stored {
            endpoint: webhook.id.clone(),
            event: event.clone(),
        },
        delay: Duration::ZERO,
    };
    let sent = deadlines
        .before_answering(state.delivery_queue.send_all(&[message]))
        .await?;
    if let Some(error) = sent.into_iter().find_map(Result::err) {
        tracing::warn!(
            cause = error.cause(),
            code = error.code,
            "a replayed event waits for the sweep"
        );
    }
    tracing::info!(webhook = webhook.id, event = event.as_str(), "an event is replayed");
    Ok(Response::ok(&ChangedBody::of_event(event.as_str())))
}
