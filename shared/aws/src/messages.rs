//! The table of messages: one item a mail, which the index `by-ses-id` can find by SES's id.
//!
//! | attribute | holds |
//! |---|---|
//! | `id` | our id (`UUIDv7`), or `claim#…` for an idempotency key: see [`super::Claims`] (key) |
//! | `state` | `sending`, `refused` or `suppressed`: what the sender knew last |
//! | `attempt`, `attempt_at`, `nonce` | which attempt it is, when it began, and a random value that marks our own write |
//! | `ses_id` | SES's id, once there is one: the mail was sent, whatever `state` says; key of the `by-ses-id` index |
//! | `ev#<type>#<SES's id of it>` | one attribute an event from SES: `at` (milliseconds), `recipients` (normalised), `subtype`, `diagnostics` by recipient |
//! | `from`, `to`, `cc`, `bcc`, `reply_to`, `subject`, `tags` | the mail as the caller gave it, without its bodies |
//! | `recipients` | the verdict on each address |
//! | `stream`, `key_id`, `created_at` | what it was sent as, by which key, when (milliseconds) |
//! | `recipient_hash` | key of the `by-recipient` index; of a mail to several, each recipient has a row of its own for it, `to#<our id>#<n>` |
//! | `expires_at` | when DynamoDB may delete it (seconds) |
//!
//! An event without our tag, from a classic notification, is kept in a row of its own, `ses#<SES's id>`: it may come before the
//! sender has stored that id, and needs no lookup so. Whoever reads a message reads that row too.
//!
//! What became of a mail is computed from these when it is read ([`MessageRecord::state`]), so that an event that comes before the
//! sender's own update needs no condition and loses nothing.

mod by_recipient;
mod forget;
mod key_ids;
mod row;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use jiff::Timestamp;
use uuid::Uuid;

use super::item::{Item, n, s, text_of, ttl, uuid_of};
use super::store_error::unless_overtaken;
use super::{StoreError, batch};
use domain::feedback::MessageEvent;
use domain::message::Email;
use domain::recipient::RecipientOutcome;
use domain::record::{MessageRecord, SenderState};
use domain::stream::Stream;

pub use by_recipient::SentTo;
pub use forget::Forgotten;

/// A message about to be sent, or not.
#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    /// Its id.
    pub id: Uuid,
    /// Which attempt to send it this is, from 1. A later one follows on one that was certainly refused.
    pub attempt: u32,
    /// When this attempt began.
    pub attempt_at: Timestamp,
    /// A random value by which the writer knows its own write again.
    pub nonce: Uuid,
    /// The mail.
    pub email: &'a Email,
    /// The verdict on each recipient.
    pub verdicts: &'a [RecipientOutcome],
    /// Whether there is anybody to send to.
    pub will_be_sent: bool,
    /// The stream it belongs to.
    pub stream: Stream,
    /// The API key it came with.
    pub key_id: &'a str,
    /// When it came.
    pub created_at: Timestamp,
    /// When its row may go.
    pub expires_at: Timestamp,
}

/// What came of writing the row of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is written: the attempt may be made.
    Written,
    /// Somebody else makes an attempt, or SES has told that the mail was sent: nothing must be sent.
    Overtaken,
}

/// The table of messages.
#[derive(Clone, Debug)]
pub struct Messages {
    client: Client,
    table: String,
}

impl Messages {
    /// Works on `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Writes the row of a message, before anything is sent: `sending`, or `suppressed` if there is nobody to send to.
    ///
    /// The first attempt makes the row. A later one replaces that of the attempt before it, if that was refused and SES has
    /// told nothing else since.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written; nothing must be sent then.
    pub async fn put(&self, message: &NewMessage<'_>) -> Result<Put, StoreError> {
        let by_recipient = by_recipient::rows(message);
        if by_recipient.is_empty() {
            return self.put_row(message).await;
        }
        let (put, indexed) = tokio::join!(self.put_row(message), self.put_all(by_recipient));
        indexed?;
        put
    }

