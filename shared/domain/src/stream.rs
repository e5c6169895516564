//! The two kinds of mail that Okite tells apart.

use serde::{Deserialize, Serialize};

/// What a mail is for. Bulk mail gives way to transactional mail wherever the two compete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Mail that one person waits for: a password reset, a receipt.
    #[default]
    Transactional,
    /// Mail that goes to many: a newsletter, an announcement.
    Bulk,
}

impl Stream {
    /// Returns the name used in tags, items and options.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactional => "transactional",
            Self::Bulk => "bulk",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Transactional, Self::Bulk]
            .into_iter()
            .find(|stream| stream.as_str() == name)
    }
}
