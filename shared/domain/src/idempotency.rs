//! Idempotency keys: a caller that repeats a request with the same key receives the first answer, and no second mail is
//! sent.
//!
//! A key remembers sent and suppressed mail, but never a refusal. If nothing was sent, the caller may use the key
//! again.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::hex::hex;
use crate::message::{Email, Mail, MailContent};
use crate::recipient::OnSuppressed;
use crate::time;

/// The time that Okite remembers a key at least, from the last request that attempted an email under it. A key whose
/// outcome is unknown is remembered as long as the record of its message.
pub const REMEMBERED: Duration = Duration::from_hours(24);
/// The time that the records of a key's messages outlive the time that the key is remembered, at least.
pub const RECORDS_OUTLIVE: Duration = Duration::from_hours(1);
/// The lease of a request on its key. It is longer than the function may run (29 s), so no request outlives its lease.
pub const LEASE: Duration = Duration::from_secs(35);
/// The allowed length of a key, in characters.
pub const KEY_LENGTH: std::ops::RangeInclusive<usize> = 1..=256;

/// The claim of a request on its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The key of the row: a hash of the API key's id, the endpoint and the caller's key.
    pub id: String,
    /// The hash of the emails, which distinguishes different requests with the same key.
    pub body_hash: String,
    /// The id of the message of the first request. For a batch, it is the id of its first message: see [`nth_id`].
    pub message_id: Uuid,
    /// A random value that marks the claim as that of the running request.
    pub nonce: Uuid,
    /// The time until which that request may run.
    pub lease_until: Timestamp,
    /// The number of emails of the request's body, from 1. Their ids follow from [`Self::message_id`].
    pub emails: usize,
    /// The time until which Okite remembers the key, whatever became of its emails. It only grows.
    pub expires: Timestamp,
    /// The time until which the records of the key's emails are kept, in whole seconds. Until then, the key is
    /// remembered if one of them is not settled.
    pub kept_until: Timestamp,
}

impl Claim {
    /// Makes the claim of a request with one email that arrived at `now`, whose message is `message_id`. Its record is
    /// kept for the least time that it may be.
    #[must_use]
    pub fn new(key: &RequestKey, message_id: Uuid, nonce: Uuid, now: Timestamp) -> Self {
        Self {
            id: key.id.clone(),
            body_hash: key.body_hash.clone(),
            message_id,
            nonce,
            lease_until: time::plus(now, LEASE),
            emails: 1,
            expires: time::plus(now, REMEMBERED),
            kept_until: time::plus(time::plus(now, REMEMBERED), RECORDS_OUTLIVE),
        }
    }

    /// Returns the ids of the messages of the claim, in the order of the body.
    #[must_use]
    pub fn message_ids(&self) -> Vec<Uuid> {
        (0..self.emails).map(|nth| nth_id(self.message_id, nth)).collect()
    }

    /// Returns whether the time is over for which the key is remembered whatever became of its emails, and no request
    /// with it may be running. If all of its emails are settled, the key may then be used anew.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires && now >= self.lease_until
    }

    /// Returns the claim `taker` of a request with the same body, once it takes this key over. The key keeps its
    /// messages and is remembered anew.
    ///
    /// `keeps_records`: whether the records of earlier requests still count. Those and the new ones are then kept to
    /// one time, so that no email looks as if it were never attempted while another one still holds the key.
    #[must_use]
    pub fn taken_over(&self, taker: &Self, keeps_records: bool) -> Self {
        let expires = self.expires.max(taker.expires);
        Self {
            message_id: self.message_id,
            expires,
            kept_until: if keeps_records {
                self.kept_until.max(time::plus(expires, RECORDS_OUTLIVE))
            } else {
                taker.kept_until.max(time::plus(expires, RECORDS_OUTLIVE))
            },
            ..taker.clone()
        }
    }

    /// Returns until when the key is remembered if a request at `now` finds that an email of it is still not settled:
    /// as long as after an attempt, but never beyond the records. So a caller that keeps asking gets the answer once
    /// it is known.
    #[must_use]
    pub fn remembered_anew(&self, now: Timestamp) -> Timestamp {
        let latest = self.kept_until.checked_sub(RECORDS_OUTLIVE).unwrap_or(self.kept_until);
        time::plus(now, REMEMBERED).min(latest).max(self.expires)
    }
}

