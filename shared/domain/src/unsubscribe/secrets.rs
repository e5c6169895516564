//! The secrets under which a stack makes and reads the tokens of links.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The most secrets that a stack keeps. Reading a forged token tries all of them.
pub const SECRETS_MAX: usize = 16;

/// A secret of 32 random bytes. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct UnsubscribeSecret([u8; 32]);

impl UnsubscribeSecret {
    /// Makes a secret of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the text of a stored secret. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// Returns the text that the store keeps.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(super) fn key(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for UnsubscribeSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UnsubscribeSecret(…)")
    }
}

/// The secrets of a stack: the one that makes tokens, and those that older links were made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsubscribeSecrets {
    /// The newest first; never empty.
    secrets: Vec<UnsubscribeSecret>,
}

/// The stack has [`SECRETS_MAX`] secrets. Another one would end the links that the oldest made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stack has {SECRETS_MAX} secrets already; one more would end the links that the oldest one made")]
pub struct TooManySecrets;

impl UnsubscribeSecrets {
    /// The secrets of a stack that has just made its first.
    #[must_use]
    pub fn first(secret: UnsubscribeSecret) -> Self {
        Self { secrets: vec![secret] }
    }

    /// Reads the texts of stored secrets, the newest first. Returns `None` if there is none, or if one is unreadable.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let secrets: Option<Vec<_>> = texts.into_iter().map(UnsubscribeSecret::parse).collect();
        secrets
            .filter(|secrets| !secrets.is_empty())
            .map(|secrets| Self { secrets })
    }

    /// Returns the texts that the store keeps, the newest first.
    #[must_use]
    pub fn reveal(&self) -> Vec<String> {
        self.secrets.iter().map(UnsubscribeSecret::reveal).collect()
    }

    /// Returns the secrets with a new one in front. All links that were sent go on working.
    ///
    /// # Errors
    /// [`TooManySecrets`] if the stack has [`SECRETS_MAX`] already.
    pub fn rotated(mut self, new: UnsubscribeSecret) -> Result<Self, TooManySecrets> {
        if self.secrets.len() >= SECRETS_MAX {
            return Err(TooManySecrets);
        }
        self.secrets.insert(0, new);
        Ok(self)
    }

    /// Returns how many secrets there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.secrets.len()
    }

    /// Returns the secrets, the newest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &UnsubscribeSecret> {
        self.secrets.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> UnsubscribeSecret {
        UnsubscribeSecret::from_random([byte; 32])
    }

    #[test]
    fn secrets_are_read_as_they_were_stored() {
        let secrets = UnsubscribeSecrets::first(secret(1)).rotated(secret(2)).unwrap();
        let stored = secrets.reveal();
        assert_eq!(stored, [secret(2).reveal(), secret(1).reveal()]);
        assert_eq!(
            UnsubscribeSecrets::parse(stored.iter().map(String::as_str)),
            Some(secrets)
        );
        assert_eq!(UnsubscribeSecrets::parse([]), None);
        assert_eq!(UnsubscribeSecrets::parse([stored[0].as_str(), "AQ"]), None);
        assert_eq!(UnsubscribeSecrets::parse(["+not base64+"]), None);
    }

    #[test]
    fn no_rotation_ends_a_secret() {
        let mut secrets = UnsubscribeSecrets::first(secret(0));
        for byte in 1..16 {
            secrets = secrets.rotated(secret(byte)).unwrap();
        }
        assert_eq!(secrets.len(), SECRETS_MAX);
        assert_eq!(secrets.rotated(secret(16)), Err(TooManySecrets));
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", UnsubscribeSecrets::first(secret(1)));
        assert!(
            !shown.contains(&secret(1).reveal()) && !shown.contains("1, 1"),
            "{shown}"
        );
    }
}
