//! `POST /emails/{id}/cancel`: calls an email back that waits.

use sending::{Deadlines, Ids};

use super::recallable::{RecalledBody, find};
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

pub(crate) async fn cancel(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    ids: Ids,
    id: &str,
) -> Result<Response, ApiError> {
    let authenticated = state.authentication.authenticate(request, deadlines.arrived);
    let api_key = deadlines.before_answering(authenticated).await??;
    let record = find(state, &api_key, id, deadlines).await?;
    state.sending.cancel(record.id, ids.nonce, deadlines).await?;
    Ok(Response::ok(&RecalledBody::of(record.id)))
}
