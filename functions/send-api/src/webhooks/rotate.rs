//! `POST /webhooks/{id}/signing-secret/rotate`: gives a webhook a new secret. Both sign for 24 hours.

use sending::Deadlines;

use super::body::SecretBody;
use super::find;
use super::secret::draw;
use crate::error::{ApiError, Problem};
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

pub(crate) async fn rotate(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    id: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let webhook = find::webhook(state, deadlines, id).await?;
    let secret = draw()?;
    let rotated = state.webhooks.rotate(&webhook.id, &secret, deadlines.arrived);
    let rotated = deadlines.before_answering(rotated).await??;
    rotated.ok_or(Problem::WebhookNotFound)?;
    tracing::info!(webhook = webhook.id, "a webhook has a new secret");
    Ok(Response::ok(&SecretBody::of(&webhook.id, &secret)))
}
