//! A mail as its row holds it.

use std::collections::BTreeMap;

use crate::address::Mailbox;
use crate::message::{Mail, SUBJECT_MAX};

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
    /// The beginning of the subject, in Unicode. A raw mail may have a longer one than an item can hold.
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
            subject: mail.subject().chars().take(SUBJECT_MAX).collect(),
            tags: tags
                .map(|tag| (tag.name().to_owned(), tag.value().to_owned()))
                .collect(),
            event_headers: mail.event_headers(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::raw::{RawEmail, RawEnvelope, RawMessage};
    use crate::message::{MailContent, SesOptions};

    #[test]
    fn the_subject_of_a_raw_mail_is_recorded_as_far_as_a_row_holds_it() {
        for (length, recorded) in [(10, 10), (SUBJECT_MAX, SUBJECT_MAX), (140_000, SUBJECT_MAX)] {
            let subject = "\u{00fc}".repeat(length);
            let mime = format!("From: a@example.com\nTo: b@example.net\nSubject: {subject}\n\nHi");
            let message = RawMessage::read(mime.into_bytes()).unwrap();
            let mail = Mail {
                content: MailContent::Raw(Box::new(RawEmail::new(message, RawEnvelope::default()).unwrap())),
                options: SesOptions::default(),
                topic: None,
            };
            assert_eq!(mail.subject(), subject);
            assert_eq!(RecordedMail::from(&mail).subject, "\u{00fc}".repeat(recorded));
        }
    }
}
