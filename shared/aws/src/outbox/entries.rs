//! Entries: what is due, and the writes that concern the entry alone.

use aws_sdk_dynamodb::types::ReturnValue;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Outbox, Wakes, entry_key, item};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, n, names, number_of, text_of, time, time_of, uuid_of};
use domain::queue::OutboxEntry;

/// An entry as the index `wake` holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueEntry {
    /// Okite's id of the message.
    pub id: Uuid,
    /// When the mail is due.
    pub wake_at: Timestamp,
    /// The id of the API key that the mail came with.
    pub key_id: String,
    /// The nonce of the content, which a hint names.
    pub content_nonce: Uuid,
    /// The bytes of the content.
    pub size: u64,
    /// When the mail becomes `failed` if it is not sent.
    pub deadline: Timestamp,
}

impl Outbox {
    /// Reads an entry, consistently.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or holds something else by this id.
    pub async fn entry(&self, id: Uuid) -> Result<Option<OutboxEntry>, StoreError> {
        const OPERATION: &str = "GetItem";
        let read = self.client.get_item().table_name(&self.table);
        let read = read.set_key(Some(entry_key(id))).consistent_read(true).send().await;
        let Some(item) = read.map_err(StoreError::of(OPERATION))?.item else {
            return Ok(None);
        };
        let entry = item::read(&item).ok_or_else(|| StoreError::new(OPERATION, "NotAnEntry"))?;
        Ok(Some(entry))
    }

    /// Finds at most `limit` entries of one part of the index that are due at `until`, the oldest first. An entry of
    /// the last moments may be missing or out of date, because the index is eventually consistent: a write to it has a
    /// condition.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn due(&self, shard: &str, until: Timestamp, limit: usize) -> Result<Vec<DueEntry>, StoreError> {
        self.first(shard, Wakes::Until(until), limit).await
    }

    /// Sets when a mail is due again, if it is still due when the caller saw. Returns whether it was: if not, somebody
    /// else has set another time, which stands.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn wake_again(&self, id: Uuid, seen: Timestamp, wake_at: Timestamp) -> Result<bool, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(entry_key(id)))
            .update_expression("SET #wake_at = :wake_at")
            .condition_expression("#wake_at = :seen")
            .set_expression_attribute_names(names(["wake_at"]))
            .expression_attribute_values(":wake_at", time(wake_at))
            .expression_attribute_values(":seen", time(seen))
            .send()
            .await;
        Ok(matches!(written(updated)?, Written::Done(_)))
    }

    /// Counts one more crash before a mail is worked on alone. Returns how many there are now, or `None` if there is no
    /// entry.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been counted. The mail must not be worked on then.
    pub async fn count_crash(&self, id: Uuid) -> Result<Option<u32>, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(entry_key(id)))
            .update_expression("SET #crashes = if_not_exists(#crashes, :none) + :one")
            .condition_expression("attribute_exists(#id)")
            .set_expression_attribute_names(names(["id", "crashes"]))
            .expression_attribute_values(":none", n(0))
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        let Written::Done(updated) = written(updated)? else {
            return Ok(None);
        };
        let crashes = updated.attributes().and_then(|item| number_of(item, "crashes"));
        Ok(Some(
            crashes
                .and_then(|crashes| u32::try_from(crashes).ok())
                .unwrap_or(u32::MAX),
        ))
    }

    /// Forgets the crashes of a mail after an orderly end. Does nothing if there is no entry.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn reset_crashes(&self, id: Uuid) -> Result<(), StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(entry_key(id)))
            .update_expression("SET #crashes = :none")
            .condition_expression("attribute_exists(#id)")
            .set_expression_attribute_names(names(["id", "crashes"]))
            .expression_attribute_values(":none", n(0))
            .send()
            .await;
        written(updated).map(drop)
    }

    /// Deletes the entry of a mail that has ended. Its content must be deleted before: without the entry nothing finds
    /// it.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been deleted. The hint must then not be acknowledged.
    pub async fn delete_entry(&self, id: Uuid) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let deleted = delete.set_key(Some(entry_key(id))).send().await;
        deleted.map(drop).map_err(StoreError::of("DeleteItem"))
    }
}

pub(super) fn due_entry(item: &Item) -> Option<DueEntry> {
    Some(DueEntry {
        id: uuid_of(item, "id")?,
        wake_at: time_of(item, "wake_at")?,
        key_id: text_of(item, "key_id")?.to_owned(),
        content_nonce: uuid_of(item, "content_nonce")?,
        size: u64::try_from(number_of(item, "size")?).ok()?,
        deadline: time_of(item, "deadline")?,
    })
}
