//! The suppression list: one item an address, keyed by the normalised address.
//!
//! | attribute | holds |
//! |---|---|
//! | `address` | the normalised address, or its pseudonym once it is forgotten (key) |
//! | `id` | a random id for the API, made with the first write (`UUIDv7`: it sorts by that time) |
//! | `shard` | spreads the `newest` index over partitions; it is a function of the address |
//! | `bounce_at`, `complaint_at`, `blocked_at`, `manual_at` | registers, in milliseconds since the epoch |
//! | `bounce_echo_at`, `complaint_echo_at` | registers of what the lists of the account held back |
//! | `bounce`, `complaint`, `blocked`, `bounce_echo`, … | the evidence of that register: address as given, subtype, diagnostic, source |
//! | `manual_expires_at`, `lifted_at` | times in milliseconds |
//! | `soft` | the newest soft bounces, a string set of `time#feedback id`, with `#our id` behind it if the message is ours |
//!
//! A register only ever moves forward, by the condition of its update. Where two events have the same time, the greater
//! source wins, so that the item ends the same in whichever order they come. Of the soft bounces, the newest
//! [`SOFT_BOUNCES_KEPT`] stay: the newest of the newest are the same in whichever order they come, too.

mod entries;
mod forget;
mod from_ses;
mod newest;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::item::{Item, s, text_of, time, time_of};
use super::store_error::unless_overtaken;
use super::{StoreError, batch};
use domain::address::EmailAddress;
use domain::suppression::{Register, Registers, SOFT_BOUNCES_KEPT, SuppressionReason};

pub use entries::EntriesPage;
pub use from_ses::{TAKEN_AT_ONCE, TakenFromSes};
pub use newest::{From as NewestFrom, NewestPage};

/// How many partitions the `newest` index is spread over.
const SHARDS: u8 = 8;
/// What a lookup reads.
const REGISTERS: [&str; 10] = [
    "address",
    "bounce_at",
    "complaint_at",
    "blocked_at",
    "bounce_echo_at",
    "complaint_echo_at",
    "manual_at",
    "manual_expires_at",
    "lifted_at",
    "soft",
];

/// Why a register was set.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// SES's words for what happened.
    pub subtype: &'a str,
    /// What the receiving server said.
    pub diagnostic: Option<&'a str>,
    /// Where it is known from: SES's feedback id, or who put it there.
    pub source: &'a str,
}

/// The table of suppressed addresses.
#[derive(Clone, Debug)]
pub struct Suppressions {
    client: Client,
    table: String,
}

