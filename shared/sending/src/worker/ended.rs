//! The end of a mail. Its content is deleted first and then its entry, for without the entry nothing finds the content.

use aws::{Moved, StoreError};
use domain::queue::OutboxEntry;
use domain::record::{FailedReason, OkiteState};

use super::come_again::no_time_wait;
use super::hinted::HintEnd;
use super::look::{DueMail, log};
use super::work::Run;

impl Run<'_> {
    /// Tidies up after a mail that has ended. Its hint is acknowledged once nothing is left of it.
    pub(super) async fn end(&self, entry: &OutboxEntry, state: Option<OkiteState>) -> HintEnd {
        match self.deadlines.before_answering(self.delete(entry)).await {
            Ok(Ok(())) => {
                let state = state.map(OkiteState::as_str);
                tracing::info!(message.id = %entry.id, state, "a message does not wait any more");
                HintEnd::Acknowledge
            }
            Ok(Err(error)) => {
                log(entry.id, &error);
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
        self.end(&mail.entry, Some(OkiteState::Failed)).await
    }
}