/// The idempotency key of a request, and its body: two requests with equal ones are the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    id: String,
    body_hash: String,
}

impl RequestKey {
    /// Makes the key of a request. `endpoint` is the method and the path.
    #[must_use]
    pub fn new((api_key_id, endpoint, key): (&str, &str, &str), body: RequestBody) -> Self {
        // The caller's key comes last, and the others contain no line break. So no two triples give the same text.
        let id = Sha256::digest(format!("{api_key_id}\n{endpoint}\n{key}"));
        Self {
            id: format!("claim#{}", hex(&id)),
            body_hash: hex(&body.0.finalize()),
        }
    }
}

/// The hash of a request's emails, in their order.
///
/// It is taken of the emails and not of the JSON: a field that is `null` and one that is absent, another order of the
/// fields, base64 with and without line breaks are the same request.
#[derive(Clone, Debug, Default)]
pub struct RequestBody(Sha256);

impl RequestBody {
    /// Adds what a field of the next email states about how it is to be sent, as its caller wrote it: what `in 10 min`
    /// means depends on the clock, and the request stays the same.
    ///
    /// A field that is absent adds nothing. So a release with a further field still recognises a request without it.
    pub fn add_wish(&mut self, field: &str, stated: Option<&str>) {
        let Some(stated) = stated else { return };
        self.0.update(b"W");
        for text in [field, stated.trim()] {
            self.0.update((text.len() as u64).to_be_bytes());
            self.0.update(text);
        }
    }

    /// Adds an email, with the rule for suppressed recipients that its fields state.
    pub fn add(&mut self, email: &Email, on_suppressed: Option<OnSuppressed>) {
        let rule = match on_suppressed {
            None => b"E",
            Some(OnSuppressed::Skip) => b"S",
            Some(OnSuppressed::Reject) => b"R",
        };
        self.0.update(rule);
        email.add_to(&mut self.0);
    }

    /// Adds a mail with its options. The bytes and the envelope of a raw mail count.
    pub fn add_mail(&mut self, mail: &Mail) {
        match &mail.content {
            MailContent::Simple(email) => self.add(email, None),
            MailContent::Raw(email) => {
                self.0.update(b"M");
                email.add_to(&mut self.0);
            }
        }
        mail.options.add_to(&mut self.0);
    }

    /// Adds what is no valid email. Its JSON counts, with the fields of objects in any order.
    pub fn add_invalid(&mut self, value: &Value) {
        let mut text = String::new();
        write_value(value, &mut text);
        self.0.update(b"V");
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
    }
}

/// Returns the id of message number `nth`, counted from 0, of a batch whose first message has the id `first`.
///
/// The ids are consecutive, so a claim needs only the first. The random part of the `UUIDv7` increases, and its time
/// and version stay.
#[must_use]
pub fn nth_id(first: Uuid, nth: usize) -> Uuid {
    const RANDOM: u128 = (1 << 62) - 1;
    let first = first.as_u128();
    let nth = u128::try_from(nth).unwrap_or(RANDOM);
    Uuid::from_u128((first & !RANDOM) | (first.wrapping_add(nth) & RANDOM))
}

