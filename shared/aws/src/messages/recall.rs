//! Cancelling and changing a mail that waits: each is one transaction over its row and its entry.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Delete, TransactWriteItem, Update as UpdateAction};
use jiff::Timestamp;
use uuid::Uuid;

use super::Messages;
use super::claims::claim_key;
use super::partition::row_key;
use super::transitions::{Moved, Update, record_of};
use crate::dynamodb::item::{n, names, s, time, ttl};
use crate::dynamodb::transaction::{OPERATION, Transacted, transacted};
use crate::outbox::{content_attributes, entry_key, part_keys};
use crate::{Outbox, StoreError};
use domain::queue::ContentRef;
use domain::record::{MessageRecord, SenderState};

/// The most bytes of content that a transaction deletes with its row. All items of a transaction together may have 4
/// MB.
const DELETED_AT_ONCE_MAX: u64 = 3_000_000;
/// The most parts that it deletes. A transaction has at most 100 writes.
const PARTS_AT_ONCE_MAX: u32 = 50;

/// A mail that its caller calls back.
#[derive(Clone, Copy, Debug)]
pub struct Cancel {
    /// Our id of the message.
    pub id: Uuid,
    /// The content that the entry names.
    pub content: ContentRef,
    /// When it is called back.
    pub now: Timestamp,
    /// A random value by which DynamoDB recognises the transaction when it is repeated.
    pub token: Uuid,
}

/// A new time for a mail that waits.
#[derive(Clone, Debug)]
pub struct Reschedule {
    /// Our id of the message.
    pub id: Uuid,
    /// The attempt that the row has.
    pub attempt: u32,
    /// When the mail is rescheduled.
    pub now: Timestamp,
    /// When the mail is to be sent.
    pub scheduled_at: Timestamp,
    /// When the mail becomes `failed` if it is not sent.
    pub deadline: Timestamp,
    /// When the sweep looks at it next.
    pub wake_at: Timestamp,
    /// The claim that has to live longer, if it does.
    pub claim: Option<ClaimGrowth>,
    /// A random value by which DynamoDB recognises the transaction when it is repeated.
    pub token: Uuid,
}

/// A claim that is to live longer. It never lives shorter: the mails of a batch share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimGrowth {
    /// The id of the claim.
    pub id: String,
    /// The first message of the claim as read. The key may belong to another request by now.
    pub message_id: Uuid,
    /// Until when the key is to be remembered. It must be later than the claim says.
    pub expires: Timestamp,
    /// When DynamoDB may delete the claim. It must not be earlier than the claim says.
    pub kept_until: Timestamp,
}

/// The result of a reschedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rescheduled {
    /// The mail has its new time.
    Done,
    /// The row was not queued, or it was rescheduled, attempted or expired in the meantime. This is the row.
    Otherwise(Option<Box<MessageRecord>>),
    /// The claim was changed in the meantime. It is to be read again.
    ClaimChanged,
}

/// A new content for a mail that waits.
#[derive(Clone, Copy, Debug)]
pub struct ContentSwitch {
    /// Our id of the message.
    pub id: Uuid,
    /// The nonce of the content that the row has.
    pub from: Uuid,
    /// The new content, which is stored. Its nonce is the token of the transaction.
    pub to: ContentRef,
    /// When the sweep looks at the mail next. A hint of the old content is worth nothing.
    pub wake_at: Timestamp,
}

impl Messages {
    /// Cancels a mail that is queued: its row becomes `canceled`, and entry and content are deleted.
    ///
    /// A large content does not fit in the transaction. Then the entry stays and is due at once, and the worker that
    /// finds it deletes both. The caller may do so itself, the content first.
    ///
    /// # Errors
    /// [`StoreError`] if it is not known whether the mail is cancelled. May be repeated with the same values.
    pub async fn cancel(&self, outbox: &Outbox, cancel: &Cancel) -> Result<Moved, StoreError> {
        let actions = self.cancellation(outbox, cancel).map_err(|error| incomplete(&error))?;
        match self.transact(actions, cancel.token).await? {
            Transacted::Done => Ok(Moved::Done),
            Transacted::Failed { item, .. } => Ok(Moved::Otherwise(record_of(item, OPERATION)?)),
        }
    }

    fn cancellation(&self, outbox: &Outbox, cancel: &Cancel) -> Result<Vec<TransactWriteItem>, BuildError> {
        let row = Update::from(SenderState::Queued)
            .of_content(cancel.content.nonce)
            .set("state", s(SenderState::Canceled.as_str()))
            .ending(cancel.now);
        let mut actions = vec![update(row.in_transaction(&self.table, row_key(cancel.id))?)];
        if cancel.content.size > DELETED_AT_ONCE_MAX || cancel.content.parts > PARTS_AT_ONCE_MAX {
            let entry = entry_update(outbox, cancel.id, "SET #wake_at = :wake_at", &["wake_at"])
                .expression_attribute_values(":wake_at", time(cancel.now));
            actions.push(update(entry.build()?));
            return Ok(actions);
        }
        for key in part_keys(cancel.id, &cancel.content).chain([entry_key(cancel.id)]) {
            let delete = Delete::builder()
                .table_name(outbox.table())
                .set_key(Some(key))
                .build()?;
            actions.push(TransactWriteItem::builder().delete(delete).build());
        }
        Ok(actions)
    }

