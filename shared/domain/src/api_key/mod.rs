//! API keys, in the form `ok_<id>_<secret>`.
//!
//! The table keeps the id and the SHA-256 of the secret, so a reader of the table cannot send. The secret has 256
//! random bits, which no attacker can guess. So a plain hash is enough. A key that has AWS credentials is the
//! exception: the table also keeps the secret access key, and its reader can sign requests with it.

mod aws;
mod from_domain;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::address::EmailAddress;
use crate::hex::hex;
use crate::queue::WhenBusy;
use crate::stream::Stream;
use crate::unsubscribe::Topic;

pub use aws::id_of_access_key;
pub use from_domain::{FromDomainError, from_domain};

/// The time that a function caches a key. A revoked key stops working within this time.
pub const REMEMBERED: SignedDuration = SignedDuration::from_secs(30);

/// The prefix of every key.
const PREFIX: &str = "ok_";
/// The longest id, in characters. Okite makes shorter ids and does not look up longer ones.
const ID_MAX: usize = 64;

/// An API key as a caller sends it, with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    id: String,
    secret: String,
}

/// The text does not have the form of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an API key has the form ok_<id>_<secret>")]
pub struct InvalidApiKey;

/// The text is neither the id of a key, nor its access key id, nor a whole key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give the id of the key, which `okite keys list` shows, its AWS access key id, or the whole key")]
pub struct InvalidApiKeyId;

impl ApiKey {
    /// Makes a key from random bits that the caller draws: 64 for the id and 256 for the secret.
    #[must_use]
    pub fn from_random(id: [u8; 8], secret: [u8; 32]) -> Self {
        Self {
            id: hex(&id),
            secret: hex(&secret),
        }
    }

