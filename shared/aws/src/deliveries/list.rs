//! Pages of the deliveries to an endpoint, by the age of their events.

use futures_util::future::try_join_all;

use super::{Deliveries, SHARDS, item, shard_name};
use crate::StoreError;
use crate::dynamodb::item::{names, s};
use crate::newest_from::NewestFrom;
use domain::webhook::{DeliverySummary, EventId};

/// A page of deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveriesPage {
    /// The deliveries, those of the newest events first.
    pub deliveries: Vec<DeliverySummary>,
    /// Whether there are more deliveries in the direction of the page.
    pub has_more: bool,
}

impl Deliveries {
    /// Reads at most `limit` deliveries to an endpoint, consistently, those of the newest events first.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub async fn list(
        &self,
        endpoint: &str,
        from: &NewestFrom<EventId>,
        limit: usize,
    ) -> Result<DeliveriesPage, StoreError> {
        let shards = (0..SHARDS).map(|number| self.of_shard(shard_name(endpoint, number), from, limit));
        let mut deliveries: Vec<_> = try_join_all(shards).await?.into_iter().flatten().collect();
        deliveries.sort_by(|a, b| b.event.cmp(&a.event));
        let has_more = deliveries.len() > limit;
        match from {
            NewestFrom::Newest | NewestFrom::After(_) => deliveries.truncate(limit),
            NewestFrom::Before(_) => {
                let beyond = deliveries.len().saturating_sub(limit);
                deliveries.drain(..beyond);
            }
        }
        Ok(DeliveriesPage { deliveries, has_more })
    }

    /// Reads the deliveries of a shard: the first ones in the direction of the page, one more than `limit`.
    async fn of_shard(
        &self,
        shard: String,
        from: &NewestFrom<EventId>,
        limit: usize,
    ) -> Result<Vec<DeliverySummary>, StoreError> {
        let enough = limit.saturating_add(1);
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(matches!(from, NewestFrom::Before(_)))
            .limit(i32::try_from(enough).unwrap_or(i32::MAX))
            .projection_expression("#event, #kind, #created_at, #state, #count, #due_at")
            .set_expression_attribute_names(names([
                "shard",
                "event",
                "kind",
                "created_at",
                "state",
                "count",
                "due_at",
            ]))
            .expression_attribute_values(":shard", s(shard));
        let query = match from {
            NewestFrom::Newest => query.key_condition_expression("#shard = :shard"),
            NewestFrom::After(event) => query
                .key_condition_expression("#shard = :shard AND #event < :event")
                .expression_attribute_values(":event", s(event.as_str())),
            NewestFrom::Before(event) => query
                .key_condition_expression("#shard = :shard AND #event > :event")
                .expression_attribute_values(":event", s(event.as_str())),
        };
        let mut items = query.into_paginator().items().send();
        let mut found = Vec::new();
        while found.len() < enough
            && let Some(item) = items.next().await
        {
            found.extend(item::summary(&item.map_err(StoreError::of("Query"))?));
        }
        Ok(found)
    }
}
