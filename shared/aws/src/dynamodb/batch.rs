//! Requests for many items at once. DynamoDB may leave some of them out; those are requested again.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest};
use aws_smithy_types::error::operation::BuildError;

use super::item::Item;
use crate::StoreError;

/// The most keys that one `BatchGetItem` takes.
pub(crate) const GET_MAX: usize = 100;
/// The most items that one `BatchWriteItem` takes.
pub(crate) const WRITE_MAX: usize = 25;
/// How often a batch is requested again while DynamoDB leaves something out.
const ROUNDS_MAX: u32 = 5;

/// Reads the items of at most [`GET_MAX`] different keys, consistently. Returns these attributes of each, or all of
/// them if `attributes` is empty.
pub(crate) async fn get(
    client: &Client,
    table: &str,
    mut keys: Vec<Item>,
    attributes: &[&str],
) -> Result<Vec<Item>, StoreError> {
    const OPERATION: &str = "BatchGetItem";
    let names = || attributes.iter().map(|name| (format!("#{name}"), (*name).to_owned()));
    let projection: Vec<String> = names().map(|(name, _)| name).collect();
    let mut found = Vec::new();
    for round in 0..ROUNDS_MAX {
        rest_before(round).await;
        let request = KeysAndAttributes::builder()
            .set_keys(Some(std::mem::take(&mut keys)))
            .consistent_read(true)
            .set_projection_expression((!attributes.is_empty()).then(|| projection.join(", ")))
            .set_expression_attribute_names((!attributes.is_empty()).then(|| names().collect()))
            .build()
            .map_err(|error| StoreError::new(OPERATION, &error.to_string()))?;
        let answer = client
            .batch_get_item()
            .request_items(table, request)
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        found.extend(answer.responses.into_iter().flat_map(HashMap::into_values).flatten());
        let unprocessed = answer.unprocessed_keys.unwrap_or_default();
        keys = unprocessed.into_values().flat_map(|keys| keys.keys).collect();
        if keys.is_empty() {
            return Ok(found);
        }
    }
    Err(StoreError::new(OPERATION, "UnprocessedKeys"))
}

/// Puts at most [`WRITE_MAX`] items, without a condition. After an error some of them may have been written.
pub(crate) async fn put(client: &Client, table: &str, items: Vec<Item>) -> Result<(), StoreError> {
    let request = |item| {
        let put = PutRequest::builder().set_item(Some(item)).build();
        put.map(|put| WriteRequest::builder().put_request(put).build())
    };
    write(client, table, items.into_iter().map(request)).await
}

/// Deletes the items of at most [`WRITE_MAX`] different keys, without a condition. After an error some of them may have
/// been deleted.
pub(crate) async fn delete(client: &Client, table: &str, keys: Vec<Item>) -> Result<(), StoreError> {
    let request = |key| {
        let delete = DeleteRequest::builder().set_key(Some(key)).build();
        delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
    };
    write(client, table, keys.into_iter().map(request)).await
}

async fn write(
    client: &Client,
    table: &str,
    requests: impl Iterator<Item = Result<WriteRequest, BuildError>>,
) -> Result<(), StoreError> {
    const OPERATION: &str = "BatchWriteItem";
    let requests: Result<Vec<_>, _> = requests.collect();
    let mut requests = requests.map_err(|error| StoreError::new(OPERATION, &error.to_string()))?;
    for round in 0..ROUNDS_MAX {
        rest_before(round).await;
        let answer = client
            .batch_write_item()
            .request_items(table, std::mem::take(&mut requests))
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        requests = answer
            .unprocessed_items
            .into_iter()
            .flat_map(HashMap::into_values)
            .flatten()
            .collect();
        if requests.is_empty() {
            return Ok(());
        }
    }
    Err(StoreError::new(OPERATION, "UnprocessedItems"))
}

async fn rest_before(round: u32) {
    if round > 0 {
        tokio::time::sleep(Duration::from_millis(20) * 2_u32.pow(round)).await;
    }
}
