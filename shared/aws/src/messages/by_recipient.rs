//! Which messages went to a person: the index `by-recipient`.
//!
//! A mail to one recipient is in it by its own row. One to several has a small row for each, `to#<our id>#<n>`, for an item is in an
//! index once. The two kinds are asked for by themselves and merged.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Messages, NewMessage};
use crate::StoreError;
use crate::item::{Item, s, text_of, ttl};
use domain::address::EmailAddress;
use domain::hex::hex;
use domain::recipient::RecipientOutcome;

/// The attribute that the index is keyed by.
pub(super) const HASH: &str = "recipient_hash";
/// What the ids of the small rows begin with.
const TO: &str = "to#";

/// Some of the messages to a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentTo {
    /// Their ids, the newest first.
    pub ids: Vec<Uuid>,
    /// Whether there are older ones.
    pub has_more: bool,
}

impl Messages {
    /// Finds at most `limit` messages to `address` that are older than `after`, the newest first. What was sent in the last
    /// moments may be missing: the index is eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn sent_to(
        &self,
        address: &EmailAddress,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<SentTo, StoreError> {
        // Our ids are hexadecimal, so both ranges end before what follows the last of them.
        let after = after.map_or_else(|| "g".to_owned(), |id| id.to_string());
        let mut found = BTreeSet::new();
        for prefix in ["", TO] {
            let ids = self.range(address, prefix, &after, limit).await?;
            found.extend(ids.iter().filter_map(|id| message_of(id)));
        }
        let mut ids: Vec<Uuid> = found.into_iter().rev().collect();
        let has_more = ids.len() > limit;
        ids.truncate(limit);
        Ok(SentTo { ids, has_more })
    }

    /// One more than `limit` ids of the index, from `prefix` to `prefix` and `end`, which is not among them.
    async fn range(
        &self,
        address: &EmailAddress,
        prefix: &str,
        end: &str,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-recipient")
            .key_condition_expression("#hash = :hash AND #id BETWEEN :from AND :end")
            .expression_attribute_names("#hash", HASH)
            .expression_attribute_names("#id", "id")
            .expression_attribute_values(":hash", s(hash(address)))
            .expression_attribute_values(":from", s(format!("{prefix}0")))
            .expression_attribute_values(":end", s(format!("{prefix}{end}")))
            .scan_index_forward(false)
            .into_paginator()
            .items()
            .send();
        let mut ids = Vec::new();
        while ids.len() <= limit
            && let Some(item) = pages.next().await
        {
            let item = item.map_err(StoreError::of("Query"))?;
            // That of the end itself is no small row, for these have more behind it.
            ids.extend(text_of(&item, "id").filter(|id| *id != end).map(str::to_owned));
        }
        Ok(ids)
    }
}

/// The small rows of a message; none if it has one recipient.
pub(super) fn rows(message: &NewMessage<'_>) -> Vec<Item> {
    if message.verdicts.len() == 1 {
        return Vec::new();
    }
    let row = |(index, verdict): (usize, &RecipientOutcome)| {
        [
            ("id", s(format!("{TO}{}#{index}", message.id))),
            (HASH, s(hash(&verdict.address))),
            ("expires_at", ttl(message.expires_at)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    };
    message.verdicts.iter().enumerate().map(row).collect()
}

/// Tells whether an id is that of such a row.
pub(super) fn is_row(id: &str) -> bool {
    id.starts_with(TO)
}

/// The hash by which a person's messages are found. It keeps nothing secret: whoever holds the table can try addresses, and the
/// rows themselves name them.
pub(super) fn hash(address: &EmailAddress) -> String {
    hex(&Sha256::digest(address.normalised())[..16])
}

fn message_of(id: &str) -> Option<Uuid> {
    let id = id
        .strip_prefix(TO)
        .map_or(id, |rest| rest.split_once('#').map_or(rest, |(id, _)| id));
    id.parse().ok()
}
