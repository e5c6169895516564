//! An accepted mail, as the outbox keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::account::Cost;
use super::super::mail::{Mail, RawMail, Tag};
use super::super::mailbox::Mailbox;
use super::super::mailbox_simulator::is_simulated;
use super::super::person::Person;

/// An accepted mail, in the shape of `GET /_local/outbox`. Addresses are in the form in which they were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxMail {
    /// The id in the answer to `SendEmail`.
    pub ses_message_id: String,
    /// Whether the caller built the MIME message. The fields below are then as its header and its parts have them, and
    /// names are decoded.
    pub raw: bool,
    /// The sender and the recipients of a raw mail, whatever its header says.
    pub envelope: Option<OutboxEnvelope>,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The recipients of copies.
    pub cc: Vec<String>,
    /// The recipients of blind copies; of a raw mail, those in the envelope that its header does not name.
    pub bcc: Vec<String>,
    /// The addresses for replies.
    pub reply_to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The plain text, if there is one.
    pub text: Option<String>,
    /// The HTML, if there is one.
    pub html: Option<String>,
    /// The caller's own headers; all headers of a raw mail. The values of a repeated one are joined by a comma.
    pub headers: BTreeMap<String, String>,
    /// The attachments.
    pub attachments: Vec<OutboxAttachment>,
    /// The tags.
    pub tags: Vec<Tag>,
    /// The time of acceptance.
    pub at: Timestamp,
    /// The bytes of a raw mail, as recipients receive them.
    #[serde(skip)]
    pub source: Option<Arc<[u8]>>,
}

/// The addresses that a mail travels by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEnvelope {
    /// The sender.
    pub from: String,
    /// All recipients.
    pub to: Vec<String>,
}

/// An attachment of an accepted mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxAttachment {
    /// The file name.
    pub filename: String,
    /// The media type, if the request has one.
    pub content_type: Option<String>,
    /// The id by which HTML refers to it, if the request has one.
    pub content_id: Option<String>,
    /// The content in base64.
    pub content: String,
}

impl OutboxMail {
    pub(in super::super) fn new(mail: &Mail, ses_message_id: String, at: Timestamp) -> Self {
        let given = |mailboxes: &[Mailbox]| mailboxes.iter().map(|m| m.given.clone()).collect();
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in &mail.headers {
            headers
                .entry(name.clone())
                .and_modify(|values| {
                    values.push_str(", ");
                    values.push_str(value);
                })
                .or_insert_with(|| value.clone());
        }
        let attachments = mail
            .attachments
            .iter()
            .map(|attachment| OutboxAttachment {
                filename: attachment.file_name.clone().unwrap_or_default(),
                content_type: attachment.content_type.clone(),
                content_id: attachment.content_id.clone(),
                content: attachment.raw_content.clone().unwrap_or_default(),
            })
            .collect();
        let mut kept = Self {
            ses_message_id,
            raw: false,
            envelope: None,
            from: mail.from.given.clone(),
            to: given(&mail.to),
            cc: given(&mail.cc),
            bcc: given(&mail.bcc),
            reply_to: given(&mail.reply_to),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
            headers,
            attachments,
            tags: mail.tags.clone(),
            at,
            source: None,
        };
        if let Some(raw) = &mail.raw {
            kept.take(raw, mail);
        }
        kept
    }

    /// Takes the people of a raw mail from its header.
    fn take(&mut self, raw: &RawMail, mail: &Mail) {
        self.raw = true;
        self.envelope = Some(OutboxEnvelope {
            from: mail.from.bare(),
            to: mail.recipients().map(Mailbox::bare).collect(),
        });
        self.from = raw.from.first().cloned().unwrap_or_default();
        self.to.clone_from(&raw.to);
        self.cc.clone_from(&raw.cc);
        self.reply_to.clone_from(&raw.reply_to);
        let address = |given: &String| Person::read(given).email.to_ascii_lowercase();
        let named: Vec<String> = self.to.iter().chain(&self.cc).map(address).collect();
        let blind = mail.recipients().filter(|mailbox| !named.contains(&mailbox.key()));
        self.bcc = blind.map(Mailbox::bare).collect();
        self.source = Some(raw.source.as_slice().into());
    }

    pub(super) fn counted_recipients(&self) -> u32 {
        let addresses: Vec<&String> = match &self.envelope {
            Some(envelope) => envelope.to.iter().collect(),
            None => self.to.iter().chain(&self.cc).chain(&self.bcc).collect(),
        };
        let mailboxes = addresses.into_iter().filter_map(|given| Mailbox::parse(given).ok());
        cost(mailboxes.collect::<Vec<_>>().iter()).counted
    }
}

/// Returns the cost of a mail to these recipients.
pub(in super::super) fn cost<'a>(recipients: impl Iterator<Item = &'a Mailbox>) -> Cost {
    let mut cost = Cost {
        recipients: 0,
        counted: 0,
    };
    for mailbox in recipients {
        cost.recipients += 1;
        cost.counted += u32::from(!is_simulated(mailbox));
    }
    cost
}

/// Makes an id of the form that SES gives to messages and to feedback.
pub(in super::super) fn ses_id(id: Uuid, at: Timestamp) -> String {
    format!("0100{:012x}-{}-000000", at.as_millisecond().max(0), id)
}
