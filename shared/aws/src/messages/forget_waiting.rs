//! Taking an address out of a mail that waits: out of its stored content, before its row forgets the address.

use jiff::Timestamp;
use uuid::Uuid;

use super::Messages;
use super::partition::is_row;
use super::recall::{Cancel, ContentSwitch};
use super::transitions::Moved;
use crate::dynamodb::item::{Item, uuid_of};
use crate::{ContentError, Outbox, StoreError};
use domain::address::EmailAddress;
use domain::queue::{OutboxEntry, QueuedContent, WithoutAddress};
use domain::record::{MessageRecord, QueuedMail, SenderState};

/// How often a mail is read again that others change.
const ROUNDS_MAX: u32 = 5;

/// The mails that wait, whose contents forget an address.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a closure")]
pub struct WaitingMails<'a> {
    /// The table of the mails that wait.
    pub outbox: &'a Outbox,
    /// The time.
    pub now: Timestamp,
    /// Makes the nonce of a new content.
    pub new_nonce: &'a (dyn Fn() -> Uuid + Sync),
}

/// The outcome for a mail that may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForgottenWaiting {
    /// Its content does not name the address, or it has none.
    Unnamed,
    /// Nobody was left to send it to, so it is cancelled.
    Canceled,
    /// It waits with a content without the address.
    Rewritten,
    /// It still names the address.
    Left(LeftBecause),
}

/// Why a mail in the queue still names an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftBecause {
    /// A worker is sending it or is about to delete its content, or it is not known yet whether it was sent.
    AtWork,
    /// The address is its sender's.
    Sender,
    /// Its content cannot be read: a newer version of Okite may have written it.
    Unreadable,
    /// Others kept changing it.
    Changing,
}

impl LeftBecause {
    /// Returns the reason for a person.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtWork => "a worker has it, or it is not known yet whether it was sent",
            Self::Sender => "the address is its sender's; its content is deleted when it is sent or cancelled",
            Self::Unreadable => "its content cannot be read; is this an older version of okite than the deployment's?",
            Self::Changing => "it kept changing",
        }
    }
}

impl Messages {
    /// Takes an address out of the content of a mail, if it waits. The row is not changed, so that the mail is found
    /// again if this fails. May be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if the content may still name the address.
    pub(super) async fn forget_waiting(
        &self,
        id: Uuid,
        address: &EmailAddress,
        waiting: &WaitingMails<'_>,
    ) -> Result<ForgottenWaiting, StoreError> {
        let outbox = waiting.outbox;
        for _ in 0..ROUNDS_MAX {
            // The entry first: an entry that is there was written together with its row.
            let entry = outbox.entry(id).await?;
            let record = self.get(id).await?;
            let queued = record.as_ref().and_then(|record| record.queued.clone());
            let (Some(record), Some(queued)) = (record, queued) else {
                return Ok(ForgottenWaiting::Unnamed);
            };
            let entry = match state(&record, &queued, entry) {
                State::Waits(entry) => entry,
                State::AtWork => return Ok(ForgottenWaiting::Left(LeftBecause::AtWork)),
                State::Changing => continue,
                State::Ended => {
                    outbox.delete_every_content(id).await?;
                    return Ok(ForgottenWaiting::Unnamed);
                }
            };
            let content = match outbox.content(id, &entry.content).await {
                Ok(content) => content,
                Err(ContentError::Store(error)) => return Err(error),
                // A content that was replaced meanwhile is missing too. If it is not replaced, it stays unreadable.
                Err(_) if self.has_changed(id, &queued).await? => continue,
                Err(_) => return Ok(ForgottenWaiting::Left(LeftBecause::Unreadable)),
            };
            match content.without(address) {
                WithoutAddress::Unnamed => {
                    let unreadable = outbox.delete_left_over(id, queued.content_nonce, address).await?;
                    if unreadable.is_empty() {
                        return Ok(ForgottenWaiting::Unnamed);
                    }
                    // Somebody may be writing one of them to replace this content. Once this content is replaced by a
                    // copy, nobody can.
                    if self.rewrite_content(&entry, &queued, &content, waiting).await? {
                        outbox.delete_parts(id, unreadable.iter()).await?;
                        return Ok(ForgottenWaiting::Unnamed);
                    }
                }
                WithoutAddress::Sender => return Ok(ForgottenWaiting::Left(LeftBecause::Sender)),
                WithoutAddress::Nobody => {
                    if self.cancel_forgotten(&entry, waiting).await? {
                        return Ok(ForgottenWaiting::Canceled);
                    }
                }
                WithoutAddress::Rest(rest) => {
                    if self.rewrite_content(&entry, &queued, &rest, waiting).await? {
                        return Ok(ForgottenWaiting::Rewritten);
                    }
                }
            }
        }
        Ok(ForgottenWaiting::Left(LeftBecause::Changing))
    }

