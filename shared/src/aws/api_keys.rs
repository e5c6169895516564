//! The table of API keys: one item a key, with the attributes of [`ApiKeyRecord`].

use aws_sdk_dynamodb::Client;

use super::StoreError;
use super::item::s;
use crate::api_key::ApiKeyRecord;

/// The table of API keys.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    client: Client,
    table: String,
}

impl ApiKeys {
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
}
