//! The two kinds of mail: transactional and bulk.

use serde::{Deserialize, Serialize};

/// The kind of a mail. Where the two compete, transactional mail goes before bulk mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Mail that one person expects, such as a password reset or a receipt.
    #[default]
    Transactional,
    /// Mail to many people, such as a newsletter or an announcement.
    Bulk,
}

impl Stream {
    /// Returns the name that tags, items and options use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactional => "transactional",
            Self::Bulk => "bulk",
        }
    }

    /// Reads the name that tags, items and options use. Returns `None` for any other text.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Transactional, Self::Bulk]
            .into_iter()
            .find(|stream| stream.as_str() == name)
    }
}
