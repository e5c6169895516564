//! The transitions of a queued mail's row that a worker makes. Each is one conditional update.
//!
//! | from | to | the condition beyond the state |
//! |---|---|---|
//! | queued | sending, suppressed | attempt and content as read, deadline ahead, no `ses_id` |
//! | sending, released | sending, suppressed | the same, and the nonce that the hint releases |
//! | sending | queued | the writer's own nonce |
//! | queued | failed, expired | the deadline is over |
//! | queued | failed | attempt and content as read |
//! | sending | failed | the writer's own nonce, or one that the hint releases |
//! | sending | unknown | the nonce as read |

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use uuid::Uuid;

use super::partition::row_key;
use super::{Messages, row};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, n, s, time};
use domain::queue::Leaving;
use domain::recipient::RecipientOutcome;
use domain::record::{FailedReason, MessageRecord, SenderState, WaitsFor};

const OPERATION: &str = "UpdateItem";

/// The result of a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The row has the new state.
    Done,
    /// The row was not in the state that the write leaves. This is the row that was there, if there was one: the next
    /// step follows from it.
    Otherwise(Option<Box<MessageRecord>>),
}

/// The attempt of a worker, before SES is called.
#[derive(Clone, Copy, Debug)]
pub struct NewAttempt<'a> {
    /// Our id of the message.
    pub id: Uuid,
    /// The state that the row leaves.
    pub leaving: Leaving,
    /// A new random value by which the worker recognises its own writes.
    pub nonce: Uuid,
    /// When the attempt begins.
    pub now: Timestamp,
    /// Until when the worker may be at it: the end of its invocation and a reserve.
    pub lease_until: Timestamp,
    /// The outcome on each recipient, as judged just now.
    pub outcomes: &'a [RecipientOutcome],
}

impl Messages {
    /// Writes that a worker is about to call SES for a mail: the row becomes `sending`, with the next attempt.
    ///
    /// # Errors
    /// [`StoreError`] if the row may or may not say so. SES must not be called, and the next hint must release this
    /// nonce.
    pub async fn begin_attempt(&self, attempt: &NewAttempt<'_>) -> Result<Moved, StoreError> {
        let update = Update::leaving(attempt.leaving)
            .before_deadline(attempt.now)
            .unsent()
            .set("state", s(SenderState::Sending.as_str()))
            .set("attempt", n(i64::from(attempt_of(attempt.leaving)) + 1))
            .set("nonce", s(attempt.nonce.to_string()))
            .set("attempt_at", time(attempt.now))
            .set("lease_until", time(attempt.lease_until))
            .set("recipients", row::outcomes(attempt.outcomes))
            .remove("waits_for");
        let own = |row: &MessageRecord| row.written == SenderState::Sending && row.nonce == Some(attempt.nonce);
        self.move_row(attempt.id, update, own).await
    }

    /// Writes that no recipient of a queued mail was left to send to.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written. The hint must not be acknowledged.
    pub async fn suppress(
        &self,
        id: Uuid,
        leaving: Leaving,
        outcomes: &[RecipientOutcome],
        now: Timestamp,
    ) -> Result<Moved, StoreError> {
        let update = Update::leaving(leaving)
            .before_deadline(now)
            .unsent()
            .set("state", s(SenderState::Suppressed.as_str()))
            .set("recipients", row::outcomes(outcomes))
            .ending(now);
        self.move_row(id, update, is(SenderState::Suppressed)).await
    }

    /// Writes that the attempt with `nonce` certainly sent nothing and that the mail waits again.
    ///
    /// # Errors
    /// [`StoreError`] if the row may still say `sending`. The next hint must release this nonce.
    pub async fn requeue(&self, id: Uuid, nonce: Uuid, waits_for: WaitsFor) -> Result<Moved, StoreError> {
        let update = Update::sending(nonce)
            .set("state", s(SenderState::Queued.as_str()))
            .set("waits_for", s(waits_for.as_str()))
            .remove("lease_until");
        let own = |row: &MessageRecord| row.written == SenderState::Queued && row.nonce == Some(nonce);
        self.move_row(id, update, own).await
    }