    /// Gives a mail that is queued a new time: row, entry and claim change together. The attempt counts up, so a worker
    /// that read the row before does not send it.
    ///
    /// # Errors
    /// [`StoreError`] if it is not known whether the mail has its new time. May be repeated with the same values.
    pub async fn reschedule(&self, outbox: &Outbox, reschedule: &Reschedule) -> Result<Rescheduled, StoreError> {
        let actions = self
            .rescheduling(outbox, reschedule)
            .map_err(|error| incomplete(&error))?;
        match self.transact(actions, reschedule.token).await? {
            Transacted::Done => Ok(Rescheduled::Done),
            Transacted::Failed { index: 2, .. } => Ok(Rescheduled::ClaimChanged),
            Transacted::Failed { item, .. } => Ok(Rescheduled::Otherwise(record_of(item, OPERATION)?)),
        }
    }

    fn rescheduling(&self, outbox: &Outbox, new: &Reschedule) -> Result<Vec<TransactWriteItem>, BuildError> {
        let row = Update::from(SenderState::Queued)
            .of_attempt(new.attempt)
            .before_deadline(new.now)
            .set("attempt", n(i64::from(new.attempt) + 1))
            .set("scheduled_at", time(new.scheduled_at))
            .set("deadline", time(new.deadline))
            .set("rescheduled_at", time(new.now))
            .remove("waits_for");
        let entry = entry_update(
            outbox,
            new.id,
            "SET #wake_at = :wake_at, #deadline = :deadline",
            &["wake_at", "deadline"],
        )
        .expression_attribute_values(":wake_at", time(new.wake_at))
        .expression_attribute_values(":deadline", time(new.deadline));
        let mut actions = vec![
            update(row.in_transaction(&self.table, row_key(new.id))?),
            update(entry.build()?),
        ];
        if let Some(claim) = &new.claim {
            let grown = UpdateAction::builder()
                .table_name(&self.table)
                .set_key(Some(claim_key(&claim.id)))
                .update_expression("SET #expires = :expires, #expires_at = :expires_at")
                .condition_expression(
                    "#message_id = :message_id AND #expires < :expires AND #expires_at <= :expires_at",
                )
                .set_expression_attribute_names(names(["expires", "expires_at", "message_id"]))
                .expression_attribute_values(":expires", time(claim.expires))
                .expression_attribute_values(":expires_at", ttl(claim.kept_until))
                .expression_attribute_values(":message_id", s(claim.message_id.to_string()));
            actions.push(update(grown.build()?));
        }
        Ok(actions)
    }

    /// Replaces the content of a mail that is queued. The old one is to be deleted afterwards.
    ///
    /// # Errors
    /// [`StoreError`] if it is not known which content the mail has. May be repeated with the same values.
    pub async fn switch_content(&self, outbox: &Outbox, switch: &ContentSwitch) -> Result<Moved, StoreError> {
        let actions = self.switching(outbox, switch).map_err(|error| incomplete(&error))?;
        match self.transact(actions, switch.to.nonce).await? {
            Transacted::Done => Ok(Moved::Done),
            Transacted::Failed { item, .. } => Ok(Moved::Otherwise(record_of(item, OPERATION)?)),
        }
    }

    fn switching(&self, outbox: &Outbox, switch: &ContentSwitch) -> Result<Vec<TransactWriteItem>, BuildError> {
        let row = Update::from(SenderState::Queued)
            .of_content(switch.from)
            .set("content_nonce", s(switch.to.nonce.to_string()));
        let mut entry = entry_update(
            outbox,
            switch.id,
            "SET #content_nonce = :content_nonce, #parts = :parts, #size = :size, #encoding = :encoding, #wake_at = :wake_at",
            &["content_nonce", "parts", "size", "encoding", "wake_at"],
        )
        .expression_attribute_values(":wake_at", time(switch.wake_at));
        for (name, value) in content_attributes(&switch.to) {
            entry = entry.expression_attribute_values(format!(":{name}"), value);
        }
        Ok(vec![
            update(row.in_transaction(&self.table, row_key(switch.id))?),
            update(entry.build()?),
        ])
    }

    async fn transact(&self, actions: Vec<TransactWriteItem>, token: Uuid) -> Result<Transacted, StoreError> {
        let request = self.client.transact_write_items().set_transact_items(Some(actions));
        transacted(request.client_request_token(token.to_string()).send().await)
    }
}

/// An update of an entry that is there. The condition keeps it from making half an entry.
fn entry_update(
    outbox: &Outbox,
    id: Uuid,
    expression: &str,
    changed: &[&str],
) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
    let named = changed.iter().chain(&["id"]);
    UpdateAction::builder()
        .table_name(outbox.table())
        .set_key(Some(entry_key(id)))
        .update_expression(expression)
        .condition_expression("attribute_exists(#id)")
        .set_expression_attribute_names(Some(
            named.map(|name| (format!("#{name}"), (*name).to_owned())).collect(),
        ))
}

fn update(update: UpdateAction) -> TransactWriteItem {
    TransactWriteItem::builder().update(update).build()
}

fn incomplete(error: &BuildError) -> StoreError {
    StoreError::new(OPERATION, &error.to_string())
}
