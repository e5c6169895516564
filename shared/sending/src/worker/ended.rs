//! The end of a mail. Its events are emitted first, then its content is deleted and then its entry: without the entry
//! nothing finds the mail and its content again.

use aws::{Moved, StoreError};
use domain::queue::OutboxEntry;
use domain::record::{FailedReason, MessageRecord, OkiteState};

use super::Worker;
use super::due_mail::DueMail;
use super::hinted::HintEnd;
use super::run::Run;
use super::wait::{log_store_error, no_time_wait};
use crate::Deadlines;

impl Worker {
    /// Emits the events about the end of a mail, from its row. Returns whether they are on their way. If they are not,
    /// the entry must stay: without it, nothing finds the mail that they are about.
    pub(super) async fn report(&self, row: &MessageRecord, deadlines: &Deadlines) -> bool {
        let Some(emitter) = &self.sending.emitter else {
            return true;
        };
        let now = deadlines.now();
        let events = row.end_events(now);
        match deadlines.before_answering(emitter.emit(&events, now)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(
                    message.id = %row.id,
                    cause = "not_emitted",
                    "events for webhooks were not emitted, and will be when the message is looked at again: {error}"
                );
                false
            }
            Err(_) => false,
        }
    }
}

impl Run<'_> {
    /// Reports the end of a mail whose row was read after it, and tidies up. Its hint is acknowledged once the events
    /// are on their way and nothing is left of the mail.
    pub(super) async fn end(&self, entry: &OutboxEntry, row: &MessageRecord, state: OkiteState) -> HintEnd {
        if self.worker.report(row, self.deadlines).await {
            self.tidy(entry, Some(state)).await
        } else {
            HintEnd::DeliverAgain
        }
    }

    /// Reports the end of a mail that was just written, and tidies up. The row is read: it says when the mail ended,
    /// and another worker may have written it.
    pub(super) async fn end_written(&self, entry: &OutboxEntry, state: OkiteState) -> HintEnd {
        let sending = &self.worker.sending;
        if sending.emitter.is_none() {
            return self.tidy(entry, Some(state)).await;
        }
        match self.deadlines.before_answering(sending.messages.get(entry.id)).await {
            Ok(Ok(Some(row))) => self.end(entry, &row, state).await,
            Ok(Ok(None)) => self.tidy(entry, Some(state)).await,
            Ok(Err(error)) => {
                log_store_error(entry.id, &error);
                HintEnd::DeliverAgain
            }
            Err(_) => HintEnd::DeliverAgain,
        }
    }

    /// Tidies up after a mail that has ended and of which nothing is left to report.
    pub(super) async fn tidy(&self, entry: &OutboxEntry, state: Option<OkiteState>) -> HintEnd {
        match self.deadlines.before_answering(self.delete(entry)).await {
            Ok(Ok(())) => {
                let state = state.map(OkiteState::as_str);
                tracing::info!(message.id = %entry.id, state, "a message does not wait any more");
                HintEnd::Acknowledge
            }
            Ok(Err(error)) => {
                log_store_error(entry.id, &error);
                HintEnd::DeliverAgain
            }
            Err(_) => HintEnd::DeliverAgain,
        }
    }

    async fn delete(&self, entry: &OutboxEntry) -> Result<(), StoreError> {
        self.worker.outbox.delete_content(entry.id, &entry.content).await?;
        self.worker.outbox.delete_entry(entry.id).await
    }

    /// Writes that a mail will not be sent, before SES was called for it.
    pub(super) async fn fail(&self, mail: &DueMail, reason: FailedReason) -> HintEnd {
        let (messages, now) = (&self.worker.sending.messages, self.deadlines.now());
        let failed = messages.fail(mail.id(), mail.leaving, reason, now);
        match self.moved(mail.id(), failed).await {
            Some(Moved::Done) => self.end_failed(mail, reason).await,
            Some(Moved::Otherwise(_)) => self.decide_again(mail).await,
            None => self.deliver_again(&mail.hint, mail.entry.stream, no_time_wait()).await,
        }
    }

    /// Tidies up after a mail whose row says that it failed.
    pub(super) async fn end_failed(&self, mail: &DueMail, reason: FailedReason) -> HintEnd {
        let id = mail.id();
        if reason == FailedReason::ContentMissing {
            tracing::error!(message.id = %id, cause = "content_missing", "the content of a message cannot be read");
        }
        let reason = reason.as_str();
        tracing::warn!(message.id = %id, cause = "queue_failed", reason, "a message that waited was not sent");
        self.end_written(&mail.entry, OkiteState::Failed).await
    }
}
