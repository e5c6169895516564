//! `POST /emails`: one email, sent once.
//!
//! The order is what makes it safe. The suppression list is read first, and consistently: if it cannot be read, nothing
//! is sent. The message's row is written before SES is called: whatever happens then, there is a record of the attempt.
//! SES is called last and once, and the row is settled with what it said.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use shared::address::Mailbox;
use shared::api_key::ApiKeyRecord;
use shared::aws::{NewMessage, Outgoing, SendError};
use shared::message::Email;
use shared::recipient::{Destination, Outcome, Verdict, judge};
use shared::suppression::Registers;
use uuid::Uuid;

use super::body;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::{Ids, State};

/// The number of a message's first attempt.
const FIRST_ATTEMPT: u32 = 1;
/// The longest idempotency key.
const IDEMPOTENCY_KEY_MAX: usize = 256;

/// The body of a success.
#[derive(Serialize)]
struct Created<'a> {
    id: Uuid,
    recipients: Vec<RecipientBody<'a>>,
}

/// What happens with one recipient.
#[derive(Serialize)]
struct RecipientBody<'a> {
    email: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

pub(crate) async fn create(state: &State, request: &Request, now: Timestamp, ids: Ids) -> Result<Response, ApiError> {
    let key = state.authentication.authenticate(request, now).await?;
    refuse_unsupported_headers(request)?;
    let email = body::read(&request.body)?;
    if !key.may_send_from(email.from.address()) {
        return Err(ApiError::sender_not_allowed());
    }

    let registers = registers(state, &email).await?;
    let judgement = judge(&email, &registers, now);
    let message = NewMessage {
        id: ids.message,
        nonce: ids.nonce,
        email: &email,
        verdicts: &judgement.verdicts,
        will_be_sent: judgement.destination.is_some(),
        stream: key.stream,
        key_id: &key.id,
        created_at: now,
        expires_at: now + state.config.message_retention,
    };
    state.messages.put(&message).await?;
    if let Some(destination) = &judgement.destination {
        send(state, &message, destination, &key).await?;
    } else {
        tracing::info!(message.id = %ids.message, "every recipient is suppressed; nothing was sent");
    }
    Ok(Response::ok(&Created {
        id: ids.message,
        recipients: judgement.verdicts.iter().map(RecipientBody::from).collect(),
    }))
}

/// Reads what is known of every recipient.
async fn registers(state: &State, email: &Email) -> Result<BTreeMap<String, Registers>, ApiError> {
    let recipients = [&email.to, &email.cc, &email.bcc].into_iter().flatten();
    Ok(state.suppressions.lookup(recipients.map(Mailbox::address)).await?)
}

/// Sends a message whose row is written, and settles the row.
async fn send(
    state: &State,
    message: &NewMessage<'_>,
    destination: &Destination<'_>,
    key: &ApiKeyRecord,
) -> Result<(), ApiError> {
    let id = message.id;
    let outgoing = Outgoing {
        id,
        attempt: FIRST_ATTEMPT,
        stream: key.stream,
        email: message.email,
        destination,
    };
    match state.ses.send(outgoing).await {
        Ok(ses_id) => {
            tracing::info!(message.id = %id, ses.id = ses_id, "SES took the message");
            // The mail is on its way: that the record could not be written must not tell the caller otherwise.
            if let Err(error) = state.messages.accepted(id, &ses_id, message.expires_at).await {
                tracing::error!(message.id = %id, operation = error.operation, code = error.code, "the record of a sent message was not settled");
            }
            Ok(())
        }
        Err(SendError::Refused { refusal, code }) => {
            tracing::warn!(message.id = %id, code, ?refusal, "SES refused the message");
            if let Err(error) = state.messages.refused(id, FIRST_ATTEMPT).await {
                tracing::error!(message.id = %id, operation = error.operation, code = error.code, "the record of a refused message was not settled");
            }
            Err(ApiError::refused(
                &refusal,
                message.email.from.address(),
                &state.config.region,
            ))
        }
        Err(SendError::Ambiguous { code }) => {
            tracing::error!(message.id = %id, code, "SES did not answer: the message may have been sent");
            Err(ApiError::ambiguous(id))
        }
    }
}

/// Refuses what a later version will do: to leave it out would send what the caller did not ask for.
fn refuse_unsupported_headers(request: &Request) -> Result<(), ApiError> {
    if let Some(key) = request.header("idempotency-key") {
        if !(1..=IDEMPOTENCY_KEY_MAX).contains(&key.chars().count()) {
            return Err(ApiError::invalid_idempotency_key());
        }
        return Err(ApiError::not_supported(
            "Idempotency-Key",
            "Remove the header; repeated requests send again.",
        ));
    }
    if request.header("okite-on-suppressed").is_some() {
        return Err(ApiError::not_supported(
            "okite-on-suppressed",
            body::ON_SUPPRESSED_REMEDY,
        ));
    }
    Ok(())
}

impl<'a> From<&'a Verdict> for RecipientBody<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        let suppression = match verdict.outcome {
            Outcome::Suppressed(suppression) => Some(suppression),
            Outcome::Accepted | Outcome::NotSent => None,
        };
        Self {
            email: verdict.address.as_given(),
            status: verdict.outcome.status(),
            reason: suppression.map(|suppression| suppression.reason.as_str()),
            since: suppression.map(|suppression| suppression.since),
        }
    }
}
