//! Acceptance into the queue: the content, then row and entry in one transaction, then a hint.
//!
//! | what has no answer | what is known | the caller gets |
//! |---|---|---|
//! | the content | nothing is queued: parts that no row names lapse | a service is down, and the key is freed |
//! | the transaction, repeated with its token | nothing | unknown, with the id; the key is kept |
//! | the hint | the mail is queued, and the sweep finds it | the mail is queued |
//!
//! A transaction whose condition fails has found the row of another request or attempt, and that row decides. So no
//! second mail is queued. Nothing is compensated: a transaction may be carried out late, and a repeated request finds
//! its row.

use aws::{Accepted, ContentError, NewMessage, NewQueued};
use domain::queue::{
    ENTRY_KEPT, Hint, OutboxEntry, QueuedContent, WhenBusy, first_hint, first_wake_at, row_expires_at,
};
use domain::recipient::{JudgedRecipients, OnSuppressed, judge};
use domain::record::{MessageRecord, QueuedMail, RecordedMail, RecordedRecipient, SenderState};
use domain::ses_error::{RETRY_SOON, SesRefusal};
use domain::time::plus;
use futures_util::future::join_all;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::answered::{Unanswered, until_answered};
use crate::chunks::{CHUNK_MAX, Chunks};
use crate::idempotency::settled;
use crate::plan::Known;
use crate::{Became, Invalid, MailQueue, NotSent, Receipt, Submission, Unavailable};

/// How many mails are accepted at a time.
const ACCEPTED_AT_ONCE: usize = 5;

