//! Decides which of several requests with one idempotency key may send, and how the pipeline answers the others.
//!
//! The claim of a key is one conditional write, so exactly one request wins. It names the first message of the request;
//! the ids of the other messages follow from it. Every other request reads the messages' records:
//!
//! | the record | the other request |
//! |---|---|
//! | sent or suppressed | gets the same answer |
//! | ever queued | gets the same answer, whatever became of it |
//! | being sent | gets "in flight", and retries later |
//! | unknown | gets "unknown", until an event of SES settles it |
//! | missing or refused | takes the key over once the first request has ended, and sends under the same ids |
//!
//! After its time, a key is used anew only if every email of it is settled. Until then, it answers by the same rules.

use std::collections::BTreeMap;

use aws::{Claimed, Messages, StoreError};
use domain::idempotency::{Claim, RECORDS_OUTLIVE, REMEMBERED, RequestKey, nth_id};
use domain::queue::{WhenBusy, claim_expires};
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
    /// Until when the records of the request are kept.
    pub(crate) kept_until: Timestamp,
    /// Whether the records answer the whole request, so that nothing is attempted.
    pub(crate) is_answered: bool,
    /// Whether the key was taken over from an earlier request.
    pub(crate) is_taken_over: bool,
}

impl ClaimResult {
    fn without_key(first: Uuid, kept_until: Timestamp) -> Self {
        Self {
            first,
            claim: None,
            records: BTreeMap::new(),
            kept_until,
            is_answered: false,
            is_taken_over: false,
        }
    }

    fn of(claim: &Claim, records: BTreeMap<Uuid, MessageRecord>) -> Self {
        Self {
            claim: Some(claim.clone()),
            records,
            ..Self::without_key(claim.message_id, claim.kept_until)
        }
    }

    pub(crate) fn id(&self, submission: &Submission) -> Uuid {
        nth_id(self.first, submission.place)
    }

    /// Returns whether an earlier request sent one of the emails, or may have sent it.
    pub(crate) fn may_have_sent(&self, now: Timestamp) -> bool {
        self.records.values().any(|record| counts(record, now))
    }

    pub(crate) fn record(&self, submission: &Submission) -> Option<&MessageRecord> {
        self.records.get(&self.id(submission))
    }
}

/// Returns whether a record shows that its email was sent, or may have been, or had nobody to be sent to.
fn counts(record: &MessageRecord, now: Timestamp) -> bool {
    record.state(now) != DeliveryState::Refused
}

/// Returns whether a record keeps its key from being used anew after the key's time: the email is not settled, or an
/// operator said so late that the caller may not have heard of it.
fn holds_key(record: &MessageRecord, now: Timestamp) -> bool {
    let is_news = record.settled_at.is_some_and(|at| now < plus(at, REMEMBERED));
    !record.is_settled(now) || is_news && counts(record, now)
}

/// Where an email of a claimed request stands, for another request with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Its record answers the request.
    Settled,
    /// It is being sent.
    AtWork,
    /// The request that holds the key has refused it. It may attempt it again or queue it, but only on the condition
    /// that the row is its own refusal, which a takeover replaces. An operator who says that it was not sent does not
    /// end that request: the operator's clock may be ahead.
    GivenUp,
    /// It has no record yet, or one of an earlier request: the request that holds the key may still attempt it.
    Open,
}

impl Standing {
    fn of(record: Option<&MessageRecord>, held: &Claim, now: Timestamp) -> Self {
        let Some(record) = record else {
            return Self::Open;
        };
        if record.queued.is_some() {
            return Self::Settled;
        }
        match record.state(now) {
            DeliveryState::Sent
            | DeliveryState::Suppressed
            | DeliveryState::Unknown
            | DeliveryState::Queued
            | DeliveryState::Scheduled(_)
            | DeliveryState::Failed
            | DeliveryState::Canceled => Self::Settled,
            DeliveryState::Sending(_) => Self::AtWork,
            DeliveryState::Refused if record.nonce == Some(held.nonce) && record.settled_at.is_none() => Self::GivenUp,
            DeliveryState::Refused => Self::Open,
        }
    }
}

