//! `POST /emails`: one email, sent once.
//!
//! The order is what makes it safe. The suppression list is read first, and consistently: if it cannot be read, nothing
//! is sent. At the same time the idempotency key is claimed, if there is one. A caller who wants all or none is refused now if
//! anybody is suppressed. The message's row is written before SES is
//! called: whatever happens then, there is a record of the attempt. Beside it the gate is asked for as many recipients as
//! are left; a mail that it holds back is `refused`, as one that SES refuses. SES is called last, when the mail's slot has
//! come, and once but for being throttled (see [`super::send`]), and the row is settled with what it said. Where it is
//! certain that nothing was sent, the key is freed.

use std::collections::BTreeMap;

use aws::{NewMessage, Put, StoreError};
use domain::address::{EmailAddress, Mailbox};
use domain::idempotency::Claim;
use domain::message::Email;
use domain::permit::Ask;
use domain::recipient::{Destination, OnSuppressed, judge};
use domain::record::Record;
use domain::stream::Stream;
use domain::suppression::Registers;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::body::{self, Asked};
use super::idempotency::{self, Begin};
use super::recipient::RecipientBody;
use super::send;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::time::Time;
use crate::{Ids, State};

/// The body of a success.
#[derive(Serialize)]
struct Created<'a> {
    id: Uuid,
    recipients: Vec<RecipientBody<'a>>,
}

pub(crate) async fn create(state: &State, request: &Request, time: &Time, ids: Ids) -> Result<Response, ApiError> {
    let now = time.arrived;
    let authenticated = state.authentication.authenticate(request, now);
    let api_key = time.before_sending(ids.message, authenticated).await??;
    let key = idempotency::key(request)?;
    let object = body::parse(&request.body)?;
    let claim = key.map(|key| idempotency::claim(&api_key, &key, &object, ids, now));
    let Asked { email, on_suppressed } = body::email(object)?;
    let on_suppressed = body::on_suppressed(on_suppressed, request)?;
    if !api_key.may_send_from(email.from.address()) {
        return Err(ApiError::sender_not_allowed());
    }

    let begun = begin(state, (&email, api_key.stream), claim.as_ref(), time, ids).await;
    let judged = begun.and_then(|(known, begun)| {
        let judgement = judge(&email, &known, now, api_key.stream, &state.config.soft_bounce_tiers);
        match (&begun, on_suppressed, judgement.rejected()) {
            (Begin::Attempt(_), OnSuppressed::Reject, Some(rejected)) => Err(ApiError::suppressed(rejected)),
            _ => Ok((judgement, begun)),
        }
    });
    if let Err(error) = &judged
        && error.frees_key()
    {
        send::settle(ids.message, time, free(state, claim.as_ref())).await;
    }
    let (judgement, attempt) = match judged? {
        (judgement, Begin::Attempt(attempt)) => (judgement, attempt),
        (_, Begin::Answered(record)) => return Ok(Response::ok(&Created::from(&*record))),
    };
    let message = NewMessage {
        id: attempt.message_id,
        attempt: attempt.number,
        attempt_at: now,
        nonce: ids.nonce,
        email: &email,
        verdicts: &judgement.verdicts,
        will_be_sent: judgement.destination.is_some(),
        stream: api_key.stream,
        key_id: &api_key.id,
        created_at: attempt.created_at,
        expires_at: state.config.message_expires_at(now),
    };
    let made = make(state, &message, judgement.destination.as_ref(), time).await;
    if let Err(error) = &made
        && error.frees_key()
    {
        // Both at once, for there may be little time: either alone lets the caller's next request through.
        let both = async {
            let (refused, freed) = tokio::join!(state.messages.refused(&message), free(state, claim.as_ref()));
            refused.and(freed)
        };
        send::settle(message.id, time, both).await;
    }
    made?;
    Ok(Response::ok(&Created {
        id: message.id,
        recipients: judgement.verdicts.iter().map(RecipientBody::from).collect(),
    }))
}

/// Reads what is known of every recipient, and claims the key meanwhile.
async fn begin(
    state: &State,
    (email, stream): (&Email, Stream),
    claim: Option<&Claim>,
    time: &Time,
    ids: Ids,
) -> Result<(BTreeMap<String, Registers>, Begin), ApiError> {
    let emails = [email];
    let both = async {
        tokio::join!(
            registers(state, &emails, stream, time.arrived),
            idempotency::begin(state, claim, ids, time.arrived)
        )
    };
    let (known, begun) = time.before_sending(ids.message, both).await?;
    match begun? {
        // An answer from the record needs no list.
        Begin::Answered(record) => Ok((BTreeMap::new(), Begin::Answered(record))),
        Begin::Attempt(attempt) => {
            let known = known?;
            // What this container knows to be too early costs the gate nothing, and leaves no row.
            match state.permits.known_refusal(time.at(Instant::now())) {
                Some(refusal) => Err(ApiError::held_back(refusal)),
                None => Ok((known, Begin::Attempt(attempt))),
            }
        }
    }
}

