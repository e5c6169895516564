//! The `Idempotency-Key` of a batch: its claim names the first email, and the others follow it.

use std::collections::BTreeMap;

use aws::Claimed;
use domain::api_key::ApiKeyRecord;
use domain::idempotency::{Body, Claim, nth_id};
use domain::record::{Record, State as Became};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::answer::Outcome;
use crate::emails::idempotency::ROUNDS_MAX;
use crate::error::ApiError;
use crate::{Ids, State};

/// What a key is good for, beside the API key.
const ENDPOINT: &str = "POST /emails/batch";

/// The rows of a batch by their ids, those that are there.
pub(super) type Records = BTreeMap<Uuid, Record>;

/// What a request may do.
#[derive(Debug)]
pub(super) enum Begun {
    /// Attempt what was not attempted or was refused.
    Attempt {
        /// The id of the first email.
        first: Uuid,
        /// What an earlier request with the key left.
        records: Records,
    },
    /// Answer what is on record.
    Answered {
        /// The id of the first email.
        first: Uuid,
        /// What is on record.
        records: Records,
    },
}

/// Makes the claim of a request.
pub(super) fn claim(api_key: &ApiKeyRecord, key: &str, body: &[Value], ids: Ids, now: Timestamp) -> Claim {
    Claim::new(
        (&api_key.id, ENDPOINT, key),
        Body::Many(body),
        (ids.message, ids.nonce),
        now,
    )
}

/// Finds out what a request may do for its emails with these places; `first` is the id of the first one if they are new.
pub(super) async fn begin(
    state: &State,
    claim: Option<&Claim>,
    first: Uuid,
    places: &[usize],
    now: Timestamp,
) -> Result<Begun, ApiError> {
    let new = Begun::Attempt {
        first,
        records: Records::new(),
    };
    let Some(claim) = claim else {
        return Ok(new);
    };
    for _ in 0..ROUNDS_MAX {
        let held = match state.claims.take(claim, now).await? {
            Claimed::Won => return Ok(new),
            Claimed::Held(held) => held,
            Claimed::Gone => continue,
        };
        // Some of it may have been sent, so the body cannot be corrected as that of one email can.
        if held.body_hash != claim.body_hash {
            return Err(ApiError::invalid_idempotent_request());
        }
        let first = held.message_id;
        let ids: Vec<_> = places.iter().map(|index| nth_id(first, *index)).collect();
        let mut records = state.messages.get_all(&ids).await?;
        for record in records.values_mut() {
            if record.state(now) == Became::Unknown {
                record.events.extend(state.messages.proof_of_sending(record.id).await?);
            }
        }
        let is_at_work = |record: &Record| matches!(record.state(now), Became::Sending(_));
        let all_settled = ids.iter().all(|id| settled(records.get(id), now).is_some());
        if now < held.lease_until && (!all_settled || records.values().any(is_at_work)) {
            return Err(ApiError::concurrent(held.lease_until, now));
        }
        if all_settled {
            tracing::info!(message.id = %first, "a repeated batch is answered from the record");
            return Ok(Begun::Answered { first, records });
        }
        // The key is forgotten when it was to be at first: the rows of what was sent by then do not live longer, and one that is gone
        // would be taken for one that was never attempted.
        let claim = Claim {
            expires: held.expires,
            ..claim.clone()
        };
        if state.claims.take_over(&held, &claim).await? == Claimed::Won {
            tracing::info!(message.id = %first, "an unfinished batch is resumed");
            return Ok(Begun::Attempt { first, records });
        }
    }
    Err(ApiError::overtaken())
}

/// What is on record of an email and needs no attempt.
pub(super) fn settled(record: Option<&Record>, now: Timestamp) -> Option<Outcome> {
    let record = record?;
    match record.state(now) {
        Became::Refused => None,
        Became::Sent | Became::Suppressed => Some(Outcome::Done(record.recipients.clone())),
        Became::Sending(until) => Some(Outcome::Failed(ApiError::concurrent(until, now))),
        Became::Unknown => Some(Outcome::Failed(ApiError::unsettled(record.id))),
    }
}
