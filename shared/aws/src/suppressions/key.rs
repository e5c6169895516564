//! The key of an entry: a hash of its address, so that the address itself can be forgotten.

use super::SHARDS;
use crate::dynamodb::item::{Item, text_of};
use domain::address::EmailAddress;
use domain::hex::{hex, unhex};

/// The key of the table: the SHA-256 of the normalised address as hexadecimal text, as the pseudonym has it.
pub(super) const KEY: &str = "address_hash";
/// The attribute with the normalised address. A forgotten person's entry has none.
pub(super) const ADDRESS: &str = "address";

/// Returns the key of the entry of an address, which is also that of its pseudonym.
pub(super) fn key_of(address: &EmailAddress) -> String {
    hex(&address.pseudonym_hash())
}

/// Returns the partition of the index `newest` that the entry of an address is in.
pub(super) fn shard(address: &EmailAddress) -> String {
    format!("newest#{}", address.pseudonym_hash()[0] % SHARDS)
}

/// Returns the address to store beside the key. A pseudonym has none: its hash is the key.
pub(super) fn stored(address: &EmailAddress) -> Option<&str> {
    let pseudonym = EmailAddress::of_pseudonym_hash(address.pseudonym_hash());
    (*address != pseudonym).then(|| address.normalised())
}

/// Returns the address of an entry: the stored one, or the pseudonym if there is none that has this key. Returns `None`
/// if the key is no hash.
pub(super) fn address_of(item: &Item) -> Option<EmailAddress> {
    let key = text_of(item, KEY)?;
    let pseudonym = EmailAddress::of_pseudonym_hash(unhex(key)?);
    let stored = text_of(item, ADDRESS).and_then(|address| EmailAddress::parse(address).ok());
    Some(stored.filter(|address| key_of(address) == key).unwrap_or(pseudonym))
}
