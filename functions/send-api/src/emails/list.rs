//! `GET /emails`: all emails, or with `to` those to one address: did this person get it? The newest first.

use domain::record::MessageRecord;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::expired::settle_expired;
use super::show::{body, log_unknown};
use super::waiting::WaitingBody;
use crate::error::ApiError;
use crate::request::{Request, limit, page_from};
use crate::response::{Response, with_offset};
use crate::route::Operation;
use crate::state::SendApiState;
use sending::Deadlines;

/// The most emails on a page.
const LIMIT_MAX: usize = 100;
/// The most emails to one address on a page: each is shown with its events.
const LIMIT_TO_ADDRESS: usize = 20;

#[derive(Serialize)]
struct ListBody<T> {
    object: &'static str,
    has_more: bool,
    data: Vec<T>,
}

/// An email in the list of all emails.
#[derive(Serialize)]
struct ListedEmailBody<'a> {
    id: Uuid,
    from: &'a str,
    to: &'a [String],
    cc: &'a [String],
    bcc: &'a [String],
    reply_to: &'a [String],
    #[serde(serialize_with = "with_offset")]
    created_at: Timestamp,
    subject: &'a str,
    last_event: &'static str,
    #[serde(flatten)]
    waiting: WaitingBody,
}

impl<'a> ListedEmailBody<'a> {
    fn of(record: &'a MessageRecord, now: Timestamp) -> Self {
        let mail = &record.mail;
        Self {
            id: record.id,
            from: &mail.from,
            to: &mail.to,
            cc: &mail.cc,
            bcc: &mail.bcc,
            reply_to: &mail.reply_to,
            created_at: record.created_at,
            subject: &mail.subject,
            last_event: record.last_event(now).as_str(),
            waiting: WaitingBody::of(record, now),
        }
    }
}

pub(crate) async fn list(state: &SendApiState, request: &Request, deadlines: &Deadlines) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let query = request.query(Operation::ListEmails.parameters())?;
    let address = query.address("to").transpose();
    let address = address.map_err(|_| ApiError::invalid_parameter("to", "the address of a recipient"))?;
    let limit = limit(query, if address.is_some() { LIMIT_TO_ADDRESS } else { LIMIT_MAX })?;
    let (after, before) = (query.parameter("after"), query.parameter("before"));
    let from = page_from(after, before, "the id of an email")?;
    let found = async {
        let page = match &address {
            Some(address) => state.messages.sent_to(address, from, limit).await?,
            None => state.messages.newest(from, limit).await?,
        };
        let records = state.messages.read_all(&page.ids).await?;
        Ok::<_, ApiError>((page.has_more, records))
    };
    let (has_more, mut records) = deadlines.before_answering(found).await??;
    settle_expired(&state.messages, &mut records, deadlines).await;
    for record in &records {
        log_unknown(record, deadlines.arrived);
    }
    let (records, now) = (records.iter(), deadlines.arrived);
    Ok(match address {
        Some(_) => list_of(has_more, records.map(|record| body(record, &state.region, now))),
        None => list_of(has_more, records.map(|record| ListedEmailBody::of(record, now))),
    })
}

fn list_of<T: Serialize>(has_more: bool, data: impl Iterator<Item = T>) -> Response {
    Response::ok(&ListBody {
        object: "list",
        has_more,
        data: data.collect(),
    })
}
