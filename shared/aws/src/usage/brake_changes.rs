//! The changes of the brake in the table of usage: what was set, when, by whom and why; see [`super`].
//!
//! | attribute | holds |
//! |---|---|
//! | `pk`, `sk` | `brake#<region>`, `<RFC 3339 time in milliseconds>#<id>`: the newest is the last |
//! | `at`, `id` | when (milliseconds), and an id that distinguishes changes at the same time |
//! | `from`, `to` | what the brake held back before and after: `none`, `bulk`, `all` |
//! | `by`, `why`, `figures` | the author, the reason, and the figures that it was based on, as JSON |
//! | `published_at` | when the operators were notified; absent until then |
//! | `emitted_at` | when the event for webhooks was emitted; absent until then |
//! | `expires_at` | when DynamoDB may delete it (seconds) |

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use crate::StoreError;
use crate::dynamodb::condition::unless_overtaken;
use crate::dynamodb::item::{Item, names, s, text_of, time, time_of, ttl, uuid_of};
use domain::brake::Brake;
use domain::brake::BrakeChange;
use domain::time::plus;

/// How long a change is kept: a year and some weeks.
const CHANGE_KEPT: Duration = Duration::from_hours(400 * 24);

/// The two ways in which a change becomes known. Each has a mark of its own in the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrakeMark {
    /// The operators were notified.
    Published,
    /// The event for webhooks was emitted.
    Emitted,
}

impl BrakeMark {
    fn attribute(self) -> &'static str {
        match self {
            Self::Published => "published_at",
            Self::Emitted => "emitted_at",
        }
    }
}

/// The changes of the brake, in the table of usage.
#[derive(Clone, Debug)]
pub struct BrakeChanges {
    client: Client,
    table: String,
    region: String,
}

impl BrakeChanges {
    /// Works on `table`, for the account in `region`.
    #[must_use]
    pub fn new(client: Client, table: String, region: String) -> Self {
        Self { client, table, region }
    }

    /// Records a change that is not marked yet. May be repeated: the marks stay.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn record(&self, change: &BrakeChange) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", self.partition())
            .item("sk", sort_key(change))
            .item("at", time(change.at))
            .item("id", s(change.id.to_string()))
            .item("from", s(change.from.as_str()))
            .item("to", s(change.to.as_str()))
            .item("by", s(&change.by))
            .item("why", s(&change.why))
            .item("figures", s(change.figures.to_string()))
            .item("expires_at", ttl(plus(change.at, CHANGE_KEPT)))
            .condition_expression("attribute_not_exists(#pk)")
            .set_expression_attribute_names(names(["pk"]))
            .send()
            .await;
        // The condition fails where the SDK repeated a write whose answer was lost.
        unless_overtaken(put)
    }

    /// Reads the changes since a time that do not have a mark, the oldest first, consistently.
    ///
    /// # Errors
    /// [`StoreError`] unless all of them were read.
    pub async fn without(&self, mark: BrakeMark, since: Timestamp) -> Result<Vec<BrakeChange>, StoreError> {
        let query = self
            .query("#pk = :pk AND #sk >= :since")
            .filter_expression("attribute_not_exists(#mark)")
            .set_expression_attribute_names(names(["pk", "sk"]))
            .expression_attribute_names("#mark", mark.attribute())
            .expression_attribute_values(":since", s(moment(since)));
        all(query).await
    }

    /// Marks a change. The time of the first mark stays.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written. The change is then published or emitted again.
    pub async fn mark(&self, mark: BrakeMark, change: &BrakeChange, at: Timestamp) -> Result<(), StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", self.partition())
            .key("sk", sort_key(change))
            .update_expression("SET #mark = :at")
            // A change that DynamoDB has deleted must not come back as half an item.
            .condition_expression("attribute_exists(#pk) AND attribute_not_exists(#mark)")
            .set_expression_attribute_names(names(["pk"]))
            .expression_attribute_names("#mark", mark.attribute())
            .expression_attribute_values(":at", time(at))
            .send()
            .await;
        unless_overtaken(updated)
    }

    /// Reads the latest `count` changes at most, the newest first, consistently.
    ///
    /// # Errors
    /// [`StoreError`] if they could not be read.
    pub async fn latest(&self, count: u16) -> Result<Vec<BrakeChange>, StoreError> {
        let answer = self
            .query("#pk = :pk")
            .scan_index_forward(false)
            .limit(i32::from(count.max(1)))
            .set_expression_attribute_names(names(["pk"]))
            .send()
            .await
            .map_err(StoreError::of("Query"))?;
        Ok(answer.items().iter().filter_map(change).collect())
    }

    /// Reads the changes from one time up to another, which is left out, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] unless all of them were read.
    pub async fn between(&self, from: Timestamp, to: Timestamp) -> Result<Vec<BrakeChange>, StoreError> {
        let query = self
            .query("#pk = :pk AND #sk BETWEEN :from AND :to")
            .set_expression_attribute_names(names(["pk", "sk"]))
            .expression_attribute_values(":from", s(moment(from)))
            // This sorts before every id of that time.
            .expression_attribute_values(":to", s(moment(to)));
        all(query).await
    }

    /// A consistent query of the region's changes; `condition` names the partition `:pk`.
    fn query(&self, condition: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression(condition)
            .expression_attribute_values(":pk", self.partition())
    }

    fn partition(&self) -> AttributeValue {
        s(format!("brake#{}", self.region))
    }
}

/// Reads every page of a query.
async fn all(query: QueryFluentBuilder) -> Result<Vec<BrakeChange>, StoreError> {
    let mut pages = query.into_paginator().items().send();
    let mut changes = Vec::new();
    while let Some(item) = pages.next().await {
        changes.extend(change(&item.map_err(StoreError::of("Query"))?));
    }
    Ok(changes)
}

fn sort_key(change: &BrakeChange) -> AttributeValue {
    s(format!("{}#{}", moment(change.at), change.id))
}

/// Returns a time as sort keys hold it: always with the same number of digits, so that they sort by time.
fn moment(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Reads a change. One that cannot be read, because a newer version or a person wrote it, must not hide the others.
fn change(item: &Item) -> Option<BrakeChange> {
    let read = || {
        let text = |name| text_of(item, name).map(str::to_owned);
        Some(BrakeChange {
            at: time_of(item, "at")?,
            id: uuid_of(item, "id")?,
            from: Brake::parse(text_of(item, "from")?)?,
            to: Brake::parse(text_of(item, "to")?)?,
            by: text("by")?,
            why: text("why")?,
            figures: serde_json::from_str(text_of(item, "figures")?).ok()?,
        })
    };
    let change = read();
    if change.is_none() {
        tracing::warn!("a recorded change of the brake cannot be read");
    }
    change
}
