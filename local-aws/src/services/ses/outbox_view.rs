//! Accepted mails as `/_local/` returns them: what was sent, with decoded names and a snippet.

use serde::Serialize;

use super::outbox::OutboxMail;
use super::person::Person;
use super::send_email::Tag;

/// The length of a text in a list, in characters.
const SNIPPET_MAX: usize = 160;

/// A mail with everything that was sent.
#[derive(Debug, Serialize)]
pub(crate) struct MailDetail<'a> {
    /// The sender's own id of the mail, from its tag.
    id: Option<&'a str>,
    decoded: DecodedPeople,
    #[serde(flatten)]
    mail: &'a OutboxMail,
}

/// A mail in a list: without its bodies and the content of its files.
#[derive(Debug, Serialize)]
pub(crate) struct MailSummary<'a> {
    id: Option<&'a str>,
    ses_message_id: &'a str,
    raw: bool,
    at: jiff::Timestamp,
    subject: &'a str,
    decoded: DecodedPeople,
    snippet: String,
    tags: &'a [Tag],
    attachments: usize,
}

/// The people of a mail, with their names decoded.
#[derive(Debug, Serialize)]
struct DecodedPeople {
    from: Person,
    to: Vec<Person>,
    cc: Vec<Person>,
    bcc: Vec<Person>,
    reply_to: Vec<Person>,
}

impl DecodedPeople {
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

impl<'a> MailDetail<'a> {
    /// `id_tag` is the tag that holds the sender's own id.
    pub(crate) fn new(mail: &'a OutboxMail, id_tag: Option<&str>) -> Self {
        Self {
            id: mail.id(id_tag),
            decoded: DecodedPeople::new(mail),
            mail,
        }
    }
}

impl<'a> MailSummary<'a> {
    /// `id_tag` is the tag that holds the sender's own id.
    pub(crate) fn new(mail: &'a OutboxMail, id_tag: Option<&str>) -> Self {
        let words = mail.text.as_deref().unwrap_or_default().split_whitespace();
        let words: Vec<&str> = words.take(SNIPPET_MAX / 2).collect();
        Self {
            id: mail.id(id_tag),
            ses_message_id: &mail.ses_message_id,
            raw: mail.raw,
            at: mail.at,
            subject: &mail.subject,
            decoded: DecodedPeople::new(mail),
            snippet: words.join(" ").chars().take(SNIPPET_MAX).collect(),
            tags: &mail.tags,
            attachments: mail.attachments.len(),
        }
    }
}

impl OutboxMail {
    /// Returns the id that the sender gave the mail in its tag `id_tag`.
    pub(crate) fn id(&self, id_tag: Option<&str>) -> Option<&str> {
        let tag = self.tags.iter().find(|tag| Some(tag.name.as_str()) == id_tag)?;
        Some(&tag.value)
    }
}
