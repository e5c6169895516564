//! The table of messages: one item a mail, which the index `by-ses-id` can find by SES's id.
//!
//! | attribute | holds |
//! |---|---|
//! | `id` | our id (`UUIDv7`), or `claim#…` for an idempotency key: see [`super::Claims`] (key) |
//! | `state` | `sending`, `refused` or `suppressed`: what the sender knew last |
//! | `attempt`, `attempt_at`, `nonce` | which attempt it is, when it began, and a random value that marks our own write |
//! | `ses_id` | SES's id, once there is one: the mail was sent, whatever `state` says; key of the `by-ses-id` index |
//! | `ev#<type>#<SES's id of it>` | one attribute an event from SES: `at` (milliseconds), `recipients` (normalised) |
//! | `from`, `to`, `cc`, `bcc`, `reply_to`, `subject`, `tags` | the mail as the caller gave it, without its bodies |
//! | `recipients` | the verdict on each address |
//! | `stream`, `key_id`, `created_at` | what it was sent as, by which key, when (milliseconds) |
//! | `recipient_hash` | not written yet: key of the `by-recipient` index, on a row of its own for each recipient |
//! | `expires_at` | when DynamoDB may delete it (seconds) |
//!
//! What became of a mail is computed from these when it is read ([`Record::state`]), so that an event that comes before the
//! sender's own update needs no condition and loses nothing.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use uuid::Uuid;

use super::StoreError;
use super::item::{Item, list, n, number_of, s, text_of, texts_of, time, time_of, ttl, uuid_of};
use super::store_error::unless_overtaken;
use crate::address::Mailbox;
use crate::feedback::MessageEvent;
use crate::message::Email;
use crate::recipient::{Outcome, Verdict};
use crate::record::{Record, RecordedEvent, RecordedVerdict, Written};
use crate::stream::Stream;

/// What the attribute of an event begins with.
const EVENT: &str = "ev#";

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
    pub verdicts: &'a [Verdict],
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
        const OPERATION: &str = "PutItem";
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(row(message)))
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
            .expression_attribute_values(":refused", s(Written::Refused.as_str()))
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

    /// Reads what is on record of a message, consistently.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or holds something else by this id.
    pub async fn get(&self, id: Uuid) -> Result<Option<Record>, StoreError> {
        const OPERATION: &str = "GetItem";
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", s(id.to_string()))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        let Some(row) = answer.item else { return Ok(None) };
        let record = record(&row).ok_or_else(|| StoreError::new(OPERATION, "NotAMessage"))?;
        Ok(Some(record))
    }

    /// Adds an event of SES to the message it is about, and SES's id with it: an event proves that the mail was sent. May be
    /// repeated and reordered at will. An event about a message that is not on record is dropped.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn add_event(&self, event: &MessageEvent) -> Result<(), StoreError> {
        let told = Item::from([
            ("at".to_owned(), time(event.at)),
            ("recipients".to_owned(), list(&event.recipients)),
        ]);
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(event.message_id.to_string()))
            .update_expression("SET #event = :event, #ses_id = if_not_exists(#ses_id, :ses_id)")
            .condition_expression("attribute_exists(#id)")
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#event", format!("{EVENT}{}#{}", event.kind, event.id))
            .expression_attribute_names("#ses_id", "ses_id")
            .expression_attribute_values(":event", AttributeValue::M(told))
            .expression_attribute_values(":ses_id", s(&event.ses_id))
            .send()
            .await;
        unless_overtaken(updated)
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
            .expression_attribute_values(":refused", s(Written::Refused.as_str()))
            .expression_attribute_values(":attempt", n(attempt.attempt.into()))
            .expression_attribute_values(":nonce", s(attempt.nonce.to_string()))
            .send()
            .await;
        unless_overtaken(updated)
    }
}

fn row(message: &NewMessage<'_>) -> Item {
    let email = message.email;
    let mut row = HashMap::from([
        ("id", s(message.id.to_string())),
        ("nonce", s(message.nonce.to_string())),
        ("created_at", time(message.created_at)),
        ("expires_at", ttl(message.expires_at)),
        ("stream", s(message.stream.as_str())),
        ("key_id", s(message.key_id)),
        ("from", s(email.from.to_string())),
        ("to", mailboxes(&email.to)),
        ("cc", mailboxes(&email.cc)),
        ("bcc", mailboxes(&email.bcc)),
        ("reply_to", mailboxes(&email.reply_to)),
        ("subject", s(&email.subject)),
        (
            "recipients",
            AttributeValue::L(message.verdicts.iter().map(verdict).collect()),
        ),
        (
            "tags",
            AttributeValue::M(
                email
                    .tags
                    .iter()
                    .map(|tag| (tag.name().to_owned(), s(tag.value())))
                    .collect(),
            ),
        ),
    ]);
    let written = if message.will_be_sent {
        row.extend([
            ("attempt", n(message.attempt.into())),
            ("attempt_at", time(message.attempt_at)),
        ]);
        Written::Sending
    } else {
        Written::Suppressed
    };
    row.insert("state", s(written.as_str()));
    row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn mailboxes(mailboxes: &[Mailbox]) -> AttributeValue {
    list(mailboxes.iter().map(Mailbox::to_string))
}

fn verdict(verdict: &Verdict) -> AttributeValue {
    let mut entry = Item::from([
        ("email".to_owned(), s(verdict.address.as_given())),
        ("status".to_owned(), s(verdict.outcome.status())),
    ]);
    if let Outcome::Suppressed(suppression) = verdict.outcome {
        entry.insert("reason".to_owned(), s(suppression.reason.as_str()));
        entry.insert("since".to_owned(), time(suppression.since));
    }
    AttributeValue::M(entry)
}

/// Reads a row.
fn record(row: &Item) -> Option<Record> {
    let recipients = row.get("recipients")?.as_l().ok()?.iter();
    Some(Record {
        id: uuid_of(row, "id")?,
        written: Written::parse(text_of(row, "state")?)?,
        attempt: number_of(row, "attempt").map_or(Some(0), |attempt| u32::try_from(attempt).ok())?,
        attempt_at: time_of(row, "attempt_at"),
        nonce: uuid_of(row, "nonce"),
        ses_id: text_of(row, "ses_id").map(str::to_owned),
        created_at: time_of(row, "created_at")?,
        recipients: recipients
            .map(|entry| recorded_verdict(entry.as_m().ok()?))
            .collect::<Option<_>>()?,
        events: row
            .iter()
            .filter_map(|(name, value)| recorded_event(name, value))
            .collect(),
    })
}

fn recorded_verdict(entry: &Item) -> Option<RecordedVerdict> {
    Some(RecordedVerdict {
        email: text_of(entry, "email")?.to_owned(),
        status: text_of(entry, "status")?.to_owned(),
        reason: text_of(entry, "reason").map(str::to_owned),
        since: time_of(entry, "since"),
    })
}

fn recorded_event(name: &str, value: &AttributeValue) -> Option<RecordedEvent> {
    let (kind, _) = name.strip_prefix(EVENT)?.split_once('#')?;
    Some(RecordedEvent {
        kind: kind.to_owned(),
        recipients: texts_of(value.as_m().ok()?, "recipients"),
    })
}
