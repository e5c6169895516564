//! Finding a message by SES's id, without an index.
//!
//! An index would cost a write unit with every message, and few are ever looked up. SES's id holds the time at which
//! SES took the mail, and our ids sort by time. So the index `newest` leads to the messages that may be meant.

use std::time::Duration;

use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use domain::ses_id;
use jiff::Timestamp;
use uuid::Uuid;

use super::unknown::ScanPosition;
use super::{MAIL, Messages, mail_key};
use crate::StoreError;
use crate::dynamodb::batch;
use crate::dynamodb::item::{names, s, text_of, uuid_of};
use crate::newest_from::NewestFrom;

/// How far ahead of SES's clock ours may be.
const CLOCK_SKEW: Duration = Duration::from_millis(200);
/// How long it may take from the request to SES's answer. A request that sends at once has 29 seconds.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// The most messages that are looked at, as pages of as many as one request reads.
const PAGES_MAX: usize = 5;

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
    /// Finds our id of a message by SES's id of it, if a request sent it at once and at most 500 others were accepted
    /// between the request and SES's answer. A message that waited in the queue is not found, because its id is older
    /// than SES's. A message of the last seconds may be missing, because the index is eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the index or the table could not be read.
    pub async fn id_of(&self, ses_id: &str) -> Result<Option<Uuid>, StoreError> {
        let Some(taken_at) = ses_id::time(ses_id) else {
            return Ok(None);
        };
        let earliest = taken_at.checked_sub(REQUEST_MAX).unwrap_or(Timestamp::MIN);
        let mut from = last_id_of(taken_at.checked_add(CLOCK_SKEW).unwrap_or(taken_at));
        for _ in 0..PAGES_MAX {
            let page = self.newest(NewestFrom::After(from), batch::GET_MAX).await?;
            let ids = page.ids.into_iter().filter(|id| *id >= first_id_of(earliest));
            let keys: Vec<_> = ids.map(mail_key).collect();
            let Some(last) = keys.last().and_then(|key| uuid_of(key, "id")) else {
                return Ok(None);
            };
            let rows = batch::get(&self.client, &self.table, keys, &["id", "ses_id"]).await?;
            let mut rows = rows.iter().filter(|row| text_of(row, "ses_id") == Some(ses_id));
            if let Some(id) = rows.find_map(|row| uuid_of(row, "id")) {
                return Ok(Some(id));
            }
            if !page.has_more {
                return Ok(None);
            }
            from = last;
        }
        Ok(None)
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
            .filter_expression("#sk = :mail AND #ses_id = :ses_id")
            .set_expression_attribute_names(names(["id", "sk", "ses_id"]))
            .expression_attribute_values(":mail", s(MAIL))
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