    async fn has_changed(&self, id: Uuid, seen: &QueuedMail) -> Result<bool, StoreError> {
        let record = self.get(id).await?;
        let queued = record.and_then(|record| record.queued);
        Ok(queued.is_none_or(|queued| queued.content_nonce != seen.content_nonce))
    }

    /// Cancels a mail. Returns whether it did.
    async fn cancel_forgotten(&self, entry: &OutboxEntry, waiting: &WaitingMails<'_>) -> Result<bool, StoreError> {
        let cancel = Cancel {
            id: entry.id,
            content: entry.content,
            now: waiting.now,
            token: (waiting.new_nonce)(),
        };
        if self.cancel(waiting.outbox, &cancel).await? != Moved::Done {
            return Ok(false);
        }
        // A large content did not fit in the transaction. The entry is due at once, and the worker deletes it.
        waiting.outbox.delete_every_content(entry.id).await?;
        Ok(true)
    }

    /// Gives a mail another content. Returns whether it has it.
    async fn rewrite_content(
        &self,
        entry: &OutboxEntry,
        queued: &QueuedMail,
        content: &QueuedContent,
        waiting: &WaitingMails<'_>,
    ) -> Result<bool, StoreError> {
        let (outbox, id) = (waiting.outbox, entry.id);
        let put = outbox.put_content(id, (waiting.new_nonce)(), content, entry.expires_at);
        let to = put.await.map_err(|error| match error {
            ContentError::Store(error) => error,
            error => StoreError::new("BatchWriteItem", &error.to_string()),
        })?;
        let switch = ContentSwitch {
            id,
            from: queued.content_nonce,
            to,
            wake_at: queued.scheduled_at.unwrap_or(waiting.now).max(waiting.now),
        };
        if self.switch_content(outbox, &switch).await? == Moved::Done {
            outbox.delete_content(id, &entry.content).await?;
            return Ok(true);
        }
        outbox.delete_content(id, &to).await?;
        Ok(false)
    }
}

/// The state of a mail that was queued.
enum State {
    /// It waits.
    Waits(OutboxEntry),
    /// A worker sends it, or is to delete its content.
    AtWork,
    /// Row and entry were read on two sides of a change.
    Changing,
    /// It has ended, and its entry is gone.
    Ended,
}

fn state(record: &MessageRecord, queued: &QueuedMail, entry: Option<OutboxEntry>) -> State {
    let waits = record.written == SenderState::Queued && record.ses_id.is_none();
    match entry {
        Some(entry) if waits && entry.content.nonce == queued.content_nonce => State::Waits(entry),
        None if record.written == SenderState::Sending && record.ses_id.is_none() => State::AtWork,
        _ if waits => State::Changing,
        // No worker sends it any more. A worker, or the command that cancelled it, deletes its content.
        Some(_) if record.written == SenderState::Canceled => State::Ended,
        Some(_) => State::AtWork,
        None => State::Ended,
    }
}

/// Returns the id of the message if an item is the row of one that was queued.
pub(super) fn queued_id(item: &Item) -> Option<Uuid> {
    let is_queued = is_row(item) && item.contains_key("queued_at");
    uuid_of(item, "id").filter(|_| is_queued)
}