/// Makes an attempt at a message: writes its row, and sends it if there is anybody to send to.
async fn make(
    state: &State,
    message: &NewMessage<'_>,
    destination: Option<&Destination<'_>>,
    time: &Time,
) -> Result<(), ApiError> {
    if let Some(destination) = destination {
        let patience = time.patience(state.config.policy.wait);
        let slot = admit(state, message, destination, time, patience).await?;
        sleep_until(slot).await;
        return send::deliver(state, message, destination, time, patience).await;
    }
    let put = time.before_sending(message.id, state.messages.put(message)).await??;
    if put == Put::Overtaken {
        return Err(ApiError::overtaken());
    }
    tracing::info!(message.id = %message.id, "every recipient is suppressed; nothing was sent");
    Ok(())
}

/// Frees the key of a request, after it is certain that nothing was sent: a key never remembers a refusal.
async fn free(state: &State, claim: Option<&Claim>) -> Result<(), StoreError> {
    match claim {
        Some(claim) => state.claims.free(&claim.id, claim.nonce).await,
        None => Ok(()),
    }
}

/// Reads what is known of every recipient of some emails. Whom a domain turned away because it blocks us altogether is not to blame.
pub(super) async fn registers(
    state: &State,
    emails: &[&Email],
    stream: Stream,
    now: Timestamp,
) -> Result<BTreeMap<String, Registers>, ApiError> {
    let lines = emails.iter().flat_map(|email| [&email.to, &email.cc, &email.bcc]);
    let recipients = || lines.clone().flatten().map(Mailbox::address);
    let mut known = state.suppressions.lookup(recipients()).await?;
    for address in recipients() {
        // Rare: what else is known of somebody who was blocked within the day needs no look at the domain.
        if let Some(registers) = known.get_mut(address.normalised())
            && let Some(at) = registers.blocked_alone(address, now)
            && state.marks.in_storm(address.domain(), at).await?
        {
            *registers = std::mem::take(registers).without_block();
        }
    }
    if stream == Stream::Bulk {
        forget_replies(state, recipients(), &mut known, now).await?;
    }
    Ok(known)
}

/// Forgets the soft bounces that were automatic replies: those of messages that were delivered. Rare: only somebody whom soft bounces
/// alone keep from bulk mail is worth a look at the messages.
async fn forget_replies<'a>(
    state: &State,
    recipients: impl Iterator<Item = &'a EmailAddress>,
    known: &mut BTreeMap<String, Registers>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let tiers = &state.config.soft_bounce_tiers;
    let is_soft = |address: &&EmailAddress| {
        let registers = known.get(address.normalised());
        registers.is_some_and(|registers| registers.soft_alone(address, now, tiers))
    };
    let soft: Vec<&EmailAddress> = recipients.filter(is_soft).collect();
    let bounced = soft.iter().flat_map(|&address| {
        let messages = known[address.normalised()].soft_of.iter();
        messages.map(move |(message, _)| (*message, address))
    });
    let delivered = state.messages.delivered(bounced).await?;
    for address in soft {
        let to_address = delivered.iter().filter(|(_, to)| to == address.normalised());
        let delivered = to_address.map(|(message, _)| *message).collect();
        if let Some(registers) = known.get_mut(address.normalised()) {
            *registers = std::mem::take(registers).without_replies(&delivered);
        }
    }
    Ok(())
}

/// Writes the row of a message and takes its permit meanwhile. Returns when it may be sent.
async fn admit(
    state: &State,
    message: &NewMessage<'_>,
    destination: &Destination<'_>,
    time: &Time,
    patience: Instant,
) -> Result<Instant, ApiError> {
    let asked = Instant::now();
    let ask = Ask {
        recipients: i64::try_from(destination.recipients()).unwrap_or(i64::MAX),
        stream: message.stream,
        now: time.at(asked),
        patience: patience.saturating_duration_since(asked),
    };
    let both = async { tokio::join!(state.messages.put(message), state.permits.take(ask)) };
    let (put, permit) = time.before_sending(message.id, both).await?;
    if put? == Put::Overtaken {
        return Err(ApiError::overtaken());
    }
    Ok(asked + permit?.wait)
}

impl<'a> From<&'a Record> for Created<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            id: record.id,
            recipients: record.recipients.iter().map(RecipientBody::from).collect(),
        }
    }
}