    async fn put_all(&self, items: Vec<Item>) -> Result<(), StoreError> {
        for items in items.chunks(batch::WRITE_MAX) {
            batch::put(&self.client, &self.table, items.to_vec()).await?;
        }
        Ok(())
    }

    async fn put_row(&self, message: &NewMessage<'_>) -> Result<Put, StoreError> {
        const OPERATION: &str = "PutItem";
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(row::of(message)))
            .expression_attribute_names("#id", "id")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = if message.attempt == 1 {
            put.condition_expression("attribute_not_exists(#id)")
        } else {
            put.condition_expression(
                "attribute_exists(#id) AND #attempt = :before AND #state = :refused AND attribute_not_exists(#ses_id)",
            )
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#ses_id", "ses_id")
            .expression_attribute_values(":before", n((message.attempt - 1).into()))
            .expression_attribute_values(":refused", s(SenderState::Refused.as_str()))
        };
        let put = put.send().await;
        match put {
            Ok(_) => Ok(Put::Written),
            Err(SdkError::ServiceError(error)) => match error.err() {
                // The SDK repeated a write whose answer was lost: the row that is in the way is our own.
                PutItemError::ConditionalCheckFailedException(taken)
                    if taken.item().and_then(|item| uuid_of(item, "nonce")) == Some(message.nonce) =>
                {
                    Ok(Put::Written)
                }
                PutItemError::ConditionalCheckFailedException(_) => Ok(Put::Overtaken),
                _ => Err(StoreError::of(OPERATION)(SdkError::ServiceError(error))),
            },
            Err(error) => Err(StoreError::of(OPERATION)(error)),
        }
    }

    /// Reads the rows of different messages, consistently; one that is not in the answer has none.
    ///
    /// # Errors
    /// [`StoreError`] unless every row was read.
    pub async fn get_all(&self, ids: &[Uuid]) -> Result<BTreeMap<Uuid, MessageRecord>, StoreError> {
        let mut records = BTreeMap::new();
        for ids in ids.chunks(batch::GET_MAX) {
            let keys = ids.iter().map(|id| key(id.to_string()));
            for row in batch::get(&self.client, &self.table, keys.collect(), &[]).await? {
                let record = row::record(&row).ok_or_else(|| StoreError::new("BatchGetItem", "NotAMessage"))?;
                records.insert(record.id, record);
            }
        }
        Ok(records)
    }

    /// Writes that SES took the message, and SES's id of it.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written. The mail is sent all the same.
    pub async fn accepted(&self, id: Uuid, ses_id: &str) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("id", s(id.to_string()))
            .update_expression("SET #ses_id = if_not_exists(#ses_id, :ses_id)")
            .condition_expression("attribute_exists(#id)")
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#ses_id", "ses_id")
            .expression_attribute_values(":ses_id", s(ses_id))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::of("UpdateItem"))
    }

    /// Reads the row of a message, consistently.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or holds something else by this id.
    pub async fn get(&self, id: Uuid) -> Result<Option<MessageRecord>, StoreError> {
        let Some(row) = self.item(id.to_string()).await? else {
            return Ok(None);
        };
        let record = row::record(&row).ok_or_else(|| StoreError::new("GetItem", "NotAMessage"))?;
        Ok(Some(record))
    }

    /// Reads a message with all that SES told of it, consistently: its own row, and that of the events without our tag.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or holds something else by this id.
    pub async fn read(&self, id: Uuid) -> Result<Option<MessageRecord>, StoreError> {
        let Some(mut record) = self.get(id).await? else {
            return Ok(None);
        };
        if let Some(ses_id) = &record.ses_id
            && let Some(untagged) = self.item(untagged_key(ses_id)).await?
        {
            record.events.extend(row::events(&untagged));
        }
        Ok(Some(record))
    }

    /// Reads messages with all that SES told of them, consistently and in the order of their ids; one that is not on record is
    /// left out.
    ///
    /// # Errors
    /// [`StoreError`] unless every row was read.
    pub async fn read_all(&self, ids: &[Uuid]) -> Result<Vec<MessageRecord>, StoreError> {
        let mut records: Vec<MessageRecord> = self.get_all(ids).await?.into_values().collect();
        let ses_ids = records.iter().filter_map(|record| record.ses_id.as_deref());
        let keys: Vec<Item> = ses_ids.map(|ses_id| key(untagged_key(ses_id))).collect();
        let mut untagged = BTreeMap::new();
        for keys in keys.chunks(batch::GET_MAX) {
            for row in batch::get(&self.client, &self.table, keys.to_vec(), &[]).await? {
                let events: Vec<_> = row::events(&row).collect();
                untagged.insert(text_of(&row, "id").unwrap_or_default().to_owned(), events);
            }
        }
        for record in &mut records {
            let key = record.ses_id.as_deref().map(untagged_key);
            record
                .events
                .extend(key.and_then(|key| untagged.remove(&key)).unwrap_or_default());
        }
        Ok(records)
    }

    /// Finds our id of a message by SES's id of it. What was sent in the last seconds may not be found yet: the index is
    /// eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn id_of(&self, ses_id: &str) -> Result<Option<Uuid>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-ses-id")
            .key_condition_expression("#ses_id = :ses_id")
            .expression_attribute_names("#ses_id", "ses_id")
            .expression_attribute_values(":ses_id", s(ses_id))
            .send()
            .await
            .map_err(StoreError::of("Query"))?;
        Ok(answer.items().iter().find_map(|item| uuid_of(item, "id")))
    }

    async fn item(&self, key: String) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", s(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::of("GetItem"))?;
        Ok(answer.item)
    }

    /// Adds an event of SES to the message it is about, and SES's id with it: an event proves that the mail was sent. May be
    /// repeated and reordered at will. An event with our tag about a message that is not on record is dropped; one without
    /// it is kept until `expires_at`, for the message may not know SES's id yet.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn add_event(&self, event: &MessageEvent, expires_at: Timestamp) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .expression_attribute_names("#event", row::event_name(event))
            .expression_attribute_values(":event", row::event(event));
        let update = match event.message_id {
            Some(id) => update
                .key("id", s(id.to_string()))
                .update_expression("SET #event = :event, #ses_id = if_not_exists(#ses_id, :ses_id)")
                .condition_expression("attribute_exists(#id)")
                .expression_attribute_names("#id", "id")
                .expression_attribute_names("#ses_id", "ses_id")
                .expression_attribute_values(":ses_id", s(&event.ses_id)),
            None => update
                .key("id", s(untagged_key(&event.ses_id)))
                .update_expression("SET #event = :event, #expires_at = :expires_at")
                .expression_attribute_names("#expires_at", "expires_at")
                .expression_attribute_values(":expires_at", ttl(expires_at)),
        };
        unless_overtaken(update.send().await)
    }

    /// Writes that this attempt at the message was certainly not sent, by the gate or by SES; an event that says otherwise
    /// wins.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written; the row then says `sending` until its lease is over.
    pub async fn refused(&self, attempt: &NewMessage<'_>) -> Result<(), StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(attempt.id.to_string()))
            .update_expression("SET #state = :refused")
            .condition_expression("#attempt = :attempt AND #nonce = :nonce AND attribute_not_exists(#ses_id)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_names("#nonce", "nonce")
            .expression_attribute_names("#ses_id", "ses_id")
            .expression_attribute_values(":refused", s(SenderState::Refused.as_str()))
            .expression_attribute_values(":attempt", n(attempt.attempt.into()))
            .expression_attribute_values(":nonce", s(attempt.nonce.to_string()))
            .send()
            .await;
        unless_overtaken(updated)
    }
}

fn key(id: String) -> Item {
    Item::from([("id".to_owned(), s(id))])
}

/// The key of the row that holds the events of a mail without our tag.
fn untagged_key(ses_id: &str) -> String {
    format!("ses#{ses_id}")
}
