//! Entries that cannot be read, whole or in part: of another version, written by hand, or damaged.
//!
//! Such an entry counts as suppressed ([`Registers::unreadable`](domain::suppression::Registers::unreadable)) and stops
//! nothing but mail to its own address. Lifting the address removes what cannot be read.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::blocks::is_set_of_times;
use super::soft::is_soft_bounce;
use super::topics::{TOPICS, is_choice};
use super::{REGISTERS, Suppressions, shard};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, s, time, time_of};
use domain::address::EmailAddress;
use domain::hex::hex;

/// The attribute that stands for what could not be read of an entry that was moved.
pub(super) const UNREADABLE: &str = "unreadable";
/// How often an entry is read again that changed while it was being mended.
const ROUNDS_MAX: u32 = 5;

/// Returns the attributes of an entry that should be registers and cannot be read as such. An entry without any
/// register is not readable as a whole; [`UNREADABLE`] stands for that.
pub(super) fn unreadable(item: &Item) -> Vec<&'static str> {
    let registers = REGISTERS.into_iter().filter(|name| *name != "address");
    let present: Vec<&'static str> = registers.filter(|name| item.contains_key(*name)).collect();
    if present.is_empty() {
        return vec![UNREADABLE];
    }
    let is_readable = |name: &str| match name {
        "soft" => item["soft"]
            .as_ss()
            .is_ok_and(|bounces| bounces.iter().all(|bounce| is_soft_bounce(bounce))),
        TOPICS => item[TOPICS]
            .as_ss()
            .is_ok_and(|choices| choices.iter().all(|choice| is_choice(choice))),
        "blocked_on" => is_set_of_times(&item["blocked_on"]),
        UNREADABLE => false,
        name => time_of(item, name).is_some(),
    };
    present.into_iter().filter(|name| !is_readable(name)).collect()
}

/// Logs that the entry of a normalised address cannot be read, by a hash of the address: `okite suppressions export`
/// lists the entry.
pub(super) fn report(address: &str) {
    let hash = hex(&Sha256::digest(address)[..8]);
    tracing::error!(
        cause = "unreadable_suppression",
        address.hash = hash,
        "an entry of the suppression list cannot be read, and its address counts as suppressed"
    );
}

impl Suppressions {
    /// Removes what cannot be read of the entry `item`, and records that the address was lifted at `at`.
    pub(super) async fn remove_unreadable(
        &self,
        address: &EmailAddress,
        mut item: Item,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            let names = unreadable(&item);
            if names.is_empty() {
                return Ok(());
            }
            let mut update = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("address", s(address.normalised()))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            let (mut set, mut removed, mut conditions) = (vec!["#shard = :shard".to_owned()], Vec::new(), Vec::new());
            for name in names {
                update = update.expression_attribute_names(format!("#{name}"), name);
                if name != "lifted_at" {
                    removed.push(format!("#{name}"));
                }
                // Only what was read, and is not readable, is removed.
                match item.get(name) {
                    Some(value) => {
                        update = update.expression_attribute_values(format!(":{name}"), value.clone());
                        conditions.push(format!("#{name} = :{name}"));
                    }
                    None => conditions.push(format!("attribute_not_exists(#{name})")),
                }
            }
            if time_of(&item, "lifted_at").is_none() {
                set.push("#lifted_at = :at".to_owned());
                update = update
                    .expression_attribute_names("#lifted_at", "lifted_at")
                    .expression_attribute_values(":at", time(at));
            }
            let removed = match removed.as_slice() {
                [] => String::new(),
                removed => format!(" REMOVE {}", removed.join(", ")),
            };
            let updated = update
                .update_expression(format!("SET {}{removed}", set.join(", ")))
                .condition_expression(conditions.join(" AND "))
                .expression_attribute_names("#shard", "shard")
                .expression_attribute_values(":shard", s(shard(address)))
                .send()
                .await;
            match written(updated)? {
                Written::Done(_) | Written::Failed(None) => return Ok(()),
                Written::Failed(Some(current)) => item = current,
            }
        }
        Err(StoreError::new("UpdateItem", "ChangedMeanwhile"))
    }

    /// Marks an entry as one of which a part could not be moved to it. An entry that is new gets the id `id`, without
    /// which no index has it.
    pub(super) async fn mark_unreadable(&self, address: &EmailAddress, id: Uuid) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("address", s(address.normalised()))
            .update_expression("SET #unreadable = :yes, #shard = :shard, #id = if_not_exists(#id, :id)")
            .expression_attribute_names("#unreadable", UNREADABLE)
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_names("#id", "id")
            .expression_attribute_values(":id", s(id.to_string()))
            .expression_attribute_values(":yes", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
            .expression_attribute_values(":shard", s(shard(address)))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::of("UpdateItem"))
    }
}
