//! The outbox: the mails that were accepted.
//!
//! With a file, a mail becomes a JSON line before it counts as accepted. The next start reads the file again, so the
//! outbox and the count of the last 24 hours survive a restart. Emptying the outbox leaves a short line for each mail
//! that still counts towards the quota.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::{Cost, RollingCount};
use super::mailbox::Mailbox;
use super::mailbox_simulator::is_simulated;
use super::person::Person;
use super::raw::RawMail;
use super::send_email::{Mail, Tag};
use crate::json_lines::JsonLines;

/// An accepted mail, in the shape of `GET /_local/outbox`. Addresses are in the form in which they were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxMail {
    /// The id in the answer to `SendEmail`.
    pub ses_message_id: String,
    /// Whether the caller built the MIME message. The fields below are then as its header and its parts have them, and
    /// names are decoded.
    #[serde(default)]
    pub raw: bool,
    /// The sender and the recipients of a raw mail, whatever its header says.
    #[serde(default)]
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
    pub(super) fn new(mail: &Mail, ses_message_id: String, at: Timestamp) -> Self {
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

    fn counted_recipients(&self) -> u32 {
        let addresses: Vec<&String> = match &self.envelope {
            Some(envelope) => envelope.to.iter().collect(),
            None => self.to.iter().chain(&self.cc).chain(&self.bcc).collect(),
        };
        let mailboxes = addresses.into_iter().filter_map(|given| Mailbox::parse(given).ok());
        cost(mailboxes.collect::<Vec<_>>().iter()).counted
    }
}

