//! The table of API keys: one item a key, with the attributes of [`ApiKeyRecord`].

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::Client;

use crate::StoreError;
use crate::dynamodb::item::{names, s, text_of};
use domain::api_key::ApiKeyRecord;

/// The table of API keys.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    client: Client,
    table: String,
}

/// A page of the table.
#[derive(Clone, Debug, Default)]
pub struct ApiKeysPage {
    /// The keys, in no order.
    pub keys: Vec<ApiKeyRecord>,
    /// How many items are no keys.
    pub unreadable: usize,
    /// Where the next page begins; `None` at the end.
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

    /// Reads a key by its id, consistently: a key works as soon as it was made.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or holds something that is no key.
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

    /// Writes a key; one with the same id is replaced.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
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

    /// Tells whether there is something under an id, be it a key that can be read or not.
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

    /// Deletes a key; one that is not there is none afterwards either, so that a repeated deletion is no failure.
    ///
    /// # Errors
    /// [`StoreError`] if it may still be there.
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

    /// Reads a page of at most `size` keys, the first or that which follows `after`, the `next` of the page before.
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

    /// Reads the ids of all keys by one request, consistently; `None` if one request does not read them all, which it does up
    /// to 1 MB of keys, some thousands.
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