    /// Writes that a mail failed because its deadline is over.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn expire(&self, id: Uuid, leaving: Leaving, now: Timestamp) -> Result<Moved, StoreError> {
        match leaving {
            Leaving::Queued { .. } => self.expire_queued(id, now).await,
            Leaving::Released { nonce, .. } => self.fail_attempt(id, nonce, FailedReason::Expired, now).await,
        }
    }

    /// Writes that a mail failed because its deadline is over, if it is still queued. Any reader of such a row may do
    /// so.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written. The mail is shown as queued then.
    pub async fn expire_queued(&self, id: Uuid, now: Timestamp) -> Result<Moved, StoreError> {
        let update = Update::from(SenderState::Queued)
            .condition("#deadline <= :now", &["deadline"])
            .value(":now", time(now))
            .failing(FailedReason::Expired, now);
        self.move_row(id, update, has_failed(FailedReason::Expired)).await
    }

    /// Writes that a mail failed before SES was called for it.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written. The hint must not be acknowledged.
    pub async fn fail(
        &self,
        id: Uuid,
        leaving: Leaving,
        reason: FailedReason,
        now: Timestamp,
    ) -> Result<Moved, StoreError> {
        let update = Update::leaving(leaving).failing(reason, now);
        self.move_row(id, update, has_failed(reason)).await
    }

    /// Writes that a mail failed in the attempt with `nonce`, which certainly sent nothing.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn fail_attempt(
        &self,
        id: Uuid,
        nonce: Uuid,
        reason: FailedReason,
        now: Timestamp,
    ) -> Result<Moved, StoreError> {
        let update = Update::sending(nonce).failing(reason, now);
        self.move_row(id, update, has_failed(reason)).await
    }

    /// Writes that it will stay unknown whether SES took the attempt with `nonce`. An event or an id of SES that comes
    /// later still makes the mail sent.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written. The content must stay then.
    pub async fn give_up(&self, id: Uuid, nonce: Uuid) -> Result<Moved, StoreError> {
        let update = Update::sending(nonce).set("state", s(SenderState::Unknown.as_str()));
        self.move_row(id, update, is(SenderState::Unknown)).await
    }

    /// Carries out a transition. `own` recognises the row after it: the SDK repeated a write whose answer was lost.
    async fn move_row(
        &self,
        id: Uuid,
        update: Update,
        own: impl Fn(&MessageRecord) -> bool,
    ) -> Result<Moved, StoreError> {
        let request = self.client.update_item().table_name(&self.table);
        let answer = update.apply(request.set_key(Some(row_key(id)))).send().await;
        let found = match written(answer)? {
            Written::Done(_) => return Ok(Moved::Done),
            Written::Failed(item) => record_of(item, OPERATION)?,
        };
        Ok(match found {
            Some(row) if own(&row) => Moved::Done,
            found => Moved::Otherwise(found),
        })
    }
}

/// Reads the row on which a condition failed.
pub(super) fn record_of(item: Option<Item>, operation: &'static str) -> Result<Option<Box<MessageRecord>>, StoreError> {
    let read = |item: Item| {
        let record = row::record(&item).map(Box::new);
        record.ok_or_else(|| StoreError::new(operation, "NotAMessage"))
    };
    item.map(read).transpose()
}

fn is(state: SenderState) -> impl Fn(&MessageRecord) -> bool {
    move |row| row.written == state
}

fn has_failed(reason: FailedReason) -> impl Fn(&MessageRecord) -> bool {
    move |row| row.written == SenderState::Failed && row.failed == Some(reason)
}

fn attempt_of(leaving: Leaving) -> u32 {
    match leaving {
        Leaving::Queued { attempt, .. } | Leaving::Released { attempt, .. } => attempt,
    }
}

/// An update of a row, with a condition that names the state which it leaves.
pub(super) struct Update {
    conditions: Vec<String>,
    sets: Vec<String>,
    removes: Vec<String>,
    names: Vec<String>,
    values: Item,
}