impl Suppressions {
    /// Works on `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Reads the registers of addresses, consistently; an address that is not in the answer has none.
    ///
    /// # Errors
    /// [`StoreError`] unless *every* address was looked up: a list that was read in part is not a list.
    pub async fn lookup<'a>(
        &self,
        addresses: impl IntoIterator<Item = &'a EmailAddress>,
    ) -> Result<BTreeMap<String, Registers>, StoreError> {
        let addresses: Vec<_> = addresses.into_iter().collect();
        // Somebody may have been forgotten, and is on the list by a pseudonym: 50 recipients are the 100 keys of one batch. A key
        // that is asked for twice is a ValidationException.
        let pseudonyms: HashMap<&str, String> = addresses
            .iter()
            .map(|address| (address.normalised(), address.pseudonym().normalised().to_owned()))
            .collect();
        let keys: HashSet<&str> = pseudonyms
            .iter()
            .flat_map(|(address, pseudonym)| [*address, pseudonym])
            .collect();
        let keys: Vec<Item> = keys
            .into_iter()
            .map(|address| Item::from([("address".to_owned(), s(address))]))
            .collect();
        let mut found: BTreeMap<String, Registers> = BTreeMap::new();
        for keys in keys.chunks(batch::GET_MAX) {
            for item in batch::get(&self.client, &self.table, keys.to_vec(), &REGISTERS).await? {
                if let Some(address) = text_of(&item, "address") {
                    let registers = registers(&item).ok_or_else(|| StoreError::new("BatchGetItem", "NotARegister"))?;
                    found.insert(address.to_owned(), registers);
                }
            }
        }
        let registers_of = |(address, pseudonym): (&str, String)| {
            let registers = match (found.get(address).cloned(), found.get(&pseudonym).cloned()) {
                (Some(plain), Some(forgotten)) => plain.joined(forgotten),
                (plain, forgotten) => plain.or(forgotten)?,
            };
            Some((address.to_owned(), registers))
        };
        Ok(pseudonyms.into_iter().filter_map(registers_of).collect())
    }

    /// Sets a register of an address to `at`, unless it is later already, or adds a soft bounce to its set. May be repeated
    /// and reordered at will. Of the evidence of a soft bounce, its source alone is kept.
    ///
    /// `new_id` becomes the item's id if this is the first that is known of the address.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn record(
        &self,
        address: &EmailAddress,
        register: impl Into<Register>,
        at: Timestamp,
        evidence: Evidence<'_>,
        new_id: Uuid,
    ) -> Result<(), StoreError> {
        match register.into() {
            Register::Of(SuppressionReason::Soft) => self.add_soft(address, at, evidence.source, new_id).await,
            register => self.set_register(address, register, at, None, evidence, new_id).await,
        }
    }

    /// Takes an address off the list: what happened to it until `at` counts no longer. May be repeated and reordered at will.
    /// Answers whether anything is known of the address; if not, nothing is written.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn lift(&self, address: &EmailAddress, at: Timestamp) -> Result<bool, StoreError> {
        let plain = self.lift_row(address, at).await?;
        let forgotten = self.lift_row(&address.pseudonym(), at).await?;
        Ok(plain || forgotten)
    }

    async fn lift_row(&self, address: &EmailAddress, at: Timestamp) -> Result<bool, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("address", s(address.normalised()))
            .update_expression("SET #lifted_at = :at")
            .condition_expression(
                "attribute_exists(#address) AND (attribute_not_exists(#lifted_at) OR #lifted_at < :at)",
            )
            .expression_attribute_names("#address", "address")
            .expression_attribute_names("#lifted_at", "lifted_at")
            .expression_attribute_values(":at", time(at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match updated {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) => match error.err() {
                // Lifted later already, if it is there.
                UpdateItemError::ConditionalCheckFailedException(failed) => Ok(failed.item().is_some()),
                _ => Err(StoreError::of("UpdateItem")(SdkError::ServiceError(error))),
            },
            Err(error) => Err(StoreError::of("UpdateItem")(error)),
        }
    }

    /// Puts an address on the list by hand, until `expires_at` or for good. Of two entries by hand the later counts, with its
    /// end; of two at the same time and from the same source, the one that lasts longer.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn record_manual(
        &self,
        address: &EmailAddress,
        at: Timestamp,
        expires_at: Option<Timestamp>,
        evidence: Evidence<'_>,
        new_id: Uuid,
    ) -> Result<(), StoreError> {
        self.set_register(
            address,
            SuppressionReason::Manual.into(),
            at,
            expires_at,
            evidence,
            new_id,
        )
        .await
    }

    /// Sets when an address was taken off the list, unless it is later already; an address that is not on it gets an entry,
    /// for what is older may come later.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn record_lift(&self, address: &EmailAddress, at: Timestamp, new_id: Uuid) -> Result<(), StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("address", s(address.normalised()))
            .update_expression("SET #lifted_at = :at, #id = if_not_exists(#id, :id), #shard = :shard")
            .condition_expression("attribute_not_exists(#lifted_at) OR #lifted_at < :at")
            .expression_attribute_names("#lifted_at", "lifted_at")
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":at", time(at))
            .expression_attribute_values(":id", s(new_id.to_string()))
            .expression_attribute_values(":shard", s(shard(address)))
            .send()
            .await;
        unless_overtaken(updated)
    }

    async fn set_register(
        &self,
        address: &EmailAddress,
        register: Register,
        at: Timestamp,
        expires_at: Option<Timestamp>,
        evidence: Evidence<'_>,
        new_id: Uuid,
    ) -> Result<(), StoreError> {
        let name = register.as_str();
        // How an address was spelled that is forgotten is forgotten too.
        let spelling = if address.is_pseudonym() { "" } else { address.as_given() };
        let mut details = Item::from([
            ("address".to_owned(), s(spelling)),
            ("subtype".to_owned(), s(evidence.subtype)),
            ("source".to_owned(), s(evidence.source)),
        ]);
        if let Some(diagnostic) = evidence.diagnostic {
            details.insert("diagnostic".to_owned(), s(diagnostic));
        }
        // The end of an entry by hand moves with it: what is left of an earlier one would end a later one too soon.
        let (end, lasts_longer) = match (register, expires_at) {
            (Register::Of(SuppressionReason::Manual), Some(_)) => (
                ", #expires_at = :expires_at",
                " OR (#at = :at AND #evidence.#source = :source AND #expires_at < :expires_at)",
            ),
            (Register::Of(SuppressionReason::Manual), None) => (
                " REMOVE #expires_at",
                " OR (#at = :at AND #evidence.#source = :source AND attribute_exists(#expires_at))",
            ),
            _ => ("", ""),
        };
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("address", s(address.normalised()))
            .update_expression(format!(
                "SET #at = :at, #evidence = :evidence, #id = if_not_exists(#id, :id), #shard = :shard{end}"
            ))
            .condition_expression(format!(
                "attribute_not_exists(#at) OR #at < :at OR (#at = :at AND #evidence.#source < :source){lasts_longer}"
            ))
            .expression_attribute_names("#at", format!("{name}_at"))
            .expression_attribute_names("#evidence", name)
            .expression_attribute_names("#source", "source")
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":at", time(at))
            .expression_attribute_values(":evidence", AttributeValue::M(details))
            .expression_attribute_values(":source", s(evidence.source))
            .expression_attribute_values(":id", s(new_id.to_string()))
            .expression_attribute_values(":shard", s(shard(address)));
        if register == SuppressionReason::Manual.into() {
            update = update.expression_attribute_names("#expires_at", "manual_expires_at");
        }
        if let Some(expires_at) = expires_at {
            update = update.expression_attribute_values(":expires_at", time(expires_at));
        }
        unless_overtaken(update.send().await)
    }

    /// Adds a soft bounce, and takes those away that are no longer among the newest. What is taken away can never be among
    /// them again, so this commutes with other writers; if it fails, the next soft bounce makes up for it.
    async fn add_soft(
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
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_names("#soft", "soft")
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
            .expression_attribute_names("#soft", "soft")
            .expression_attribute_values(":beyond", AttributeValue::Ss(beyond))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::of(OPERATION))
    }
}

