//! `PATCH /emails/{id}`: gives an email that waits another time.

use sending::{Deadlines, Ids, Rescheduling};

use super::body;
use super::recallable::{RecalledBody, find};
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

pub(crate) async fn reschedule(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    ids: Ids,
    id: &str,
) -> Result<Response, ApiError> {
    let now = deadlines.arrived;
    let authenticated = state.authentication.authenticate(request, now);
    let api_key = deadlines.before_answering(authenticated).await??;
    let text = body::new_time(body::parse(request)?)?;
    // A time that no email can get is refused before this one is looked for.
    body::rescheduled(&text, now, now)?;
    let record = find(state, &api_key, id, deadlines).await?;
    let accepted_at = record
        .queued
        .as_ref()
        .map_or(record.created_at, |queued| queued.queued_at);
    let new = Rescheduling {
        id: record.id,
        scheduled_at: body::rescheduled(&text, now, accepted_at)?,
        token: ids.nonce,
    };
    state.sending.reschedule(new, deadlines).await?;
    Ok(Response::ok(&RecalledBody::of(record.id)))
}
