//! Messages of which it is not known whether SES took them: finding them, and writing an operator's decision on one.

use jiff::Timestamp;

use super::partition::{ROWS, row_key};
use super::{Messages, row};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, n, names, s, time};
use domain::record::{MessageRecord, SenderState};
use domain::settlement::Settlement;

/// A page of the messages whose rows have no outcome.
#[derive(Clone, Debug, Default)]
pub struct OpenMessages {
    /// The rows, without their events. An event of a message proves that it was sent all the same:
    /// [`Messages::proof_of_sending`].
    pub records: Vec<MessageRecord>,
    /// How many rows without an outcome could not be read.
    pub unreadable: u64,
    /// How many items of the table were read.
    pub read: u64,
    /// The position after which to go on; `None` if this page is the last.
    pub next: Option<ScanPosition>,
}

/// A position in the table.
#[derive(Clone, Debug)]
pub struct ScanPosition(Item);

impl ScanPosition {
    /// The position after the item with this key.
    pub(super) fn after(key: Item) -> Self {
        Self(key)
    }

    pub(super) fn key(&self) -> Item {
        self.0.clone()
    }
}

impl Messages {
    /// Reads a page of the table, of at most 1 MB, the first one or that which follows `after`. Returns the messages
    /// whose last attempt began within a time and has no outcome.
    ///
    /// # Errors
    /// [`StoreError`] if the page was not read.
    pub async fn open_page(
        &self,
        (since, until): (Timestamp, Timestamp),
        after: Option<&ScanPosition>,
    ) -> Result<OpenMessages, StoreError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .set_exclusive_start_key(after.map(ScanPosition::key))
            .filter_expression(
                "begins_with(#pk, :rows) AND #state IN (:sending, :unknown) AND attribute_not_exists(#ses_id) AND \
                 #attempt_at BETWEEN :since AND :until",
            )
            .set_expression_attribute_names(names(["pk", "state", "ses_id", "attempt_at"]))
            .expression_attribute_values(":rows", s(ROWS))
            .expression_attribute_values(":sending", s(SenderState::Sending.as_str()))
            .expression_attribute_values(":unknown", s(SenderState::Unknown.as_str()))
            .expression_attribute_values(":since", time(since))
            .expression_attribute_values(":until", time(until))
            .send()
            .await
            .map_err(StoreError::of("Scan"))?;
        let mut page = OpenMessages {
            read: u64::try_from(answer.scanned_count()).unwrap_or(0),
            next: answer.last_evaluated_key.clone().map(ScanPosition::after),
            ..OpenMessages::default()
        };
        for item in answer.items() {
            match row::record(item) {
                Some(record) => page.records.push(record),
                None => page.unreadable += 1,
            }
        }
        Ok(page)
    }

    /// Writes an operator's decision on a message, unless its row has changed since it was read. Returns whether it
    /// did.
    ///
    /// Nothing is sent. After [`Settlement::NotSent`], a request with the idempotency key of the message may attempt it
    /// again, as after a refusal of SES.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn settle(
        &self,
        record: &MessageRecord,
        settlement: Settlement,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let nonce = record.nonce.map(|nonce| nonce.to_string()).unwrap_or_default();
        let settled = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(row_key(record.id)))
            .update_expression("SET #state = :settled, #settled_at = :now")
            .condition_expression(
                "#state IN (:sending, :unknown) AND #attempt = :attempt AND #nonce = :nonce AND attribute_not_exists(#ses_id)",
            )
            .set_expression_attribute_names(names(["state", "settled_at", "attempt", "nonce", "ses_id"]))
            .expression_attribute_values(":settled", s(settlement.state().as_str()))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":sending", s(SenderState::Sending.as_str()))
            .expression_attribute_values(":unknown", s(SenderState::Unknown.as_str()))
            .expression_attribute_values(":attempt", n(record.attempt.into()))
            .expression_attribute_values(":nonce", s(nonce))
            .send()
            .await;
        Ok(matches!(written(settled)?, Written::Done(_)))
    }
}
