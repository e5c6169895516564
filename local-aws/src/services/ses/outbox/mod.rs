//! The outbox: the mails that were accepted, with what became of them and whether somebody has read them.
//!
//! With a file, a mail becomes a JSON line before it counts as accepted, and so does every change of one. The next
//! start reads the file again, so the outbox, the states and the count of the last 24 hours survive a restart. Emptying
//! the outbox leaves a short line for each mail that still counts towards the quota.

mod line;
mod mail;
pub(super) mod search;
pub(super) mod state;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use self::line::{OutboxLine, with_source};
use self::search::{SearchedMail, SearchedTexts};
use self::state::{MailNews, MailProgress, MailState};
use super::account::RollingCount;
use crate::json_lines::JsonLines;

pub use self::mail::{OutboxAttachment, OutboxEnvelope, OutboxMail};
pub(super) use self::mail::{cost, ses_id};
pub(crate) use self::view::{MailDetail, MailSummary};

/// A mail of the outbox with its state. Copies share the mail.
#[derive(Clone, Debug)]
pub(crate) struct OutboxEntry {
    /// The number of the mail: later ones have greater numbers, also after a restart.
    pub(crate) number: u64,
    pub(crate) mail: Arc<OutboxMail>,
    pub(crate) state: MailState,
    pub(crate) is_read: bool,
    texts: Arc<SearchedTexts>,
}

impl OutboxEntry {
    fn new(number: u64, mail: OutboxMail, id_tag: Option<&str>) -> Self {
        Self {
            number,
            texts: Arc::new(mail.searched_texts(id_tag)),
            mail: Arc::new(mail),
            state: MailState::Sent,
            is_read: false,
        }
    }

    /// Returns what a search looks at.
    pub(crate) fn searched(&self) -> SearchedMail<'_> {
        SearchedMail {
            texts: &self.texts,
            state: self.state,
            is_read: self.is_read,
            has_attachment: !self.mail.attachments.is_empty(),
            at: self.mail.at,
        }
    }
}

/// The accepted mails and their file.
#[derive(Debug)]
pub(super) struct Outbox {
    /// By their numbers, so the oldest comes first.
    entries: BTreeMap<u64, OutboxEntry>,
    progress: HashMap<u64, MailProgress>,
    /// The numbers by SES's ids and by the senders' own.
    numbers: HashMap<String, u64>,
    last: u64,
    id_tag: Option<String>,
    file: Option<JsonLines>,
}

impl Outbox {
    /// Opens the outbox, and returns it with the count of its mails. `id_tag` is the tag of the senders' own ids.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written, or holds a line of another shape.
    pub(super) fn open(path: Option<PathBuf>, id_tag: Option<String>) -> io::Result<(Self, RollingCount)> {
        let mut outbox = Self {
            entries: BTreeMap::new(),
            progress: HashMap::new(),
            numbers: HashMap::new(),
            last: 0,
            id_tag,
            file: None,
        };
        let mut sent = RollingCount::default();
        let Some(path) = path else {
            return Ok((outbox, sent));
        };
        let (file, lines) = JsonLines::open(path).map_err(of_another_version)?;
        let mut gone = Vec::new();
        for line in lines {
            match line {
                OutboxLine::Counted { counted_recipients, at } => {
                    sent.add(counted_recipients, at);
                    gone.push((counted_recipients, at));
                }
                OutboxLine::Mail { number, mail, source } => {
                    let mail = with_source(mail, source)?;
                    sent.add(mail.counted_recipients(), mail.at);
                    outbox.insert(OutboxEntry::new(number, mail, outbox.id_tag.as_deref()));
                }
                OutboxLine::Event {
                    number,
                    recipient,
                    state,
                } => {
                    outbox.progress_of(number, &recipient, state);
                }
                OutboxLine::Read { numbers, is_read } => outbox.set_read(&numbers, is_read),
                OutboxLine::Deleted { numbers } => {
                    let removed = outbox.remove(&numbers);
                    gone.extend(
                        removed
                            .iter()
                            .map(|entry| (entry.mail.counted_recipients(), entry.mail.at)),
                    );
                }
            }
        }
        outbox.file = Some(file);
        if !gone.is_empty() {
            outbox.rewrite(gone)?;
        }
        Ok((outbox, sent))
    }