    /// Parses a key of the form `ok_<id>_<secret>`.
    ///
    /// # Errors
    /// [`InvalidApiKey`] if the text has another form.
    pub fn parse(text: &str) -> Result<Self, InvalidApiKey> {
        let (id, secret) = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(InvalidApiKey)?;
        if !is_id(id) || secret.is_empty() {
            return Err(InvalidApiKey);
        }
        Ok(Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// Returns the id, which is not secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the whole key with its secret. Show it once, to the operator who made the key.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    /// Returns the SHA-256 of the secret, in hexadecimal.
    #[must_use]
    pub fn secret_hash(&self) -> String {
        hex(&Sha256::digest(self.secret.as_bytes()))
    }
}

/// Returns whether a text has the form of a key's id.
fn is_id(text: &str) -> bool {
    (1..=ID_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Returns the id of a key from an operator's input: the id itself, the access key id, or the whole key.
///
/// # Errors
/// [`InvalidApiKeyId`] if the text is none of these. It does not repeat the text, which may contain a secret.
pub fn id_of(text: &str) -> Result<String, InvalidApiKeyId> {
    let text = text.trim();
    match ApiKey::parse(text) {
        Ok(key) => Ok(key.id),
        Err(_) if is_id(text) => Ok(text.to_owned()),
        Err(_) => id_of_access_key(text).map(str::to_owned).ok_or(InvalidApiKeyId),
    }
}

/// Shows only the id.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The permission of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPermission {
    /// The key may send mail and nothing else.
    Sending,
    /// The key may call every endpoint.
    Full,
}

/// A key as the table keeps it. The fields are the attributes of the item.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyRecord {
    /// The id of the key.
    pub id: String,
    /// The SHA-256 of the secret, in hexadecimal.
    pub secret_sha256: String,
    /// The secret access key, if the key has AWS credentials: see [`ApiKeyRecord::with_aws_credentials`]. It is as
    /// secret as the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<String>,
    /// The name that the operator gave the key.
    pub name: String,
    /// The permission of the key.
    pub permission: KeyPermission,
    /// The stream of all mail that is sent with the key.
    pub stream: Stream,
    /// The domains that the key may send from, with their subdomains. If empty, it may send from every domain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_domains: Vec<String>,
    /// The key's choice for a mail for which there is no room, unless its request says otherwise. A key of an earlier
    /// version has the default.
    #[serde(default)]
    pub when_busy: WhenBusy,
    /// The topic of all mail that is sent with the key, unless a mail names another. Only a key for bulk mail has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// The time at which the key was made.
    pub created_at: Timestamp,
}

impl ApiKeyRecord {
    /// Returns the record with the AWS credentials of `key`, whose record it is: callers may sign requests with them.
    #[must_use]
    pub fn with_aws_credentials(self, key: &ApiKey) -> Self {
        debug_assert!(self.admits(key), "the credentials of another key");
        Self {
            secret_access_key: Some(key.secret_access_key()),
            ..self
        }
    }

    /// Returns whether `key` is this key. The comparison of the secrets takes constant time.
    #[must_use]
    pub fn admits(&self, key: &ApiKey) -> bool {
        self.id == key.id && self.secret_sha256.as_bytes().ct_eq(key.secret_hash().as_bytes()).into()
    }

    /// Returns whether the key may send mail from `sender`: from one of its domains or a subdomain.
    #[must_use]
    pub fn may_send_from(&self, sender: &EmailAddress) -> bool {
        let allows = |domain: &String| {
            sender
                .domain()
                .strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.from_domains.is_empty() || self.from_domains.iter().any(allows)
    }
}

/// Shows everything but the hash and the secret access key.
impl fmt::Debug for ApiKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A new field must be named here, which is the time to ask whether it may be shown.
        let Self {
            id,
            secret_sha256: _,
            secret_access_key,
            name,
            permission,
            stream,
            from_domains,
            when_busy,
            topic,
            created_at,
        } = self;
        f.debug_struct("ApiKeyRecord")
            .field("id", id)
            .field("has_aws_credentials", &secret_access_key.is_some())
            .field("name", name)
            .field("permission", permission)
            .field("stream", stream)
            .field("from_domains", from_domains)
            .field("when_busy", when_busy)
            .field("topic", topic)
            .field("created_at", created_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &ApiKey) -> ApiKeyRecord {
        ApiKeyRecord {
            id: key.id().to_owned(),
            secret_sha256: key.secret_hash(),
            secret_access_key: None,
            name: "test".to_owned(),
            permission: KeyPermission::Sending,
            stream: Stream::Transactional,
            from_domains: Vec::new(),
            when_busy: WhenBusy::default(),
            topic: None,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_new_key_parses_and_is_admitted() {
        let key = ApiKey::from_random([0xab; 8], [0x01; 32]);
        assert_eq!(key.reveal(), format!("ok_{}_{}", "ab".repeat(8), "01".repeat(32)));
        assert_eq!(ApiKey::parse(&key.reveal()).unwrap(), key);
        assert!(record(&key).admits(&key));
    }

    #[test]
    fn another_secret_or_id_is_not_admitted() {
        let key = ApiKey::parse("ok_1_secret").unwrap();
        for other in ["ok_1_secres", "ok_2_secret", "ok_1_secret_"] {
            assert!(!record(&key).admits(&ApiKey::parse(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn rejects_other_forms() {
        for text in [
            "",
            "re_123",
            "ok_",
            "ok_a",
            "ok_a_",
            "ok__b",
            "ok_a b_c",
            "OK_a_b",
            &format!("ok_{}_s", "a".repeat(65)),
        ] {
            assert_eq!(ApiKey::parse(text), Err(InvalidApiKey), "{text}");
        }
    }

    #[test]
    fn the_id_is_read_from_an_id_an_access_key_id_or_a_whole_key() {
        for text in ["a1", " a1\n", "ok_a1", "ok_a1\n", "ok_a1_hush", "ok_a1_hu_sh"] {
            assert_eq!(id_of(text).as_deref(), Ok("a1"), "{text}");
        }
        for text in ["", "ok_", "ok_a1_", "a1_hush", "a-1", "ä", &"a".repeat(65)] {
            assert_eq!(id_of(text), Err(InvalidApiKeyId), "{text}");
        }
    }

    #[test]
    fn debug_output_never_shows_the_secret() {
        let key = ApiKey::parse("ok_1_hush").unwrap();
        assert!(!format!("{key:?}").contains("hush"));
        let record = record(&key).with_aws_credentials(&key);
        let shown = format!("{record:?}");
        assert!(shown.contains("has_aws_credentials: true"), "{shown}");
        assert!(
            !shown.contains(&key.secret_access_key()) && !shown.contains(&key.secret_hash()),
            "{shown}"
        );
    }

    #[test]
    fn a_record_has_the_secret_access_key_of_its_key() {
        let key = ApiKey::from_random([0xab; 8], [0x01; 32]);
        let plain = record(&key);
        assert_eq!(plain.secret_access_key, None);
        let with = plain.clone().with_aws_credentials(&key);
        assert_eq!(with.secret_access_key, Some(key.secret_access_key()));
        assert!(with.admits(&key));
        let without = ApiKeyRecord {
            secret_access_key: None,
            ..with
        };
        assert_eq!(without, plain);
    }

    #[test]
    fn a_key_may_send_from_its_domains_and_their_subdomains() {
        let key = ApiKey::parse("ok_1_s").unwrap();
        let bound = ApiKeyRecord {
            from_domains: vec!["example.com".to_owned()],
            ..record(&key)
        };
        let may = |sender: &str| bound.may_send_from(&EmailAddress::parse(sender).unwrap());
        assert!(may("a@Example.com") && may("a@mail.example.com"));
        assert!(!may("a@badexample.com") && !may("a@example.org"));
        assert!(record(&key).may_send_from(&EmailAddress::parse("a@example.org").unwrap()));
    }
}
