//! Keeping the records of messages longer than they were written for.

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;

use super::partition::row_key;
use super::{Messages, by_recipient, key};
use crate::StoreError;
use crate::dynamodb::condition::unless_overtaken;
use crate::dynamodb::item::{names, ttl};
use domain::record::MessageRecord;

/// How many items are written at the same time.
const WRITES_AT_ONCE: usize = 8;

impl Messages {
    /// Keeps the rows of messages and their entries of the index by recipient until a time at least. An item that is
    /// gone stays so. May be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if an item may be deleted earlier.
    pub async fn keep(
        &self,
        records: impl IntoIterator<Item = &MessageRecord>,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let items = records.into_iter().flat_map(|record| {
            // A message to one recipient has no entry of its own.
            let entries = Some(record.recipients.len()).filter(|count| *count != 1).unwrap_or(0);
            let entries = (0..entries).map(|nth| key(record.id.to_string(), format!("{}{nth}", by_recipient::TO)));
            [row_key(record.id)].into_iter().chain(entries)
        });
        let writes = items.map(async |key| {
            let kept = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key))
                .update_expression("SET #expires_at = :until")
                .condition_expression("attribute_exists(#id) AND #expires_at < :until")
                .set_expression_attribute_names(names(["id", "expires_at"]))
                .expression_attribute_values(":until", ttl(until))
                .send()
                .await;
            unless_overtaken(kept)
        });
        let written: Vec<_> = stream::iter(writes).buffer_unordered(WRITES_AT_ONCE).collect().await;
        written.into_iter().collect()
    }
}
