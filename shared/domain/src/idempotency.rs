//! Idempotency keys: a caller who repeats a request with the same key gets the answer of the first one, and no second mail.
//!
//! A key remembers what was sent or suppressed, never a refusal: whoever is told that nothing was sent may use it again.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::hex::hex;

/// How long a key is remembered.
pub const REMEMBERED: Duration = Duration::from_hours(24);
/// How long a request may be at work: longer than the function may run (29 s), so that whoever comes after it is over
/// finds nobody else at work.
pub const LEASE: Duration = Duration::from_secs(35);
/// How many characters a key may have.
pub const KEY_LENGTH: std::ops::RangeInclusive<usize> = 1..=256;

/// What a request asks for by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The key's row: a hash over the API key, the endpoint and the caller's key.
    pub id: String,
    /// The hash of the body, by which a different request is told.
    pub body_hash: String,
    /// The message that the first request made; of a batch, the first one of it: see [`nth_id`].
    pub message_id: Uuid,
    /// By which the request at work knows the claim as its own.
    pub nonce: Uuid,
    /// Until when that request may be at work.
    pub lease_until: Timestamp,
    /// Until when the key is remembered.
    pub expires: Timestamp,
}

impl Claim {
    /// Makes the claim of a request that came at `now`. `endpoint` is method and path.
    #[must_use]
    pub fn new(
        (api_key_id, endpoint, key): (&str, &str, &str),
        body: RequestBody<'_>,
        (message_id, nonce): (Uuid, Uuid),
        now: Timestamp,
    ) -> Self {
        // The caller's key comes last and the others cannot contain a line break, so no two triples hash alike.
        let id = Sha256::digest(format!("{api_key_id}\n{endpoint}\n{key}"));
        Self {
            id: format!("claim#{}", hex(&id)),
            body_hash: hex(&Sha256::digest(canonical(body))),
            message_id,
            nonce,
            lease_until: now + LEASE,
            expires: now + REMEMBERED,
        }
    }
}

/// The body of a request.
#[derive(Clone, Copy, Debug)]
pub enum RequestBody<'a> {
    /// An object.
    One(&'a Map<String, Value>),
    /// An array.
    Many(&'a [Value]),
}

/// The id of a message of a batch whose first one has the id `first`.
///
/// They follow each other, so that a claim names all of them by the first. The random part of a `UUIDv7` is counted on; its time
/// and version stay.
#[must_use]
pub fn nth_id(first: Uuid, nth: usize) -> Uuid {
    const RANDOM: u128 = (1 << 62) - 1;
    let first = first.as_u128();
    let nth = u128::try_from(nth).unwrap_or(RANDOM);
    Uuid::from_u128((first & !RANDOM) | (first.wrapping_add(nth) & RANDOM))
}

/// Writes JSON so that what means the same is the same: no spaces, the members of objects sorted by name.
fn canonical(body: RequestBody<'_>) -> String {
    let mut text = String::new();
    match body {
        RequestBody::One(object) => write_object(object, &mut text),
        RequestBody::Many(array) => write_array(array, &mut text),
    }
    text
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => write_object(object, text),
        Value::Array(array) => write_array(array, text),
        plain => {
            let _ = write!(text, "{plain}");
        }
    }
}

fn write_array(array: &[Value], text: &mut String) {
    text.push('[');
    for (at, element) in array.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_value(element, text);
    }
    text.push(']');
}

fn write_object(object: &Map<String, Value>, text: &mut String) {
    // Not left to serde_json, whose maps keep another order when a crate somewhere asks for it.
    let mut members: Vec<_> = object.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    text.push('{');
    for (at, (name, member)) in members.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        let _ = write!(text, "{}:", Value::from(name.as_str()));
        write_value(member, text);
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn claim(scope: (&str, &str, &str), body: &Value) -> Claim {
        Claim::new(
            scope,
            RequestBody::One(body.as_object().unwrap()),
            (Uuid::nil(), Uuid::nil()),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn a_key_is_one_of_an_api_key_and_an_endpoint() {
        let ids: std::collections::BTreeSet<String> = [
            ("a", "POST /emails", "k"),
            ("b", "POST /emails", "k"),
            ("a", "POST /emails/batch", "k"),
            ("a", "POST /emails", "l"),
            ("a", "POST /emails", "\nk"),
        ]
        .map(|scope| claim(scope, &json!({})).id)
        .into();
        assert_eq!(ids.len(), 5);
        assert!(ids.iter().all(|id| id.len() == "claim#".len() + 64));
    }

    #[test]
    fn the_order_of_members_and_the_spaces_make_no_difference() {
        let hash = |text: &str| claim(("a", "e", "k"), &serde_json::from_str(text).unwrap()).body_hash;
        assert_eq!(
            hash(r#"{"to": ["a", "b"], "from": {"x": 1, "w": null}}"#),
            hash(r#"{"from":{"w":null,"x":1},"to":["a","b"]}"#)
        );
        for other in [
            r#"{"from":{"w":null,"x":1},"to":["b","a"]}"#,
            r#"{"from":{"w":null,"x":"1"},"to":["a","b"]}"#,
            r#"{"from":{"x":1},"to":["a","b"]}"#,
            r#"{"from":{"w":null,"x":1},"to":["a,b"]}"#,
        ] {
            assert_ne!(
                hash(r#"{"to":["a","b"],"from":{"x":1,"w":null}}"#),
                hash(other),
                "{other}"
            );
        }
    }

    #[test]
    fn is_held_for_a_lease_and_remembered_for_a_day() {
        let claim = claim(("a", "e", "k"), &json!({}));
        assert_eq!(claim.lease_until.as_second(), 35);
        assert_eq!(claim.expires.as_second(), 24 * 3_600);
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let plain = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        plain.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_canonical_text_means_the_same(value in json_value()) {
            let object = Map::from_iter([("member".to_owned(), value)]);
            let read: Map<String, Value> = serde_json::from_str(&canonical(RequestBody::One(&object))).unwrap();
            prop_assert_eq!(read, object);
        }
    }

    #[test]
    fn a_batch_is_compared_item_by_item_and_in_order() {
        let hash = |body: Value| {
            let items = body.as_array().unwrap();
            Claim::new(
                ("k", "e", "i"),
                RequestBody::Many(items),
                (Uuid::nil(), Uuid::nil()),
                Timestamp::UNIX_EPOCH,
            )
            .body_hash
        };
        let one = hash(json!([{"a": 1, "b": 2}, {"c": 3}]));
        assert_eq!(one, hash(json!([{"b": 2, "a": 1}, {"c": 3}])));
        assert_ne!(one, hash(json!([{"c": 3}, {"a": 1, "b": 2}])));
    }

    proptest! {
        #[test]
        fn the_ids_of_a_batch_are_a_hundred_of_one_time(bits in any::<u128>()) {
            let first = uuid::Builder::from_unix_timestamp_millis(1_800_000_000_000, &bits.to_be_bytes()[..10].try_into().unwrap());
            let first = first.into_uuid();
            let ids: Vec<_> = (0..100).map(|nth| nth_id(first, nth)).collect();
            prop_assert_eq!(ids[0], first);
            prop_assert!(ids.iter().all(|id| id.get_version_num() == 7 && id.as_u128() >> 64 == first.as_u128() >> 64));
            prop_assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 100);
        }
    }
}
