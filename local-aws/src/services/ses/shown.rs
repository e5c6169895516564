//! Accepted mails as `/_local/` shows them: with what people want to read beside what was sent.

use serde::Serialize;

use super::outbox::OutboxMail;
use super::person::Person;
use super::send_email::Tag;

/// The tag in which the id of the caller's own comes.
const ID_TAG: &str = "okite_id";
/// How much of a text a list shows, in characters.
const SNIPPET_MAX: usize = 160;

/// A mail, whole.
#[derive(Debug, Serialize)]
pub(crate) struct Shown<'a> {
    /// Okite's id, if Okite sent it.
    id: Option<&'a str>,
    decoded: Decoded,
    #[serde(flatten)]
    mail: &'a OutboxMail,
}

/// A mail in a list: without its bodies and the content of its files.
#[derive(Debug, Serialize)]
pub(crate) struct Summary<'a> {
    id: Option<&'a str>,
    ses_message_id: &'a str,
    at: jiff::Timestamp,
    subject: &'a str,
    decoded: Decoded,
    snippet: String,
    tags: &'a [Tag],
    attachments: usize,
}

/// The people of a mail, with their names decoded.
#[derive(Debug, Serialize)]
struct Decoded {
    from: Person,
    to: Vec<Person>,
    cc: Vec<Person>,
    bcc: Vec<Person>,
    reply_to: Vec<Person>,
}

impl Decoded {
    fn new(mail: &OutboxMail) -> Self {
        let people = |given: &[String]| given.iter().map(|given| Person::read(given)).collect();
        Self {
            from: Person::read(&mail.from),
            to: people(&mail.to),
            cc: people(&mail.cc),
            bcc: people(&mail.bcc),
            reply_to: people(&mail.reply_to),
        }
    }
}

impl<'a> Shown<'a> {
    pub(crate) fn new(mail: &'a OutboxMail) -> Self {
        Self {
            id: mail.id(),
            decoded: Decoded::new(mail),
            mail,
        }
    }
}

impl<'a> Summary<'a> {
    pub(crate) fn new(mail: &'a OutboxMail) -> Self {
        let words = mail.text.as_deref().unwrap_or_default().split_whitespace();
        let words: Vec<&str> = words.take(SNIPPET_MAX / 2).collect();
        Self {
            id: mail.id(),
            ses_message_id: &mail.ses_message_id,
            at: mail.at,
            subject: &mail.subject,
            decoded: Decoded::new(mail),
            snippet: words.join(" ").chars().take(SNIPPET_MAX).collect(),
            tags: &mail.tags,
            attachments: mail.attachments.len(),
        }
    }
}

impl OutboxMail {
    /// The id that Okite gave the mail.
    pub(crate) fn id(&self) -> Option<&str> {
        let tag = self.tags.iter().find(|tag| tag.name == ID_TAG)?;
        Some(&tag.value)
    }
}
