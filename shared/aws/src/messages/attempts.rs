//! The writes of an attempt: the row before it, and what came of it.
//!
//! The row and its refusal name the attempt that they belong to in their conditions, so such a write that comes late
//! changes nothing of a later attempt. SES's id is true of the message whenever it comes, and the entries of the index
//! by recipient are the same for every attempt.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;
use uuid::Uuid;

use super::partition::row_key;
use super::{Messages, by_recipient, row};
use crate::StoreError;
use crate::dynamodb::batch;
use crate::dynamodb::condition::{Written, unless_overtaken, written};
use crate::dynamodb::item::{Item, n, names, s, text_of, time, uuid_of};
use domain::message::Mail;
use domain::recipient::RecipientOutcome;
use domain::record::SenderState;
use domain::stream::Stream;

/// One attempt at a message, before it is made; or a message that has no recipient left to send to.
#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    /// Our id of the message.
    pub id: Uuid,
    /// The number of this attempt, from 1. A later attempt follows one that SES or the gate certainly refused.
    pub attempt: u32,
    /// When this attempt began.
    pub attempt_at: Timestamp,
    /// A random value by which the writer recognises its own write.
    pub nonce: Uuid,
    /// The mail.
    pub mail: &'a Mail,
    /// The outcome on each recipient.
    pub outcomes: &'a [RecipientOutcome],
    /// Whether any recipient is left to send to.
    pub will_be_sent: bool,
    /// The stream that the API key sends in.
    pub stream: Stream,
    /// The id of the API key that the request came with.
    pub key_id: &'a str,
    /// When the first request for the message came.
    pub created_at: Timestamp,
    /// When DynamoDB may delete the items of the message.
    pub expires_at: Timestamp,
}

/// The result of writing the row of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The row is written, and the attempt may be made.
    Written,
    /// Another request makes an attempt, or SES has reported that the mail was sent. Nothing must be sent.
    Overtaken,
}

/// The condition of the first write of an attempt: there is no row, or the row of the attempt before was refused.
pub(super) struct PutCondition {
    pub(super) expression: &'static str,
    pub(super) names: HashMap<String, String>,
    pub(super) values: Option<Item>,
}

impl PutCondition {
    pub(super) fn of(attempt: u32) -> Self {
        if attempt <= 1 {
            return Self {
                expression: "attribute_not_exists(#id)",
                names: names(["id"]).unwrap_or_default(),
                values: None,
            };
        }
        let values = [
            (":before", n((attempt - 1).into())),
            (":refused", s(SenderState::Refused.as_str())),
        ];
        Self {
            expression: "attribute_exists(#id) AND #attempt = :before AND #state = :refused AND attribute_not_exists(#ses_id)",
            names: names(["id", "attempt", "state", "ses_id"]).unwrap_or_default(),
            values: Some(values.map(|(name, value)| (name.to_owned(), value)).into()),
        }
    }
}

impl Messages {
    /// Writes the row of a message before anything is sent: `sending`, or `suppressed` if no recipient is left.
    ///
    /// The first attempt creates the row. A later attempt replaces the row of the attempt before it, on condition that
    /// the earlier one was refused and SES has not named its id of the mail since.
    ///
    /// # Errors
    /// [`StoreError`] if the row may not have been written. Nothing must be sent then.
    pub async fn put(&self, message: &NewMessage<'_>) -> Result<Put, StoreError> {
        let by_recipient = by_recipient::rows(message);
        if by_recipient.is_empty() {
            return self.put_row(message).await;
        }
        let (put, indexed) = tokio::join!(self.put_row(message), self.put_all(by_recipient));
        indexed?;
        put
    }

    pub(super) async fn put_all(&self, items: Vec<Item>) -> Result<(), StoreError> {
        for items in items.chunks(batch::WRITE_MAX) {
            batch::put(&self.client, &self.table, items.to_vec()).await?;
        }
        Ok(())
    }

    async fn put_row(&self, message: &NewMessage<'_>) -> Result<Put, StoreError> {
        let item = row::of(message);
        let state = item.get("state").cloned();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let condition = PutCondition::of(message.attempt);
        let put = put
            .condition_expression(condition.expression)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(condition.values);
        Ok(match written(put.send().await)? {
            Written::Done(_) => Put::Written,
            // The SDK repeated a write whose answer was lost: the row that is there is our own. If it has moved on,
            // this write is late.
            Written::Failed(Some(row))
                if uuid_of(&row, "nonce") == Some(message.nonce) && row.get("state") == state.as_ref() =>
            {
                Put::Written
            }
            Written::Failed(_) => Put::Overtaken,
        })
    }