/// Returns whether the request that holds a key sends nothing more. Before its lease is over, that is certain only if
/// no email of the key is left: the request may still attempt one that the other request does not submit.
fn has_ended(held: &Claim, records: &BTreeMap<Uuid, MessageRecord>, now: Timestamp) -> bool {
    let is_done = |id| match Standing::of(records.get(&id), held, now) {
        Standing::Settled | Standing::GivenUp => true,
        Standing::AtWork | Standing::Open => false,
    };
    now >= held.lease_until || held.message_ids().into_iter().all(is_done)
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
        let kept_until = self.rules.message_retention.expires_at(deadlines.arrived);
        let Some(key) = &origin.key else {
            return Ok(ClaimResult::without_key(origin.ids.message, kept_until));
        };
        let claim = &self.new_claim(key, submissions, origin, deadlines.arrived);
        let mut takes_over = false;
        let claimed = self.take_claim(claim, submissions, deadlines.arrived, &mut takes_over);
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

    /// Makes the claim of a request. A key whose emails may wait is remembered for a day after the latest deadline, and
    /// its records outlive it.
    fn new_claim(&self, key: &RequestKey, submissions: &[Submission], origin: &Origin<'_>, now: Timestamp) -> Claim {
        let new = Claim::new(key, origin.ids.message, origin.ids.nonce, now);
        let deadlines = submissions.iter().filter_map(|submission| {
            let queue = self.queue.as_ref()?;
            let may_wait = submission.when_busy == WhenBusy::Queue || submission.is_scheduled(now);
            may_wait.then(|| queue.deadline(submission, origin.stream, now))
        });
        let expires = deadlines.map(|deadline| claim_expires(now, deadline)).max();
        let expires = expires.map_or(new.expires, |expires| expires.max(new.expires));
        let kept_until = self.rules.message_retention.expires_at(now);
        Claim {
            emails: origin.emails,
            expires,
            kept_until: kept_until.max(plus(expires, RECORDS_OUTLIVE)),
            ..new
        }
    }

    /// Takes the key, and sets `takes_over` before it writes to a key that another request had.
    async fn take_claim(
        &self,
        claim: &Claim,
        submissions: &[Submission],
        now: Timestamp,
        takes_over: &mut bool,
    ) -> Result<ClaimResult, NotSent> {
        for _ in 0..ROUNDS_MAX {
            let held = match self.claims.take(claim).await? {
                Claimed::Won => return Ok(ClaimResult::of(claim, BTreeMap::new())),
                Claimed::Held(held) => held,
                Claimed::Gone => continue,
            };
            let (is_same, is_over) = (held.body_hash == claim.body_hash, held.is_over(now));
            // Some of it may have been sent, so another body cannot take its place.
            if !is_same && !is_over {
                return Err(NotSent::KeyReused);
            }
            let records = self.records(&held.message_ids(), now).await?;
            if is_over && !records.values().any(|record| holds_key(record, now)) {
                match self.claims.replace(&held, claim).await? {
                    Claimed::Won => return Ok(ClaimResult::of(claim, BTreeMap::new())),
                    Claimed::Held(_) | Claimed::Gone => continue,
                }
            }
            if !is_same {
                return Err(NotSent::KeyReused);
            }
            let mut claimed = ClaimResult::of(&held, records);
            let standings: Vec<Standing> = submissions
                .iter()
                .map(|submission| Standing::of(claimed.record(submission), &held, now))
                .collect();
            let is = |standing| standings.iter().filter(|each| **each == standing).count();
            let (settled, at_work) = (is(Standing::Settled), is(Standing::AtWork));
            let all = standings.len();
            if settled != all && !has_ended(&held, &claimed.records, now) {
                let until = held.lease_until;
                return Err(NotSent::InFlight { until });
            }
            // After that time, an email that has no record may have had one.
            let are_records_complete = now < held.kept_until;
            if settled + at_work == all || !are_records_complete {
                if is_over {
                    self.claims.remember(&held, held.remembered_anew(now)).await?;
                }
                tracing::info!(message.id = %held.message_id, "a repeated request is answered from the record");
                claimed.is_answered = true;
                return Ok(claimed);
            }
            let taken = held.taken_over(claim, claimed.may_have_sent(now));
            if taken.kept_until > held.kept_until {
                // No email may look as if it were never attempted while the key is held.
                let kept = claimed.records.values().filter(|record| counts(record, now));
                self.messages.keep(kept, taken.kept_until).await?;
            }
            *takes_over = true;
            if self.claims.take_over(&held, &taken).await? == Claimed::Won {
                tracing::info!(message.id = %held.message_id, "an unfinished request is taken over");
                (claimed.kept_until, claimed.claim) = (taken.kept_until, Some(taken));
                claimed.is_taken_over = true;
                return Ok(claimed);
            }
        }
        Err(NotSent::InFlight {
            until: plus(now, SignedDuration::from_secs(RETRY_SOON.into())),
        })
    }

    /// Reads the records of emails. An email is unknown, or not sent by an operator's decision, only if no event proves
    /// that it was sent.
    async fn records(&self, ids: &[Uuid], now: Timestamp) -> Result<BTreeMap<Uuid, MessageRecord>, StoreError> {
        let mut records = self.messages.get_all(ids).await?;
        for record in records.values_mut() {
            self.add_proof(record, now).await?;
            if record.state(now) == DeliveryState::Unknown {
                tracing::warn!(
                    message.id = %record.id,
                    cause = "unknown_message",
                    "a repeated request found a message of which it is not known whether SES accepted it"
                );
            }
        }
        Ok(records)
    }

    /// Adds an event that proves that an email was sent, if its row leaves that open.
    pub(crate) async fn add_proof(&self, record: &mut MessageRecord, now: Timestamp) -> Result<(), StoreError> {
        add_proof(&self.messages, record, now).await
    }
}

