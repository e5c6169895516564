//! Decides which of several requests with one idempotency key may send, and how the pipeline answers the others.
//!
//! The claim of a key is one conditional write, so exactly one request wins. It names the first message of the request;
//! the ids of the other messages follow from it. Every other request reads the messages' records:
//!
//! | the record | the other request |
//! |---|---|
//! | sent or suppressed | gets the same answer |
//! | being sent | gets "in flight", and retries later |
//! | unknown | gets "unknown", until an event of SES settles it |
//! | missing or refused | takes the key over once the first request has ended, and sends under the same ids |

use std::collections::BTreeMap;

use aws::{Claimed, StoreError};
use domain::idempotency::{Claim, nth_id};
use domain::record::{DeliveryState, MessageRecord};
use domain::ses_error::RETRY_SOON;
use domain::time::plus;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::settle::settle;
use crate::{Deadlines, NotSent, Origin, Receipt, Sending, Submission};

/// How often a key may change hands while it is being claimed.
const ROUNDS_MAX: u32 = 4;

/// The part of a request that may be attempted, and the records that answer the rest.
#[derive(Debug)]
pub(crate) struct ClaimResult {
    /// The id of the email at place 0.
    pub(crate) first: Uuid,
    /// The claim that the request holds, or `None` without a key.
    pub(crate) claim: Option<Claim>,
    /// The records that earlier requests with the key left, by id; of emails that are not submitted now too.
    pub(crate) records: BTreeMap<Uuid, MessageRecord>,
    /// Whether the records answer the whole request, so that nothing is attempted.
    pub(crate) is_answered: bool,
}

impl ClaimResult {
    fn new(first: Uuid, claim: Option<Claim>) -> Self {
        Self {
            first,
            claim,
            records: BTreeMap::new(),
            is_answered: false,
        }
    }

    pub(crate) fn id(&self, submission: &Submission) -> Uuid {
        nth_id(self.first, submission.place)
    }

    /// Returns whether an earlier request sent one of the emails, or may have sent it.
    fn may_have_sent(&self, now: Timestamp) -> bool {
        let mut records = self.records.values();
        records.any(|record| record.state(now) != DeliveryState::Refused)
    }

    pub(crate) fn record(&self, submission: &Submission) -> Option<&MessageRecord> {
        self.records.get(&self.id(submission))
    }
}

/// Where an email of a claimed request stands, for another request with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Its record answers the request.
    Settled,
    /// It is being sent.
    AtWork,
    /// The request that holds the key has refused it, and does not attempt it again.
    GivenUp,
    /// It has no record yet, or one of an earlier request: the request that holds the key may still attempt it.
    Open,
}

impl Standing {
    fn of(record: Option<&MessageRecord>, held: &Claim, now: Timestamp) -> Self {
        let Some(record) = record else {
            return Self::Open;
        };
        match record.state(now) {
            DeliveryState::Sent | DeliveryState::Suppressed | DeliveryState::Unknown => Self::Settled,
            DeliveryState::Sending(_) => Self::AtWork,
            DeliveryState::Refused if record.nonce == Some(held.nonce) => Self::GivenUp,
            DeliveryState::Refused => Self::Open,
        }
    }
}

