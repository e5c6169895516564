//! The AWS credentials that belong to an API key: an access key id and a secret access key.
//!
//! AWS's SDKs sign requests with them instead of sending the key. To check a signature, one must know the secret, so a
//! hash of the key's secret is not enough. The secret access key is derived from the key's secret: a reader of the
//! table can sign with it, but cannot learn the key.

use super::{ApiKey, PREFIX, is_id};
use crate::hex::hex;
use crate::hmac::hmac_sha256;

/// The text that the key's secret is applied to. Another purpose needs another text.
const PURPOSE: &[u8] = b"okite sigv4";
/// How many bytes of the HMAC the secret access key has. AWS's own secrets have 40 characters, as this one in
/// hexadecimal.
const SECRET_BYTES: usize = 20;

impl ApiKey {
    /// Returns the access key id. It is not secret.
    ///
    /// AWS's tools take any text without a slash; AWS's own ids are 16 to 128 letters, digits and underscores, and so
    /// is this one.
    #[must_use]
    pub fn access_key_id(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// Returns the secret access key: 40 hexadecimal digits.
    #[must_use]
    pub fn secret_access_key(&self) -> String {
        hex(&hmac_sha256(self.secret.as_bytes(), PURPOSE)[..SECRET_BYTES])
    }
}

/// Returns the id of the API key that an access key id names; `None` if it names none.
#[must_use]
pub fn id_of_access_key(access_key_id: &str) -> Option<&str> {
    access_key_id.strip_prefix(PREFIX).filter(|id| is_id(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKey {
        ApiKey::from_random([0xab; 8], [0x01; 32])
    }

    #[test]
    fn an_access_key_id_leads_back_to_the_key() {
        assert_eq!(key().access_key_id(), "ok_abababababababab");
        assert_eq!(id_of_access_key(&key().access_key_id()), Some(key().id()));
        for other in ["", "ok_", "AKIAIOSFODNN7EXAMPLE", "ok_a/b", "ok_a_b", "OK_a", "ok_ä"] {
            assert_eq!(id_of_access_key(other), None, "{other}");
        }
    }

    /// The value must never change: applications keep the secret access key.
    #[test]
    fn the_secret_access_key_is_derived_from_the_secret_alone() {
        let secret = key().secret_access_key();
        assert_eq!(secret, "ca877fa1782c9e276f43df89c7efdf3f21fd7981");
        assert_eq!(secret.len(), 40);
        assert_eq!(ApiKey::from_random([0; 8], [0x01; 32]).secret_access_key(), secret);
        assert_ne!(ApiKey::from_random([0xab; 8], [0x02; 32]).secret_access_key(), secret);
    }

    /// The form of AWS's own access key ids, which IAM's model gives: `[\w]{16,128}`.
    #[test]
    fn an_access_key_id_has_the_form_of_awss_own() {
        let id = key().access_key_id();
        assert!((16..=128).contains(&id.len()));
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    }
}
