//! How much waits: counts of the index, within a bound.

use aws_sdk_dynamodb::types::Select;
use jiff::Timestamp;

use super::Outbox;
use super::entries::{DueEntry, due_entry};
use crate::StoreError;
use crate::dynamodb::item::{names, s, time};

/// A part of the entries of the index, by when they are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakes {
    /// At this time or before.
    Until(Timestamp),
    /// After this time.
    After(Timestamp),
}

impl Wakes {
    fn condition(self) -> &'static str {
        match self {
            Self::Until(_) => "#wake_shard = :shard AND #wake_at <= :at",
            Self::After(_) => "#wake_shard = :shard AND #wake_at > :at",
        }
    }

    fn at(self) -> Timestamp {
        match self {
            Self::Until(at) | Self::After(at) => at,
        }
    }
}

/// A count that stops at a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many were counted.
    pub count: u64,
    /// Whether there may be more.
    pub has_more: bool,
}

impl Outbox {
    /// Counts the entries of one part of the index, eventually consistent, until `enough` are counted. A page of the
    /// index is counted whole, so the count may go beyond it.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn count(&self, shard: &str, wakes: Wakes, enough: u64) -> Result<Counted, StoreError> {
        let mut counted = Counted::default();
        let mut after = None;
        loop {
            let page = self
                .waking(shard, wakes)
                .select(Select::Count)
                .set_exclusive_start_key(after)
                .send()
                .await
                .map_err(StoreError::of("Query"))?;
            counted.count += u64::try_from(page.count()).unwrap_or(0);
            after = page.last_evaluated_key;
            counted.has_more = after.is_some();
            if !counted.has_more || counted.count >= enough {
                return Ok(counted);
            }
        }
    }

    /// Finds at most `limit` entries of one part of the index, eventually consistent, those that are due first.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn first(&self, shard: &str, wakes: Wakes, limit: usize) -> Result<Vec<DueEntry>, StoreError> {
        let query = self
            .waking(shard, wakes)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX).max(1));
        let mut items = query.into_paginator().items().send();
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(item) = items.next().await
        {
            // An item that is no entry of ours must not keep the others from being found.
            found.extend(due_entry(&item.map_err(StoreError::of("Query"))?));
        }
        Ok(found)
    }

    fn waking(&self, shard: &str, wakes: Wakes) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .index_name("wake")
            .key_condition_expression(wakes.condition())
            .set_expression_attribute_names(names(["wake_shard", "wake_at"]))
            .expression_attribute_values(":shard", s(shard))
            .expression_attribute_values(":at", time(wakes.at()))
    }
}
