//! Reads: the endpoints, and the secrets and the health of one of them.

use super::{ENDPOINTS, HEALTH, SECRET, Webhooks, item, key};
use crate::StoreError;
use crate::dynamodb::item::{Item, names, s, text_of};
use domain::webhook::{Endpoint, EndpointHealth, Secrets};

const OPERATION: &str = "GetItem";

impl Webhooks {
    /// Reads all endpoints, consistently, the oldest first. One that cannot be read is left out and logged, so that it
    /// does not keep the others from their events.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub async fn list(&self) -> Result<Vec<Endpoint>, StoreError> {
        let mut items = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#id = :id")
            .set_expression_attribute_names(names(["id"]))
            .expression_attribute_values(":id", s(ENDPOINTS))
            .into_paginator()
            .items()
            .send();
        let mut endpoints = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(StoreError::of("Query"))?;
            let endpoint = item::endpoint(&item);
            if endpoint.is_none() {
                tracing::error!(
                    cause = "malformed",
                    endpoint.id = text_of(&item, "item"),
                    "an item of the table of webhooks is no endpoint"
                );
            }
            endpoints.extend(endpoint);
        }
        Ok(endpoints)
    }

    /// Reads an endpoint, consistently.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or the item is no endpoint.
    pub async fn get(&self, id: &str) -> Result<Option<Endpoint>, StoreError> {
        let item = self.item(key(ENDPOINTS, id)).await?;
        read(item, "NotAnEndpoint", item::endpoint)
    }

    /// Reads the secrets of an endpoint, consistently. Returns `None` if there is no such endpoint.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or the item has no secret.
    pub async fn secrets(&self, id: &str) -> Result<Option<Secrets>, StoreError> {
        let item = self.item(key(id, SECRET)).await?;
        read(item, "NotASecret", item::secrets)
    }

    /// Reads the health of an endpoint, consistently. Returns `None` if there is no such endpoint.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or the item is no health.
    pub async fn health(&self, id: &str) -> Result<Option<EndpointHealth>, StoreError> {
        let item = self.item(key(id, HEALTH)).await?;
        read(item, "NotAHealth", item::health)
    }

    async fn item(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table);
        let read = get.set_key(Some(key)).consistent_read(true).send().await;
        Ok(read.map_err(StoreError::of(OPERATION))?.item)
    }
}

fn read<T>(item: Option<Item>, error: &str, of: impl Fn(&Item) -> Option<T>) -> Result<Option<T>, StoreError> {
    let Some(item) = item else { return Ok(None) };
    of(&item).map(Some).ok_or_else(|| StoreError::new(OPERATION, error))
}
