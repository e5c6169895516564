//! `POST /emails/batch`: up to a hundred emails in one request, each with an outcome of its own.
//!
//! | module | concept |
//! |---|---|
//! | `input` | the array, and what makes an email of it valid |
//! | `begin` | which emails a request may attempt, by its idempotency key |
//! | `attempt` | the attempts, a chunk at a time |
//! | `answer` | what the caller is told |
//!
//! A batch that was cut off anywhere is resumed by a request with the same key: an email whose row is not there was never
//! attempted, one that was refused is attempted again, and the others are answered from their rows.

mod answer;
mod attempt;
mod begin;
mod input;

use aws::StoreError;
use domain::idempotency::{Claim, nth_id};

use self::answer::{Outcome, respond};
use self::attempt::Chunks;
use self::begin::{Begun, begin};
use self::input::{Mode, read};
use super::{idempotency, send};
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::time::Time;
use crate::{Ids, State};

pub(crate) async fn create_batch(
    state: &State,
    request: &Request,
    time: &Time,
    ids: Ids,
) -> Result<Response, ApiError> {
    let authenticated = state.authentication.authenticate(request, time.arrived);
    let api_key = time.before_sending(ids.message, authenticated).await??;
    let key = idempotency::key(request)?;
    let mode = Mode::of(request)?;
    let values = input::values(&request.body)?;
    let claim = key.map(|key| begin::claim(&api_key, &key, &values, ids, time.arrived));
    let emails = read(values, request, &api_key, mode)?;

    let valid = emails.iter().enumerate().filter(|(_, email)| email.is_ok());
    let valid: Vec<usize> = valid.map(|(index, _)| index).collect();
    let begun = begin(state, claim.as_ref(), ids.message, &valid, time.arrived);
    let begun = time.before_sending(ids.message, begun).await.flatten();
    if let (Err(error), Some(claim)) = (&begun, &claim)
        && error.frees_key()
    {
        // The key may be claimed though nobody said so; nothing was done by it.
        send::settle(ids.message, time, state.claims.free(&claim.id, claim.nonce)).await;
    }
    let begun = begun?;
    let (first, records) = match &begun {
        Begun::Attempt { first, records } | Begun::Answered { first, records } => (*first, records),
    };
    let mut outcomes: Vec<Option<Outcome>> = emails
        .iter()
        .enumerate()
        .map(|(index, email)| match email {
            Err(error) => Some(Outcome::Invalid(error.clone())),
            Ok(_) => begin::settled(records.get(&nth_id(first, index)), time.arrived),
        })
        .collect();
    if matches!(begun, Begun::Attempt { .. }) {
        let chunks = Chunks {
            state,
            time,
            api_key: &api_key,
            first,
            records,
            nonce: ids.nonce,
        };
        let attempted = chunks.attempt(&emails, &mut outcomes).await;
        if let Some(claim) = &claim {
            send::settle(first, time, let_go(state, claim, &outcomes, time)).await;
        }
        attempted?;
    }
    respond(mode, first, outcomes)
}

/// Lets go of a key by which there is something left to do.
async fn let_go(state: &State, claim: &Claim, outcomes: &[Option<Outcome>], time: &Time) -> Result<(), StoreError> {
    let known = || outcomes.iter().flatten();
    if known().all(Outcome::sent_nothing) {
        // A key never remembers a refusal, and the batch may be corrected.
        state.claims.free(&claim.id, claim.nonce).await
    } else if outcomes.iter().any(Option::is_none) || known().any(Outcome::may_be_repeated) {
        state.claims.release(claim, time.now()).await
    } else {
        Ok(())
    }
}
