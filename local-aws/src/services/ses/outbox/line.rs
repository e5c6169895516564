//! The lines of the outbox's file.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::mail::OutboxMail;
use super::state::MailState;

/// A line of the file. `M` is a mail, owned or borrowed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutboxLine<M> {
    /// SES accepted a mail.
    Mail {
        /// The mail's number, by which lists go on after it.
        number: u64,
        mail: M,
        /// The bytes of a raw mail in base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
    },
    /// SES published an event about a mail.
    Event {
        number: u64,
        recipient: String,
        state: MailState,
    },
    /// Somebody read mails, or marked them as unread.
    Read { numbers: Vec<u64>, is_read: bool },
    /// Somebody deleted mails. The next start removes their lines.
    Deleted { numbers: Vec<u64> },
    /// The rest of a mail that is gone and still counts towards the quota.
    Counted { counted_recipients: u32, at: Timestamp },
}

impl<'a> OutboxLine<&'a OutboxMail> {
    /// Makes the line of a mail.
    pub(super) fn of(number: u64, mail: &'a OutboxMail) -> Self {
        Self::Mail {
            number,
            mail,
            source: mail.source.as_deref().map(|source| STANDARD.encode(source)),
        }
    }
}

/// Puts the bytes of a raw mail back.
pub(super) fn with_source(mail: OutboxMail, source: Option<String>) -> io::Result<OutboxMail> {
    let source = source.map(|source| STANDARD.decode(source)).transpose();
    let source = source.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(OutboxMail {
        source: source.map(Into::into),
        ..mail
    })
}