/// Returns the cost of a mail to these recipients.
pub(super) fn cost<'a>(recipients: impl Iterator<Item = &'a Mailbox>) -> Cost {
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
pub(super) fn ses_id(id: Uuid, at: Timestamp) -> String {
    format!("0100{:012x}-{}-000000", at.as_millisecond().max(0), id)
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OutboxLine {
    /// The rest of a mail after the outbox was emptied.
    Counted {
        counted_recipients: u32,
        at: Timestamp,
    },
    Mail(Box<MailLine>),
}

/// The line of a mail, with the bytes of a raw one.
#[derive(Serialize, Deserialize)]
struct MailLine {
    #[serde(flatten)]
    mail: OutboxMail,
    /// The bytes in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

impl MailLine {
    fn new(mail: &OutboxMail) -> Self {
        Self {
            source: mail.source.as_deref().map(|source| STANDARD.encode(source)),
            mail: mail.clone(),
        }
    }

    fn read(self) -> io::Result<OutboxMail> {
        let source = self.source.map(|source| STANDARD.decode(source)).transpose();
        let source = source.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(OutboxMail {
            source: source.map(Into::into),
            ..self.mail
        })
    }
}

/// The accepted mails, oldest first, and their file.
#[derive(Debug)]
pub(super) struct Outbox {
    mails: Vec<OutboxMail>,
    file: Option<JsonLines>,
}

impl Outbox {
    /// Opens the outbox, and returns it with the count of its mails.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written, or holds a line of another shape.
    pub(super) fn open(path: Option<PathBuf>) -> io::Result<(Self, RollingCount)> {
        let mut mails = Vec::new();
        let mut sent = RollingCount::default();
        let Some(path) = path else {
            return Ok((Self { mails, file: None }, sent));
        };
        let (file, lines) = JsonLines::open(path)?;
        for line in lines {
            match line {
                OutboxLine::Counted { counted_recipients, at } => sent.add(counted_recipients, at),
                OutboxLine::Mail(line) => {
                    let mail = line.read()?;
                    sent.add(mail.counted_recipients(), mail.at);
                    mails.push(mail);
                }
            }
        }
        let file = Some(file);
        Ok((Self { mails, file }, sent))
    }

    pub(super) fn mails(&self) -> &[OutboxMail] {
        &self.mails
    }

    /// Adds a mail, to the file first. If that fails, nothing was added.
    pub(super) fn append(&mut self, mail: OutboxMail) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.append(&MailLine::new(&mail))?;
        }
        self.mails.push(mail);
        Ok(())
    }

    /// Empties the outbox. `counted` are the counts that the file keeps for the quota.
    pub(super) fn clear(&mut self, counted: impl Iterator<Item = (Timestamp, u32)>) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.rewrite(counted.map(|(at, counted_recipients)| OutboxLine::Counted { counted_recipients, at }))?;
        }
        self.mails.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn mail(subject: &str, to: &[&str]) -> OutboxMail {
        OutboxMail {
            ses_message_id: ses_id(Uuid::from_u128(7), at(0)),
            raw: false,
            envelope: None,
            from: "Ada <ada@example.com>".to_owned(),
            to: to.iter().map(|&given| given.to_owned()).collect(),
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: Vec::new(),
            subject: subject.to_owned(),
            text: Some("Hello".to_owned()),
            html: None,
            headers: BTreeMap::new(),
            attachments: Vec::new(),
            tags: Vec::new(),
            at: at(0),
            source: None,
        }
    }

    fn raw_mail(source: &[u8]) -> OutboxMail {
        OutboxMail {
            raw: true,
            envelope: Some(OutboxEnvelope {
                from: "ada@example.com".to_owned(),
                to: vec!["bob@example.net".to_owned()],
            }),
            source: Some(source.into()),
            ..mail("raw", &["eve@example.net", "all@example.net"])
        }
    }

    struct Scratch {
        _folder: tempfile::TempDir,
        path: PathBuf,
    }

    fn scratch() -> Scratch {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        Scratch { _folder: folder, path }
    }

    fn open(path: &Path) -> (Outbox, RollingCount) {
        Outbox::open(Some(path.to_owned())).unwrap()
    }

    #[test]
    fn survives_a_restart_with_its_count() {
        let scratch = scratch();
        let (mut outbox, _) = open(&scratch.path);
        let to = ["bob@example.net", "success@simulator.amazonses.com"];
        outbox.append(mail("one", &to)).unwrap();
        outbox.append(mail("two", &["eve@example.net"])).unwrap();
        drop(outbox);

        let (outbox, mut sent) = open(&scratch.path);
        assert_eq!(outbox.mails()[0], mail("one", &to));
        assert_eq!(outbox.mails().len(), 2);
        assert_eq!(sent.total(at(0)), 2);
    }

    #[test]
    fn keeps_the_bytes_of_a_raw_mail_and_counts_its_envelope() {
        let scratch = scratch();
        let (mut outbox, _) = open(&scratch.path);
        let mail = raw_mail(b"From: ada@example.com\r\n\r\n\xff\0");
        outbox.append(mail.clone()).unwrap();
        drop(outbox);
        let (outbox, mut sent) = open(&scratch.path);
        assert_eq!(outbox.mails(), [mail]);
        assert_eq!(sent.total(at(0)), 1);
    }

    #[test]
    fn reads_the_mails_of_earlier_versions() {
        let scratch = scratch();
        let mut line = serde_json::to_value(mail("one", &["bob@example.net"])).unwrap();
        let members = line.as_object_mut().unwrap();
        members.remove("raw");
        members.remove("envelope");
        std::fs::write(&scratch.path, format!("{line}\n")).unwrap();
        assert_eq!(open(&scratch.path).0.mails(), [mail("one", &["bob@example.net"])]);
    }

    #[test]
    fn drops_a_torn_last_line_and_writes_on_after_it() {
        let scratch = scratch();
        let (mut outbox, _) = open(&scratch.path);
        outbox.append(mail("one", &["bob@example.net"])).unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(&scratch.path).unwrap();
        file.write_all(b"{\"ses_message_id\":\"0100").unwrap();
        drop((outbox, file));

        let (mut outbox, mut sent) = open(&scratch.path);
        assert_eq!(outbox.mails().len(), 1);
        assert_eq!(sent.total(at(0)), 1);
        outbox.append(mail("two", &["bob@example.net"])).unwrap();
        let (outbox, _) = open(&scratch.path);
        let subjects: Vec<_> = outbox.mails().iter().map(|m| &m.subject).collect();
        assert_eq!(subjects, ["one", "two"]);
    }

    #[test]
    fn refuses_a_file_that_is_not_its_own() {
        let scratch = scratch();
        std::fs::write(&scratch.path, "hello\n").unwrap();
        let refusal = Outbox::open(Some(scratch.path.clone())).unwrap_err();
        assert!(refusal.to_string().contains("line 1"), "{refusal}");
    }

    #[test]
    fn emptying_keeps_the_count_over_a_restart() {
        let scratch = scratch();
        let (mut outbox, mut sent) = open(&scratch.path);
        outbox.append(mail("one", &["bob@example.net"])).unwrap();
        sent.add(1, at(0));
        outbox.clear(sent.counted()).unwrap();
        assert!(outbox.mails().is_empty());
        outbox.append(mail("two", &["bob@example.net"])).unwrap();
        drop(outbox);

        let (outbox, mut sent) = open(&scratch.path);
        assert_eq!(outbox.mails().len(), 1);
        assert_eq!(sent.total(at(5)), 2);
    }

    #[test]
    fn shows_the_time_in_rfc_3339_and_the_shape_of_the_local_api() {
        let value = serde_json::to_value(mail("one", &["bob@example.net"])).unwrap();
        assert_eq!(value["at"], "2027-01-15T08:00:00Z");
        let members: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        let mut expected = [
            "ses_message_id",
            "raw",
            "envelope",
            "from",
            "to",
            "cc",
            "bcc",
            "reply_to",
            "subject",
            "text",
            "html",
            "headers",
            "attachments",
            "tags",
            "at",
        ];
        let mut members: Vec<_> = members.iter().map(String::as_str).collect();
        members.sort_unstable();
        expected.sort_unstable();
        assert_eq!(members, expected);
    }

    #[test]
    fn makes_ids_of_the_shape_that_ses_gives() {
        assert_eq!(
            ses_id(Uuid::from_u128(0xff), at(0)),
            "010001a3185c5000-00000000-0000-0000-0000-0000000000ff-000000"
        );
    }
}
