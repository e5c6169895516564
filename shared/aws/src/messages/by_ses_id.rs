//! Finding a message by SES's id, without an index.
//!
//! An index would cost a write unit with every message, and few are ever looked up. SES's id holds the time at which
//! SES took the mail, and rows sort by time. So the rows of half a minute are read.

use std::time::Duration;

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use domain::ses_id;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use uuid::Uuid;

use super::Messages;
use super::partition::{self, ROWS};
use super::unknown::ScanPosition;
use crate::StoreError;
use crate::dynamodb::item::{names, s, uuid_of};

/// How far ahead of SES's clock ours may be.
const CLOCK_SKEW: Duration = Duration::from_millis(200);
/// How long it may take from the request to SES's answer. A request that sends at once has 29 seconds.
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// A part of the table that was read in search of a message.
#[derive(Clone, Debug, Default)]
pub struct SearchedPage {
    /// Our id of the message, if it is in this part.
    pub found: Option<Uuid>,
    /// The read units that DynamoDB bills for this part.
    pub units: f64,
    /// The position after which to go on; `None` if this part is the last of its segment.
    pub next: Option<ScanPosition>,
}

impl Messages {
    /// Finds our id of a message by SES's id of it, consistently, if its first request sent it at once. A message that
    /// waited in the queue, or that a repeated request sent, is not found: its id is older than SES's. Of each
    /// partition 1 MB is read, the newest rows of the time: some 1,000 messages.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub async fn id_of(&self, ses_id: &str) -> Result<Option<Uuid>, StoreError> {
        let Some(taken_at) = ses_id::time(ses_id) else {
            return Ok(None);
        };
        let earliest = taken_at.checked_sub(REQUEST_MAX).unwrap_or(Timestamp::MIN);
        let latest = taken_at.checked_add(CLOCK_SKEW).unwrap_or(taken_at);
        let found = partition::all().map(async |name| {
            self.client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .scan_index_forward(false)
                .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
                .filter_expression("#ses_id = :ses_id")
                .projection_expression("#sk")
                .set_expression_attribute_names(names(["pk", "sk", "ses_id"]))
                .expression_attribute_values(":pk", s(name))
                .expression_attribute_values(":first", s(first_id_of(earliest).to_string()))
                .expression_attribute_values(":last", s(last_id_of(latest).to_string()))
                .expression_attribute_values(":ses_id", s(ses_id))
                .send()
                .await
                .map_err(StoreError::of("Query"))
        });
        let found = try_join_all(found).await?;
        let mut rows = found.iter().flat_map(QueryOutput::items);
        Ok(rows.find_map(|row| uuid_of(row, "sk")))
    }

    /// Looks for a message with SES's id in a page of the table, of at most 1 MB: the first page of a segment, or that
    /// which follows `after`. Segments are read side by side. Every item of the table is read and billed.
    ///
    /// # Errors
    /// [`StoreError`] if the page was not read.
    pub async fn search_page(
        &self,
        ses_id: &str,
        (segment, segments): (u16, u16),
        after: Option<&ScanPosition>,
    ) -> Result<SearchedPage, StoreError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.table)
            .segment(segment.into())
            .total_segments(segments.into())
            .set_exclusive_start_key(after.map(ScanPosition::key))
            .projection_expression("#id")
            .filter_expression("begins_with(#pk, :rows) AND #ses_id = :ses_id")
            .set_expression_attribute_names(names(["id", "pk", "ses_id"]))
            .expression_attribute_values(":rows", s(ROWS))
            .expression_attribute_values(":ses_id", s(ses_id))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(StoreError::of("Scan"))?;
        let consumed = answer.consumed_capacity().and_then(ConsumedCapacity::capacity_units);
        Ok(SearchedPage {
            found: answer.items().iter().find_map(|item| uuid_of(item, "id")),
            units: consumed.unwrap_or_default(),
            next: answer.last_evaluated_key.map(ScanPosition::after),
        })
    }
}

/// Returns the smallest id that may be made at `at`.
fn first_id_of(at: Timestamp) -> Uuid {
    Uuid::from_u128(milliseconds(at) << 80)
}

/// Returns the largest id that may be made at `at`.
fn last_id_of(at: Timestamp) -> Uuid {
    Uuid::from_u128(milliseconds(at) << 80 | (u128::MAX >> 48))
}

/// Returns the 48 bits at the beginning of a `UUIDv7`.
fn milliseconds(at: Timestamp) -> u128 {
    u128::try_from(at.as_millisecond()).unwrap_or(0)
}
