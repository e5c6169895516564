//! A mail within all limits of SES.

use serde::{Deserialize, Serialize};

use super::attachment::Attachment;
use super::error::{SesError, bad};
use super::mailbox::Mailbox;

/// 40 MB, with attachments in base64.
pub(super) const MAX_SIZE: usize = 40 * 1024 * 1024;

/// A mail within all limits. The recipients are those of the envelope.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub(super) from: Mailbox,
    /// Other addresses that must be verified: where bounces go, and senders in the header of a raw mail.
    pub(super) other_senders: Vec<Mailbox>,
    pub(super) to: Vec<Mailbox>,
    pub(super) cc: Vec<Mailbox>,
    pub(super) bcc: Vec<Mailbox>,
    pub(super) reply_to: Vec<Mailbox>,
    pub(super) subject: String,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) tags: Vec<Tag>,
    pub(super) configuration_set: Option<String>,
    pub(super) tracking: TrackingOverrides,
    /// The MIME message, if the caller built it.
    pub(super) raw: Option<RawMail>,
}

impl Mail {
    /// Lists all recipients: to, cc, bcc.
    pub(super) fn recipients(&self) -> impl Iterator<Item = &Mailbox> {
        self.to.iter().chain(&self.cc).chain(&self.bcc)
    }
}

/// The recipients that a request names beside the content.
#[derive(Clone, Debug)]
pub(super) struct Recipients {
    pub(super) to: Vec<Mailbox>,
    pub(super) cc: Vec<Mailbox>,
    pub(super) bcc: Vec<Mailbox>,
}

/// A tag of a mail.
///
/// It has AWS's own name, as the adapter or value of the product that plays the other side has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The name of the tag.
    pub name: String,
    /// The value of the tag.
    pub value: String,
}

impl Tag {
    /// Makes a tag of legal letters.
    pub(super) fn new(name: String, value: String) -> Result<Self, SesError> {
        let legal = |text: &str| {
            (1..=256).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if legal(&name) && legal(&value) {
            return Ok(Self { name, value });
        }
        Err(bad(&format!(
            "Tag <{name}> is not valid: name and value take 1 to 256 letters, digits, underscores and dashes."
        )))
    }
}

/// Whether a request overrides what its configuration set tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TrackingOverrides {
    pub(super) opens: Option<bool>,
    pub(super) clicks: Option<bool>,
}

/// A MIME message, with the people that its header names. Their names are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawMail {
    /// The message as recipients receive it.
    pub(super) source: Vec<u8>,
    pub(super) from: Vec<String>,
    pub(super) sender: Vec<String>,
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
    pub(super) reply_to: Vec<String>,
    pub(super) date: Option<String>,
}

/// Refuses a mail of more than [`MAX_SIZE`] bytes.
pub(super) fn check_length(size: usize) -> Result<(), SesError> {
    if size > MAX_SIZE {
        return Err(bad(&format!(
            "Message length is more than {MAX_SIZE} bytes long: '{size}'."
        )));
    }
    Ok(())
}
