//! The API keys that messages came with, without the rest of their rows.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Messages;
use super::partition::row_key;
use crate::StoreError;
use crate::dynamodb::batch;
use crate::dynamodb::item::{text_of, uuid_of};

impl Messages {
    /// Reads the ids of the API keys that different messages came with. A message that is no longer on record has none.
    ///
    /// # Errors
    /// [`StoreError`] unless every row was read.
    pub async fn key_ids(&self, ids: &[Uuid]) -> Result<BTreeMap<Uuid, String>, StoreError> {
        let mut found = BTreeMap::new();
        for ids in ids.chunks(batch::GET_MAX) {
            let keys = ids.iter().copied().map(row_key).collect();
            for row in batch::get(&self.client, &self.table, keys, &["sk", "key_id"]).await? {
                if let (Some(id), Some(key_id)) = (uuid_of(&row, "sk"), text_of(&row, "key_id")) {
                    found.insert(id, key_id.to_owned());
                }
            }
        }
        Ok(found)
    }
}
