//! How a mail comes back that is not sent now: by a fresh hint, or by the index.

use std::time::Duration;

use aws::StoreError;
use domain::backoff;
use domain::queue::{Hint, OutboxEntry, Wait, retry_wait};
use domain::stream::Stream;
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::sleep;
use uuid::Uuid;

use super::due_mail::DueMail;
use super::hinted::HintEnd;
use super::run::Run;
use super::wait::log_store_error;
use crate::queue::log_no_hint;

/// How often a fresh hint is sent again that SQS did not confirm. A second one does no harm.
const HINT_REPEATS_MAX: u32 = 2;
/// How many fresh hints are sent side by side.
const HINTS_AT_ONCE: usize = 25;
impl Run<'_> {
    /// Lets mails come back whose rows are as they were read.
    pub(super) async fn all_come_again(&self, mails: Vec<DueMail>, cause: Duration) -> Vec<(usize, HintEnd)> {
        let mut ends = Vec::new();
        for mails in mails.chunks(HINTS_AT_ONCE) {
            let ended = mails
                .iter()
                .map(async |mail| (mail.place, self.come_again(mail, cause).await));
            ends.extend(join_all(ended).await);
        }
        ends
    }

    /// Lets a mail come back whose row is as it was read, or says `queued` again. Its cause asks for a wait of `cause`.
    pub(super) async fn come_again(&self, mail: &DueMail, cause: Duration) -> HintEnd {
        let releases = !mail.hint.released.is_empty();
        let wait = retry_wait(cause, mail.entry.deadline, self.deadlines.now(), releases);
        self.wait(&mail.hint, &mail.entry, wait).await
    }

    /// Lets a mail come back after an attempt that certainly sent nothing, but whose row may say `sending`. The fresh
    /// hint releases the attempt's nonce, so that a worker may take the row over.
    pub(super) async fn come_again_released(&self, mail: &DueMail, nonce: Uuid, cause: Duration) -> HintEnd {
        let mail = DueMail {
            hint: mail.hint.clone().releasing(nonce),
            ..mail.clone()
        };
        self.come_again(&mail, cause).await
    }

    /// Lets a mail come back.
    pub(super) async fn wait(&self, hint: &Hint, entry: &OutboxEntry, wait: Wait) -> HintEnd {
        match wait {
            Wait::Standing => HintEnd::Acknowledge,
            Wait::Hint(delay) => self.hint(hint, entry.stream, &entry.key_id, delay).await,
            Wait::Index(at) => match self.deadlines.before_answering(self.set_wake_at(entry, at)).await {
                Ok(Ok(())) => HintEnd::Acknowledge,
                Ok(Err(error)) => {
                    log_store_error(entry.id, &error);
                    HintEnd::DeliverAgain
                }
                Err(_) => HintEnd::DeliverAgain,
            },
        }
    }

    /// Sets in the index when a mail is looked at again. If somebody else has set another time for the same content,
    /// the earlier of the two stands: the sweep puts off for half an hour what it has just handed over.
    async fn set_wake_at(&self, entry: &OutboxEntry, at: Timestamp) -> Result<(), StoreError> {
        let outbox = &self.worker.outbox;
        if outbox.wake_again(entry.id, entry.wake_at, at).await? {
            return Ok(());
        }
        match outbox.entry(entry.id).await? {
            Some(current) if current.wake_at > at && current.content == entry.content => {
                outbox.wake_again(entry.id, current.wake_at, at).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Has a hint delivered again whose mail could not be read or written. What it releases is known to nobody else and
    /// must not end in the dead-letter queue, so a fresh hint, which is counted anew, takes its place.
    pub(super) async fn deliver_again(&self, hint: &Hint, stream: Stream, wait: Duration) -> HintEnd {
        if hint.released.is_empty() {
            return HintEnd::DeliverAgain;
        }
        // The key may be unknown. It only shares the queue out.
        self.hint(hint, stream, &hint.id.to_string(), wait).await
    }

    /// Sends a fresh hint, and again while SQS does not confirm it: what it releases is known to nobody else.
    async fn hint(&self, hint: &Hint, stream: Stream, group: &str, delay: Duration) -> HintEnd {
        let queue = self.worker.hints.of(stream);
        for repeat in 0..=HINT_REPEATS_MAX {
            let sent = queue.send(hint, group, delay);
            match self.deadlines.before_answering(sent).await {
                Ok(Ok(())) => return HintEnd::Acknowledge,
                Ok(Err(error)) => log_no_hint(hint.id, &error),
                Err(_) => break,
            }
            match backoff::delay(repeat, hint.id, self.deadlines.left_to_answer()) {
                Some(delay) if repeat < HINT_REPEATS_MAX => sleep(delay).await,
                _ => break,
            }
        }
        HintEnd::DeliverAgain
    }
}
