//! The soft bounces of an address: a set beside its registers, of which the newest stay.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Suppressions, shard};
use crate::StoreError;
use crate::dynamodb::item::{Item, names, s, time_in};
use domain::address::EmailAddress;
use domain::suppression::SOFT_BOUNCES_KEPT;

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
        let bounce = format!("{}#{feedback_id}", at.as_millisecond());
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
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
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

/// Returns the soft bounces of an item as they stand there, with their time and feedback id. Values of another form are
/// left out.
fn soft_bounces(item: &Item) -> Vec<(Timestamp, &str, &String)> {
    let entries = item.get("soft").and_then(|value| value.as_ss().ok());
    let read = |entry| {
        let (at, feedback_id) = String::as_str(entry).split_once('#')?;
        let at = time_in(at.parse().ok()?)?;
        Some((at, feedback_id, entry))
    };
    entries.into_iter().flatten().filter_map(read).collect()
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