/// Adds an event that proves that an email was sent, if its row leaves that open.
pub(crate) async fn add_proof(
    messages: &Messages,
    record: &mut MessageRecord,
    now: Timestamp,
) -> Result<(), StoreError> {
    if record.settled_at.is_some() || record.state(now) == DeliveryState::Unknown {
        record.events.extend(messages.proof_of_sending(record.id).await?);
    }
    Ok(())
}

/// Returns the outcome of an email whose record needs no attempt.
pub(crate) fn settled(record: &MessageRecord, now: Timestamp) -> Option<Result<Receipt, NotSent>> {
    if record.queued.is_some() {
        return Some(Ok(Receipt::of(record, now)));
    }
    match record.state(now) {
        DeliveryState::Refused => None,
        DeliveryState::Sent
        | DeliveryState::Suppressed
        | DeliveryState::Queued
        | DeliveryState::Scheduled(_)
        | DeliveryState::Failed
        | DeliveryState::Canceled => Some(Ok(Receipt::of(record, now))),
        DeliveryState::Sending(until) => Some(Err(NotSent::InFlight { until })),
        DeliveryState::Unknown => Some(Err(NotSent::StillUnknown { id: record.id })),
    }
}

#[cfg(test)]
mod tests {
    use domain::record::{QueuedMail, SenderState};

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// A claim of `emails` emails, which may be at work for another second.
    fn held(emails: usize) -> Claim {
        Claim {
            id: String::new(),
            body_hash: String::new(),
            message_id: Uuid::nil(),
            nonce: Uuid::from_u128(7),
            lease_until: NOW + SignedDuration::from_secs(1),
            expires: NOW,
            kept_until: NOW,
            emails,
        }
    }

    /// The record that the request of [`held`] left of its email at place `nth`.
    fn record(nth: usize, written: SenderState) -> MessageRecord {
        MessageRecord {
            attempt: 2,
            nonce: Some(held(1).nonce),
            ..MessageRecord::new(nth_id(Uuid::nil(), nth), written, NOW)
        }
    }

    fn ended(emails: usize, records: impl IntoIterator<Item = MessageRecord>, now: Timestamp) -> bool {
        let records = records.into_iter().map(|record| (record.id, record)).collect();
        has_ended(&held(emails), &records, now)
    }

    #[test]
    fn a_request_has_ended_early_only_if_no_email_of_its_key_is_left() {
        let (refused, sent) = (record(0, SenderState::Refused), record(1, SenderState::Sent));
        assert!(ended(2, [refused.clone(), sent], NOW));
        // The email at place 1 has no record yet, whether another request submits it or not.
        assert!(!ended(2, [refused.clone()], NOW));
        assert!(!ended(2, [refused.clone(), record(1, SenderState::Sending)], NOW));
        assert!(ended(2, [refused], held(2).lease_until));
    }

    #[test]
    fn an_operators_decision_does_not_end_the_request_that_holds_the_key() {
        let settled = MessageRecord {
            settled_at: Some(NOW),
            ..record(0, SenderState::Refused)
        };
        assert!(!ended(1, [settled.clone()], NOW));
        assert!(ended(1, [settled], held(1).lease_until));
    }

    #[test]
    fn a_mail_that_was_ever_queued_answers_every_repeat_whatever_became_of_it() {
        for written in [
            "queued",
            "sending",
            "unknown",
            "failed",
            "canceled",
            "suppressed",
            "refused",
        ] {
            let record = MessageRecord {
                queued: Some(QueuedMail {
                    queued_at: NOW,
                    content_nonce: Uuid::nil(),
                    scheduled_at: None,
                    deadline: NOW,
                    waits_for: None,
                    rescheduled_at: None,
                    ended_at: None,
                    claim_id: None,
                }),
                ..record(1, SenderState::parse(written).unwrap())
            };
            let receipt = settled(&record, NOW).unwrap().unwrap();
            assert_eq!(receipt.id, record.id, "{written}");
            assert_eq!(
                Standing::of(Some(&record), &held(1), NOW),
                Standing::Settled,
                "{written}"
            );
        }
    }
}
