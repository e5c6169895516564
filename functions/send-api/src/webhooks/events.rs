//! `GET /webhooks/{id}/events`: lists the events of a webhook, newest first.

use domain::webhook::{DeliverySummary, EventDeliveryState, EventId};
use jiff::Timestamp;
use sending::Deadlines;
use serde::Serialize;

use super::body::ListBody;
use super::find;
use crate::error::ApiError;
use crate::request::{Request, limit_of, page_from_id};
use crate::response::{Response, to_the_millisecond};
use crate::route::Operation;
use crate::state::SendApiState;

/// An event in the list.
#[derive(Serialize)]
pub(super) struct EventBody<'a> {
    pub(super) id: &'a str,
    pub(super) r#type: &'static str,
    #[serde(serialize_with = "to_the_millisecond")]
    pub(super) created_at: Timestamp,
    pub(super) status: &'static str,
}

impl<'a> EventBody<'a> {
    fn of(summary: &'a DeliverySummary) -> Self {
        Self {
            id: summary.event.as_str(),
            r#type: summary.kind.as_str(),
            created_at: summary.created_at,
            status: status(summary.state, summary.attempts_made),
        }
    }
}

/// Returns the contract's word for the state of a delivery after this many attempts.
pub(super) fn status(state: EventDeliveryState, attempts: u32) -> &'static str {
    match (state, attempts) {
        (EventDeliveryState::Waiting, 0) => "pending",
        (EventDeliveryState::Waiting, _) => "attempting",
        (EventDeliveryState::Delivered, _) => "success",
        (EventDeliveryState::Failed, _) => "failed",
    }
}

pub(crate) async fn events(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    id: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let query = request.query(Operation::ListWebhookEvents.parameters())?;
    let limit = limit_of(query.parameter("limit"))?;
    let (after, before) = (query.parameter("after"), query.parameter("before"));
    let from = page_from_id(after, before, "the id of an event", EventId::parse)?;
    let webhook = find::webhook(state, deadlines, id).await?;
    let page = state.deliveries.list(&webhook.id, &from, limit);
    let page = deadlines.before_answering(page).await??;
    let data = page.deliveries.iter().map(EventBody::of).collect();
    Ok(Response::ok(&ListBody::of(data, page.has_more)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_whether_an_event_was_attempted() {
        for (state, attempts, word) in [
            (EventDeliveryState::Waiting, 0, "pending"),
            (EventDeliveryState::Waiting, 1, "attempting"),
            (EventDeliveryState::Delivered, 1, "success"),
            (EventDeliveryState::Failed, 8, "failed"),
            // It waited for an endpoint that was disabled.
            (EventDeliveryState::Failed, 0, "failed"),
        ] {
            assert_eq!(status(state, attempts), word);
        }
    }
}