    /// Lists the entries, oldest first.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = &OutboxEntry> {
        self.entries.values()
    }

    /// Finds an entry by SES's id of the mail or by its sender's.
    pub(super) fn find(&self, id: &str) -> Option<&OutboxEntry> {
        self.entries.get(self.numbers.get(id)?)
    }

    /// Adds a mail, to the file first. If that fails, nothing was added.
    pub(super) fn append(&mut self, mail: OutboxMail) -> io::Result<OutboxEntry> {
        let number = self.last.saturating_add(1);
        if let Some(file) = &mut self.file {
            file.append(&OutboxLine::of(number, &mail))?;
        }
        let entry = OutboxEntry::new(number, mail, self.id_tag.as_deref());
        self.insert(entry.clone());
        Ok(entry)
    }

    /// Adds what SES published about a mail, and returns whether it changed anything.
    pub(super) fn add_news(&mut self, news: &MailNews) -> io::Result<bool> {
        let Some(number) = self.numbers.get(&news.ses_message_id).copied() else {
            return Ok(false);
        };
        let about_the_mail = [String::new()];
        let recipients = match news.recipients.as_slice() {
            [] => &about_the_mail,
            recipients => recipients,
        };
        let mut is_changed = false;
        for recipient in recipients {
            if self.progress_of(number, recipient, news.state) {
                is_changed = true;
                self.write(&OutboxLine::Event {
                    number,
                    recipient: recipient.clone(),
                    state: news.state,
                })?;
            }
        }
        Ok(is_changed)
    }

    /// Marks mails as read or unread, and returns how many that changed.
    pub(super) fn mark(&mut self, numbers: &[u64], is_read: bool) -> io::Result<usize> {
        let differs = |number: &&u64| self.entries.get(number).is_some_and(|entry| entry.is_read != is_read);
        let numbers: Vec<u64> = numbers.iter().filter(differs).copied().collect();
        if numbers.is_empty() {
            return Ok(0);
        }
        self.write(&OutboxLine::Read {
            numbers: numbers.clone(),
            is_read,
        })?;
        self.set_read(&numbers, is_read);
        Ok(numbers.len())
    }

    /// Deletes mails, and returns them. They still count towards the quota.
    pub(super) fn delete(&mut self, numbers: &[u64]) -> io::Result<Vec<OutboxEntry>> {
        let is_there = |number: &&u64| self.entries.contains_key(number);
        let numbers: Vec<u64> = numbers.iter().filter(is_there).copied().collect();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        self.write(&OutboxLine::Deleted {
            numbers: numbers.clone(),
        })?;
        Ok(self.remove(&numbers))
    }

    /// Empties the outbox. `counted` are the counts that the file keeps for the quota.
    pub(super) fn clear(&mut self, counted: impl Iterator<Item = (Timestamp, u32)>) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            let line = |(at, counted_recipients)| OutboxLine::<&OutboxMail>::Counted { counted_recipients, at };
            file.rewrite(counted.map(line))?;
        }
        self.entries.clear();
        self.progress.clear();
        self.numbers.clear();
        Ok(())
    }

    fn write(&mut self, line: &OutboxLine<&OutboxMail>) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.append(line))
    }

    /// Writes the file without the mails that are gone, whose counts are given.
    fn rewrite(&mut self, gone: Vec<(u32, Timestamp)>) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let counted = gone
            .into_iter()
            .map(|(counted_recipients, at)| OutboxLine::Counted { counted_recipients, at });
        let mails = self
            .entries
            .values()
            .map(|entry| OutboxLine::of(entry.number, &entry.mail));
        let events = self.progress.iter().flat_map(|(number, progress)| {
            progress.recipients().map(|(recipient, state)| OutboxLine::Event {
                number: *number,
                recipient: recipient.to_owned(),
                state,
            })
        });
        let read = self.entries.values().filter(|entry| entry.is_read);
        let read = OutboxLine::Read {
            numbers: read.map(|entry| entry.number).collect(),
            is_read: true,
        };
        file.rewrite(counted.chain(mails).chain(events).chain([read]))
    }

    fn insert(&mut self, entry: OutboxEntry) {
        self.last = self.last.max(entry.number);
        if let Some(id) = entry.mail.id(self.id_tag.as_deref()) {
            self.numbers.insert(id.to_owned(), entry.number);
        }
        self.numbers.insert(entry.mail.ses_message_id.clone(), entry.number);
        self.entries.insert(entry.number, entry);
    }

    fn remove(&mut self, numbers: &[u64]) -> Vec<OutboxEntry> {
        let removed: Vec<OutboxEntry> = numbers
            .iter()
            .filter_map(|number| self.entries.remove(number))
            .collect();
        for entry in &removed {
            self.progress.remove(&entry.number);
            let ids = [
                entry.mail.id(self.id_tag.as_deref()),
                Some(entry.mail.ses_message_id.as_str()),
            ];
            for id in ids.into_iter().flatten() {
                // Another mail may have the sender's id too.
                if self.numbers.get(id) == Some(&entry.number) {
                    self.numbers.remove(id);
                }
            }
        }
        removed
    }

    fn progress_of(&mut self, number: u64, recipient: &str, state: MailState) -> bool {
        let Some(entry) = self.entries.get_mut(&number) else {
            return false;
        };
        let progress = self.progress.entry(number).or_default();
        let is_changed = progress.add(recipient, state);
        entry.state = progress.state();
        is_changed
    }

    fn set_read(&mut self, numbers: &[u64], is_read: bool) {
        for number in numbers {
            if let Some(entry) = self.entries.get_mut(number) {
                entry.is_read = is_read;
            }
        }
    }
}

