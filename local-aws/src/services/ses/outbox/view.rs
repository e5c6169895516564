//! Accepted mails as `/_local/` returns them: what was sent, with decoded names and a snippet.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::mail::Tag;
use super::super::person::Person;
use super::search::SearchedTexts;
use super::state::MailState;
use super::{OutboxEntry, OutboxMail};

/// The length of a text in a list, in characters.
const SNIPPET_MAX: usize = 160;
/// The length of the beginning of a text in which a search looks, in characters.
const SEARCHED_MAX: usize = 1_000;

/// A mail with everything that was sent.
#[derive(Debug, Serialize)]
pub(crate) struct MailDetail<'a> {
    /// The sender's own id of the mail, from its tag.
    id: Option<&'a str>,
    state: MailState,
    read: bool,
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
    state: MailState,
    read: bool,
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
    pub(crate) fn new(entry: &'a OutboxEntry, id_tag: Option<&str>) -> Self {
        let mail = entry.mail.as_ref();
        Self {
            id: mail.id(id_tag),
            state: entry.state,
            read: entry.is_read,
            decoded: DecodedPeople::new(mail),
            mail,
        }
    }
}

impl<'a> MailSummary<'a> {
    /// `id_tag` is the tag that holds the sender's own id.
    pub(crate) fn new(entry: &'a OutboxEntry, id_tag: Option<&str>) -> Self {
        let mail = entry.mail.as_ref();
        Self {
            id: mail.id(id_tag),
            ses_message_id: &mail.ses_message_id,
            raw: mail.raw,
            state: entry.state,
            read: entry.is_read,
            at: mail.at,
            subject: &mail.subject,
            decoded: DecodedPeople::new(mail),
            snippet: mail.beginning(SNIPPET_MAX),
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

    /// Returns the beginning of the text, on one line.
    fn beginning(&self, length: usize) -> String {
        let words = self.text.as_deref().unwrap_or_default().split_whitespace();
        let words: Vec<&str> = words.take(length / 2).collect();
        words.join(" ").chars().take(length).collect()
    }

    /// Returns the texts in which a search looks.
    pub(super) fn searched_texts(&self, id_tag: Option<&str>) -> SearchedTexts {
        let people = |given: &mut dyn Iterator<Item = &String>| {
            let mut texts = String::new();
            for given in given {
                let person = Person::read(given);
                let _ = writeln!(texts, "{} {}", person.name.unwrap_or_default(), person.email);
            }
            texts.to_lowercase()
        };
        let named = self.to.iter().chain(&self.cc).chain(&self.bcc);
        let envelope = self.envelope.as_ref();
        let senders = [&self.from].into_iter().chain(envelope.map(|envelope| &envelope.from));
        let tag = |tag: &Tag| format!("{}:{}", tag.name, tag.value).to_lowercase();
        let ids = [self.ses_message_id.as_str(), self.id(id_tag).unwrap_or_default()];
        SearchedTexts {
            from: people(&mut senders.into_iter()),
            to: people(&mut named.chain(envelope.iter().flat_map(|envelope| &envelope.to))),
            subject: self.subject.to_lowercase(),
            tags: self.tags.iter().map(tag).collect(),
            rest: format!("{}\n{}", ids.join("\n"), self.beginning(SEARCHED_MAX)).to_lowercase(),
        }
    }
}
