//! The `Idempotency-Key` of a request: who may make the attempt, and what everybody else is told.
//!
//! The claim of a key is one conditional write, so of any number of callers one wins. The others see whose it is, and the
//! message's record says the rest: it was sent or suppressed (the same answer again), it is being sent (come again), it was
//! never attempted or certainly refused by a request that ended before it could free the key (the key is taken over), or
//! it is not known (come again: an event of SES settles it).

use aws::Claimed;
use domain::api_key::ApiKeyRecord;
use domain::idempotency::{Body, Claim, KEY_LENGTH};
use domain::record::{Record, State as Became};
use jiff::Timestamp;
use uuid::Uuid;

use super::body::Object;
use crate::error::ApiError;
use crate::request::Request;
use crate::{Ids, State};

/// What a key is good for, beside the API key: other endpoints have keys of their own.
const ENDPOINT: &str = "POST /emails";
/// How often a key may change hands while it is being claimed.
pub(super) const ROUNDS_MAX: u32 = 4;

/// What a request may do.
#[derive(Debug)]
pub(super) enum Begin {
    /// Attempt to send.
    Attempt(Attempt),
    /// Answer what is on record.
    Answered(Box<Record>),
}

/// An attempt that a request may make.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The message: that of the key's first request.
    pub(super) message_id: Uuid,
    /// Which attempt at it, from 1.
    pub(super) number: u32,
    /// When the message came first.
    pub(super) created_at: Timestamp,
}

impl Attempt {
    /// The first attempt at a new message.
    fn first(ids: Ids, now: Timestamp) -> Self {
        Self {
            message_id: ids.message,
            number: 1,
            created_at: now,
        }
    }
}

/// Reads the header and checks its form.
pub(super) fn key(request: &Request) -> Result<Option<String>, ApiError> {
    match request.header("idempotency-key") {
        Some(key) if !KEY_LENGTH.contains(&key.chars().count()) => Err(ApiError::invalid_idempotency_key()),
        key => Ok(key),
    }
}

/// Makes the claim of a request.
pub(super) fn claim(api_key: &ApiKeyRecord, key: &str, body: &Object, ids: Ids, now: Timestamp) -> Claim {
    Claim::new(
        (&api_key.id, ENDPOINT, key),
        Body::One(body),
        (ids.message, ids.nonce),
        now,
    )
}

/// Finds out what a request may do.
pub(super) async fn begin(state: &State, claim: Option<&Claim>, ids: Ids, now: Timestamp) -> Result<Begin, ApiError> {
    let Some(claim) = claim else {
        return Ok(Begin::Attempt(Attempt::first(ids, now)));
    };
    let mut claimed = state.claims.take(claim, now).await?;
    for _ in 0..ROUNDS_MAX {
        let held = match claimed {
            Claimed::Won => return Ok(Begin::Attempt(Attempt::first(ids, now))),
            Claimed::Held(held) => held,
            Claimed::Gone => {
                claimed = state.claims.take(claim, now).await?;
                continue;
            }
        };
        let mut record = state.messages.get(held.message_id).await?;
        if let Some(record) = &mut record
            && record.state(now) == Became::Unknown
        {
            record.events.extend(state.messages.proof_of_sending(record.id).await?);
        }
        let Some(attempt) = next_attempt(&held, record.as_ref(), now) else {
            return told(&held, record, claim, now);
        };
        claimed = state.claims.take_over(&held, claim).await?;
        if claimed == Claimed::Won {
            let number = attempt.number;
            tracing::info!(message.id = %held.message_id, attempt = number, "an unfinished request is taken over");
            return Ok(Begin::Attempt(attempt));
        }
    }
    Err(ApiError::overtaken())
}

/// The attempt that may be made in the place of the request that holds the key, if that is at work no longer and certainly
/// sent nothing.
fn next_attempt(held: &Claim, record: Option<&Record>, now: Timestamp) -> Option<Attempt> {
    let (number, created_at) = match record {
        // What has no row was not attempted.
        None => (1, now),
        Some(record) if record.state(now) == Became::Refused => (record.attempt + 1, record.created_at),
        Some(_) => return None,
    };
    // Its row may come, or the row of its next attempt, as long as its lease runs; unless the refusal is its own.
    let was_refused = record.is_some_and(|record| record.nonce == Some(held.nonce));
    (was_refused || now >= held.lease_until).then_some(Attempt {
        message_id: held.message_id,
        number,
        created_at,
    })
}

/// What a request is told that may not attempt to send.
fn told(held: &Claim, record: Option<Record>, claim: &Claim, now: Timestamp) -> Result<Begin, ApiError> {
    if held.body_hash != claim.body_hash {
        return Err(ApiError::invalid_idempotent_request());
    }
    let state = record.as_ref().map(|record| record.state(now));
    match (record, state) {
        (Some(record), Some(Became::Sent | Became::Suppressed)) => {
            tracing::info!(message.id = %held.message_id, "a repeated request is answered from the record");
            Ok(Begin::Answered(Box::new(record)))
        }
        (_, Some(Became::Sending(until))) => Err(ApiError::concurrent(until, now)),
        (_, Some(Became::Unknown)) => Err(ApiError::unsettled(held.message_id)),
        _ => Err(ApiError::concurrent(held.lease_until, now)),
    }
}
