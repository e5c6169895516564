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
    /// The message that the first request made.
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
        body: &Map<String, Value>,
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

/// Writes JSON so that what means the same is the same: no spaces, the members of objects sorted by name.
fn canonical(object: &Map<String, Value>) -> String {
    let mut text = String::new();
    write_object(object, &mut text);
    text
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => write_object(object, text),
        Value::Array(array) => {
            text.push('[');
            for (at, element) in array.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_value(element, text);
            }
            text.push(']');
        }
        plain => {
            let _ = write!(text, "{plain}");
        }
    }
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
            body.as_object().unwrap(),
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
            let read: Map<String, Value> = serde_json::from_str(&canonical(&object)).unwrap();
            prop_assert_eq!(read, object);
        }
    }
}