/// Writes canonical JSON, without spaces and with the members of objects sorted by name. Equal values give equal text.
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
    // serde_json does not always sort: a feature that any crate can enable makes its maps keep insertion order.
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
        let mut hash = RequestBody::default();
        hash.add_invalid(body);
        let key = RequestKey::new(scope, hash);
        Claim::new(&key, Uuid::nil(), Uuid::nil(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_key_is_scoped_to_an_api_key_and_an_endpoint() {
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
    fn member_order_and_spaces_make_no_difference() {
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
    fn every_wish_is_part_of_the_request() {
        let email = Email::new(crate::message::tests::parts()).unwrap();
        let hash = |rule, wishes: &[(&str, Option<&str>)]| {
            let mut body = RequestBody::default();
            for (field, stated) in wishes {
                body.add_wish(field, *stated);
            }
            body.add(&email, rule);
            RequestKey::new(("k", "e", "i"), body).body_hash
        };
        let different = [
            hash(None, &[]),
            hash(Some(OnSuppressed::Skip), &[]),
            hash(Some(OnSuppressed::Reject), &[]),
            hash(None, &[("a", Some("1"))]),
            hash(None, &[("a", Some("2"))]),
            hash(None, &[("b", Some("1"))]),
            hash(None, &[("a", Some("1")), ("b", Some("1"))]),
            hash(None, &[("a1", Some(""))]),
        ];
        assert_eq!(
            different.iter().collect::<std::collections::BTreeSet<_>>().len(),
            different.len()
        );
        assert_eq!(hash(None, &[("a", None)]), hash(None, &[]));
        assert_eq!(hash(None, &[("a", Some(" 1\n"))]), hash(None, &[("a", Some("1"))]));
    }

    #[test]
    fn a_claim_has_a_lease_and_is_remembered_for_a_day() {
        let claim = claim(("a", "e", "k"), &json!({}));
        assert_eq!(claim.lease_until.as_second(), 35);
        assert_eq!(claim.expires.as_second(), 24 * 3_600);
        assert_eq!(claim.kept_until.as_second(), 25 * 3_600);
        assert!(!claim.is_over(claim.expires - Duration::from_millis(1)));
        assert!(claim.is_over(claim.expires));
    }

    fn hours(hours: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_hours(hours)
    }

    /// A claim whose time is over after so many hours, and whose records are kept so many.
    fn until(expires: u64, kept: u64) -> Claim {
        Claim {
            expires: hours(expires),
            kept_until: hours(kept),
            ..claim(("a", "e", "k"), &json!({}))
        }
    }

    #[test]
    fn a_key_that_is_taken_over_is_remembered_anew_and_its_records_outlive_it() {
        for (held, taker, keeps_records, expected) in [
            // The records of 30 days outlive it without a change.
            ((24, 720), (47, 743), true, (47, 720)),
            // Those of one day do not.
            ((24, 25), (47, 48), true, (47, 48)),
            ((24, 720), (743, 1_439), true, (743, 744)),
            // Nothing of before counts.
            ((24, 720), (47, 743), false, (47, 743)),
            // Nor of a mail that was to wait for longer.
            ((96, 720), (47, 48), false, (96, 97)),
            // The clock of the taker is behind.
            ((24, 25), (23, 24), true, (24, 25)),
        ] {
            let taken = until(held.0, held.1).taken_over(&until(taker.0, taker.1), keeps_records);
            assert_eq!(
                (taken.expires, taken.kept_until),
                (hours(expected.0), hours(expected.1)),
                "{held:?} {taker:?}"
            );
        }
    }

    #[test]
    fn a_key_that_is_asked_about_is_remembered_anew_but_not_beyond_its_records() {
        for (held, now, expected) in [
            ((24, 720), 25, 49),
            ((24, 720), 710, 719),
            ((24, 25), 25, 24),
            ((24, 720), 800, 719),
        ] {
            let remembered = until(held.0, held.1).remembered_anew(hours(now));
            assert_eq!(remembered, hours(expected), "{held:?} {now}");
        }
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
        fn the_canonical_text_parses_to_the_same_value(value in json_value()) {
            let mut text = String::new();
            write_value(&value, &mut text);
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn a_batch_is_compared_item_by_item_and_in_order() {
        let hash = |items: [Value; 2]| {
            let mut body = RequestBody::default();
            for item in &items {
                body.add_invalid(item);
            }
            RequestKey::new(("k", "e", "i"), body).body_hash
        };
        let one = hash([json!({"a": 1, "b": 2}), json!({"c": 3})]);
        assert_eq!(one, hash([json!({"b": 2, "a": 1}), json!({"c": 3})]));
        assert_ne!(one, hash([json!({"c": 3}), json!({"a": 1, "b": 2})]));
    }

    proptest! {
        #[test]
        fn the_ids_of_a_batch_differ_and_share_their_time(bits in any::<u128>()) {
            let first = uuid::Builder::from_unix_timestamp_millis(1_800_000_000_000, &bits.to_be_bytes()[..10].try_into().unwrap());
            let first = first.into_uuid();
            let ids: Vec<_> = (0..100).map(|nth| nth_id(first, nth)).collect();
            prop_assert_eq!(ids[0], first);
            prop_assert!(ids.iter().all(|id| id.get_version_num() == 7 && id.as_u128() >> 64 == first.as_u128() >> 64));
            prop_assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 100);
        }
    }
}