impl Sending {
    /// Finds out what a request may do.
    ///
    /// # Errors
    /// [`NotSent`] if it may do nothing.
    pub(crate) async fn claim(
        &self,
        submissions: &[Submission],
        origin: &Origin<'_>,
        deadlines: &Deadlines,
    ) -> Result<ClaimResult, NotSent> {
        let Some(key) = &origin.key else {
            return Ok(ClaimResult::new(origin.ids.message, None));
        };
        let claim = &Claim::new(key, origin.ids.message, origin.ids.nonce, deadlines.arrived);
        let mut takes_over = false;
        let claimed = self.take_claim(claim, submissions, origin.emails, deadlines.arrived, &mut takes_over);
        let claimed = match deadlines.before_sending(claimed).await {
            Ok(claimed) => claimed,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &claimed
            && error.frees_key()
        {
            // The write may have taken the key although its answer was lost, and this request sent nothing. A new key
            // is freed. A key that was taken over is only released: freeing it would let the next request send the
            // earlier request's emails again.
            if takes_over {
                let release = self.claims.release(claim, deadlines.now());
                settle(claim.message_id, deadlines, release).await;
            } else {
                settle(claim.message_id, deadlines, self.claims.free(&claim.id, claim.nonce)).await;
            }
        }
        claimed
    }

    /// Takes the key, and sets `takes_over` before it writes to a key that another request had.
    async fn take_claim(
        &self,
        claim: &Claim,
        submissions: &[Submission],
        emails: usize,
        now: Timestamp,
        takes_over: &mut bool,
    ) -> Result<ClaimResult, NotSent> {
        for _ in 0..ROUNDS_MAX {
            let held = match self.claims.take(claim, now).await? {
                Claimed::Won => return Ok(ClaimResult::new(claim.message_id, Some(claim.clone()))),
                Claimed::Held(held) => held,
                Claimed::Gone => continue,
            };
            // Some of it may have been sent, so another body cannot take its place.
            if held.body_hash != claim.body_hash {
                return Err(NotSent::KeyReused);
            }
            let mut claimed = ClaimResult::new(held.message_id, Some(claim.clone()));
            let ids: Vec<Uuid> = (0..emails).map(|place| nth_id(held.message_id, place)).collect();
            claimed.records = self.records(&ids, now).await?;
            let standings: Vec<Standing> = submissions
                .iter()
                .map(|submission| Standing::of(claimed.record(submission), &held, now))
                .collect();
            let is = |standing| standings.iter().filter(|each| **each == standing).count();
            let (settled, at_work, given_up) = (is(Standing::Settled), is(Standing::AtWork), is(Standing::GivenUp));
            let all = standings.len();
            let has_ended = now >= held.lease_until || settled + given_up == all;
            if settled != all && !has_ended {
                let until = held.lease_until;
                return Err(NotSent::InFlight { until });
            }
            if settled + at_work == all {
                tracing::info!(message.id = %held.message_id, "a repeated request is answered from the record");
                claimed.is_answered = true;
                return Ok(claimed);
            }
            let claim = Claim {
                expires: expires(&held, claim, claimed.may_have_sent(now)),
                ..claim.clone()
            };
            *takes_over = true;
            if self.claims.take_over(&held, &claim).await? == Claimed::Won {
                tracing::info!(message.id = %held.message_id, "an unfinished request is taken over");
                return Ok(claimed);
            }
        }
        Err(NotSent::InFlight {
            until: plus(now, SignedDuration::from_secs(RETRY_SOON.into())),
        })
    }

    /// Reads the records of emails. An email is unknown only if no event proves that it was sent.
    async fn records(&self, ids: &[Uuid], now: Timestamp) -> Result<BTreeMap<Uuid, MessageRecord>, StoreError> {
        let mut records = self.messages.get_all(ids).await?;
        for record in records.values_mut() {
            if record.state(now) == DeliveryState::Unknown {
                record.events.extend(self.messages.proof_of_sending(record.id).await?);
            }
        }
        Ok(records)
    }

    /// Frees the key if no request with it sent anything, and releases it if there is something left to do. Otherwise the
    /// key stays.
    pub(crate) async fn let_go(
        &self,
        claimed: &ClaimResult,
        outcomes: &[Option<Result<Receipt, NotSent>>],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(claim) = &claimed.claim else { return Ok(()) };
        let sent_nothing = |outcome: &Result<Receipt, NotSent>| matches!(outcome, Err(error) if error.frees_key());
        if outcomes.iter().flatten().all(sent_nothing) && !claimed.may_have_sent(now) {
            // A key never remembers a refusal, and the request may be corrected.
            self.claims.free(&claim.id, claim.nonce).await
        } else if outcomes.iter().any(|outcome| outcome.as_ref().is_none_or(sent_nothing)) {
            self.claims.release(claim, now).await
        } else {
            Ok(())
        }
    }
}

/// Returns the expiry of a key that is taken over. If rows of an earlier request count, the key keeps its first expiry.
/// Otherwise it would outlive those rows, and their emails would look as if they were never attempted.
fn expires(held: &Claim, claim: &Claim, keeps_rows: bool) -> Timestamp {
    if keeps_rows { held.expires } else { claim.expires }
}

/// Returns the outcome of an email whose record needs no attempt.
pub(crate) fn settled(record: Option<&MessageRecord>, now: Timestamp) -> Option<Result<Receipt, NotSent>> {
    let record = record?;
    match record.state(now) {
        DeliveryState::Refused => None,
        DeliveryState::Sent | DeliveryState::Suppressed => Some(Ok(record.into())),
        DeliveryState::Sending(until) => Some(Err(NotSent::InFlight { until })),
        DeliveryState::Unknown => Some(Err(NotSent::StillUnknown { id: record.id })),
    }
}
