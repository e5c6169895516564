//! The table of messages: one item a mail, which the index `by-ses-id` finds by SES's id.
//!
//! | attribute | holds |
//! |---|---|
//! | `id` | our id (`UUIDv7`), or `to#<our id>#<hash>` for a recipient, `claim#…` for an idempotency claim (key) |
//! | `state` | `sending`, `refused` or `suppressed`: what the sender knew last |
//! | `attempt`, `attempt_at`, `nonce` | which attempt it is, when it began, and a random value that marks our own write |
//! | `ses_id` | SES's id, once there is one: the mail was sent, whatever `state` says; key of the `by-ses-id` index |
//! | `ev#…` | one attribute an event from SES |
//! | `from`, `to`, `cc`, `bcc`, `reply_to`, `subject`, `tags` | the mail as the caller gave it, without its bodies |
//! | `recipients` | the verdict on each address |
//! | `stream`, `key_id`, `created_at` | what it was sent as, by which key, when (milliseconds) |
//! | `recipient_hash` | on a row of its own for each recipient: key of the `by-recipient` index |
//! | `expires_at` | when DynamoDB may delete it (seconds) |
//!
//! What became of a mail is computed from these when it is read, so that an event that comes before the sender's own
//! update needs no condition and loses nothing.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use uuid::Uuid;

use super::StoreError;
use super::item::{Item, list, n, s, text_of, time, ttl};
use super::store_error::unless_overtaken;
use crate::address::Mailbox;
use crate::message::Email;
use crate::recipient::{Outcome, Verdict};
use crate::stream::Stream;

/// A message about to be sent, or not.
#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    /// Its id.
    pub id: Uuid,
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

    /// Writes the row of a new message, before anything is sent: `sending` with attempt 1, or `suppressed`.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written; nothing must be sent then.
    pub async fn put(&self, message: &NewMessage<'_>) -> Result<(), StoreError> {
        const OPERATION: &str = "PutItem";
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(row(message)))
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", "id")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) => match error.err() {
                // The SDK repeated a write whose answer was lost: the row that is in the way is our own.
                PutItemError::ConditionalCheckFailedException(taken)
                    if taken.item().and_then(|item| text_of(item, "nonce")) == Some(&message.nonce.to_string()) =>
                {
                    Ok(())
                }
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

    /// Writes that `attempt` of the message was certainly not sent, by the gate or by SES; an event that says otherwise wins.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written; the row then says `sending` until its lease is over.
    pub async fn refused(&self, id: Uuid, attempt: u32) -> Result<(), StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(id.to_string()))
            .update_expression("SET #state = :refused")
            .condition_expression("#attempt = :attempt AND attribute_not_exists(#ses_id)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_names("#ses_id", "ses_id")
            .expression_attribute_values(":refused", s("refused"))
            .expression_attribute_values(":attempt", n(attempt.into()))
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
    if message.will_be_sent {
        row.extend([
            ("state", s("sending")),
            ("attempt", n(1)),
            ("attempt_at", time(message.created_at)),
        ]);
    } else {
        row.insert("state", s("suppressed"));
    }
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
