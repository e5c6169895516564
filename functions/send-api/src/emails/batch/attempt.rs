//! The attempts of a batch, a chunk at a time: the list is read and the slots are taken for a whole chunk, its rows are written,
//! and its emails go out side by side, each when its slot has come.
//!
//! A chunk is as much as goes out in a few seconds: slots that are taken for emails which then cannot be sent are lost.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::{NewMessage, PermitError, Put};
use domain::api_key::ApiKeyRecord;
use domain::idempotency::nth_id;
use domain::message::Email;
use domain::permit::{Ask, Permit, Refusal};
use domain::recipient::{Judgement, OnSuppressed, judge};
use domain::record::{Record, RecordedVerdict};
use domain::suppression::Registers;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::answer::Outcome;
use super::begin::Records;
use super::input::Valid;
use crate::State;
use crate::emails::{create, send};
use crate::error::ApiError;
use crate::time::Time;

/// The most emails in a chunk, which go out side by side.
const CHUNK_MAX: usize = 25;
/// How many rows are written at a time.
const ROWS_AT_ONCE: usize = 5;
/// How long the slots of a chunk may take.
const CHUNK_TIME: Duration = Duration::from_secs(5);

/// The emails of a batch, and what their attempts need.
pub(super) struct Chunks<'a> {
    pub(super) state: &'a State,
    pub(super) time: &'a Time,
    pub(super) api_key: &'a ApiKeyRecord,
    /// The id of the first email.
    pub(super) first: Uuid,
    /// What an earlier request left.
    pub(super) records: &'a Records,
    pub(super) nonce: Uuid,
}

/// Why a chunk was not attempted.
enum Stopped {
    /// The quota has not enough left for all of it.
    Quota(ApiError),
    /// Whatever comes after it cannot be attempted either.
    All(ApiError),
}

/// An email that is to be attempted.
struct Item<'a> {
    index: usize,
    email: &'a Email,
    judgement: Judgement<'a>,
}

impl Item<'_> {
    fn recipients(&self) -> i64 {
        let recipients = self.judgement.destination.as_ref();
        recipients.map_or(0, |destination| {
            i64::try_from(destination.recipients()).unwrap_or(i64::MAX)
        })
    }
}

