//! Messages read back: the row alone, or with its events.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use uuid::Uuid;

use super::events::{delivery_key, newest_first, untagged};
use super::partition::row_key;
use super::{Messages, by_recipient, key, row};
use crate::StoreError;
use crate::dynamodb::batch;
use crate::dynamodb::item::{text_of, uuid_of};
use domain::address::EmailAddress;
use domain::record::MessageRecord;

/// How many messages' events are read at the same time.
const READ_AT_ONCE: usize = 10;

impl Messages {
    /// Reads the row of a message, consistently and without its events.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or holds something else by this id.
    pub async fn get(&self, id: Uuid) -> Result<Option<MessageRecord>, StoreError> {
        const OPERATION: &str = "GetItem";
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(row_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        let Some(row) = answer.item else { return Ok(None) };
        let record = row::record(&row).ok_or_else(|| StoreError::new(OPERATION, "NotAMessage"))?;
        Ok(Some(record))
    }

    /// Reads the rows of different messages, consistently and without their events. A message that is not in the answer
    /// has none. A row that cannot be read is that of a message that may have been sent: it is unknown and is never
    /// sent again. The others are not held up.
    ///
    /// # Errors
    /// [`StoreError`] unless every row was read.
    pub async fn get_all(&self, ids: &[Uuid]) -> Result<BTreeMap<Uuid, MessageRecord>, StoreError> {
        let mut records = BTreeMap::new();
        for ids in ids.chunks(batch::GET_MAX) {
            let keys = ids.iter().copied().map(row_key);
            for row in batch::get(&self.client, &self.table, keys.collect(), &[]).await? {
                let Some(id) = uuid_of(&row, "sk") else { continue };
                let record = row::record(&row).unwrap_or_else(|| {
                    tracing::error!(message.id = %id, "the row of a message cannot be read, and counts as unknown");
                    row::unreadable(id)
                });
                records.insert(id, record);
            }
        }
        Ok(records)
    }

    /// Reads a message with its newest events, consistently: at most [`super::EVENTS_READ_MAX`], the newest first.
    /// Those without our tag are among them.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or holds something else by this id.
    pub async fn read(&self, id: Uuid) -> Result<Option<MessageRecord>, StoreError> {
        let partition = id.to_string();
        let (record, events) = tokio::try_join!(self.get(id), self.newest_events(&partition))?;
        let Some(mut record) = record else { return Ok(None) };
        record.events = events;
        self.add_other_events(&mut record).await?;
        Ok(Some(record))
    }

    /// Adds the newest events without our tag and the event that the row makes, if SES's id of the message is known.
    async fn add_other_events(&self, record: &mut MessageRecord) -> Result<(), StoreError> {
        if let Some(ses_id) = &record.ses_id {
            record.events.extend(self.newest_events(&untagged(ses_id)).await?);
            record.add_sent_event();
            newest_first(&mut record.events);
        }
        Ok(())
    }

    /// Reads messages with their newest events, consistently and in the order of `ids`. A message that is not on record
    /// is left out.
    ///
    /// # Errors
    /// [`StoreError`] unless everything was read.
    pub async fn read_all(&self, ids: &[Uuid]) -> Result<Vec<MessageRecord>, StoreError> {
        let mut rows = self.get_all(ids).await?;
        let records: Vec<MessageRecord> = ids.iter().filter_map(|id| rows.remove(id)).collect();
        stream::iter(records)
            .map(async |mut record| {
                record.events = self.newest_events(&record.id.to_string()).await?;
                self.add_other_events(&mut record).await?;
                Ok(record)
            })
            .buffered(READ_AT_ONCE)
            .try_collect()
            .await
    }

    /// Finds which of these messages SES has delivered to which of these recipients, consistently. Returns the pairs
    /// that were delivered, with the address normalised.
    ///
    /// # Errors
    /// [`StoreError`] unless every pair was looked up.
    pub async fn delivered(
        &self,
        asked: impl IntoIterator<Item = (Uuid, &EmailAddress)>,
    ) -> Result<BTreeSet<(Uuid, String)>, StoreError> {
        // Two keys that are the same would be a ValidationException.
        let asked: BTreeMap<(String, String), (Uuid, &EmailAddress)> = asked
            .into_iter()
            .map(|(id, address)| {
                let sk = delivery_key(&by_recipient::hash(address));
                ((id.to_string(), sk), (id, address))
            })
            .collect();
        let keys: Vec<_> = asked.keys().map(|(pk, sk)| key(pk, sk)).collect();
        let mut delivered = BTreeSet::new();
        for keys in keys.chunks(batch::GET_MAX) {
            for item in batch::get(&self.client, &self.table, keys.to_vec(), &["pk", "sk"]).await? {
                let text = |name| text_of(&item, name).unwrap_or_default().to_owned();
                if let Some((id, address)) = asked.get(&(text("pk"), text("sk"))) {
                    delivered.insert((*id, address.normalised().to_owned()));
                }
            }
        }
        Ok(delivered)
    }
}
