//! Taking an address out of the records of messages.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;

use uuid::Uuid;

use super::events::{DELIVERY, ENGAGED, EVENT, untagged};
use super::forget_waiting::{ForgottenWaiting, LeftBecause, WaitingMails, queued_id};
use super::partition::row_key;
use super::{Messages, by_recipient, key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, names, s, text_of};
use crate::newest_from::NewestFrom;
use domain::address::{EmailAddress, FORGOTTEN, Mailbox};

/// How often a row is read again that changed while it was being rewritten.
const ROUNDS_MAX: u32 = 5;
/// The attributes of the items of a message that name people.
const NAMING: [&str; 8] = [
    "from",
    "to",
    "cc",
    "bcc",
    "reply_to",
    "recipients",
    "diagnostic",
    "link",
];

/// How many messages are handled between two positions.
const MESSAGES_AT_ONCE: usize = 25;

/// A page of messages out of which an address was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// How many items were read. Claims of idempotency keys and entries of indexes are among them.
    pub read: u64,
    /// How many messages named the address, in their row or in an event.
    pub rewritten: u64,
    /// How many mails that wait have a new content without the address. They are among `rewritten`.
    pub contents: u64,
    /// How many mails that waited were cancelled, because nobody was left to send them to. They are among `rewritten`.
    pub canceled: u64,
    /// The mails of the queue that still name the address. Nothing of them was changed.
    pub left: Vec<(Uuid, LeftBecause)>,
    /// The position after which to go on; `None` if this page is the last.
    pub next: Option<String>,
}

impl Messages {
    /// Takes `address` out of a page of the messages that were sent or forwarded to it, the newest or those older than
    /// `after`: their rows have [`FORGOTTEN`] in its place afterwards, and events about it and its entries of the index
    /// are deleted. May be repeated.
    ///
    /// The messages are found by the index `by-recipient`, which leaves out mails of the last moments, and items that
    /// name the address otherwise: as a sender, in a server's answer about another recipient, in an event whose mail is
    /// not on record, in an event without our tag about a mail that was forwarded. [`forget`](Self::forget) finds those
    /// as well.
    ///
    /// The contents of the messages that wait forget the address first.
    ///
    /// # Errors
    /// [`StoreError`] if an item of the page may still name the address, or `after` is no position.
    pub async fn forget_sent_to(
        &self,
        address: &EmailAddress,
        after: Option<&str>,
        waiting: Option<&WaitingMails<'_>>,
    ) -> Result<Forgotten, StoreError> {
        let after = after.map(str::parse).transpose();
        let after = after.map_err(|_| StoreError::new("Query", "NotAPosition"))?;
        let from = after.map_or(NewestFrom::Newest, NewestFrom::After);
        let found = self.naming(address, from, MESSAGES_AT_ONCE).await?;
        let mut page = Forgotten {
            next: found.ids.last().filter(|_| found.has_more).map(Uuid::to_string),
            ..Forgotten::default()
        };
        for id in found.ids {
            if !self.forget_content(id, address, waiting, &mut page).await? {
                continue;
            }
            let mut named = false;
            for item in self.items_of(id).await? {
                page.read += 1;
                named |= self.forget_in(item, address).await?;
            }
            page.rewritten += u64::from(named);
        }
        Ok(page)
    }

