//! `POST /emails`: sends one email once.

use domain::idempotency::RequestBody;
use domain::queue::WhenBusy;
use sending::{Deadlines, Ids, Origin, Patience, Submission};
use serde::Serialize;
use uuid::Uuid;

use super::body::{self, ParsedBody};
use super::idempotency_key::{self, Endpoint};
use super::receipt;
use crate::error::{AnswerContext, ApiError, Problem};
use crate::recipient::RecipientBody;
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

/// The body of a successful answer.
#[derive(Serialize)]
struct CreatedEmailBody<'a> {
    id: Uuid,
    recipients: Vec<RecipientBody<'a>>,
    /// Notes about parts of the email that Okite left out.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    okite_notes: &'a [String],
}

pub(crate) async fn create(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    ids: Ids,
) -> Result<Response, ApiError> {
    let now = deadlines.arrived;
    let authenticated = state.authentication.authenticate(request, now);
    let api_key = deadlines.before_sending(authenticated).await??;
    let header = idempotency_key::header(request)?;
    let ParsedBody {
        email,
        on_suppressed,
        notes,
    } = body::email(body::parse(request)?)?;
    let key = header.map(|header| {
        let mut body = RequestBody::default();
        body.add(&email, on_suppressed);
        Endpoint::Email.key(&api_key, &header, body)
    });
    let on_suppressed = body::on_suppressed(on_suppressed, request)?;
    let sender = email.from.address().clone();
    if !api_key.may_send_from(&sender) {
        return Err(Problem::SenderNotAllowed.into());
    }
    let origin = Origin {
        key_id: &api_key.id,
        stream: api_key.stream,
        key,
        emails: 1,
        patience: Patience::Within(state.sending.rules.wait),
        ids,
    };
    let submission = Submission {
        place: 0,
        email,
        on_suppressed,
        when_busy: WhenBusy::Refuse,
        scheduled_at: None,
        deadline: None,
    };
    let submitted = state.sending.submit(submission, &origin, deadlines).await;
    let receipt = submitted.map_err(|not_sent| {
        let context = AnswerContext {
            sender_domain: sender.domain(),
            region: &state.region,
            now,
        };
        ApiError::not_sent(not_sent, context)
    })?;
    let id = receipt.id;
    let recipients = receipt::recipients(receipt);
    Ok(Response::ok(&CreatedEmailBody {
        id,
        recipients: recipients.iter().map(RecipientBody::from).collect(),
        okite_notes: &notes,
    }))
}
