//! The table of API keys: one item for each key, with the attributes of [`ApiKeyRecord`].

mod known;
mod unknown_ids;

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::Client;

use crate::StoreError;
use crate::dynamodb::item::{names, s, text_of};
use domain::api_key::ApiKeyRecord;

pub use known::KnownApiKeys;

/// The table of API keys.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    client: Client,
    table: String,
}

/// A page of the table.
#[derive(Clone, Debug, Default)]
pub struct ApiKeysPage {
    /// The keys of the page, in no particular order.
    pub keys: Vec<ApiKeyRecord>,
    /// The number of items that could not be read as keys.
    pub unreadable: usize,
    /// The position after which the next page begins; `None` at the end.
    pub next: Option<String>,
}

impl ApiKeys {
    /// The environment variable of a function that holds the name of the table.
    pub const TABLE_VARIABLE: &str = "API_KEYS_TABLE";

    /// Works on `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Reads a key by its id. The read is consistent, so a key works as soon as it is made.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or the item is no key.
    pub async fn get(&self, id: &str) -> Result<Option<ApiKeyRecord>, StoreError> {
        const OPERATION: &str = "GetItem";
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", s(id))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        let Some(item) = answer.item else { return Ok(None) };
        let record = serde_dynamo::from_item(item).map_err(|_| StoreError::new(OPERATION, "NotAKey"))?;
        Ok(Some(record))
    }

    /// Writes a key, and replaces one that has the same id.
    ///
    /// # Errors
    /// [`StoreError`] if the key may not have been written.
    pub async fn put(&self, record: &ApiKeyRecord) -> Result<(), StoreError> {
        const OPERATION: &str = "PutItem";
        let item = serde_dynamo::to_item(record).map_err(|_| StoreError::new(OPERATION, "NotAnItem"))?;
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        Ok(())
    }

    /// Returns whether the table has an item with this id, whether it can be read as a key or not.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub async fn contains(&self, id: &str) -> Result<bool, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", s(id))
            .projection_expression("#id")
            .set_expression_attribute_names(names(["id"]))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::of("GetItem"))?;
        Ok(answer.item.is_some())
    }

    /// Deletes a key. Deleting a key that is not there succeeds, so a deletion may be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if the key may still be there.
    pub async fn delete(&self, id: &str) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key("id", s(id))
            .send()
            .await
            .map_err(StoreError::of("DeleteItem"))?;
        Ok(())
    }

    /// Reads a page of at most `size` keys: the first, or the one that follows `after`, the `next` of the page before.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub async fn page(&self, after: Option<&str>, size: i32) -> Result<ApiKeysPage, StoreError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.table)
            .limit(size)
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|id| HashMap::from([("id".to_owned(), s(id))])))
            .send()
            .await
            .map_err(StoreError::of("Scan"))?;
        let mut page = ApiKeysPage {
            next: answer
                .last_evaluated_key
                .and_then(|key| text_of(&key, "id").map(str::to_owned)),
            ..ApiKeysPage::default()
        };
        for item in answer.items.into_iter().flatten() {
            match serde_dynamo::from_item(item) {
                Ok(record) => page.keys.push(record),
                Err(_) => page.unreadable += 1,
            }
        }
        Ok(page)
    }

    /// Reads the ids of all keys in one consistent request. Returns `None` if the table is too large for one request,
    /// which is more than 1 MB, or some thousands of keys.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub async fn all_ids(&self) -> Result<Option<HashSet<String>>, StoreError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .projection_expression("#id")
            .set_expression_attribute_names(names(["id"]))
            .send()
            .await
            .map_err(StoreError::of("Scan"))?;
        if answer.last_evaluated_key.is_some() {
            return Ok(None);
        }
        let items = answer.items.into_iter().flatten();
        let ids = items.filter_map(|item| text_of(&item, "id").map(str::to_owned));
        Ok(Some(ids.collect()))
    }
}
