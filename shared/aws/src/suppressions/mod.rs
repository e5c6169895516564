//! The suppression list: one item for each address, keyed by a hash of the normalised address.
//!
//! | attribute | holds |
//! |---|---|
//! | `address_hash` | the SHA-256 of the normalised address, as its pseudonym has it (key) |
//! | `address` | the normalised address, until the person is forgotten |
//! | `id` | a random id for the API, made with the first write (`UUIDv7`: it sorts by that time) |
//! | `shard` | the partition of the index `newest`, a function of the key |
//! | `bounce_at`, `complaint_at`, `blocked_at`, `manual_at` | registers, in milliseconds since the epoch |
//! | `bounce_echo_at`, `complaint_echo_at` | registers of mails that the account's own lists held back |
//! | `bounce`, `complaint`, `blocked`, `bounce_echo`, … | its [`Evidence`], and the address as given |
//! | `bounce_since`, … | the first event of a register that suppresses for good, since the last lift: `time#source` |
//! | `manual_expires_at`, `lifted_at` | times in milliseconds |
//! | `blocked_on` | the first block of each of the newest days with one: a number set of milliseconds |
//! | `soft` | the newest soft bounces: a string set of `time#feedback id`, `#our id` if the mail is ours, `#reason` |
//! | `topics` | the choices about topics: a string set of `topic#unsubscribed#time#source`, or `#resubscribed#` |
//! | `unreadable` | is there if a part of the entry that could not be read was removed when the person was forgotten |
//!
//! The condition of its update lets a register only move forward. Where two events have the same time, the greater
//! source wins, so the item ends the same in whichever order events come. Of the soft bounces the newest
//! [`SOFT_BOUNCES_KEPT`](domain::suppression::SOFT_BOUNCES_KEPT) stay. The newest of the newest do not depend on the
//! order either.

mod blocks;
mod entries;
mod forget;
mod from_ses;
mod key;
mod log;
mod newest;
mod newly;
mod soft;
mod topics;
mod unreadable;

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use uuid::Uuid;

use self::key::{ADDRESS, KEY, key_of, shard, stored};
use self::log::log_unreadable;
use self::newly::{since_name, since_text};
use self::soft::soft_times;
use self::topics::TOPICS;
use self::unreadable::{UNREADABLE, unreadable};
use crate::StoreError;
use crate::dynamodb::batch;
use crate::dynamodb::condition::{Written, unless_overtaken, written};
use crate::dynamodb::item::{Item, names, s, text_of, time, time_of};
use domain::address::EmailAddress;
use domain::bounce::BounceReason;
use domain::suppression::{Register, Registers, SuppressionReason};

pub use entries::EntriesPage;
pub use from_ses::{AddedFromSes, TAKEN_AT_ONCE, TakenFromSes};
pub use newest::{LOOKED_AT_MAX, NewestPage};
pub use newly::Recorded;
pub use topics::ChoiceRecorded;

/// How many partitions the index `newest` is spread over.
const SHARDS: u8 = 8;
/// The attributes that decide whether an address is suppressed.
const REGISTERS: [&str; 12] = [
    "bounce_at",
    "complaint_at",
    "blocked_at",
    "bounce_echo_at",
    "complaint_echo_at",
    "manual_at",
    "manual_expires_at",
    "lifted_at",
    "blocked_on",
    "soft",
    TOPICS,
    UNREADABLE,
];

/// The part of an update that ends what the first events of the registers began.
const REMOVE_SINCE: &str = " REMOVE bounce_since, complaint_since, bounce_echo_since, complaint_echo_since";

/// Why a register was set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// SES's words for what happened.
    pub subtype: &'a str,
    /// The words of the receiving server.
    pub diagnostic: Option<&'a str>,
    /// Why the mail bounced, where an event of SES says so.
    pub bounce_reason: Option<BounceReason>,
    /// The source: SES's feedback id, `#` and the id of the mail, ours or else SES's; or the person or program that
    /// added the entry.
    pub source: &'a str,
}

/// The table of suppressed addresses.
#[derive(Clone, Debug)]
pub struct Suppressions {
    client: Client,
    table: String,
}

impl Suppressions {
    /// The environment variable of a function that holds the name of the table.
    pub const TABLE_VARIABLE: &str = "SUPPRESSIONS_TABLE";

