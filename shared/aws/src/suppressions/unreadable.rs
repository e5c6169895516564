//! Entries that cannot be read, whole or in part: of another version, written by hand, or damaged.
//!
//! Such an entry counts as suppressed ([`Registers::unreadable`](domain::suppression::Registers::unreadable)) and stops
//! nothing but mail to its own address. Lifting the address removes what cannot be read.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;

use super::blocks::is_time;
use super::key::shard;
use super::soft::is_soft_bounce;
use super::topics::{TOPICS, is_choice};
use super::{REGISTERS, Suppressions};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, s, time, time_of};
use domain::address::EmailAddress;

/// The attribute that stands for what could not be read of an entry and was removed when its person was forgotten.
pub(super) const UNREADABLE: &str = "unreadable";
/// How often an entry is read again that changed while it was being mended.
const ROUNDS_MAX: u32 = 5;

/// Returns the attributes of an entry that should be registers and cannot be read as such. An entry without any
/// register is not readable as a whole; [`UNREADABLE`] stands for that.
pub(super) fn unreadable(item: &Item) -> Vec<&'static str> {
    let present: Vec<&'static str> = REGISTERS.into_iter().filter(|name| item.contains_key(*name)).collect();
    if present.is_empty() {
        return vec![UNREADABLE];
    }
    let is_readable = |name: &str| {
        item.get(name)
            .is_some_and(|value| readable(name, value).as_ref() == Some(value))
    };
    present.into_iter().filter(|name| !is_readable(name)).collect()
}

/// Returns the part of a register that can be read, if there is one.
pub(super) fn readable(name: &str, value: &AttributeValue) -> Option<AttributeValue> {
    match name {
        "soft" => part_of(value.as_ss(), is_soft_bounce).map(AttributeValue::Ss),
        TOPICS => part_of(value.as_ss(), is_choice).map(AttributeValue::Ss),
        "blocked_on" => part_of(value.as_ns(), is_time).map(AttributeValue::Ns),
        UNREADABLE => None,
        _ => value.as_n().is_ok_and(|number| is_time(number)).then(|| value.clone()),
    }
}

/// Returns the texts of a set that can be read. A set has one at least.
fn part_of<E>(set: Result<&Vec<String>, E>, is_readable: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    let texts: Vec<String> = set.ok()?.iter().filter(|text| is_readable(text)).cloned().collect();
    (!texts.is_empty()).then_some(texts)
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
                .update_of(address)
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
}