impl Update {
    /// Leaves `state`.
    pub(super) fn from(state: SenderState) -> Self {
        let update = Self {
            conditions: Vec::new(),
            sets: Vec::new(),
            removes: Vec::new(),
            names: Vec::new(),
            values: Item::new(),
        };
        update
            .condition("#state = :from", &["state"])
            .value(":from", s(state.as_str()))
    }

    /// Leaves `sending` by the attempt with this nonce.
    fn sending(nonce: Uuid) -> Self {
        Self::from(SenderState::Sending)
            .condition("#nonce = :seen_nonce", &["nonce"])
            .value(":seen_nonce", s(nonce.to_string()))
    }

    /// Leaves a state of which the worker has read this attempt and this content.
    fn leaving(leaving: Leaving) -> Self {
        match leaving {
            Leaving::Queued { attempt, content_nonce } => Self::from(SenderState::Queued)
                .of_attempt(attempt)
                .of_content(content_nonce),
            Leaving::Released {
                attempt,
                content_nonce,
                nonce,
            } => Self::sending(nonce).of_attempt(attempt).of_content(content_nonce),
        }
    }

    pub(super) fn of_attempt(self, attempt: u32) -> Self {
        self.condition("#attempt = :seen_attempt", &["attempt"])
            .value(":seen_attempt", n(attempt.into()))
    }

    pub(super) fn of_content(self, nonce: Uuid) -> Self {
        self.condition("#content_nonce = :seen_content", &["content_nonce"])
            .value(":seen_content", s(nonce.to_string()))
    }

    pub(super) fn before_deadline(self, now: Timestamp) -> Self {
        self.condition("#deadline > :now", &["deadline"])
            .value(":now", time(now))
    }

    fn unsent(self) -> Self {
        self.condition("attribute_not_exists(#ses_id)", &["ses_id"])
    }

    fn failing(self, reason: FailedReason, now: Timestamp) -> Self {
        self.set("state", s(SenderState::Failed.as_str()))
            .set("failed", s(reason.as_str()))
            .ending(now)
    }

    /// Notes when the mail ended. An event about its end has this time, however late it is emitted.
    pub(super) fn ending(self, now: Timestamp) -> Self {
        self.set("ended_at", time(now)).remove("waits_for")
    }

    fn condition(mut self, condition: &str, names: &[&str]) -> Self {
        self.conditions.push(condition.to_owned());
        self.names.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.insert(placeholder.to_owned(), value);
        self
    }

    pub(super) fn set(mut self, name: &str, value: AttributeValue) -> Self {
        self.sets.push(format!("#{name} = :new_{name}"));
        self.names.push(name.to_owned());
        self.value(&format!(":new_{name}"), value)
    }

    pub(super) fn remove(mut self, name: &str) -> Self {
        self.removes.push(format!("#{name}"));
        self.names.push(name.to_owned());
        self
    }

    fn update_expression(&self) -> String {
        let removes = (!self.removes.is_empty()).then(|| format!(" REMOVE {}", self.removes.join(", ")));
        format!("SET {}{}", self.sets.join(", "), removes.unwrap_or_default())
    }

    fn placeholders(&self) -> std::collections::HashMap<String, String> {
        self.names
            .iter()
            .map(|name| (format!("#{name}"), name.clone()))
            .collect()
    }

    fn apply(self, request: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        request
            .update_expression(self.update_expression())
            .condition_expression(self.conditions.join(" AND "))
            .set_expression_attribute_names(Some(self.placeholders()))
            .set_expression_attribute_values(Some(self.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// Makes the update of the row with this key in a transaction.
    pub(super) fn in_transaction(
        self,
        table: &str,
        key: Item,
    ) -> Result<aws_sdk_dynamodb::types::Update, aws_sdk_dynamodb::error::BuildError> {
        aws_sdk_dynamodb::types::Update::builder()
            .table_name(table)
            .set_key(Some(key))
            .update_expression(self.update_expression())
            .condition_expression(self.conditions.join(" AND "))
            .set_expression_attribute_names(Some(self.placeholders()))
            .set_expression_attribute_values(Some(self.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
    }
}
