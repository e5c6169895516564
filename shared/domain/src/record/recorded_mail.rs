//! A mail as its row holds it.

use std::collections::BTreeMap;

use crate::address::Mailbox;
use crate::message::Mail;

/// A mail as the caller gave it, without its bodies and attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedMail {
    /// The `From` address, with its display name.
    pub from: String,
    /// The `To` recipients, with their names.
    pub to: Vec<String>,
    /// The `Cc` recipients, with their names.
    pub cc: Vec<String>,
    /// The `Bcc` recipients, with their names.
    pub bcc: Vec<String>,
    /// The addresses that replies go to.
    pub reply_to: Vec<String>,
    /// The subject, in Unicode.
    pub subject: String,
    /// The caller's own tags, by name.
    pub tags: BTreeMap<String, String>,
    /// The headers that events repeat, by name: see [`Mail::event_headers`].
    pub event_headers: BTreeMap<String, String>,
}

impl From<&Mail> for RecordedMail {
    fn from(mail: &Mail) -> Self {
        let lines = mail.header_lines();
        let texts = |mailboxes: &[&Mailbox]| mailboxes.iter().map(ToString::to_string).collect();
        let tags = mail.tags().iter();
        Self {
            from: mail.sender().to_string(),
            to: texts(&lines.to),
            cc: texts(&lines.cc),
            bcc: texts(&lines.bcc),
            reply_to: texts(&lines.reply_to),
            subject: mail.subject().to_owned(),
            tags: tags
                .map(|tag| (tag.name().to_owned(), tag.value().to_owned()))
                .collect(),
            event_headers: mail.event_headers(),
        }
    }
}
