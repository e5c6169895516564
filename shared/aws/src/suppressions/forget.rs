//! Erasure: what names a person is removed from the entry, and the person stays suppressed.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use uuid::Uuid;

use super::key::{ADDRESS, KEY, shard};
use super::newly::is_since;
use super::unreadable::{UNREADABLE, readable, unreadable};
use super::{REGISTERS, Suppressions};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, s, text_of, uuid_of};
use domain::address::EmailAddress;
use domain::bounce::BounceReason;
use domain::suppression::Register;

/// How often an entry is read again that changed while it was being forgotten.
const ROUNDS_MAX: u32 = 5;

impl Suppressions {
    /// Removes the spellings of an address and the texts of servers from its entry. The address stays. Returns whether
    /// there is an entry that names it. May be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if part of it may still be there.
    pub async fn forget_evidence(&self, address: &EmailAddress) -> Result<bool, StoreError> {
        self.rewrite(address, without_texts).await
    }

    /// Removes an address from its entry, and with it the spellings, the texts of servers and what cannot be read. The
    /// hash in the key stays, and keeps the person suppressed. Returns whether there was an entry that named the
    /// address. May be repeated. An entry that has no id gets `new_id`, without which no index has it.
    ///
    /// # Errors
    /// [`StoreError`] if the entry may still name the address.
    pub async fn forget_address(&self, address: &EmailAddress, new_id: Uuid) -> Result<bool, StoreError> {
        self.rewrite(address, |item| without_address(item, address, new_id))
            .await
    }

    /// Makes an entry what `wanted` makes of it, in one write, which takes nothing back that is recorded meanwhile.
    /// Returns whether the entry named the address before.
    async fn rewrite(&self, address: &EmailAddress, wanted: impl Fn(&Item) -> Item) -> Result<bool, StoreError> {
        let mut read = self.item(address).await?;
        // A write whose answer was lost is repeated, and finds its own work done.
        let mut named = false;
        for _ in 0..ROUNDS_MAX {
            let Some(item) = read else { return Ok(named) };
            named |= item.contains_key(ADDRESS);
            let Some(update) = self.change(address, &item, &wanted(&item)) else {
                return Ok(named);
            };
            match written(update.send().await)? {
                Written::Done(_) => return Ok(named),
                Written::Failed(current) => read = current,
            }
        }
        Err(StoreError::new("UpdateItem", "ChangedMeanwhile"))
    }

    /// Makes the update that turns an item into another one; none if they are the same. Its condition holds while what
    /// it replaces, and everything that may name a person, is as it was read.
    fn change(&self, address: &EmailAddress, from: &Item, to: &Item) -> Option<UpdateItemFluentBuilder> {
        if from == to {
            return None;
        }
        let names = from.keys().chain(to.keys()).map(String::as_str);
        let mut changed: BTreeSet<&str> = names.filter(|name| from.get(*name) != to.get(*name)).collect();
        for name in [ADDRESS].into_iter().chain(evidence_names()) {
            changed.insert(name);
        }
        let (mut set, mut removed, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
        let mut update = self
            .update_of(address)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for (number, name) in changed.into_iter().enumerate() {
            update = update.expression_attribute_names(format!("#n{number}"), name);
            match from.get(name) {
                Some(value) => {
                    update = update.expression_attribute_values(format!(":from{number}"), value.clone());
                    conditions.push(format!("#n{number} = :from{number}"));
                }
                None => conditions.push(format!("attribute_not_exists(#n{number})")),
            }
            match to.get(name) {
                value if value == from.get(name) => {}
                Some(value) => {
                    update = update.expression_attribute_values(format!(":to{number}"), value.clone());
                    set.push(format!("#n{number} = :to{number}"));
                }
                None => removed.push(format!("#n{number}")),
            }
        }
        let clauses = [("SET", set), ("REMOVE", removed)].into_iter();
        let clauses = clauses.filter(|(_, parts)| !parts.is_empty());
        let clauses: Vec<String> = clauses
            .map(|(clause, parts)| format!("{clause} {}", parts.join(", ")))
            .collect();
        // An entry that was deleted in the meantime gets no remnant.
        conditions.push("attribute_exists(#key)".to_owned());
        Some(
            update
                .update_expression(clauses.join(" "))
                .condition_expression(conditions.join(" AND "))
                .expression_attribute_names("#key", KEY),
        )
    }
}

/// The attributes with the evidence of registers.
fn evidence_names() -> impl Iterator<Item = &'static str> {
    Register::WITH_ONE_TIME.into_iter().map(Register::as_str)
}

/// Returns an item without the spellings of its address and the texts of servers. Evidence that cannot be read may hold
/// anything, and goes.
fn without_texts(item: &Item) -> Item {
    let mut kept = item.clone();
    for name in evidence_names() {
        match kept.get(name).map(AttributeValue::as_m) {
            Some(Ok(evidence)) => {
                let evidence = AttributeValue::M(without_text(evidence));
                kept.insert(name.to_owned(), evidence);
            }
            Some(Err(_)) => drop(kept.remove(name)),
            None => {}
        }
    }
    kept
}

/// Returns evidence without the spelling of an address and the text of a server.
fn without_text(evidence: &Item) -> Item {
    let text = |name| text_of(evidence, name);
    let kept = [
        ("address", Some("")),
        ("subtype", text("subtype")),
        ("source", text("source")),
        (
            "bounce_reason",
            text("bounce_reason").filter(|reason| BounceReason::parse(reason).is_some()),
        ),
    ];
    let kept = kept.into_iter();
    kept.filter_map(|(name, text)| Some((name.to_owned(), s(text?))))
        .collect()
}

/// Returns the item of an address without the address, and without what cannot be read, because that may hold anything.
/// A mark in its place keeps the person suppressed.
fn without_address(item: &Item, address: &EmailAddress, new_id: Uuid) -> Item {
    let texts_removed = without_texts(item).into_iter();
    let mut kept: Item = texts_removed
        .filter_map(|(name, value)| {
            let value = match name.as_str() {
                KEY => Some(value),
                name if REGISTERS.contains(&name) => readable(name, &value),
                name if evidence_names().any(|evidence| evidence == name) => Some(value),
                name => Some(value).filter(|value| is_since(name, value)),
            };
            Some((name, value?))
        })
        .collect();
    kept.insert("id".to_owned(), s(uuid_of(item, "id").unwrap_or(new_id).to_string()));
    kept.insert("shard".to_owned(), s(shard(address)));
    if !unreadable(item).is_empty() {
        kept.insert(UNREADABLE.to_owned(), AttributeValue::Bool(true));
    }
    kept
}
