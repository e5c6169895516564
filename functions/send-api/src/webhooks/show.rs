//! `GET /webhooks/{id}`: shows a webhook and its health.

use sending::Deadlines;

use super::body::{ShownWebhookBody, WebhookBody};
use super::find;
use crate::error::{ApiError, Problem};
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

pub(crate) async fn show(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    id: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let webhook = find::webhook(state, deadlines, id).await?;
    let health = deadlines.before_answering(state.webhooks.health(&webhook.id)).await??;
    let health = health.ok_or(Problem::WebhookNotFound)?;
    let body = WebhookBody::of(&webhook).ok_or(Problem::WebhookNotFound)?;
    Ok(Response::ok(&ShownWebhookBody::of(body, &health)))
}
