//! The soft bounces of an address: a set beside its registers, of which the newest stay.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::Timestamp;
use uuid::Uuid;

use super::unreadable::report;
use super::{Suppressions, shard};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, names, s, time_in};
use domain::address::EmailAddress;
use domain::suppression::SOFT_BOUNCES_KEPT;
use domain::time::clamped;

impl Suppressions {
    /// Adds a soft bounce, and removes those that are no longer among the newest. A removed bounce can never be among
    /// them again, so this commutes with other writers. If the removal fails, the next soft bounce repeats it.
    pub(super) async fn add_soft(
        &self,
        address: &EmailAddress,
        at: Timestamp,
        feedback_id: &str,
        new_id: Uuid,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "UpdateItem";
        let bounce = format!("{}#{feedback_id}", clamped(at).as_millisecond());
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("address", s(address.normalised()))
            .update_expression("SET #id = if_not_exists(#id, :id), #shard = :shard ADD #soft :bounce")
            .set_expression_attribute_names(names(["id", "shard", "soft"]))
            .expression_attribute_values(":id", s(new_id.to_string()))
            .expression_attribute_values(":shard", s(shard(address)))
            .expression_attribute_values(":bounce", AttributeValue::Ss(vec![bounce]))
            .condition_expression("attribute_not_exists(#soft) OR attribute_type(#soft, :string_set)")
            .expression_attribute_values(":string_set", s("SS"))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        let Written::Done(updated) = written(updated)? else {
            // The entry holds something else there, and so it suppresses the address already.
            report(address.normalised());
            return Ok(());
        };
        let beyond = updated.attributes.as_ref().map(beyond_the_newest).unwrap_or_default();
        if beyond.is_empty() {
            return Ok(());
        }
        self.client
            .update_item()
            .table_name(&self.table)
            .key("address", s(address.normalised()))
            .update_expression("DELETE #soft :beyond")
            .set_expression_attribute_names(names(["soft"]))
            .expression_attribute_values(":beyond", AttributeValue::Ss(beyond))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::of(OPERATION))
    }
}

/// Returns whether a text is a soft bounce as it stands in the set.
pub(super) fn is_soft_bounce(text: &str) -> bool {
    read(text).is_some()
}

/// Reads the time and the feedback id of a soft bounce.
fn read(text: &str) -> Option<(Timestamp, &str)> {
    let (at, feedback_id) = text.split_once('#')?;
    Some((time_in(at.parse().ok()?)?, feedback_id))
}

/// Returns the soft bounces of an item as they stand there, with their time and feedback id. Values of another form are
/// left out.
fn soft_bounces(item: &Item) -> Vec<(Timestamp, &str, &String)> {
    let entries = item.get("soft").and_then(|value| value.as_ss().ok());
    let entries = entries.into_iter().flatten();
    entries
        .filter_map(|entry| read(entry).map(|(at, feedback_id)| (at, feedback_id, entry)))
        .collect()
}

/// Returns the soft bounces of an item that are too many, as they stand there.
fn beyond_the_newest(item: &Item) -> Vec<String> {
    let mut bounces = soft_bounces(item);
    bounces.sort_unstable_by_key(|bounce| Reverse(*bounce));
    let beyond = bounces.into_iter().skip(SOFT_BOUNCES_KEPT);
    beyond.map(|(_, _, entry)| entry.clone()).collect()
}

/// Returns the soft bounces of an item with their feedback ids.
pub(super) fn soft_bounces_of(item: &Item) -> Vec<(Timestamp, String)> {
    let bounces = soft_bounces(item).into_iter();
    bounces
        .map(|(at, feedback_id, _)| (at, feedback_id.to_owned()))
        .collect()
}

/// Returns the times at which an address bounced softly, oldest first, by feedback id. A feedback counts once, even if
/// SES gave no time and each of its copies therefore has another.
pub(super) fn soft_times(item: &Item) -> Vec<(&str, Timestamp)> {
    let mut first: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for (at, feedback_id, _) in soft_bounces(item) {
        let earliest = first.entry(feedback_id).or_insert(at);
        *earliest = at.min(*earliest);
    }
    let mut times: Vec<_> = first.into_iter().collect();
    times.sort_unstable_by_key(|(_, at)| *at);
    times
}
