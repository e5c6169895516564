//! The marks in the table of usage: one item for each bounce or complaint that counts; see [`super`].

mod page;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::StoreError;
use crate::dynamodb::condition::unless_overtaken;
use crate::dynamodb::item::{names, s, text_of, time, time_of, ttl};
use domain::feedback::{Mark, MarkKind};
use domain::stream::Stream;
use domain::suppression::{STORM_ENOUGH, STORM_WINDOW, is_storm};
use domain::time::{minus, plus};

pub use page::MarksPage;

/// How many days a mark is kept: a quarter of a year.
pub const MARK_KEPT_DAYS: u16 = 90;
const MARK_KEPT: Duration = Duration::from_hours(MARK_KEPT_DAYS as u64 * 24);

/// The most marks of a kind and day that a report counts, so that it still ends in time. They are enough to judge a
/// day.
pub const MARKS_COUNTED_MAX: u64 = 100_000;

/// The number of marks of a day, by the domains of the recipients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedMarks {
    /// The counts.
    pub by_domain: BTreeMap<String, u64>,
    /// Whether the day has more marks than were counted.
    pub has_more: bool,
}

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

    /// Puts a mark. Every copy of its event, in either format of SES, puts it in the same place, so it may be repeated
    /// at will. A copy that names neither stream nor mail leaves one that does.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn put(&self, mark: &Mark) -> Result<(), StoreError> {
        let mut row = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", s(partition(mark.day())))
            .item("sk", s(sort_key(mark)))
            .item("domain", s(&mark.domain))
            .item("class", s(mark.class.as_str()))
            .item("stream", s(mark.stream.as_str()))
            .item("at", time(mark.at))
            .item("expires_at", ttl(plus(mark.at, MARK_KEPT)));
        if let Some(id) = mark.message_id {
            row = row.item("message_id", s(id.to_string()));
        }
        // DynamoDB has no empty sets.
        if !mark.tags.is_empty() {
            row = row.item("tag", AttributeValue::Ss(mark.tags.iter().cloned().collect()));
        }
        if !mark.has_tags {
            row = row
                .condition_expression("attribute_not_exists(#pk)")
                .set_expression_attribute_names(names(["pk"]));
        }
        unless_overtaken(row.send().await)
    }

    /// Counts the marks of a day (UTC), of one stream or of both, by the domains of the recipients. The caller can then
    /// leave out the domains that the account has verified. The count ends at `most` marks.
    ///
    /// # Errors
    /// [`StoreError`] unless all of them were read.
    pub async fn by_domain(
        &self,
        day: Date,
        kind: MarkKind,
        stream: Option<Stream>,
        most: u64,
    ) -> Result<CountedMarks, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .projection_expression("#domain")
            .set_expression_attribute_names(names(["pk", "sk", "domain"]))
            .expression_attribute_values(":pk", s(partition(day)))
            .expression_attribute_values(":prefix", s(format!("{}#", kind.as_str())));
        let query = match stream {
            // The marks of both streams are kept together, because not every copy of an event names the stream.
            Some(stream) => query
                .filter_expression("#stream = :stream")
                .expression_attribute_names("#stream", "stream")
                .expression_attribute_values(":stream", s(stream.as_str())),
            None => query,
        };
        let mut pages = query.into_paginator().items().send();
        let mut marks = CountedMarks::default();
        let mut counted = 0;
        while let Some(item) = pages.next().await {
            let item = item.map_err(StoreError::of("Query"))?;
            if counted == most {
                marks.has_more = true;
                break;
            }
            let domain = text_of(&item, "domain").unwrap_or_default();
            *marks.by_domain.entry(domain.to_owned()).or_default() += 1;
            counted += 1;
        }
        Ok(marks)
    }

    /// Returns whether a block of `domain` at `at` was part of a storm; see [`domain::suppression::is_storm`].
    ///
    /// # Errors
    /// [`StoreError`] unless all marks were read.
    pub async fn in_storm(&self, domain: &str, at: Timestamp) -> Result<bool, StoreError> {
        let (from, to) = (minus(at, STORM_WINDOW), plus(at, STORM_WINDOW));
        let mut days = vec![utc_day(from), utc_day(to)];
        days.dedup();
        let blocks = try_join_all(days.into_iter().map(|day| self.blocks(day, domain, from, to))).await?;
        Ok(is_storm(at, &blocks.concat()))
    }

    /// Returns the times of the first [`STORM_ENOUGH`] blocks of a day and domain between two times.
    async fn blocks(
        &self,
        day: Date,
        domain: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to")
            .projection_expression("#at")
            .set_expression_attribute_names(names(["pk", "sk", "at"]))
            .expression_attribute_values(":pk", s(partition(day)))
            .expression_attribute_values(":from", s(block_key(domain, from)))
            // This sorts after every hash of that time.
            .expression_attribute_values(":to", s(format!("{}$", block_key(domain, to))))
            .consistent_read(true)
            .limit(i32::try_from(STORM_ENOUGH).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(StoreError::of("Query"))?;
        Ok(answer.items().iter().filter_map(|item| time_of(item, "at")).collect())
    }
}

fn utc_day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn partition(day: Date) -> String {
    format!("mark#{day}")
}

/// Returns the sort key of a mark within its day. It holds nothing that copies of an event may differ in. Blocks are
/// looked up by domain and time.
fn sort_key(mark: &Mark) -> String {
    let (kind, hash) = (mark.kind.as_str(), &mark.hash);
    match mark.kind {
        MarkKind::Block => format!("{}#{hash}", block_key(&mark.domain, mark.at)),
        MarkKind::Bounce | MarkKind::Complaint => format!("{kind}#{hash}"),
    }
}

/// Returns what the sort keys of a domain's blocks at a time begin with. No domain has a `#`, and milliseconds have 13
/// digits for the next 250 years.
fn block_key(domain: &str, at: Timestamp) -> String {
    format!("{}#{domain}#{:013}", MarkKind::Block.as_str(), at.as_millisecond())
}
