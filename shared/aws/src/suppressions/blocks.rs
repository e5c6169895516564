//! The blocks of an address: the register with the latest, and the days on which it was blocked.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use uuid::Uuid;

use super::key::{KEY, key_of};
use super::log::log_unreadable;
use super::{Evidence, Suppressions};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, names, s, time_in};
use domain::address::EmailAddress;
use domain::suppression::{SuppressionReason, first_blocks_of_days};
use domain::time::clamped;

const OPERATION: &str = "UpdateItem";

impl Suppressions {
    /// Records a block: in its register unless that is later already, and among the days. One write as a rule. A block
    /// that comes late needs a second one, and so does a day that is too much.
    pub(super) async fn add_block(
        &self,
        address: &EmailAddress,
        at: Timestamp,
        evidence: Evidence<'_>,
        new_id: Uuid,
    ) -> Result<(), StoreError> {
        let updated = self
            .register_update(address, SuppressionReason::Blocked.into(), at, None, evidence, new_id)
            .expression_attribute_names("#blocked_on", "blocked_on")
            .expression_attribute_values(":block", numbers([at]))
            .expression_attribute_values(":number_set", s("NS"))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let item = match written(updated)? {
            Written::Done(output) => output.attributes,
            // The days hold something else, so the entry is unreadable and suppresses the address already.
            Written::Failed(Some(old)) if old.get("blocked_on").is_some_and(|days| !days.is_ns()) => {
                log_unreadable(&key_of(address));
                return Ok(());
            }
            // A copy of a block, or one that is older than the latest: its day may be missing.
            Written::Failed(old) => {
                let days = old.as_ref().map(days_of).unwrap_or_default();
                if first_blocks_of_days(days.iter().copied().chain([at])) == days {
                    return Ok(());
                }
                self.add_day(address, at).await?
            }
        };
        let stored = item.as_ref().map(times).unwrap_or_default();
        let kept = first_blocks_of_days(stored.iter().copied());
        let beyond: Vec<Timestamp> = stored.into_iter().filter(|at| !kept.contains(at)).collect();
        if beyond.is_empty() {
            return Ok(());
        }
        self.remove_from_set(address, "blocked_on", numbers(beyond)).await
    }

    async fn add_day(&self, address: &EmailAddress, at: Timestamp) -> Result<Option<Item>, StoreError> {
        let updated = self
            .update_of(address)
            .update_expression("ADD #blocked_on :block")
            // An entry that was deleted in the meantime gets no remnant.
            .condition_expression("attribute_exists(#address_hash)")
            .set_expression_attribute_names(names([KEY, "blocked_on"]))
            .expression_attribute_values(":block", numbers([at]))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        match written(updated)? {
            Written::Done(output) => Ok(output.attributes),
            // The event comes again and is recorded anew.
            Written::Failed(_) => Err(StoreError::new(OPERATION, "ChangedMeanwhile")),
        }
    }
}

/// Returns times as they stand in the set.
pub(super) fn numbers(times: impl IntoIterator<Item = Timestamp>) -> AttributeValue {
    AttributeValue::Ns(
        times
            .into_iter()
            .map(|at| clamped(at).as_millisecond().to_string())
            .collect(),
    )
}

/// Returns whether a number of the set is a time.
pub(super) fn is_time(number: &str) -> bool {
    time_of_number(number).is_some()
}

/// Reads the set as it stands. Values of another form are left out.
fn times(item: &Item) -> Vec<Timestamp> {
    let values = item.get("blocked_on").and_then(|value| value.as_ns().ok());
    let values = values.into_iter().flatten();
    values.filter_map(|value| time_of_number(value)).collect()
}

fn time_of_number(value: &str) -> Option<Timestamp> {
    time_in(value.parse().ok()?)
}

/// Reads the first block of each of the newest days with one, oldest first.
pub(super) fn days_of(item: &Item) -> Vec<Timestamp> {
    first_blocks_of_days(times(item))
}
