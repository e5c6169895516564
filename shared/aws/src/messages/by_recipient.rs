//! The index `by-recipient`, which finds the messages to a person.
//!
//! An item is in an index once. A mail to one recipient is found by its own row; a mail to several has an item `to#<n>`
//! for each of them. An event about somebody to whom the mail was forwarded adds an item `to#forwarded#<hash>`, so that
//! [`Messages::forget_sent_to`](super::Messages::forget_sent_to) finds the event. The sort key of the index is the id
//! of the message, which sorts by time.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{NewMessage, key};
use crate::dynamodb::item::{Item, s, text_of, ttl};
use domain::address::EmailAddress;
use domain::hex::hex;
use domain::recipient::RecipientOutcome;

/// The attribute that the index is keyed by.
pub(super) const HASH: &str = "recipient_hash";
/// The beginning of the sort keys of the index entries of a mail to several recipients.
pub(super) const TO: &str = "to#";
/// The beginning of the sort keys of the entries for recipients of a forwarded mail.
const FORWARDED: &str = "to#forwarded#";

/// The entries of a message in the index; none if it has one recipient.
pub(super) fn rows(message: &NewMessage<'_>) -> Vec<Item> {
    if message.outcomes.len() == 1 {
        return Vec::new();
    }
    let row = |(index, outcome): (usize, &RecipientOutcome)| {
        let sk = format!("{TO}{index}");
        entry(message.id, sk, &hash(&outcome.address), message.expires_at)
    };
    message.outcomes.iter().enumerate().map(row).collect()
}

/// The entry of a message in the index for somebody, by the hash of the address, to whom the mail was forwarded.
pub(super) fn forwarded_row(id: Uuid, hash: &str, expires_at: Timestamp) -> Item {
    entry(id, format!("{FORWARDED}{hash}"), hash, expires_at)
}

fn entry(id: Uuid, sk: String, hash: &str, expires_at: Timestamp) -> Item {
    let mut entry = key(id.to_string(), sk);
    entry.insert("id".to_owned(), s(id.to_string()));
    entry.insert(HASH.to_owned(), s(hash));
    entry.insert("expires_at".to_owned(), ttl(expires_at));
    entry
}

/// Returns whether an item of the index says that the mail was forwarded to the person, and not sent.
pub(super) fn is_forwarded(item: &Item) -> bool {
    text_of(item, "sk").is_some_and(|sk| sk.starts_with(FORWARDED))
}

/// The hash of an address, by which its items are found. It keeps nothing secret: anybody who holds the table can try
/// addresses, and the rows themselves name them.
pub(super) fn hash(address: &EmailAddress) -> String {
    hash_of(address.normalised())
}

/// The hash of the address behind a pseudonym, which begins the hash in the pseudonym.
pub(super) fn hash_of_pseudonym(pseudonym: &EmailAddress) -> String {
    hex(&pseudonym.pseudonym_hash()[..16])
}

/// The hash of an address that is normalised.
pub(super) fn hash_of(normalised: &str) -> String {
    hex(&Sha256::digest(normalised)[..16])
}
