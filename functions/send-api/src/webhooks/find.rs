//! Finds a webhook, and an event of it.

use domain::webhook::{DeliveryRecord, Endpoint, EventId};
use sending::Deadlines;

use super::body::url;
use crate::error::{ApiError, Problem};
use crate::state::SendApiState;

/// Finds a webhook by its id.
pub(super) async fn webhook(state: &SendApiState, deadlines: &Deadlines, id: &str) -> Result<Endpoint, ApiError> {
    let found = deadlines.before_answering(state.webhooks.get(id)).await??;
    let webhook = found.filter(|endpoint| url(endpoint).is_some());
    webhook.ok_or_else(|| Problem::WebhookNotFound.into())
}

/// Finds an event of a webhook.
pub(super) async fn event(
    state: &SendApiState,
    deadlines: &Deadlines,
    webhook: &Endpoint,
    id: &str,
) -> Result<DeliveryRecord, ApiError> {
    let id = EventId::parse(id).ok_or(Problem::WebhookEventNotFound)?;
    let found = state.deliveries.get(&webhook.id, &id);
    let found = deadlines.before_answering(found).await??;
    found.ok_or_else(|| Problem::WebhookEventNotFound.into())
}
