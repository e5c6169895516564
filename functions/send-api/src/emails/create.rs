//! `POST /emails`: sends one email once, or accepts it for later.

use domain::idempotency::RequestBody;
use sending::{Deadlines, Ids, Origin, Patience};
use serde::Serialize;
use uuid::Uuid;

use super::body;
use super::idempotency_key::{self, Endpoint};
use super::receipt;
use super::submittable::{SubmitContext, Submittable, links};
use crate::error::{AnswerContext, ApiError};
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
    let parsed = body::email(body::parse(request)?)?;
    let key = header.map(|header| {
        let mut body = RequestBody::default();
        parsed.wishes.add_with(&parsed.email, &mut body);
        Endpoint::Email.key(&api_key, &header, body)
    });
    let is_asked_for = parsed.wishes.unsubscribe.is_some();
    let links = links(state, request, &api_key, is_asked_for, deadlines).await?;
    let context = SubmitContext {
        request,
        api_key: &api_key,
        tracking_events: state.sending.ses.tracking_events(),
        local_senders: state.local_senders,
        links: links.as_ref(),
        now,
        has_key: key.is_some(),
    };
    let Submittable {
        submission,
        too_late,
        notes,
    } = context.submittable(0, parsed)?;
    let sender = submission.mail.sender().address().clone();
    let origin = Origin {
        key_id: &api_key.id,
        stream: api_key.stream,
        key,
        emails: 1,
        patience: Patience::Within(state.sending.rules.wait),
        ids,
    };
    let submitted = state.sending.submit(submission, &origin, deadlines).await;
    let receipt = submitted.map_err(|not_sent| {
        let context = AnswerContext {
            sender_domain: sender.domain(),
            region: &state.region,
            now,
            too_late: too_late.as_ref(),
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
