//! Acceptance into the queue: the row and the entry, in one transaction.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Put as PutAction, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use uuid::Uuid;

use super::attempts::PutCondition;
use super::transitions::record_of;
use super::{Messages, NewMessage, by_recipient, row};
use crate::dynamodb::transaction::{self, Transacted, transacted};
use crate::outbox::entry_item;
use crate::{Outbox, StoreError};
use domain::queue::OutboxEntry;
use domain::record::{MessageRecord, QueuedMail};

/// A mail that is to wait. Its content is stored.
#[derive(Clone, Copy, Debug)]
pub struct NewQueued<'a> {
    /// The row, as an attempt would have it. `attempt` is the number that the attempt would have.
    pub message: NewMessage<'a>,
    /// The attributes of the row that concern the queue.
    pub queued: &'a QueuedMail,
    /// The entry. Its content is that of `queued`.
    pub entry: &'a OutboxEntry,
}

/// The result of an acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The mail waits, or has waited: this acceptance was carried out.
    Queued,
    /// The row of another request or attempt is there, and decides the answer. It is `None` if the row that this
    /// attempt was to follow is gone.
    Overtaken(Option<Box<MessageRecord>>),
}

impl Messages {
    /// Queues a mail: its row becomes `queued` and its entry is written, or neither. The condition is that of the
    /// attempt that would otherwise be made.
    ///
    /// May be repeated with the same values for 10 minutes: the nonce of the content is the token that DynamoDB
    /// recognises the transaction by.
    ///
    /// # Errors
    /// [`StoreError`] if it is not known whether the mail is queued. The request must keep its key then, and the mail
    /// must not be sent otherwise.
    pub async fn accept(&self, outbox: &Outbox, mail: &NewQueued<'_>) -> Result<Accepted, StoreError> {
        // The entries of the index by recipient are the same for every attempt.
        self.put_all(by_recipient::rows(&mail.message)).await?;
        let actions = self
            .acceptance(outbox, mail)
            .map_err(|error| StoreError::new(transaction::OPERATION, &error.to_string()))?;
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(actions.into()))
            .client_request_token(mail.queued.content_nonce.to_string())
            .send()
            .await;
        let found = match transacted(answer)? {
            Transacted::Done => return Ok(Accepted::Queued),
            Transacted::Failed { item, .. } => record_of(item, transaction::OPERATION)?,
        };
        // DynamoDB has forgotten the token of a repeated transaction: the row that is there is our own.
        let is_own = found
            .as_ref()
            .is_some_and(|found| is_of(found, mail.queued.content_nonce));
        Ok(if is_own {
            Accepted::Queued
        } else {
            Accepted::Overtaken(found)
        })
    }

    fn acceptance(&self, outbox: &Outbox, mail: &NewQueued<'_>) -> Result<[TransactWriteItem; 2], BuildError> {
        let condition = PutCondition::of(mail.message.attempt);
        let row = PutAction::builder()
            .table_name(&self.table)
            .set_item(Some(row::queued(&mail.message, mail.queued)))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        let entry = PutAction::builder()
            .table_name(outbox.table())
            .set_item(Some(entry_item(mail.entry)))
            .build()?;
        Ok([row, entry].map(|put| TransactWriteItem::builder().put(put).build()))
    }
}

fn is_of(record: &MessageRecord, content_nonce: Uuid) -> bool {
    let queued = record.queued.as_ref();
    queued.is_some_and(|queued| queued.content_nonce == content_nonce)
}
