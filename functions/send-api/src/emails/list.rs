//! `GET /emails?to=…`: did this person get it? The messages to an address, the newest first.

use domain::address::EmailAddress;
use serde::Serialize;
use uuid::Uuid;

use super::show::{EmailBody, body, log_unknown};
use crate::error::ApiError;
use crate::request::{Request, limit};
use crate::response::Response;
use crate::state::SendApiState;
use sending::Deadlines;

/// The most emails on a page: each is read with its events.
const LIMIT_MAX: usize = 20;

#[derive(Serialize)]
struct ListBody<'a> {
    object: &'static str,
    has_more: bool,
    data: Vec<EmailBody<'a>>,
}

pub(crate) async fn list(state: &SendApiState, request: &Request, deadlines: &Deadlines) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let address = request.parameter("to").and_then(|to| EmailAddress::parse(to).ok());
    let address = address.ok_or_else(|| ApiError::invalid_parameter("to", "the address of a recipient"))?;
    let limit = limit(request, LIMIT_MAX)?;
    let after = request.parameter("after").map(str::parse::<Uuid>).transpose();
    let after = after.map_err(|_| ApiError::invalid_parameter("after", "the id of an email"))?;
    let found = async {
        let sent = state.messages.sent_to(&address, after, limit).await?;
        let records = state.messages.read_all(&sent.ids).await?;
        Ok::<_, ApiError>((sent.has_more, records))
    };
    let (has_more, records) = deadlines.before_answering(found).await??;
    for record in &records {
        log_unknown(record, deadlines.arrived);
    }
    Ok(Response::ok(&ListBody {
        object: "list",
        has_more,
        data: records
            .iter()
            .map(|record| body(record, &state.region, deadlines.arrived))
            .collect(),
    }))
}
