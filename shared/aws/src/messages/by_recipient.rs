//! The index `by-recipient`, which finds the messages to a person.
//!
//! An item is in an index once. A mail to one recipient is found by its own row; a mail to several has an item `to#<n>`
//! for each of them. The sort key of the index is the id of the message, which sorts by time.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Messages, NewMessage, key};
use crate::StoreError;
use crate::dynamodb::item::{Item, s, ttl, uuid_of};
use domain::address::EmailAddress;
use domain::hex::hex;
use domain::recipient::RecipientOutcome;

/// The attribute that the index is keyed by.
pub(super) const HASH: &str = "recipient_hash";
/// The beginning of the sort keys of the index entries of a mail to several recipients.
pub(super) const TO: &str = "to#";

/// A page of the messages to a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentTo {
    /// The ids of the messages, the newest first.
    pub ids: Vec<Uuid>,
    /// Whether there are older messages.
    pub has_more: bool,
}

impl Messages {
    /// Finds at most `limit` messages to `address` that are older than `after`, the newest first. A message of the last
    /// moments may be missing, because the index is eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn sent_to(
        &self,
        address: &EmailAddress,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<SentTo, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-recipient")
            .scan_index_forward(false)
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX))
            .expression_attribute_names("#hash", HASH)
            .expression_attribute_values(":hash", s(hash(address)));
        let query = match after {
            Some(after) => query
                .key_condition_expression("#hash = :hash AND #id < :after")
                .expression_attribute_names("#id", "id")
                .expression_attribute_values(":after", s(after.to_string())),
            None => query.key_condition_expression("#hash = :hash"),
        };
        let mut items = query.into_paginator().items().send();
        let mut found = BTreeSet::new();
        while found.len() <= limit
            && let Some(item) = items.next().await
        {
            found.extend(uuid_of(&item.map_err(StoreError::of("Query"))?, "id"));
        }
        let mut ids: Vec<Uuid> = found.into_iter().rev().collect();
        let has_more = ids.len() > limit;
        ids.truncate(limit);
        Ok(SentTo { ids, has_more })
    }
}

/// The entries of a message in the index; none if it has one recipient.
pub(super) fn rows(message: &NewMessage<'_>) -> Vec<Item> {
    if message.outcomes.len() == 1 {
        return Vec::new();
    }
    let row = |(index, outcome): (usize, &RecipientOutcome)| {
        let mut row = key(message.id.to_string(), format!("{TO}{index}"));
        row.insert(HASH.to_owned(), s(hash(&outcome.address)));
        row.insert("expires_at".to_owned(), ttl(message.expires_at));
        row
    };
    message.outcomes.iter().enumerate().map(row).collect()
}

/// The hash of an address, by which its items are found. It keeps nothing secret: anybody who holds the table can try
/// addresses, and the rows themselves name them.
pub(super) fn hash(address: &EmailAddress) -> String {
    hash_of(address.normalised())
}

/// The hash of an address that is normalised.
pub(super) fn hash_of(normalised: &str) -> String {
    hex(&Sha256::digest(normalised)[..16])
}
