//! The form of a simple mail.

use aws_smithy_types::base64;
use serde::{Deserialize, Serialize};

use domain::address::Mailbox;
use domain::message::{Attachment, Email, EmailParts, Header, Tag};

use super::mailbox::StoredMailbox;

#[derive(Serialize, Deserialize)]
pub(super) struct StoredSimple {
    from: StoredMailbox,
    to: Vec<StoredMailbox>,
    cc: Vec<StoredMailbox>,
    bcc: Vec<StoredMailbox>,
    reply_to: Vec<StoredMailbox>,
    subject: String,
    html: Option<String>,
    text: Option<String>,
    headers: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    attachments: Vec<StoredAttachment>,
}

#[derive(Serialize, Deserialize)]
struct StoredAttachment {
    filename: String,
    content_type: Option<String>,
    content_id: Option<String>,
    /// The bytes, in base64.
    content: String,
}

impl StoredSimple {
    pub(super) fn of(email: &Email) -> Self {
        let all = |mailboxes: &[Mailbox]| mailboxes.iter().map(StoredMailbox::of).collect();
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            from: StoredMailbox::of(&email.from),
            to: all(&email.to),
            cc: all(&email.cc),
            bcc: all(&email.bcc),
            reply_to: all(&email.reply_to),
            subject: email.subject.clone(),
            html: email.html.clone(),
            text: email.text.clone(),
            headers: email
                .headers
                .iter()
                .map(|header| pair((header.name(), header.value())))
                .collect(),
            tags: email.tags.iter().map(|tag| pair((tag.name(), tag.value()))).collect(),
            attachments: email.attachments.iter().map(StoredAttachment::of).collect(),
        }
    }

    pub(super) fn read(self) -> Option<Email> {
        let all = |mailboxes: Vec<StoredMailbox>| mailboxes.into_iter().map(StoredMailbox::read).collect::<Option<_>>();
        let email = Email::new(EmailParts {
            from: self.from.read()?,
            to: all(self.to)?,
            cc: all(self.cc)?,
            bcc: all(self.bcc)?,
            reply_to: all(self.reply_to)?,
            subject: self.subject,
            html: self.html,
            // The text part was made from the HTML, or left out, when the mail was accepted.
            text: Some(self.text.unwrap_or_default()),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| Header::new(name, value).ok())
                .collect::<Option<_>>()?,
            tags: self
                .tags
                .iter()
                .map(|(name, value)| Tag::new(name, value).ok())
                .collect::<Option<_>>()?,
            attachments: self
                .attachments
                .into_iter()
                .map(StoredAttachment::read)
                .collect::<Option<_>>()?,
        });
        email.ok()
    }
}

impl StoredAttachment {
    fn of(attachment: &Attachment) -> Self {
        Self {
            filename: attachment.filename().to_owned(),
            content_type: attachment.given_type().map(str::to_owned),
            content_id: attachment.content_id().map(str::to_owned),
            content: base64::encode(attachment.content()),
        }
    }

    fn read(self) -> Option<Attachment> {
        let content = base64::decode(self.content).ok()?;
        Attachment::new(&self.filename, content, self.content_type, self.content_id).ok()
    }
}
