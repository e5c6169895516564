//! `POST /emails`: one email, sent once.
//!
//! The order is what makes it safe. The suppression list is read first, and consistently: if it cannot be read, nothing
//! is sent. The message's row is written before SES is called: whatever happens then, there is a record of the attempt.
//! Beside it the gate is asked for as many recipients as are left; a mail that it holds back is `refused`, as one that SES
//! refuses. SES is called last and once, when the mail's slot has come, and the row is settled with what it said.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use shared::address::Mailbox;
use shared::aws::{NewMessage, Outgoing, SendError, StoreError};
use shared::message::Email;
use shared::permit::Ask;
use shared::recipient::{Destination, Outcome, Verdict, judge};
use shared::suppression::Registers;
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

use super::body;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::time::Time;
use crate::{Ids, State};

/// The number of a message's first attempt.
const FIRST_ATTEMPT: u32 = 1;
/// What answering takes at most.
const ANSWERING: Duration = Duration::from_millis(500);
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

pub(crate) async fn create(state: &State, request: &Request, time: &Time, ids: Ids) -> Result<Response, ApiError> {
    let now = time.arrived;
    let authenticated = state.authentication.authenticate(request, now);
    let key = time.before_sending(ids.message, authenticated).await??;
    check_idempotency_key(request)?;
    let object = body::parse(&request.body)?;
    refuse_unsupported_headers(request)?;
    let email = body::email(object)?;
    if !key.may_send_from(email.from.address()) {
        return Err(ApiError::sender_not_allowed());
    }

    let known = time.before_sending(ids.message, registers(state, &email)).await??;
    let judgement = judge(&email, &known, now);
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
    if let Some(destination) = &judgement.destination {
        let slot = admit(state, &message, destination, time).await?;
        sleep_until(slot).await;
        send(state, &message, destination, time.deadline).await?;
    } else {
        time.before_sending(ids.message, state.messages.put(&message)).await??;
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

/// Writes the row of a message and takes its permit meanwhile. Returns when it may be sent; if it may not, its row says so.
async fn admit(
    state: &State,
    message: &NewMessage<'_>,
    destination: &Destination<'_>,
    time: &Time,
) -> Result<Instant, ApiError> {
    let asked = Instant::now();
    let ask = Ask {
        recipients: i64::try_from(destination.recipients()).unwrap_or(i64::MAX),
        stream: message.stream,
        now: time.at(asked),
        patience: time.until_sending(asked).min(state.config.policy.wait),
    };
    // What this container knows to be too early costs the gate nothing, and leaves no row.
    if let Some(refusal) = state.permits.known_refusal(ask.now) {
        return Err(ApiError::held_back(refusal));
    }
    let both = async { tokio::join!(state.messages.put(message), state.permits.take(ask)) };
    let (put, permit) = time.before_sending(message.id, both).await?;
    put?;
    if permit.is_err() {
        settle(
            message.id,
            time.deadline,
            state.messages.refused(message.id, FIRST_ATTEMPT),
        )
        .await;
    }
    Ok(asked + permit?.wait)
}

/// Sends a message whose row is written, and settles the row.
async fn send(
    state: &State,
    message: &NewMessage<'_>,
    destination: &Destination<'_>,
    deadline: Instant,
) -> Result<(), ApiError> {
    let id = message.id;
    let outgoing = Outgoing {
        id,
        attempt: FIRST_ATTEMPT,
        stream: message.stream,
        email: message.email,
        destination,
    };
    match state.ses.send(outgoing).await {
        Ok(ses_id) => {
            tracing::info!(message.id = %id, ses.id = ses_id, "SES took the message");
            // The mail is on its way: that the record could not be written must not tell the caller otherwise.
            settle(id, deadline, state.messages.accepted(id, &ses_id)).await;
            Ok(())
        }
        Err(SendError::Refused { refusal, code }) => {
            tracing::warn!(message.id = %id, code, ?refusal, "SES refused the message");
            settle(id, deadline, state.messages.refused(id, FIRST_ATTEMPT)).await;
            let sender = message.email.from.address();
            Err(ApiError::refused(&refusal, sender, &state.config.region))
        }
        Err(SendError::Ambiguous { code }) => {
            tracing::error!(message.id = %id, code, "it is not known whether SES took the message");
            Err(ApiError::ambiguous(id))
        }
    }
}

/// Writes what became of a message, as long as there is time to answer afterwards.
async fn settle(id: Uuid, deadline: Instant, update: impl Future<Output = Result<(), StoreError>>) {
    let code = match timeout_at(deadline - ANSWERING, update).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.code,
        Err(_) => "OutOfTime".to_owned(),
    };
    tracing::error!(message.id = %id, code, "the record of a message was not settled");
}

/// Checks the form of an idempotency key.
fn check_idempotency_key(request: &Request) -> Result<(), ApiError> {
    match request.header("idempotency-key") {
        Some(key) if !(1..=IDEMPOTENCY_KEY_MAX).contains(&key.chars().count()) => {
            Err(ApiError::invalid_idempotency_key())
        }
        _ => Ok(()),
    }
}

/// Refuses what a later version will do: to leave it out would send what the caller did not ask for.
fn refuse_unsupported_headers(request: &Request) -> Result<(), ApiError> {
    let unsupported = [
        ("Idempotency-Key", "Remove the header; repeated requests send again."),
        ("okite-on-suppressed", body::ON_SUPPRESSED_REMEDY),
    ];
    match unsupported.into_iter().find(|(name, _)| request.header(name).is_some()) {
        Some((name, remedy)) => Err(ApiError::not_supported(name, remedy)),
        None => Ok(()),
    }
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
