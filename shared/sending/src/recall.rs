//! Calling a mail back, and giving it another time, while it waits in the queue.

use std::time::Duration;

use aws::{Cancel, ClaimGrowth, Claims, Hints, Messages, Moved, Outbox, Reschedule, Rescheduled, StoreError};
use domain::idempotency::RECORDS_OUTLIVE;
use domain::queue::{AFTER_SCHEDULE_MAX, Hint, OutboxEntry, claim_expires, first_hint, first_wake_at};
use domain::record::{MessageRecord, OkiteState, QueuedMail, SenderState};
use domain::time::plus;
use domain::webhook::WebhookEvent;
use emitter::Emitter;
use jiff::Timestamp;
use uuid::Uuid;

use crate::answered::{Unanswered, until_answered};
use crate::idempotency::add_proof;
use crate::own_events::emit_before_answering;
use crate::queue::send_hint;
use crate::{Deadlines, NotRecalled, RecallError, Sending, Unavailable};

/// How often a mail is read again that was changed in the meantime.
const ROUNDS_MAX: u128 = 4;

/// A new time for a mail.
#[derive(Clone, Copy, Debug)]
pub struct Rescheduling {
    /// Our id of the mail.
    pub id: Uuid,
    /// When it is to be sent. A time that is past is now. See [`domain::queue::reparse_scheduled_at`] for the bounds.
    pub scheduled_at: Timestamp,
    /// A random value by which DynamoDB recognises the transaction when it is repeated.
    pub token: Uuid,
}

impl Sending {
    /// Calls a mail back that waits: [`Recall::cancel`].
    ///
    /// # Errors
    /// [`NotRecalled`] if the mail was not called back, or if that is not known.
    pub async fn cancel(&self, id: Uuid, token: Uuid, deadlines: &Deadlines) -> Result<(), NotRecalled> {
        Ok(self.recall()?.cancel(id, token, deadlines).await?)
    }

    /// Gives a mail that waits a new time: [`Recall::reschedule`].
    ///
    /// # Errors
    /// [`NotRecalled`] if the mail keeps its time, or if that is not known.
    pub async fn reschedule(&self, new: Rescheduling, deadlines: &Deadlines) -> Result<(), NotRecalled> {
        Ok(self.recall()?.reschedule(new, deadlines).await?)
    }

    fn recall(&self) -> Result<Recall<'_>, NotRecalled> {
        let queue = self.queue.as_ref();
        let queue = queue.ok_or(NotRecalled::Unavailable(Unavailable::StoreRefused))?;
        Ok(Recall {
            messages: &self.messages,
            claims: &self.claims,
            outbox: &queue.outbox,
            hints: Some(&queue.hints),
            emitter: self.emitter.as_ref(),
        })
    }
}

/// The tables and the queue by which a mail is cancelled or rescheduled.
#[derive(Clone, Copy, Debug)]
pub struct Recall<'a> {
    /// The records of messages.
    pub messages: &'a Messages,
    /// The idempotency keys.
    pub claims: &'a Claims,
    /// The table of the mails that wait.
    pub outbox: &'a Outbox,
    /// The hints about transactional mail. Without them, the sweep hands a rescheduled mail over.
    pub hints: Option<&'a Hints>,
    /// The emitter of events. Without one, no webhook hears of the change.
    pub emitter: Option<&'a Emitter>,
}

