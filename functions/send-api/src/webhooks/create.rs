//! `POST /webhooks`: creates a webhook, and shows its secret once.

use aws::Created;
use domain::message::InvalidEmail;
use domain::webhook::{ENDPOINTS_MAX, Endpoint, EndpointState, Target};
use sending::{Deadlines, Ids};

use super::address::check;
use super::body::SecretBody;
use super::fields::NewWebhook;
use super::secret::draw;
use crate::error::ApiError;
use crate::json::object;
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

pub(crate) async fn create(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    ids: Ids,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let wanted = NewWebhook::read(object(request)?)?;
    let url = deadlines
        .before_answering(check(&wanted.endpoint, &state.url_rules))
        .await?;
    let url = url.map_err(InvalidEmail::from)?;
    let endpoint = Endpoint {
        id: ids.message.to_string(),
        target: Target::Url(url.as_str().to_owned()),
        events: wanted.events,
        state: EndpointState::Enabled,
        created_at: deadlines.arrived,
    };
    let secret = draw()?;
    let created = state.webhooks.create(&endpoint, &secret);
    match deadlines.before_answering(created).await?? {
        Created::Done => {}
        Created::TooMany => return Err(ApiError::too_many_webhooks(ENDPOINTS_MAX)),
    }
    tracing::info!(webhook = endpoint.id, "a webhook was created");
    Ok(Response::created(&SecretBody::of(&endpoint.id, &secret)))
}
