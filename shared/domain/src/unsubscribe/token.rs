//! The tokens in the links with which people unsubscribe.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | the version, 1 |
//! | 16 | the first half of the HMAC-SHA256 of the other fields, in this order |
//! | 32 | the SHA-256 of the normalised address, as its pseudonym has it |
//! | 1 to 32 | the topic |
//!
//! In base64 of URLs, without padding. A token has no expiry: a person may unsubscribe by a mail of years ago. The
//! secret is a stack's own, so another stack's token is a forged one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use super::{Topic, UnsubscribeSecret, UnsubscribeSecrets};
use crate::address::EmailAddress;
use crate::hmac::hmac_sha256;

/// The version of the form.
const VERSION: u8 = 1;
const MAC_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// The longest token, in characters: 81 bytes in base64.
pub const TOKEN_MAX: usize = 108;

/// What a link says: the topic, and the address by its pseudonym.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsubscribeToken {
    /// The topic that the link is about.
    pub topic: Topic,
    /// The [pseudonym](EmailAddress::pseudonym) of the address.
    pub pseudonym: EmailAddress,
}

impl UnsubscribeToken {
    /// Returns the text of the token of `address` for `topic`, under the newest secret.
    #[must_use]
    pub fn write(address: &EmailAddress, topic: &Topic, secrets: &UnsubscribeSecrets) -> String {
        let hash = address.pseudonym_hash();
        let mut bytes = vec![VERSION];
        if let Some(secret) = secrets.iter().next() {
            bytes.extend(mac(secret, &hash, topic.as_str()));
        }
        bytes.extend(hash);
        bytes.extend(topic.as_str().as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token that was made under one of the secrets. Returns `None` for any other text, in whatever way it is
    /// wrong: nobody learns whether an address is known.
    #[must_use]
    pub fn read(text: &str, secrets: &UnsubscribeSecrets) -> Option<Self> {
        if text.len() > TOKEN_MAX {
            return None;
        }
        // The decoder refuses padding, and bits behind the last byte: each token has one text.
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let rest = bytes.strip_prefix(&[VERSION])?;
        let (given, rest) = rest.split_first_chunk::<MAC_BYTES>()?;
        let (hash, topic) = rest.split_first_chunk::<HASH_BYTES>()?;
        let topic = Topic::parse(str::from_utf8(topic).ok()?).ok()?;
        let is_ours = |secret| bool::from(mac(secret, hash, topic.as_str()).ct_eq(given));
        secrets.iter().any(is_ours).then(|| Self {
            pseudonym: EmailAddress::of_pseudonym_hash(*hash),
            topic,
        })
    }
}

fn mac(secret: &UnsubscribeSecret, hash: &[u8; HASH_BYTES], topic: &str) -> [u8; MAC_BYTES] {
    // The fields before the topic have fixed lengths, so no two tokens have the same text here.
    let text = [&[VERSION], hash.as_slice(), topic.as_bytes()].concat();
    let full = hmac_sha256(secret.key(), &text);
    let mut half = [0; MAC_BYTES];
    half.copy_from_slice(&full[..MAC_BYTES]);
    half
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(byte: u8) -> UnsubscribeSecrets {
        UnsubscribeSecrets::first(UnsubscribeSecret::from_random([byte; 32]))
    }

    fn anna() -> EmailAddress {
        EmailAddress::parse("Anna@Example.org").unwrap()
    }

    fn topic(text: &str) -> Topic {
        Topic::parse(text).unwrap()
    }

    /// A link of 2026. It must work for as long as mail is kept: never change this text.
    const OF_2026: &str = "AS20wj3mULM2MS7gk_8di8yjv4YjihxZvS8KZIr5KTYg-Q0Y2tEz2P4jQc-WZKXW0G5ld3M";

    #[test]
    fn a_token_of_2026_works_for_good() {
        let token = UnsubscribeToken::write(&anna(), &topic("news"), &secrets(7));
        assert_eq!(token, OF_2026);
        let read = UnsubscribeToken::read(OF_2026, &secrets(7)).unwrap();
        assert_eq!(read.topic, topic("news"));
        assert_eq!(read.pseudonym, anna().pseudonym());
    }

    #[test]
    fn a_forgotten_address_has_the_token_of_its_pseudonym() {
        let by_name = UnsubscribeToken::write(&anna(), &topic("news"), &secrets(7));
        assert_eq!(
            UnsubscribeToken::write(&anna().pseudonym(), &topic("news"), &secrets(7)),
            by_name
        );
    }

    #[test]
    fn the_longest_token_fits() {
        let token = UnsubscribeToken::write(&anna(), &topic(&"z".repeat(32)), &secrets(1));
        assert_eq!(token.len(), TOKEN_MAX);
        assert!(UnsubscribeToken::read(&token, &secrets(1)).is_some());
    }

    #[test]
    fn after_rotations_old_and_new_tokens_are_valid() {
        let old = secrets(1);
        let of_old = UnsubscribeToken::write(&anna(), &topic("news"), &old);
        let both = old.clone().rotated(UnsubscribeSecret::from_random([2; 32])).unwrap();
        let of_both = UnsubscribeToken::write(&anna(), &topic("news"), &both);
        assert_ne!(of_old, of_both);
        for token in [&of_old, &of_both] {
            assert!(UnsubscribeToken::read(token, &both).is_some(), "{token}");
        }
        assert_eq!(UnsubscribeToken::read(&of_both, &old), None);
    }

    /// Each case is a way in which somebody may come by a wrong token.
    #[test]
    fn refuses_every_other_token() {
        let right = UnsubscribeToken::write(&anna(), &topic("news"), &secrets(7));
        let bytes = URL_SAFE_NO_PAD.decode(&right).unwrap();
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = bytes.clone();
            change(&mut bytes);
            URL_SAFE_NO_PAD.encode(bytes)
        };
        let of_ben = EmailAddress::parse("ben@example.org").unwrap().pseudonym_hash();
        let last = right.chars().last().unwrap();
        assert_eq!(bytes.len() % 3, 2, "the last character has bits to spare");
        let wrong = [
            ("nothing", String::new()),
            (
                "another stack's",
                UnsubscribeToken::write(&anna(), &topic("news"), &secrets(8)),
            ),
            (
                "another topic",
                changed(&|bytes| bytes.splice(49.., *b"sale").for_each(drop)),
            ),
            ("a longer topic", changed(&|bytes| bytes.push(b's'))),
            ("a shorter topic", changed(&|bytes| bytes.truncate(52))),
            ("no topic", changed(&|bytes| bytes.truncate(49))),
            (
                "another person",
                changed(&|bytes| bytes[17..49].copy_from_slice(&of_ben)),
            ),
            ("another version", changed(&|bytes| bytes[0] = 2)),
            ("no code", changed(&|bytes| bytes[1..17].fill(0))),
            ("truncated", right[..20].to_owned()),
            ("padding", format!("{right}=")),
            (
                "bits behind the end",
                format!("{}{}", &right[..right.len() - 1], char::from(last as u8 + 1)),
            ),
            ("a line break", format!("{right}\n")),
            ("the other base64", right.replace('-', "+").replace('_', "/") + "+"),
            ("endless", "A".repeat(100_000)),
        ];
        for (case, token) in wrong {
            assert_eq!(UnsubscribeToken::read(&token, &secrets(7)), None, "{case}");
        }
        assert!(UnsubscribeToken::read(&right, &secrets(7)).is_some());
    }

    proptest! {
        #[test]
        fn a_token_is_read_as_it_was_written(name in "[a-z0-9-]{1,32}", local in "[a-z]{1,20}", byte: u8) {
            let address = EmailAddress::parse(&format!("{local}@example.org")).unwrap();
            let token = UnsubscribeToken::write(&address, &topic(&name), &secrets(byte));
            let read = UnsubscribeToken::read(&token, &secrets(byte)).unwrap();
            prop_assert_eq!(read, UnsubscribeToken { topic: topic(&name), pseudonym: address.pseudonym() });
        }

        #[test]
        fn a_token_with_one_other_character_is_refused(index in 0usize..71, character in "[A-Za-z0-9_-]") {
            let right = UnsubscribeToken::write(&anna(), &topic("news"), &secrets(7));
            let mut wrong = right.clone();
            wrong.replace_range(index..=index, &character);
            prop_assume!(wrong != right);
            prop_assert_eq!(UnsubscribeToken::read(&wrong, &secrets(7)), None);
        }

        #[test]
        fn no_text_panics_or_is_a_token(text in ".{0,120}") {
            prop_assert_eq!(UnsubscribeToken::read(&text, &secrets(7)), None);
        }
    }
}