    /// Records that SES took the message at `now`, with SES's id of it.
    ///
    /// # Errors
    /// [`StoreError`] if the id may not have been written, or the message has no row. The mail is sent all the same.
    pub async fn accepted(&self, id: Uuid, ses_id: &str, now: Timestamp) -> Result<(), StoreError> {
        self.ses_id_update(id, ses_id)
            .update_expression(
                "SET #ses_id = if_not_exists(#ses_id, :ses_id), #sent_at = if_not_exists(#sent_at, :sent_at)",
            )
            .expression_attribute_names("#sent_at", "sent_at")
            .expression_attribute_values(":sent_at", time(now))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::of("UpdateItem"))
    }

    /// Writes SES's id of a message into its row, unless one is there. The row does not say when SES took the mail: an
    /// event says it.
    pub(super) async fn set_ses_id(
        &self,
        id: Uuid,
        ses_id: &str,
    ) -> Result<UpdateItemOutput, SdkError<UpdateItemError, HttpResponse>> {
        self.ses_id_update(id, ses_id)
            .update_expression("SET #ses_id = if_not_exists(#ses_id, :ses_id)")
            .send()
            .await
    }

    /// The condition keeps a write that comes after the row was deleted from creating half a row.
    fn ses_id_update(&self, id: Uuid, ses_id: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(row_key(id)))
            .condition_expression("attribute_exists(#id)")
            .set_expression_attribute_names(names(["id", "ses_id"]))
            .expression_attribute_values(":ses_id", s(ses_id))
    }

    /// Records that the gate or SES certainly refused this attempt. An id of SES and an operator's decision that are in
    /// the row already win.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written. The row then says `sending`, and counts as unknown once the
    /// lease of the attempt is over.
    pub async fn refused(&self, attempt: &NewMessage<'_>) -> Result<(), StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(row_key(attempt.id)))
            .update_expression("SET #state = :refused")
            .condition_expression(
                "#state = :sending AND #attempt = :attempt AND #nonce = :nonce AND attribute_not_exists(#ses_id)",
            )
            .set_expression_attribute_names(names(["state", "attempt", "nonce", "ses_id"]))
            .expression_attribute_values(":sending", s(SenderState::Sending.as_str()))
            .expression_attribute_values(":refused", s(SenderState::Refused.as_str()))
            .expression_attribute_values(":attempt", n(attempt.attempt.into()))
            .expression_attribute_values(":nonce", s(attempt.nonce.to_string()))
            .send()
            .await;
        unless_overtaken(updated)
    }

    /// Records that nothing was sent, after the write of the row had no answer: the attempt becomes `refused` whether
    /// that write was carried out or not, and it fails if it is carried out later.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written. The key of the request must then be kept.
    pub async fn refused_without_row(&self, attempt: &NewMessage<'_>) -> Result<Put, StoreError> {
        let own = PutCondition::of(attempt.attempt);
        let mut item = row::of(attempt);
        item.insert("state".to_owned(), s(SenderState::Refused.as_str()));
        // The row of a mail to nobody has no attempt, but the condition of the next attempt needs the last one.
        item.insert("attempt".to_owned(), n(attempt.attempt.into()));
        let mut values = own.values.unwrap_or_default();
        values.insert(":sending".to_owned(), s(SenderState::Sending.as_str()));
        values.insert(":nonce".to_owned(), s(attempt.nonce.to_string()));
        let mut placeholders = own.names;
        placeholders.extend(names(["state", "nonce"]).unwrap_or_default());
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(format!(
                "({}) OR (#state = :sending AND #nonce = :nonce)",
                own.expression
            ))
            .set_expression_attribute_names(Some(placeholders))
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        Ok(match written(put)? {
            Written::Done(_) => Put::Written,
            Written::Failed(Some(row)) if is_own_refusal(&row, attempt.nonce) => Put::Written,
            Written::Failed(_) => Put::Overtaken,
        })
    }
}

/// Returns whether the SDK repeated a refusal whose answer was lost.
fn is_own_refusal(row: &Item, nonce: Uuid) -> bool {
    text_of(row, "state") == Some(SenderState::Refused.as_str()) && uuid_of(row, "nonce") == Some(nonce)
}