    /// Takes the address out of the content of a message, if it waits. Returns whether its items may forget the address
    /// too: those of a message that is left find it again.
    async fn forget_content(
        &self,
        id: Uuid,
        address: &EmailAddress,
        waiting: Option<&WaitingMails<'_>>,
        page: &mut Forgotten,
    ) -> Result<bool, StoreError> {
        let Some(waiting) = waiting else { return Ok(true) };
        match self.forget_waiting(id, address, waiting).await? {
            ForgottenWaiting::Unnamed => {}
            ForgottenWaiting::Canceled => page.canceled += 1,
            ForgottenWaiting::Rewritten => page.contents += 1,
            ForgottenWaiting::Left(because) => {
                page.left.push((id, because));
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads all items of a message, consistently. Those by which the index finds it come last: if forgetting stops
    /// before them, the message is found again.
    async fn items_of(&self, id: Uuid) -> Result<Vec<Item>, StoreError> {
        let mut items = self.partition(&id.to_string()).await?;
        let row = self.item(row_key(id)).await?;
        if let Some(ses_id) = row.as_ref().and_then(|row| text_of(row, "ses_id")) {
            items.extend(self.partition(&untagged(ses_id)).await?);
        }
        items.sort_by_key(|item| text_of(item, "sk").is_some_and(|sk| sk.starts_with(by_recipient::TO)));
        items.extend(row);
        Ok(items)
    }

    async fn item(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let read = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let read = read.consistent_read(true).send().await;
        Ok(read.map_err(StoreError::of("GetItem"))?.item)
    }

    async fn partition(&self, pk: &str) -> Result<Vec<Item>, StoreError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let pages = query
            .key_condition_expression("#pk = :pk")
            .set_expression_attribute_names(names(["pk"]))
            .expression_attribute_values(":pk", s(pk))
            .into_paginator()
            .items()
            .send();
        pages
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(StoreError::of("Query"))
    }

    /// Reads a page of the table, the first or that which follows `after`, and takes `address` out of it, in any
    /// spelling and with any name beside it. The row of a message has [`FORGOTTEN`] in its place afterwards. Events
    /// about the address and its entries of the index are deleted. May be repeated.
    ///
    /// The whole table is read, which finds every item that names the address. An event that comes later names it
    /// again. The contents of the messages that wait forget the address before their rows do.
    ///
    /// # Errors
    /// [`StoreError`] if an item of the page may still name the address.
    pub async fn forget(
        &self,
        address: &EmailAddress,
        after: Option<&str>,
        waiting: Option<&WaitingMails<'_>>,
    ) -> Result<Forgotten, StoreError> {
        const OPERATION: &str = "Scan";
        let start = match after {
            Some(after) => Some(position(after).ok_or_else(|| StoreError::new(OPERATION, "NotAPosition"))?),
            None => None,
        };
        let answer = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        let mut page = Forgotten {
            next: answer.last_evaluated_key.as_ref().and_then(text_of_position),
            ..Forgotten::default()
        };
        let mut messages = BTreeSet::new();
        for item in answer.items.into_iter().flatten() {
            page.read += 1;
            if let Some(id) = queued_id(&item).filter(|_| !changes(&item, address).is_empty())
                && !self.forget_content(id, address, waiting, &mut page).await?
            {
                continue;
            }
            // A row and an entry of the index have the id of the message, and an event is in its partition.
            let message = text_of(&item, "id").or(text_of(&item, "pk")).map(str::to_owned);
            if self.forget_in(item, address).await? {
                messages.extend(message);
            }
        }
        page.rewritten = messages.len() as u64;
        Ok(page)
    }

    /// Takes the address out of an item. Returns whether it named the address.
    async fn forget_in(&self, item: Item, address: &EmailAddress) -> Result<bool, StoreError> {
        if is_about(&item, address) {
            return self.delete(&item).await.map(|()| true);
        }
        self.rewrite(item, address).await
    }

    async fn delete(&self, item: &Item) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let deleted = delete.set_key(key_of(item)).send().await;
        deleted.map(drop).map_err(StoreError::of("DeleteItem"))
    }

    async fn rewrite(&self, mut item: Item, address: &EmailAddress) -> Result<bool, StoreError> {
        for _ in 0..ROUNDS_MAX {
            let changes = changes(&item, address);
            let Some(key) = key_of(&item).filter(|_| !changes.is_empty()) else {
                return Ok(false);
            };
            let update = self.client.update_item().table_name(&self.table);
            let mut update = update.set_key(Some(key.clone()));
            let (mut sets, mut conditions) = (Vec::new(), Vec::new());
            for (index, (name, new)) in changes.into_iter().enumerate() {
                sets.push(format!("#a{index} = :new{index}"));
                conditions.push(format!("#a{index} = :old{index}"));
                update = update
                    .expression_attribute_values(format!(":old{index}"), item[&name].clone())
                    .expression_attribute_names(format!("#a{index}"), name)
                    .expression_attribute_values(format!(":new{index}"), new);
            }
            let updated = update
                .update_expression(format!("SET {}", sets.join(", ")))
                .condition_expression(conditions.join(" AND "))
                .send()
                .await;
            if let Written::Done(_) = written(updated)? {
                return Ok(true);
            }
            // The item was written to, or it is gone.
            match self.item(key).await? {
                Some(current) => item = current,
                None => return Ok(true),
            }
        }
        Err(StoreError::new("UpdateItem", "ChangedMeanwhile"))
    }
}

/// The key of an item, or of the position of a scan.
fn key_of(item: &Item) -> Option<Item> {
    Some(key(text_of(item, "pk")?, text_of(item, "sk")?))
}

/// The position of a scan as one text. No `pk` has a space.
fn text_of_position(key: &Item) -> Option<String> {
    Some(format!("{} {}", text_of(key, "pk")?, text_of(key, "sk")?))
}

/// Reads the position of a scan.
fn position(text: &str) -> Option<Item> {
    let (pk, sk) = text.split_once(' ')?;
    Some(key(pk, sk))
}

/// Returns whether an item is about the address alone: an event, a delivery or an entry of the index.
fn is_about(item: &Item, address: &EmailAddress) -> bool {
    let hash = by_recipient::hash(address);
    text_of(item, "sk").is_some_and(|sk| {
        let is_event = [EVENT, DELIVERY, ENGAGED].iter().any(|prefix| sk.starts_with(prefix));
        let is_entry = sk.starts_with(by_recipient::TO) && text_of(item, by_recipient::HASH) == Some(&hash);
        is_entry || is_event && sk.rsplit('#').next() == Some(&hash)
    })
}

/// The attributes of an item that name the address, as they are to be.
fn changes(item: &Item, address: &EmailAddress) -> Vec<(String, AttributeValue)> {
    let changed = |name: &str, value| {
        if is_hash(name, value, address) {
            return Some(s(FORGOTTEN));
        }
        without(value, address).filter(|_| NAMING.contains(&name))
    };
    item.iter()
        .filter_map(|(name, value)| Some((name.clone(), changed(name, value)?)))
        .collect()
}

/// Returns whether an attribute holds the hash of the address.
fn is_hash(name: &str, value: &AttributeValue, address: &EmailAddress) -> bool {
    name == by_recipient::HASH && value.as_s().is_ok_and(|hash| *hash == by_recipient::hash(address))
}

/// Returns a value without the address, or `None` if the value does not name it.
fn without(value: &AttributeValue, address: &EmailAddress) -> Option<AttributeValue> {
    match value {
        AttributeValue::S(text) => {
            let names_it = match Mailbox::parse(text) {
                Ok(mailbox) => mailbox.address() == address,
                // The text of a receiving server.
                Err(_) => text.to_lowercase().contains(address.normalised()),
            };
            names_it.then(|| s(FORGOTTEN))
        }
        AttributeValue::L(values) => {
            let replaced: Vec<_> = values.iter().map(|value| without(value, address)).collect();
            replaced.iter().any(Option::is_some).then(|| {
                let values = replaced.into_iter().zip(values);
                AttributeValue::L(values.map(|(new, old)| new.unwrap_or_else(|| old.clone())).collect())
            })
        }
        AttributeValue::M(map) => {
            let replaced = map
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), without(value, address)?)));
            let mut new = map.clone();
            new.extend(replaced);
            (new != *map).then_some(AttributeValue::M(new))
        }
        _ => None,
    }
}