impl Chunks<'_> {
    /// Attempts every email that has no outcome yet, and gives it one.
    ///
    /// # Errors
    /// When the batch is larger than can ever be sent in one request; nothing was attempted then.
    pub(super) async fn attempt(
        &self,
        emails: &[Result<Valid, ApiError>],
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), ApiError> {
        let waiting: Vec<(usize, &Valid)> = emails
            .iter()
            .enumerate()
            .filter_map(|(index, email)| Some((index, email.as_ref().ok()?)))
            .filter(|(index, _)| outcomes[*index].is_none())
            .collect();
        // Of a batch that is resumed some may have been sent: it is not to be split.
        if self.records.is_empty() {
            self.refuse_too_many(&waiting)?;
        }
        let mut waiting = waiting.as_slice();
        let mut limit = CHUNK_MAX;
        while !waiting.is_empty() {
            if let Some(refusal) = self.too_late() {
                for (index, _) in waiting {
                    outcomes[*index] = Some(Outcome::Failed(refusal.clone()));
                }
                return Ok(());
            }
            let (chunk, rest) = waiting.split_at(self.chunk_len(waiting).min(limit));
            match self.attempt_chunk(chunk).await {
                Ok(attempted) => {
                    for (index, outcome) in attempted {
                        outcomes[index] = Some(outcome);
                    }
                }
                // What is left of the quota may be enough for some of them.
                Err(Stopped::Quota(_)) if chunk.len() > 1 => {
                    limit = chunk.len() / 2;
                    continue;
                }
                Err(Stopped::Quota(error)) => outcomes[chunk[0].0] = Some(Outcome::Failed(error)),
                Err(Stopped::All(error)) => {
                    for (index, _) in waiting {
                        outcomes[*index] = Some(Outcome::Failed(error.clone()));
                    }
                    return Ok(());
                }
            }
            waiting = rest;
        }
        Ok(())
    }

    /// Refuses a batch that takes longer than a request has, though nobody else sends.
    fn refuse_too_many(&self, waiting: &[(usize, &Valid)]) -> Result<(), ApiError> {
        let Some(most) = self.recipients_within(self.time.left_to_send()) else {
            return Ok(());
        };
        let all: i64 = waiting.iter().map(|(_, valid)| addressed(&valid.email)).sum();
        // Who is suppressed takes no slot, so a batch that is merely a little too large may fit.
        if all > most.saturating_mul(2).max(1) {
            return Err(ApiError::batch_too_large(most.max(1)));
        }
        Ok(())
    }

    /// Refuses what is left of a batch when there is no time to send it in.
    fn too_late(&self) -> Option<ApiError> {
        let is_over = self.time.left_to_send().is_zero();
        let refusal = self.state.permits.next_slot(self.time.now()).filter(|_| is_over)?;
        Some(ApiError::held_back(refusal))
    }

    /// How many recipients can be sent to within a time, if this process has seen the gate.
    fn recipients_within(&self, time: Duration) -> Option<i64> {
        self.state.permits.recipients_within(time)
    }

    /// How many emails make the next chunk, one at least.
    fn chunk_len(&self, waiting: &[(usize, &Valid)]) -> usize {
        let time = CHUNK_TIME.min(self.time.left_to_send());
        let most = self.recipients_within(time).unwrap_or(1);
        let mut sum = 0;
        let fits = |(_, valid): &&(usize, &Valid)| {
            sum += addressed(&valid.email);
            sum <= most
        };
        waiting.iter().take_while(fits).count().clamp(1, CHUNK_MAX)
    }

    /// Attempts the emails of a chunk, or none of them; nothing is written then.
    async fn attempt_chunk(&self, chunk: &[(usize, &Valid)]) -> Result<Vec<(usize, Outcome)>, Stopped> {
        let emails: Vec<&Email> = chunk.iter().map(|(_, valid)| &valid.email).collect();
        let known = create::registers(self.state, &emails, self.api_key.stream, self.time.arrived);
        let known = self
            .time
            .before_sending(self.first, known)
            .await
            .flatten()
            .map_err(Stopped::All)?;
        let (mut items, mut attempted) = (Vec::new(), Vec::new());
        for (index, valid) in chunk {
            let item = self.item(*index, &valid.email, &known);
            match (valid.on_suppressed, item.judgement.rejected()) {
                (OnSuppressed::Reject, Some(rejected)) => {
                    attempted.push((*index, Outcome::Failed(ApiError::suppressed(rejected))));
                }
                _ => items.push(item),
            }
        }
        // Before the rows: what is held back leaves none.
        let asked = Instant::now();
        let permit = self
            .time
            .before_sending(self.first, self.take_slots(&items, asked))
            .await;
        let permit = permit.map_err(Stopped::All)??;
        let (items, slots) = self.in_time(items, permit, asked, &mut attempted);
        let messages: Vec<NewMessage<'_>> = items.iter().map(|item| self.message(item)).collect();
        let rows = self.time.before_sending(self.first, self.write_rows(&messages)).await;
        let rows = rows.unwrap_or_else(|error| vec![Err(error); messages.len()]);
        let attempts = items
            .iter()
            .zip(&messages)
            .zip(slots.iter().zip(rows))
            .map(|((item, message), (slot, row))| self.attempt_item(item, message, row.map(|()| *slot)));
        attempted.extend(join_all(attempts).await);
        Ok(attempted)
    }

    /// Leaves out the emails whose slots come too late, with an outcome each: the rate may have fallen since this process saw it.
    fn in_time<'i>(
        &self,
        items: Vec<Item<'i>>,
        permit: Option<Permit>,
        asked: Instant,
        attempted: &mut Vec<(usize, Outcome)>,
    ) -> (Vec<Item<'i>>, Vec<Instant>) {
        let left = self.time.left_to_send();
        let (mut kept, mut slots, mut before) = (Vec::new(), Vec::new(), 0);
        for item in items {
            let wait = permit.map_or(Duration::ZERO, |permit| permit.wait_after(before));
            before += item.recipients();
            if wait > left && item.judgement.destination.is_some() {
                let refusal = self.state.permits.next_slot(self.time.now());
                let error = refusal.map_or_else(ApiError::store_down, ApiError::held_back);
                attempted.push((item.index, Outcome::Failed(error)));
            } else {
                kept.push(item);
                slots.push(asked + wait);
            }
        }
        (kept, slots)
    }

    fn item<'e>(&self, index: usize, email: &'e Email, known: &BTreeMap<String, Registers>) -> Item<'e> {
        let tiers = &self.state.config.soft_bounce_tiers;
        Item {
            index,
            email,
            judgement: judge(email, known, self.time.arrived, self.api_key.stream, tiers),
        }
    }

    fn message<'m>(&'m self, item: &'m Item<'_>) -> NewMessage<'m> {
        let id = nth_id(self.first, item.index);
        let before: Option<&Record> = self.records.get(&id);
        let now = self.time.arrived;
        NewMessage {
            id,
            attempt: before.map_or(1, |record| record.attempt + 1),
            attempt_at: self.time.now(),
            nonce: self.nonce,
            email: item.email,
            verdicts: &item.judgement.verdicts,
            will_be_sent: item.judgement.destination.is_some(),
            stream: self.api_key.stream,
            key_id: &self.api_key.id,
            created_at: before.map_or(now, |record| record.created_at),
            expires_at: self.state.config.message_retention.expires_at(now),
        }
    }

    /// Writes the rows of a chunk, some at a time. Each on its condition, as that of one email: a write that was given up may be
    /// carried out later, and must not undo what became of the email since.
    async fn write_rows(&self, messages: &[NewMessage<'_>]) -> Vec<Result<(), ApiError>> {
        let mut written = Vec::new();
        for messages in messages.chunks(ROWS_AT_ONCE) {
            written.extend(join_all(messages.iter().map(|message| self.write_row(message))).await);
        }
        written
    }

    async fn write_row(&self, message: &NewMessage<'_>) -> Result<(), ApiError> {
        match self.state.messages.put(message).await? {
            Put::Written => Ok(()),
            Put::Overtaken => Err(ApiError::overtaken()),
        }
    }

    /// Takes the slots of a chunk, so that the last of them comes before sending has to end; none if there is nobody to send to.
    async fn take_slots(&self, items: &[Item<'_>], asked: Instant) -> Result<Option<Permit>, Stopped> {
        let recipients: i64 = items.iter().map(Item::recipients).sum();
        if recipients == 0 {
            return Ok(None);
        }
        let ask = Ask {
            recipients,
            stream: self.api_key.stream,
            now: self.time.at(asked),
            patience: self
                .time
                .left_to_send()
                .saturating_sub(self.state.permits.time_of(recipients)),
        };
        match self.state.permits.take(ask).await {
            Ok(permit) => Ok(Some(permit)),
            Err(PermitError::Refused(refusal @ Refusal::Quota { .. })) => {
                Err(Stopped::Quota(ApiError::held_back(refusal)))
            }
            Err(error) => Err(Stopped::All(error.into())),
        }
    }

    /// Sends an email whose row is written and whose slot is known.
    async fn attempt_item(
        &self,
        item: &Item<'_>,
        message: &NewMessage<'_>,
        slot: Result<Instant, ApiError>,
    ) -> (usize, Outcome) {
        let made = match (slot, &item.judgement.destination) {
            (Err(error), _) => Err(error),
            (Ok(_), None) => Ok(()),
            (Ok(slot), Some(destination)) => {
                let sent = async {
                    sleep_until(slot).await;
                    let patience = self.time.patience(self.state.config.policy.wait);
                    send::deliver(self.state, message, destination, self.time, patience).await
                };
                sent.await
            }
        };
        if let Err(error) = &made
            && error.frees_key()
        {
            send::settle(message.id, self.time, self.state.messages.refused(message)).await;
        }
        let outcome = match made {
            Ok(()) => Outcome::Done(item.judgement.verdicts.iter().map(RecordedVerdict::from).collect()),
            Err(error) => Outcome::Failed(error),
        };
        (item.index, outcome)
    }
}

/// How many recipients an email has on all its lines.
fn addressed(email: &Email) -> i64 {
    let recipients = email.to.len() + email.cc.len() + email.bcc.len();
    i64::try_from(recipients).unwrap_or(i64::MAX)
}
