//! The counts of marks of past days, kept so that no report counts them again.
//!
//! An item `marks#<day>` in the partition of the gate, which is read as a whole; see [`super`].

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Usage, gate_key};
use crate::StoreError;
use crate::dynamodb::condition::unless_overtaken;
use crate::dynamodb::item::{Item, n, names, number_of, s, text_of, time, time_of, ttl};
use domain::time::plus;

/// The beginning of the sort keys.
const PREFIX: &str = "marks#";
/// How long a count is kept: until its day is out of the window, and time for a late reporter.
const KEPT: Duration = Duration::from_hours(10 * 24);

/// The counts of a day, without recipients at domains that the account has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedDay {
    /// When it was counted.
    pub at: Timestamp,
    /// The number of hard bounces.
    pub bounces: u64,
    /// The number of complaints.
    pub complaints: u64,
    /// Whether the day has more bounces than were counted.
    pub has_more_bounces: bool,
    /// Whether the day has more complaints than were counted.
    pub has_more_complaints: bool,
}

/// Reads an item, if it is one of these.
pub(super) fn read(item: &Item) -> Option<(Date, CountedDay)> {
    let day = text_of(item, "sk")?.strip_prefix(PREFIX)?.parse().ok()?;
    let count = |name| number_of(item, name).and_then(|count: i64| u64::try_from(count).ok());
    let counted = CountedDay {
        at: time_of(item, "at")?,
        bounces: count("bounces")?,
        complaints: count("complaints")?,
        has_more_bounces: count("has_more_bounces").is_some_and(|more| more > 0),
        has_more_complaints: count("has_more_complaints").is_some_and(|more| more > 0),
    };
    Some((day, counted))
}

impl Usage {
    /// Keeps the counts of a day, unless later ones are there.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn put_counted_day(&self, day: Date, counted: &CountedDay) -> Result<(), StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s(format!("{PREFIX}{day}")))
            .update_expression(
                "SET #at = :at, #bounces = :bounces, #complaints = :complaints, #has_more_bounces = :has_more_bounces, \
                 #has_more_complaints = :has_more_complaints, #expires_at = :expires_at",
            )
            .condition_expression("attribute_not_exists(#at) OR #at < :at")
            .set_expression_attribute_names(names([
                "at",
                "bounces",
                "complaints",
                "has_more_bounces",
                "has_more_complaints",
                "expires_at",
            ]))
            .expression_attribute_values(":at", time(counted.at))
            .expression_attribute_values(":bounces", n(i64::try_from(counted.bounces).unwrap_or(i64::MAX)))
            .expression_attribute_values(":complaints", n(i64::try_from(counted.complaints).unwrap_or(i64::MAX)))
            .expression_attribute_values(":has_more_bounces", n(i64::from(counted.has_more_bounces)))
            .expression_attribute_values(":has_more_complaints", n(i64::from(counted.has_more_complaints)))
            .expression_attribute_values(":expires_at", ttl(plus(counted.at, KEPT)))
            .send()
            .await;
        unless_overtaken(updated)
    }
}