impl Chunks<'_> {
    /// Returns whether an email waits in the queue if there is no room for it.
    pub(crate) fn queues_when_busy(&self, submission: &Submission) -> bool {
        submission.when_busy == WhenBusy::Queue && self.sending.queue.is_some()
    }

    /// Accepts the emails into the queue that are scheduled, and those for which there was no room.
    pub(crate) async fn accept_all(
        &self,
        submissions: &[Submission],
        outcomes: &mut [Option<Result<Receipt, NotSent>>],
    ) {
        let is_to_wait =
            |(index, submission): &(usize, &Submission)| self.is_to_wait(submission, outcomes[*index].as_ref());
        let waiting: Vec<(usize, &Submission)> = submissions.iter().enumerate().filter(is_to_wait).collect();
        let Some(queue) = &self.sending.queue else {
            // A mail that cannot wait is never sent at once instead.
            for (index, _) in waiting {
                tracing::error!(
                    cause = "deployment",
                    "a scheduled message came to a deployment without a queue"
                );
                outcomes[index] = Some(Err(NotSent::Unavailable(Unavailable::StoreRefused)));
            }
            return;
        };
        for chunk in waiting.chunks(CHUNK_MAX) {
            let mails = chunk.iter().map(|(_, submission)| &submission.mail);
            let known = self
                .sending
                .registers(mails, self.origin.stream, self.deadlines.arrived);
            let known = match self.deadlines.before_answering(known).await {
                Ok(Ok(known)) => Ok(known),
                Ok(Err(error)) => Err(error.into()),
                Err(error) => Err(NotSent::from(error)),
            };
            for few in chunk.chunks(ACCEPTED_AT_ONCE) {
                let accepted = few.iter().map(async |(index, submission)| {
                    let accepted = match &known {
                        Ok(known) => Box::pin(self.judge_and_accept(queue, submission, known)).await,
                        Err(error) => Err(error.clone()),
                    };
                    (*index, accepted)
                });
                for (index, accepted) in join_all(accepted).await {
                    outcomes[index] = Some(accepted);
                }
            }
        }
    }

    /// Returns whether an email is to wait: it is scheduled, or there was no room for it, and no attempt of this
    /// request may still count as being made.
    fn is_to_wait(&self, submission: &Submission, outcome: Option<&Result<Receipt, NotSent>>) -> bool {
        match outcome {
            None => submission.is_scheduled(self.deadlines.arrived),
            Some(Err(NotSent::Busy(_))) => {
                self.queues_when_busy(submission)
                    && self.is_before_deadline(submission)
                    && self.own_attempts.allow_another(self.claimed.id(submission))
            }
            Some(_) => false,
        }
    }

    /// Returns whether an email may still wait. One whose deadline went by while the gate was asked would be accepted
    /// and fail at once.
    fn is_before_deadline(&self, submission: &Submission) -> bool {
        let (stream, arrived) = (self.origin.stream, self.deadlines.arrived);
        let deadline = |queue: &MailQueue| queue.deadline(submission, stream, arrived);
        self.sending
            .queue
            .as_ref()
            .is_none_or(|queue| deadline(queue) > self.deadlines.now())
    }

    async fn judge_and_accept(
        &self,
        queue: &MailQueue,
        submission: &Submission,
        known: &Known,
    ) -> Result<Receipt, NotSent> {
        let tiers = &self.sending.rules.soft_bounce_tiers;
        let arrived = self.deadlines.arrived;
        let judgement = judge(&submission.mail, known, arrived, self.origin.stream, tiers);
        if submission.on_suppressed == OnSuppressed::Reject
            && let Some(rejected) = judgement.rejected()
        {
            return Err(NotSent::Invalid(Invalid::Suppressed(rejected)));
        }
        if judgement.destination.is_none() && !submission.is_scheduled(arrived) {
            return self.leave_out(submission, &judgement).await;
        }
        self.accept(queue, submission, &judgement).await
    }

    /// Answers for an email that the gate refused together with others, although it calls nobody: nothing waits.
    async fn leave_out(&self, submission: &Submission, judgement: &JudgedRecipients<'_>) -> Result<Receipt, NotSent> {
        let id = self.claimed.id(submission);
        let message = NewMessage {
            outcomes: &judgement.outcomes,
            will_be_sent: false,
            ..self.message_to_nobody(id, &submission.mail)
        };
        self.deadlines.before_answering(self.write_row(&message)).await??;
        tracing::info!(message.id = %id, "every recipient is suppressed; nothing was sent");
        self.own_events.add_attempted(&message, &judgement.outcomes, Ok(None));
        Ok(Receipt::new(id, None, &judgement.outcomes))
    }

    async fn accept(
        &self,
        queue: &MailQueue,
        submission: &Submission,
        judgement: &JudgedRecipients<'_>,
    ) -> Result<Receipt, NotSent> {
        let (id, stream, now) = (self.claimed.id(submission), self.origin.stream, self.deadlines.now());
        // The mails of a request share its nonce.
        let content_nonce = Uuid::from_u128(self.origin.ids.nonce.as_u128() ^ id.as_u128().rotate_left(64));
        let (scheduled_at, claim) = (submission.scheduled_at, self.claimed.claim.as_ref());
        let deadline = queue.deadline(submission, stream, self.deadlines.arrived);
        let entry_expires_at = plus(now, ENTRY_KEPT);
        let content = QueuedContent {
            mail: submission.mail.clone(),
            on_suppressed: submission.on_suppressed,
        };
        let stored = queue.outbox.put_content(id, content_nonce, &content, entry_expires_at);
        let content = self.deadlines.before_answering(stored).await?.map_err(not_stored)?;
        let queued = QueuedMail {
            queued_at: now,
            content_nonce,
            scheduled_at,
            deadline,
            waits_for: None,
            rescheduled_at: None,
            ended_at: None,
            claim_id: claim.map(|claim| claim.id.clone()),
        };
        let entry = OutboxEntry {
            id,
            stream,
            key_id: self.origin.key_id.to_owned(),
            content,
            deadline,
            wake_at: first_wake_at(stream, scheduled_at, now),
            crashes: 0,
            expires_at: entry_expires_at,
        };
        let message = self.message_to_nobody(id, &submission.mail);
        let kept_until = row_expires_at(
            self.sending.rules.message_retention,
            now,
            claim.map(|claim| claim.expires),
        );
        let mail = NewQueued {
            message: NewMessage {
                outcomes: &judgement.outcomes,
                expires_at: message.expires_at.max(kept_until),
                ..message
            },
            queued: &queued,
            entry: &entry,
        };
        // The entries of the index by recipient are written first. An error of theirs is none of the transaction.
        let accepted = until_answered(
            self.deadlines,
            content_nonce,
            |error| error.operation == "TransactWriteItems",
            async || self.sending.messages.accept(&queue.outbox, &mail).await,
        );
        match accepted.await {
            Ok(Accepted::Queued) => {}
            Ok(Accepted::Overtaken(found)) => return self.decided_by(found).await,
            Err(Unanswered::NotBegun(error)) => return Err(error.into()),
            Err(Unanswered::Unknown(_)) => {
                tracing::error!(message.id = %id, cause = "ambiguous_accept", "it is not known whether the message is queued");
                return Err(NotSent::Unknown { id });
            }
        }
        tracing::info!(message.id = %id, "the message is queued");
        self.own_events.add_waiting(|| MessageRecord {
            queued: Some(queued.clone()),
            mail: RecordedMail::from(&submission.mail),
            recipients: judgement.outcomes.iter().map(RecordedRecipient::from).collect(),
            ..MessageRecord::new(id, SenderState::Queued, message.created_at)
        });
        if let Some(delay) = first_hint(stream, scheduled_at, now) {
            let hint = Hint::new(id, content_nonce);
            queue.hint(&hint, self.origin.key_id, delay, self.deadlines).await;
        }
        let became = match scheduled_at {
            Some(at) if at > now => Became::Scheduled(at),
            _ => Became::Queued,
        };
        Ok(Receipt::waiting(id, became, &judgement.outcomes))
    }

    /// Answers with the row that was there before the mail could be queued.
    async fn decided_by(&self, found: Option<Box<MessageRecord>>) -> Result<Receipt, NotSent> {
        let now = self.deadlines.now();
        let until = plus(now, SignedDuration::from_secs(RETRY_SOON.into()));
        let Some(mut found) = found else {
            return Err(NotSent::InFlight { until });
        };
        // Without a proof the row alone decides: it then counts as unknown, which frees no key.
        if let Ok(Err(error)) = self
            .deadlines
            .before_answering(self.sending.add_proof(&mut found, now))
            .await
        {
            tracing::warn!(message.id = %found.id, code = error.code, "the events of a message cannot be read");
        }
        self.own_events.add_recorded(&found, now);
        settled(&found, now).unwrap_or(Err(NotSent::InFlight { until }))
    }
}

/// Why a content is not stored. No transaction was begun, so nothing is queued.
fn not_stored(error: ContentError) -> NotSent {
    match error {
        ContentError::Store(error) => error.into(),
        // A mail so large is none that SES takes.
        ContentError::TooLarge | ContentError::Missing | ContentError::Newer => {
            NotSent::Rejected(SesRefusal::BadRequest)
        }
    }
}