impl Recall<'_> {
    /// Calls a mail back that waits. It is never sent afterwards. A mail that was called back before is a success, and
    /// its events are emitted again: nobody else emits them if this request dies, because the mail has no entry then.
    ///
    /// `token` is a random value by which DynamoDB recognises the transaction when it is repeated.
    ///
    /// # Errors
    /// [`RecallError`] if the mail was not called back, or if that is not known.
    pub async fn cancel(&self, id: Uuid, token: Uuid, deadlines: &Deadlines) -> Result<(), RecallError> {
        for round in 0..ROUNDS_MAX {
            let (record, queued, entry) = match self.waiting(id, deadlines).await? {
                Found::Waiting(record, queued, entry) => (record, queued, entry),
                Found::Canceled(record) => {
                    self.emit(&record.end_events(deadlines.now()), deadlines).await;
                    return Ok(());
                }
                Found::Changing => continue,
            };
            let cancel = Cancel {
                id: record.id,
                content: entry.content,
                now: deadlines.now(),
                token: nth(token, round),
            };
            let cancelled = until_answered(
                deadlines,
                cancel.token,
                |_| true,
                async || self.messages.cancel(self.outbox, &cancel).await,
            );
            if cancelled.await.map_err(|error| unknown(id, error))? == Moved::Done {
                tracing::info!(message.id = %id, "the message is cancelled");
                let record = MessageRecord {
                    written: SenderState::Canceled,
                    queued: Some(QueuedMail {
                        ended_at: Some(cancel.now),
                        ..queued
                    }),
                    ..*record
                };
                self.emit(&record.end_events(deadlines.now()), deadlines).await;
                return Ok(());
            }
        }
        Err(RecallError::Contended)
    }

    /// Gives a mail that waits a new time. It keeps the span between the time at which it is to be sent and its
    /// deadline.
    ///
    /// # Errors
    /// [`RecallError`] if the mail keeps its time, or if that is not known.
    pub async fn reschedule(&self, new: Rescheduling, deadlines: &Deadlines) -> Result<(), RecallError> {
        for round in 0..ROUNDS_MAX {
            let now = deadlines.now();
            let (record, queued, entry) = match self.waiting(new.id, deadlines).await? {
                Found::Waiting(_, queued, _) if queued.deadline <= now => {
                    return Err(RecallError::TooLate(OkiteState::Failed));
                }
                Found::Waiting(record, queued, entry) => (record, queued, entry),
                Found::Canceled(_) => return Err(RecallError::TooLate(OkiteState::Canceled)),
                Found::Changing => continue,
            };
            let deadline = plus(new.scheduled_at.max(now), patience(&queued));
            let claim = self.claim_growth(&queued, new.id, claim_expires(now, deadline));
            let claim = deadlines.before_answering(claim).await??;
            let reschedule = Reschedule {
                id: new.id,
                attempt: record.attempt,
                now,
                scheduled_at: new.scheduled_at,
                deadline,
                wake_at: first_wake_at(entry.stream, Some(new.scheduled_at), now),
                claim,
                token: nth(new.token, round),
            };
            let rescheduled = until_answered(
                deadlines,
                reschedule.token,
                |_| true,
                async || self.messages.reschedule(self.outbox, &reschedule).await,
            );
            match rescheduled.await.map_err(|error| unknown(new.id, error))? {
                Rescheduled::Done => {
                    tracing::info!(message.id = %new.id, "the message is rescheduled");
                    let delay = first_hint(entry.stream, Some(new.scheduled_at), now);
                    if let (Some(delay), Some(hints)) = (delay, self.hints) {
                        let hint = Hint::new(new.id, entry.content.nonce);
                        send_hint(hints, &hint, &entry.key_id, delay, deadlines).await;
                    }
                    let record = MessageRecord {
                        queued: Some(QueuedMail {
                            scheduled_at: Some(new.scheduled_at),
                            rescheduled_at: Some(now),
                            ..queued
                        }),
                        ..*record
                    };
                    self.emit(&record.waiting_events(), deadlines).await;
                    return Ok(());
                }
                Rescheduled::Otherwise(_) | Rescheduled::ClaimChanged => {}
            }
        }
        Err(RecallError::Contended)
    }

    async fn emit(&self, events: &[WebhookEvent], deadlines: &Deadlines) {
        emit_before_answering(self.emitter, events, deadlines).await;
    }

    /// Reads a mail and its entry.
    async fn waiting(&self, id: Uuid, deadlines: &Deadlines) -> Result<Found, RecallError> {
        let record = deadlines.before_answering(self.messages.get(id)).await?;
        let mut record = record?.ok_or(RecallError::NotFound)?;
        let now = deadlines.now();
        let queued = match (record.written, record.queued.clone()) {
            (SenderState::Canceled, _) => return Ok(Found::Canceled(Box::new(record))),
            // SES's id is there: the mail is sent, although its row says that it waits.
            (SenderState::Queued, Some(queued)) if record.ses_id.is_none() => queued,
            _ => {
                let proof = deadlines
                    .before_answering(add_proof(self.messages, &mut record, now))
                    .await?;
                proof?;
                return Err(RecallError::TooLate(record.okite_state(now).0));
            }
        };
        let entry = deadlines.before_answering(self.outbox.entry(id)).await?;
        // Row and entry change together, so what was read of both belongs together only if the content is the same.
        match entry? {
            Some(entry) if entry.content.nonce == queued.content_nonce => {
                Ok(Found::Waiting(Box::new(record), queued, Box::new(entry)))
            }
            _ => Ok(Found::Changing),
        }
    }

    /// Returns how the claim of a mail must grow so that its key is remembered until `expires`. The records of the
    /// claim's other mails are kept as long.
    async fn claim_growth(
        &self,
        queued: &QueuedMail,
        id: Uuid,
        expires: Timestamp,
    ) -> Result<Option<ClaimGrowth>, StoreError> {
        let Some(claim_id) = &queued.claim_id else {
            return Ok(None);
        };
        let Some(claim) = self.claims.get(claim_id).await? else {
            return Ok(None);
        };
        let ids = claim.message_ids();
        // The key may belong to another request by now.
        if !ids.contains(&id) || expires <= claim.expires {
            return Ok(None);
        }
        let kept_until = claim.kept_until.max(plus(expires, RECORDS_OUTLIVE));
        if kept_until > claim.kept_until {
            let records = self.messages.get_all(&ids).await?;
            self.messages.keep(records.values(), kept_until).await?;
        }
        Ok(Some(ClaimGrowth {
            id: claim_id.clone(),
            message_id: claim.message_id,
            expires,
            kept_until,
        }))
    }
}

/// A mail that is to be called back or to get another time.
enum Found {
    /// It waits.
    Waiting(Box<MessageRecord>, QueuedMail, Box<OutboxEntry>),
    /// It was called back before.
    Canceled(Box<MessageRecord>),
    /// It was changed while it was read.
    Changing,
}

/// How long a mail may wait from when it is to be sent.
fn patience(queued: &QueuedMail) -> Duration {
    let due = queued.scheduled_at.unwrap_or(queued.queued_at);
    let span = Duration::try_from(queued.deadline.duration_since(due)).unwrap_or_default();
    span.min(AFTER_SCHEDULE_MAX)
}

/// The token of a round, which has other values than the round before.
fn nth(token: Uuid, round: u128) -> Uuid {
    Uuid::from_u128(token.as_u128() ^ round)
}

fn unknown(id: Uuid, error: Unanswered) -> RecallError {
    tracing::error!(message.id = %id, cause = "ambiguous_recall", "it is not known whether a queued message was changed");
    match error {
        Unanswered::NotBegun(error) => RecallError::Unknown(Some(error)),
        Unanswered::Unknown(error) => RecallError::Unknown(error),
    }
}
