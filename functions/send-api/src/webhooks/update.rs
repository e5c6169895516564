//! `PATCH /webhooks/{id}`: changes a webhook, or enables or disables it.

use domain::message::InvalidEmail;
use domain::webhook::EndpointChange;
use sending::Deadlines;

use super::address::check;
use super::body::ChangedBody;
use super::fields::WebhookChange;
use super::find;
use crate::error::{ApiError, Problem};
use crate::json::object;
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

pub(crate) async fn update(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    id: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let wanted = WebhookChange::read(object(request)?)?;
    let webhook = find::webhook(state, deadlines, id).await?;
    let url = match &wanted.endpoint {
        Some(text) => {
            let url = deadlines.before_answering(check(text, &state.url_rules)).await?;
            Some(url.map_err(InvalidEmail::from)?.as_str().to_owned())
        }
        None => None,
    };
    let change = EndpointChange {
        url,
        events: wanted.events,
        state: wanted.state,
    };
    let changed = state.webhooks.update(&webhook.id, &change);
    let changed = deadlines.before_answering(changed).await??;
    changed.ok_or(Problem::WebhookNotFound)?;
    tracing::info!(webhook = webhook.id, "a webhook was changed");
    Ok(Response::ok(&ChangedBody::of(&webhook.id)))
}
