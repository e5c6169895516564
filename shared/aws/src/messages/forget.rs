//! Taking somebody's address out of the records of messages.

use aws_sdk_dynamodb::types::AttributeValue;

use super::row::EVENT;
use super::{Messages, by_recipient};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, s, text_of};
use domain::address::{EmailAddress, FORGOTTEN, Mailbox};

/// How often a row is read again that changed while it was being rewritten.
const ROUNDS_MAX: u32 = 5;
/// The attributes of a row that name people.
const NAMING: [&str; 6] = ["from", "to", "cc", "bcc", "reply_to", "recipients"];

/// A page of messages out of which an address was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// How many items were read; claims of idempotency keys among them, which hold no addresses, and rows of indexes.
    pub read: u64,
    /// How many messages named the address.
    pub rewritten: u64,
    /// What to go on after; nothing if this page is the last.
    pub next: Option<String>,
}

impl Messages {
    /// Reads a page of the table, the first or that which follows `after`, and puts [`FORGOTTEN`] wherever a row names `address`,
    /// in any spelling and with any name beside it. May be repeated.
    ///
    /// Nothing finds the rows by address, so all of the table is read.
    ///
    /// # Errors
    /// [`StoreError`] if a row of the page may still name it.
    pub async fn forget(&self, address: &EmailAddress, after: Option<&str>) -> Result<Forgotten, StoreError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|id| Item::from([("id".to_owned(), s(id))])))
            .send()
            .await
            .map_err(StoreError::of("Scan"))?;
        let mut page = Forgotten {
            next: answer
                .last_evaluated_key
                .and_then(|key| text_of(&key, "id").map(str::to_owned)),
            ..Forgotten::default()
        };
        for item in answer.items.into_iter().flatten() {
            page.read += 1;
            // The rows by which a message is found are no messages.
            let is_message = !text_of(&item, "id").is_some_and(by_recipient::is_row);
            if self.forget_in(item, address).await? && is_message {
                page.rewritten += 1;
            }
        }
        Ok(page)
    }

    /// Rewrites a row, and tells whether it named the address.
    async fn forget_in(&self, mut row: Item, address: &EmailAddress) -> Result<bool, StoreError> {
        const OPERATION: &str = "UpdateItem";
        for _ in 0..ROUNDS_MAX {
            let changes = changes(&row, address);
            let Some(id) = row.get("id").filter(|_| !changes.is_empty()).cloned() else {
                return Ok(false);
            };
            let mut update = self.client.update_item().table_name(&self.table).key("id", id.clone());
            let (mut sets, mut conditions) = (Vec::new(), Vec::new());
            for (index, (name, new)) in changes.into_iter().enumerate() {
                sets.push(format!("#a{index} = :new{index}"));
                conditions.push(format!("#a{index} = :old{index}"));
                update = update
                    .expression_attribute_values(format!(":old{index}"), row[&name].clone())
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
            // It was written to, or is gone.
            let read = self.client.get_item().table_name(&self.table).key("id", id);
            let read = read.consistent_read(true).send().await;
            match read.map_err(StoreError::of("GetItem"))?.item {
                Some(item) => row = item,
                None => return Ok(true),
            }
        }
        Err(StoreError::new(OPERATION, "ChangedMeanwhile"))
    }
}

/// The attributes of a row that name the address, as they are to be.
fn changes(row: &Item, address: &EmailAddress) -> Vec<(String, AttributeValue)> {
    let names_people = |name: &str| NAMING.contains(&name) || name.starts_with(EVENT);
    let changed = |name: &str, value| {
        if is_hash(name, value, address) {
            return Some(s(FORGOTTEN));
        }
        without(value, address).filter(|_| names_people(name))
    };
    row.iter()
        .filter_map(|(name, value)| Some((name.clone(), changed(name, value)?)))
        .collect()
}

/// The hash of the address, by which its messages are found.
fn is_hash(name: &str, value: &AttributeValue, address: &EmailAddress) -> bool {
    name == by_recipient::HASH && value.as_s().is_ok_and(|hash| *hash == by_recipient::hash(address))
}

/// A value without the address; nothing if it does not name it.
fn without(value: &AttributeValue, address: &EmailAddress) -> Option<AttributeValue> {
    match value {
        AttributeValue::S(text) => {
            let names_it = match Mailbox::parse(text) {
                Ok(mailbox) => mailbox.address() == address,
                // What a server said.
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
            let mut new = map.clone();
            // What servers said is kept by address.
            new.remove(address.normalised());
            let replaced: Vec<_> = new
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), without(value, address)?)))
                .collect();
            new.extend(replaced);
            (new != *map).then_some(AttributeValue::M(new))
        }
        _ => None,
    }
}