    /// Works on `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Reads the registers of addresses, consistently. An address that is not in the answer has none.
    ///
    /// # Errors
    /// [`StoreError`] unless *every* address was looked up. Part of a list would not protect the others.
    pub async fn lookup<'a>(
        &self,
        addresses: impl IntoIterator<Item = &'a EmailAddress>,
    ) -> Result<BTreeMap<String, Registers>, StoreError> {
        let asked: BTreeMap<&str, String> = addresses
            .into_iter()
            .map(|address| (address.normalised(), key_of(address)))
            .collect();
        // A key that is asked for twice is a ValidationException, and an address shares its key with its pseudonym.
        let keys: HashSet<&String> = asked.values().collect();
        let keys: Vec<Item> = keys
            .into_iter()
            .map(|key| Item::from([(KEY.to_owned(), s(key))]))
            .collect();
        let mut found: HashMap<String, Registers> = HashMap::new();
        for keys in keys.chunks(batch::GET_MAX) {
            // Whole items: a read costs the same, and most addresses have none.
            for item in batch::get(&self.client, &self.table, keys.to_vec(), &[]).await? {
                if let Some(key) = text_of(&item, KEY) {
                    let registers = registers(&item);
                    if registers.unreadable {
                        log_unreadable(key);
                    }
                    found.insert(key.to_owned(), registers);
                }
            }
        }
        let registers_of = |(address, key): (&str, String)| Some((address.to_owned(), found.get(&key)?.clone()));
        Ok(asked.into_iter().filter_map(registers_of).collect())
    }

    /// Sets a register of an address to `at`, unless it is later already, or adds a soft bounce to its set. May be
    /// repeated and reordered at will. Of the evidence of a soft bounce, the source and the reason are
    /// kept.
    ///
    /// `new_id` becomes the id of the item if the address has none yet. Returns whether this event suppressed the
    /// address.
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
    ) -> Result<Recorded, StoreError> {
        let register = register.into();
        match register {
            Register::Of(SuppressionReason::Soft) => self.add_soft(address, at, evidence, new_id).await?,
            Register::Of(SuppressionReason::Blocked) => self.add_block(address, at, evidence, new_id).await?,
            register => {
                let updated = self
                    .register_update(address, register, at, None, evidence, new_id)
                    .return_values(ReturnValue::AllNew)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .send()
                    .await;
                let item = match written(updated)? {
                    Written::Done(done) => done.attributes,
                    Written::Failed(item) => item,
                };
                if let Some(item) = item {
                    let item = self.begin_anew(address, item, register, at, evidence.source).await?;
                    return Ok(Recorded::of(&item, register, at, evidence.source));
                }
            }
        }
        Ok(Recorded::NothingNew)
    }

    /// Lifts the suppression of an address: events until `at` count no longer, and what cannot be read of its entry is
    /// removed. May be repeated and reordered at will. Returns whether anything is known of the address. If not,
    /// nothing is written.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn lift(&self, address: &EmailAddress, at: Timestamp) -> Result<bool, StoreError> {
        let updated = self
            .update_of(address)
            .update_expression(format!("SET #lifted_at = :at{REMOVE_SINCE}"))
            .condition_expression(
                "attribute_exists(#address_hash) AND (attribute_not_exists(#lifted_at) OR #lifted_at < :at)",
            )
            .set_expression_attribute_names(names([KEY, "lifted_at"]))
            .expression_attribute_values(":at", time(at))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let entry = match written(updated)? {
            Written::Done(done) => done.attributes,
            // If the entry is there, a later lift is recorded in it already, or one that cannot be read.
            Written::Failed(entry) => entry,
        };
        let Some(entry) = entry else { return Ok(false) };
        if !unreadable(&entry).is_empty() {
            self.remove_unreadable(address, entry, at).await?;
        }
        Ok(true)
    }

    /// Suppresses an address by hand, until `expires_at` or for good. Of two manual entries the later one counts, with
    /// its end. Of two at the same time and from the same source, the one that lasts longer counts.
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
        let register = SuppressionReason::Manual.into();
        let update = self.register_update(address, register, at, expires_at, evidence, new_id);
        unless_overtaken(update.send().await)
    }

    /// Sets the time at which an address was lifted, unless it is later already. An address that is not on the list
    /// gets an entry, because an older event may still come.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn record_lift(&self, address: &EmailAddress, at: Timestamp, new_id: Uuid) -> Result<(), StoreError> {
        let updated = self
            .entry_update(address, new_id, &format!(", #lifted_at = :at{REMOVE_SINCE}"))
            .condition_expression("attribute_not_exists(#lifted_at) OR #lifted_at < :at")
            .expression_attribute_names("#lifted_at", "lifted_at")
            .expression_attribute_values(":at", time(at))
            .send()
            .await;
        unless_overtaken(updated)
    }

    /// Removes values from a set of an entry. Values that are not there make no difference.
    async fn remove_from_set(
        &self,
        address: &EmailAddress,
        set: &str,
        values: AttributeValue,
    ) -> Result<(), StoreError> {
        self.update_of(address)
            .update_expression("DELETE #set :values")
            .expression_attribute_names("#set", set)
            .expression_attribute_values(":values", values)
            .send()
            .await
            .map(drop)
            .map_err(StoreError::of("UpdateItem"))
    }

    /// Makes an update that writes the entry of an address, which may be new. `rest` continues its `SET`. What is
    /// recorded about a forgotten address names it again.
    fn entry_update(&self, address: &EmailAddress, new_id: Uuid, rest: &str) -> UpdateItemFluentBuilder {
        let address_if_any = stored(address);
        let named = address_if_any.map_or("", |_| ", #address = :address");
        let update = self
            .update_of(address)
            .update_expression(format!(
                "SET #id = if_not_exists(#id, :id), #shard = :shard{named}{rest}"
            ))
            .set_expression_attribute_names(names(["id", "shard"]))
            .expression_attribute_values(":id", s(new_id.to_string()))
            .expression_attribute_values(":shard", s(shard(address)));
        match address_if_any {
            Some(address) => update
                .expression_attribute_names("#address", ADDRESS)
                .expression_attribute_values(":address", s(address)),
            None => update,
        }
    }

    /// Begins an update of the entry of an address.
    fn update_of(&self, address: &EmailAddress) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table);
        update.key(KEY, s(key_of(address)))
    }

    /// Makes the update that sets a register, unless it is later already.
    fn register_update(
        &self,
        address: &EmailAddress,
        register: Register,
        at: Timestamp,
        expires_at: Option<Timestamp>,
        evidence: Evidence<'_>,
        new_id: Uuid,
    ) -> UpdateItemFluentBuilder {
        let name = register.as_str();
        // The spelling of a forgotten address is forgotten too.
        let spelling = if address.is_pseudonym() { "" } else { address.as_given() };
        let mut details = Item::from([
            ("address".to_owned(), s(spelling)),
            ("subtype".to_owned(), s(evidence.subtype)),
            ("source".to_owned(), s(evidence.source)),
        ]);
        if let Some(diagnostic) = evidence.diagnostic {
            details.insert("diagnostic".to_owned(), s(diagnostic));
        }
        if let Some(reason) = evidence.bounce_reason {
            details.insert("bounce_reason".to_owned(), s(reason.as_str()));
        }
        // The end of a manual entry moves with it: the end of an earlier entry would end a later one too soon.
        let (end, lasts_longer) = match (register, expires_at) {
            (Register::Of(SuppressionReason::Manual), Some(_)) => (
                ", #expires_at = :expires_at",
                " OR (#at = :at AND #evidence.#source = :source AND #expires_at < :expires_at)",
            ),
            (Register::Of(SuppressionReason::Manual), None) => (
                " REMOVE #expires_at",
                " OR (#at = :at AND #evidence.#source = :source AND attribute_exists(#expires_at))",
            ),
            (Register::Of(SuppressionReason::Blocked), _) => (" ADD #blocked_on :block", ""),
            _ => ("", ""),
        };
        let days = if register == SuppressionReason::Blocked.into() {
            " AND (attribute_not_exists(#blocked_on) OR attribute_type(#blocked_on, :number_set))"
        } else {
            ""
        };
        let since = since_name(register);
        let first = match since {
            Some(_) => ", #since = if_not_exists(#since, :since)",
            None => "",
        };
        let mut update = self
            .entry_update(address, new_id, &format!(", #at = :at, #evidence = :evidence{first}{end}"))
            .condition_expression(format!(
                "(attribute_not_exists(#at) OR #at < :at OR (#at = :at AND #evidence.#source < :source){lasts_longer}){days}"
            ))
            .expression_attribute_names("#source", "source")
            .expression_attribute_names("#at", format!("{name}_at"))
            .expression_attribute_names("#evidence", name)
            .expression_attribute_values(":at", time(at))
            .expression_attribute_values(":evidence", AttributeValue::M(details))
            .expression_attribute_values(":source", s(evidence.source));
        if register == SuppressionReason::Manual.into() {
            update = update.expression_attribute_names("#expires_at", "manual_expires_at");
        }
        if let Some(since) = since {
            update = update
                .expression_attribute_names("#since", since)
                .expression_attribute_values(":since", s(since_text(at, evidence.source)));
        }
        if let Some(expires_at) = expires_at {
            update = update.expression_attribute_values(":expires_at", time(expires_at));
        }
        update
    }
}

/// Reads the registers of an item. A register that is there and cannot be read makes them unreadable: its writer meant
/// to suppress the address. So does an item without any.
fn registers(item: &Item) -> Registers {
    let register = |name| time_of(item, name);
    let soft = soft_times(item);
    Registers {
        bounce_at: register("bounce_at"),
        complaint_at: register("complaint_at"),
        blocked_at: register("blocked_at"),
        blocked_on: blocks::days_of(item),
        bounce_echo_at: register("bounce_echo_at"),
        complaint_echo_at: register("complaint_echo_at"),
        soft: soft.iter().map(|(at, _)| *at).collect(),
        soft_of: soft
            .iter()
            .filter_map(|(at, message)| Some(((*message)?, *at)))
            .collect(),
        manual_at: register("manual_at"),
        manual_expires_at: register("manual_expires_at"),
        lifted_at: register("lifted_at"),
        topics: topics::choices(item),
        unreadable: !unreadable(item).is_empty(),
    }
}
