//! The index `wake`: the deliveries that wait for the sweep.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::{Deliveries, key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, names, s, text_of, time, time_of};
use domain::webhook::{EventDeliveryState, EventId};

/// How many deliveries are written at a time.
const WRITES_AT_ONCE: usize = 10;

/// A delivery as the index `wake` holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDelivery {
    /// The id of the endpoint.
    pub endpoint: String,
    /// The id of the event.
    pub event: EventId,
    /// When the next attempt is due.
    pub due_at: Timestamp,
    /// When the sweep looks at the delivery next.
    pub wake_at: Timestamp,
}

/// The result of one step of [`Deliveries::fail_waiting`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailedWaiting {
    /// How many deliveries failed.
    pub failed: usize,
    /// Whether there may be more that wait.
    pub has_more: bool,
}

impl Deliveries {
    /// Finds at most `limit` deliveries to an endpoint that the sweep looks at until `until`, the oldest first. One of
    /// the last moments may be missing or out of date, because the index is eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn due(&self, endpoint: &str, until: Timestamp, limit: usize) -> Result<Vec<DueDelivery>, StoreError> {
        let query = self
            .waiting(endpoint, limit)
            .key_condition_expression("#wake_shard = :endpoint AND #wake_at <= :until")
            .expression_attribute_names("#wake_at", "wake_at")
            .expression_attribute_values(":until", time(until));
        first(query, endpoint, limit).await
    }

    /// Finds the delivery to an endpoint that the sweep looks at first, whether it is due or not.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn oldest_waiting(&self, endpoint: &str) -> Result<Option<DueDelivery>, StoreError> {
        let query = self
            .waiting(endpoint, 1)
            .key_condition_expression("#wake_shard = :endpoint");
        Ok(first(query, endpoint, 1).await?.pop())
    }

    /// Sets when the sweep looks at a delivery again, if that is still as the caller saw. Returns whether it was: if
    /// not, somebody else has set another time or ended the delivery, which stands.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn wake_again(&self, due: &DueDelivery, wake_at: Timestamp) -> Result<bool, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&due.endpoint, &due.event)))
            .update_expression("SET #wake_at = :wake_at")
            .condition_expression("#wake_at = :seen")
            .set_expression_attribute_names(names(["wake_at"]))
            .expression_attribute_values(":wake_at", time(wake_at))
            .expression_attribute_values(":seen", time(due.wake_at))
            .send()
            .await;
        Ok(matches!(written(updated)?, Written::Done(_)))
    }

    /// Lets at most `limit` deliveries fail that wait for the sweep, because their endpoint is disabled.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read, or a delivery may still wait.
    pub async fn fail_waiting(&self, endpoint: &str, limit: usize) -> Result<FailedWaiting, StoreError> {
        let query = self
            .waiting(endpoint, limit)
            .key_condition_expression("#wake_shard = :endpoint");
        let waiting = first(query, endpoint, limit).await?;
        let has_more = waiting.len() >= limit;
        let mut writes = stream::iter(waiting)
            .map(|due| self.fail(due))
            .buffer_unordered(WRITES_AT_ONCE);
        let mut failed: usize = 0;
        while let Some(written) = writes.next().await {
            failed = failed.saturating_add(usize::from(written?));
        }
        Ok(FailedWaiting { failed, has_more })
    }

    async fn fail(&self, due: DueDelivery) -> Result<bool, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&due.endpoint, &due.event)))
            .update_expression("SET #state = :failed REMOVE #due_at, #wake_at, #wake_shard")
            .condition_expression("#state = :waiting")
            .set_expression_attribute_names(names(["state", "due_at", "wake_at", "wake_shard"]))
            .expression_attribute_values(":failed", s(EventDeliveryState::Failed.as_str()))
            .expression_attribute_values(":waiting", s(EventDeliveryState::Waiting.as_str()))
            .send()
            .await;
        Ok(matches!(written(updated)?, Written::Done(_)))
    }

    fn waiting(&self, endpoint: &str, limit: usize) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .index_name("wake")
            .limit(i32::try_from(limit).unwrap_or(i32::MAX).max(1))
            .set_expression_attribute_names(names(["wake_shard"]))
            .expression_attribute_values(":endpoint", s(endpoint))
    }
}

/// Reads at most `limit` deliveries. An item that is none must not keep the others from being found.
async fn first(query: QueryFluentBuilder, endpoint: &str, limit: usize) -> Result<Vec<DueDelivery>, StoreError> {
    let mut items = query.into_paginator().items().send();
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(item) = items.next().await
    {
        found.extend(due_delivery(endpoint, &item.map_err(StoreError::of("Query"))?));
    }
    Ok(found)
}

fn due_delivery(endpoint: &str, item: &Item) -> Option<DueDelivery> {
    let wake_at = time_of(item, "wake_at")?;
    Some(DueDelivery {
        endpoint: endpoint.to_owned(),
        event: EventId::parse(text_of(item, "event")?)?,
        due_at: time_of(item, "due_at").unwrap_or(wake_at),
        wake_at,
    })
}