/// The soft bounces of an item as they stand there, with their time and feedback id; what is none is left out.
fn soft_bounces(item: &Item) -> Vec<(Timestamp, &str, &String)> {
    let entries = item.get("soft").and_then(|value| value.as_ss().ok());
    let read = |entry| {
        let (at, feedback_id) = String::as_str(entry).split_once('#')?;
        let at = Timestamp::from_millisecond(at.parse().ok()?).ok()?;
        Some((at, feedback_id, entry))
    };
    entries.into_iter().flatten().filter_map(read).collect()
}

/// The soft bounces of an item that are too many, as they stand there.
fn beyond_the_newest(item: &Item) -> Vec<String> {
    let mut bounces = soft_bounces(item);
    bounces.sort_unstable_by_key(|bounce| Reverse(*bounce));
    let beyond = bounces.into_iter().skip(SOFT_BOUNCES_KEPT);
    beyond.map(|(_, _, entry)| entry.clone()).collect()
}

/// The soft bounces of an item, with their feedback ids.
fn soft_bounces_of(item: &Item) -> Vec<(Timestamp, String)> {
    let bounces = soft_bounces(item).into_iter();
    bounces
        .map(|(at, feedback_id, _)| (at, feedback_id.to_owned()))
        .collect()
}

/// When an address bounced softly, oldest first, by feedback id. A feedback counts once, even if SES gave no time and each of its copies
/// therefore has another.
fn soft_times(item: &Item) -> Vec<(&str, Timestamp)> {
    let mut first: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for (at, feedback_id, _) in soft_bounces(item) {
        let earliest = first.entry(feedback_id).or_insert(at);
        *earliest = at.min(*earliest);
    }
    let mut times: Vec<_> = first.into_iter().collect();
    times.sort_unstable_by_key(|(_, at)| *at);
    times
}

/// The partition of the `newest` index that an address is in.
fn shard(address: &EmailAddress) -> String {
    let hash = Sha256::digest(address.normalised().as_bytes());
    format!("newest#{}", hash[0] % SHARDS)
}

/// Reads the registers of an item. One that is there and cannot be read is no register that is not there: whoever wrote it
/// meant to suppress the address.
fn registers(item: &Item) -> Option<Registers> {
    let register = |name| match item.get(name) {
        None => Some(None),
        Some(_) => time_of(item, name).map(Some),
    };
    let soft = soft_times(item);
    Some(Registers {
        bounce_at: register("bounce_at")?,
        complaint_at: register("complaint_at")?,
        blocked_at: register("blocked_at")?,
        bounce_echo_at: register("bounce_echo_at")?,
        complaint_echo_at: register("complaint_echo_at")?,
        soft: soft.iter().map(|(_, at)| *at).collect(),
        soft_of: soft
            .iter()
            .filter_map(|(feedback_id, at)| Some((feedback_id.rsplit_once('#')?.1.parse().ok()?, *at)))
            .collect(),
        manual_at: register("manual_at")?,
        manual_expires_at: register("manual_expires_at")?,
        lifted_at: register("lifted_at")?,
    })
}
