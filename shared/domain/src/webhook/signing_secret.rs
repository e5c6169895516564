//! The secrets that sign the requests to an endpoint, in the form of Standard Webhooks: `whsec_` and base64.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

/// How long the secret before a rotation still signs, so that a receiver can change over without a gap.
pub const PREVIOUS_SECRET_KEPT: SignedDuration = SignedDuration::from_hours(24);
const PREFIX: &str = "whsec_";

/// A secret of 32 random bytes. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret([u8; 32]);

impl SigningSecret {
    /// Makes a secret of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the text of a secret. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// Returns the text of the secret, as its owner sees it once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.0))
    }

    /// Returns the key of the signature.
    #[must_use]
    pub fn key(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningSecret(…)")
    }
}

/// The secrets of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// The secret that signs.
    pub current: SigningSecret,
    /// The secret before the last rotation, and the time until which it signs too.
    pub previous: Option<(SigningSecret, Timestamp)>,
}

impl Secrets {
    /// Returns the secrets that sign at `now`, the current one first.
    pub fn signing_at(&self, now: Timestamp) -> impl Iterator<Item = &SigningSecret> {
        let previous = self.previous.iter().filter(move |(_, until)| now < *until);
        std::iter::once(&self.current).chain(previous.map(|(secret, _)| secret))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_secret_is_read_as_it_was_revealed(bytes in any::<[u8; 32]>()) {
            let secret = SigningSecret::from_random(bytes);
            prop_assert_eq!(SigningSecret::parse(&secret.reveal()), Some(secret));
        }

        #[test]
        fn no_other_text_panics(text in "(whsec_)?.*") {
            let _ = SigningSecret::parse(&text);
        }
    }

    #[test]
    fn only_32_bytes_behind_the_prefix_are_a_secret() {
        let secret = SigningSecret::from_random([7; 32]).reveal();
        assert_eq!(secret, "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        for text in [
            "",
            "whsec_",
            "whsec_BwcH",
            &secret[6..],
            &format!("{secret}A"),
            &secret[..49],
        ] {
            assert_eq!(SigningSecret::parse(text), None, "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let secrets = Secrets {
            current: SigningSecret::from_random([1; 32]),
            previous: Some((SigningSecret::from_random([2; 32]), Timestamp::UNIX_EPOCH)),
        };
        let shown = format!("{secrets:?}");
        assert!(
            !shown.contains("whsec_") && !shown.contains("1, 1") && !shown.contains("2, 2"),
            "{shown}"
        );
    }

    #[test]
    fn the_previous_secret_signs_until_its_time() {
        let (old, new) = (SigningSecret::from_random([1; 32]), SigningSecret::from_random([2; 32]));
        let until = Timestamp::from_second(100).unwrap();
        let secrets = Secrets {
            current: new.clone(),
            previous: Some((old.clone(), until)),
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(secrets.signing_at(at(99)).collect::<Vec<_>>(), [&new, &old]);
        assert_eq!(secrets.signing_at(at(100)).collect::<Vec<_>>(), [&new]);
    }
}
