//! `DELETE /webhooks/{id}`: deletes a webhook. What waits for it is not delivered any more.

use sending::Deadlines;

use super::body::DeletedBody;
use super::find;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

pub(crate) async fn delete(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    id: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let webhook = find::webhook(state, deadlines, id).await?;
    deadlines.before_answering(state.webhooks.delete(&webhook.id)).await??;
    tracing::info!(webhook = webhook.id, "a webhook was deleted");
    Ok(Response::ok(&DeletedBody::of(&webhook.id)))
}
