//! The marks in the table of usage: one row for each bounce or complaint that counts; see [`super::usage`].

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::civil::Date;

use super::StoreError;
use super::item::{s, text_of, time, ttl};
use crate::feedback::{Mark, MarkKind};
use crate::stream::Stream;

/// How long a mark is kept: a quarter of a year, to look back over.
const MARK_KEPT: Duration = Duration::from_hours(90 * 24);

/// The marks of bounces and complaints.
#[derive(Clone, Debug)]
pub struct Marks {
    client: Client,
    table: String,
}

impl Marks {
    /// Works on `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Puts a mark where every copy of its event puts it. May be repeated at will.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn put(&self, mark: &Mark) -> Result<(), StoreError> {
        let sort_key = format!("{}{}", prefix(mark.kind, mark.stream), mark.hash);
        let mut row = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", s(partition(mark.day())))
            .item("sk", s(sort_key))
            .item("domain", s(&mark.domain))
            .item("class", s(mark.class.as_str()))
            .item("stream", s(mark.stream.as_str()))
            .item("at", time(mark.at))
            .item("expires_at", ttl(mark.at + MARK_KEPT));
        if let Some(id) = mark.message_id {
            row = row.item("message_id", s(id.to_string()));
        }
        // DynamoDB has no empty sets.
        if !mark.tags.is_empty() {
            row = row.item("tag", AttributeValue::Ss(mark.tags.iter().cloned().collect()));
        }
        row.send().await.map(drop).map_err(StoreError::of("PutItem"))
    }

    /// Counts the marks of a day (UTC) by the recipients' domains, so that whoever knows them can leave out the domains that
    /// the account has verified.
    ///
    /// # Errors
    /// [`StoreError`] if they could not all be read.
    pub async fn by_domain(
        &self,
        day: Date,
        kind: MarkKind,
        stream: Stream,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .projection_expression("#domain")
            .expression_attribute_names("#pk", "pk")
            .expression_attribute_names("#sk", "sk")
            .expression_attribute_names("#domain", "domain")
            .expression_attribute_values(":pk", s(partition(day)))
            .expression_attribute_values(":prefix", s(prefix(kind, stream)))
            .into_paginator()
            .items()
            .send();
        let mut counts = BTreeMap::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(StoreError::of("Query"))?;
            let domain = text_of(&item, "domain").unwrap_or_default();
            *counts.entry(domain.to_owned()).or_default() += 1;
        }
        Ok(counts)
    }
}

fn partition(day: Date) -> String {
    format!("mark#{day}")
}

/// What the sort keys begin with that are counted together.
fn prefix(kind: MarkKind, stream: Stream) -> String {
    format!("{}#{}#", kind.as_str(), stream.as_str())
}
