//! The stored content of a waiting mail.

use uuid::Uuid;

use crate::message::Email;
use crate::recipient::OnSuppressed;

/// What the table keeps of a mail while it waits, so that it can be sent later.
#[derive(Clone, Debug)]
pub struct QueuedContent {
    /// The email.
    pub email: Email,
    /// The consequence of a recipient that is suppressed when the mail is sent.
    pub on_suppressed: OnSuppressed,
}

/// How the bytes of a stored content are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncoding {
    /// [`QueuedContent`] as JSON, deflated (RFC 1951).
    DeflatedJson,
}

impl ContentEncoding {
    /// Returns the name in items.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeflatedJson => "json+deflate",
        }
    }

    /// Reads the name in items.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        (name == Self::DeflatedJson.as_str()).then_some(Self::DeflatedJson)
    }
}

/// Where the content of a waiting mail is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRef {
    /// A random value that the sort keys of the parts begin with. A new content has a new one.
    pub nonce: Uuid,
    /// The number of parts, one at least.
    pub parts: u32,
    /// The bytes of all parts together.
    pub size: u64,
    /// How the bytes are to be read.
    pub encoding: ContentEncoding,
}