/// Says what to do about a file that this version did not write.
fn of_another_version(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::InvalidData {
        return error;
    }
    let advice = "another version wrote it, or another program; delete the data directory to start afresh, or name \
                  another one";
    io::Error::new(error.kind(), format!("{error}: {advice}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use uuid::Uuid;

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
        Outbox::open(Some(path.to_owned()), None).unwrap()
    }

    fn mails(outbox: &Outbox) -> Vec<OutboxMail> {
        outbox.entries().map(|entry| OutboxMail::clone(&entry.mail)).collect()
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
        assert_eq!(mails(&outbox)[0], mail("one", &to));
        assert_eq!(outbox.entries().count(), 2);
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
        assert_eq!(mails(&outbox), [mail]);
        assert_eq!(sent.total(at(0)), 1);
    }

    #[test]
    fn says_that_another_version_wrote_the_file() {
        let scratch = scratch();
        let line = serde_json::to_value(mail("one", &["bob@example.net"])).unwrap();
        std::fs::write(&scratch.path, format!("{line}\n")).unwrap();
        let refusal = Outbox::open(Some(scratch.path.clone()), None).unwrap_err().to_string();
        assert!(
            refusal.contains("line 1") && refusal.contains("another version"),
            "{refusal}"
        );
    }

    #[test]
    fn states_and_what_was_read_and_deleted_survive_restarts() {
        let scratch = scratch();
        let (mut outbox, _) = open(&scratch.path);
        for (number, subject) in [(1, "one"), (2, "two"), (3, "three")] {
            let ses_message_id = number.to_string();
            outbox
                .append(OutboxMail {
                    ses_message_id,
                    ..mail(subject, &["bob@example.net"])
                })
                .unwrap();
        }
        let news = |id: &str, state| MailNews {
            ses_message_id: id.to_owned(),
            state,
            recipients: vec!["bob@example.net".to_owned()],
        };
        assert!(outbox.add_news(&news("1", MailState::Delivered)).unwrap());
        assert!(!outbox.add_news(&news("1", MailState::Delivered)).unwrap());
        assert!(!outbox.add_news(&news("9", MailState::Delivered)).unwrap());
        outbox.add_news(&news("2", MailState::Bounced)).unwrap();
        assert_eq!(outbox.mark(&[1, 2, 9], true).unwrap(), 2);
        assert_eq!(outbox.mark(&[2], false).unwrap(), 1);
        assert_eq!(outbox.delete(&[3, 9]).unwrap().len(), 1);
        // The first restart reads the changes, and the second what the first made of them.
        for _ in 0..2 {
            drop(outbox);
            let (again, mut sent) = open(&scratch.path);
            assert_eq!(sent.total(at(0)), 3);
            let told: Vec<_> = again
                .entries()
                .map(|entry| (entry.number, entry.state, entry.is_read))
                .collect();
            assert_eq!(told, [(1, MailState::Delivered, true), (2, MailState::Bounced, false)]);
            assert!(again.find("3").is_none());
            let file = std::fs::read_to_string(&scratch.path).unwrap();
            assert!(!file.contains("three"), "{file}");
            outbox = again;
        }
        assert_eq!(outbox.append(mail("four", &["bob@example.net"])).unwrap().number, 3);
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
        assert_eq!(outbox.entries().count(), 1);
        assert_eq!(sent.total(at(0)), 1);
        outbox.append(mail("two", &["bob@example.net"])).unwrap();
        let (outbox, _) = open(&scratch.path);
        let subjects: Vec<_> = outbox.entries().map(|entry| &entry.mail.subject).collect();
        assert_eq!(subjects, ["one", "two"]);
    }

    #[test]
    fn refuses_a_file_that_is_not_its_own() {
        let scratch = scratch();
        std::fs::write(&scratch.path, "hello\n").unwrap();
        let refusal = Outbox::open(Some(scratch.path.clone()), None).unwrap_err();
        assert!(refusal.to_string().contains("line 1"), "{refusal}");
    }

    #[test]
    fn emptying_keeps_the_count_over_a_restart() {
        let scratch = scratch();
        let (mut outbox, mut sent) = open(&scratch.path);
        outbox.append(mail("one", &["bob@example.net"])).unwrap();
        sent.add(1, at(0));
        outbox.clear(sent.counted()).unwrap();
        assert!(outbox.entries().next().is_none());
        outbox.append(mail("two", &["bob@example.net"])).unwrap();
        drop(outbox);

        let (outbox, mut sent) = open(&scratch.path);
        assert_eq!(outbox.entries().count(), 1);
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
