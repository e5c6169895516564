//! Whole entries of the list: one by its address or id, or all of them in pages.

use std::collections::HashMap;

use uuid::Uuid;

use super::key::{KEY, address_of, key_of};
use super::soft::soft_bounces;
use super::{Suppressions, registers};
use crate::StoreError;
use crate::dynamodb::item::{Item, names, s, text_of, uuid_of};
use domain::address::EmailAddress;
use domain::bounce::BounceReason;
use domain::suppression::{Register, RegisterEvidence, SuppressionEntry};

/// One page of the list, in no particular order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntriesPage {
    /// The entries.
    pub entries: Vec<SuppressionEntry>,
    /// The number of items of the page whose keys are no hashes. They suppress nobody.
    pub unreadable: usize,
    /// The position after which to go on; `None` if this page is the last.
    pub next: Option<String>,
}

impl Suppressions {
    /// Reads all that is known of an address, consistently. The entry of a forgotten person has the address that is
    /// asked for.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub async fn get(&self, address: &EmailAddress) -> Result<Option<SuppressionEntry>, StoreError> {
        let Some(item) = self.item(address).await? else {
            return Ok(None);
        };
        let stored = address_of(&item).filter(|stored| !stored.is_pseudonym());
        Ok(Some(entry_of(&item, stored.unwrap_or_else(|| address.clone()))))
    }

    /// Reads the item of an address, consistently.
    pub(super) async fn item(&self, address: &EmailAddress) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(KEY, s(key_of(address)))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::of("GetItem"))?;
        Ok(answer.item)
    }

    /// Finds an entry by its id. An entry that was written just now may be missing, because the index is eventually
    /// consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn find(&self, id: Uuid) -> Result<Option<SuppressionEntry>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-id")
            .key_condition_expression("#id = :id")
            .set_expression_attribute_names(names(["id"]))
            .expression_attribute_values(":id", s(id.to_string()))
            .limit(1)
            .send()
            .await
            .map_err(StoreError::of("Query"))?;
        let found = answer.items.unwrap_or_default().into_iter().next();
        let Some(address) = found.as_ref().and_then(address_of) else {
            return Ok(None);
        };
        // The index may be behind the table.
        Ok(self.item(&address).await?.as_ref().and_then(entry))
    }

    /// Reads a page of at most `size` entries: the first, or the one that follows `after`, the `next` of the page
    /// before.
    ///
    /// An entry that is written while pages are read may be missing.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub async fn page(&self, after: Option<&str>, size: i32) -> Result<EntriesPage, StoreError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.table)
            .limit(size)
            .set_exclusive_start_key(after.map(|key| HashMap::from([(KEY.to_owned(), s(key))])))
            .send()
            .await
            .map_err(StoreError::of("Scan"))?;
        let mut page = EntriesPage {
            next: answer
                .last_evaluated_key
                .and_then(|key| text_of(&key, KEY).map(str::to_owned)),
            ..EntriesPage::default()
        };
        for item in answer.items.into_iter().flatten() {
            match entry(&item) {
                Some(entry) => page.entries.push(entry),
                None => page.unreadable += 1,
            }
        }
        Ok(page)
    }
}

/// Reads an entry. That of a forgotten person has the pseudonym. Returns `None` if its key is no hash.
pub(super) fn entry(item: &Item) -> Option<SuppressionEntry> {
    Some(entry_of(item, address_of(item)?))
}

/// Reads the entry of an address. Its id is nil if it has none that can be read.
pub(super) fn entry_of(item: &Item, address: EmailAddress) -> SuppressionEntry {
    let recorded = |register: Register| {
        let details = item.get(register.as_str())?.as_m().ok()?;
        let text = |name| text_of(details, name).map(str::to_owned);
        let evidence = RegisterEvidence {
            address: text("address").unwrap_or_default(),
            subtype: text("subtype").unwrap_or_default(),
            diagnostic: text("diagnostic"),
            bounce_reason: text_of(details, "bounce_reason").and_then(BounceReason::parse),
            source: text("source").unwrap_or_default(),
        };
        Some((register, evidence))
    };
    SuppressionEntry {
        id: uuid_of(item, "id").unwrap_or_default(),
        address,
        registers: registers(item),
        soft_bounces: soft_bounces(item),
        evidence: Register::WITH_ONE_TIME.into_iter().filter_map(recorded).collect(),
    }
}
