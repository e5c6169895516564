//! The id of an event: `msg_` and 26 characters, as a receiver finds it in the header `webhook-id`.
//!
//! It is computed from the event, so every copy of an event has the same id: one that SNS delivers twice, one that is
//! emitted again after a crash, and every retry. Receivers recognise copies by it. It begins with the time of the
//! event, so ids sort by age. The form is that of a ULID, whose random part is a hash here.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// The letters of Crockford's base 32, in the order of their values.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PREFIX: &str = "msg_";
/// 48 bits of time and 80 bits of hash, five bits a character.
const LENGTH: usize = 26;

/// The id of an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(String);

impl EventId {
    /// Makes the id of an event of this time. `identity` is everything that distinguishes the event from others of its
    /// time.
    #[must_use]
    pub fn of(created_at: Timestamp, identity: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in identity {
            // The length keeps "a", "bc" apart from "ab", "c".
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash = hash.finalize();
        let time = u64::try_from(created_at.as_millisecond()).unwrap_or(0) & ((1 << 48) - 1);
        let random = hash[..10]
            .iter()
            .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let mut bits = u128::from(time) << 80 | random;
        let mut letters = [0; LENGTH];
        for letter in letters.iter_mut().rev() {
            *letter = LETTERS[usize::try_from(bits & 31).unwrap_or(0)];
            bits >>= 5;
        }
        Self(PREFIX.chars().chain(letters.map(char::from)).collect())
    }

    /// Reads an id. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.strip_prefix(PREFIX)?;
        let is_id = letters.len() == LENGTH && letters.bytes().all(|letter| LETTERS.contains(&letter));
        is_id.then(|| Self(text.to_owned()))
    }

    /// Returns the id as it stands in the header `webhook-id`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn copies_have_one_id_and_other_events_have_another() {
        let id = |identity: &[&str]| EventId::of(at("2026-11-28T12:00:00Z"), identity);
        assert_eq!(id(&["a", "b"]), id(&["a", "b"]));
        for other in [&["a", "c"][..], &["ab"], &["a", "b", ""], &["", "ab"]] {
            assert_ne!(id(&["a", "b"]), id(other), "{other:?}");
        }
    }

    #[test]
    fn ids_sort_by_time() {
        let ids = [
            "1969-01-01T00:00:00Z",
            "2026-11-28T12:00:00Z",
            "2026-11-28T12:00:00.001Z",
            "9999-01-01T00:00:00Z",
        ]
        .map(|time| EventId::of(at(time), &["x"]));
        assert!(ids.is_sorted(), "{ids:?}");
    }

    #[test]
    fn its_time_is_that_of_a_ulid() {
        // The example of the specification of ULIDs, whose time is 1469918176385.
        let id = EventId::of(Timestamp::from_millisecond(1_469_918_176_385).unwrap(), &[]);
        assert!(id.as_str().starts_with("msg_01ARYZ6S41"), "{id}");
    }

    #[test]
    fn reads_its_own_form_alone() {
        let id = EventId::of(at("2026-11-28T12:00:00Z"), &["x"]);
        assert_eq!(EventId::parse(id.as_str()), Some(id.clone()));
        let longer = format!("{id}0");
        for text in ["", "msg_", &id.as_str()[4..], &longer, "msg_01ARYZ6S41TSV4RRFFQ69G5FAU"] {
            assert_eq!(EventId::parse(text), None, "{text}");
        }
    }
}
