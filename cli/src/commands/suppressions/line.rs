//! One CSV line of a list: one register of an address.
//!
//! | column | holds |
//! |---|---|
//! | `address` | the address; the only required column |
//! | `reason` | the register: `bounce`, `complaint`, `blocked`, `soft`, `bounce_echo`, `complaint_echo` or `manual`; |
//! | | `lifted` for the time when the address was removed from the list; `unreadable` for an entry of which a part |
//! | | cannot be read, which is imported as `manual`; `manual` if empty; `unsubscribed` or `resubscribed` for a topic |
//! | `since` | when it happened (RFC 3339); the time of the import if empty |
//! | `expires_at` | when a manual entry ends; never if empty |
//! | `subtype`, `diagnostic` | SES's bounce subtype and the receiving server's response |
//! | `bounce_reason` | why the mail bounced, as Okite judged it; other words are ignored |
//! | `topic` | the topic of a choice; `*` for all topics that the entry has no choice about |
//! | `source` | SES's feedback id and the id of the mail, or the origin of a manual entry |
//!
//! Other mail services use other names, so several names are accepted for each column and reason, in any case and with
//! any punctuation. Unknown columns are ignored.

use csv::{ByteRecord, StringRecord};
use domain::address::{AddressError, EmailAddress};
use domain::bounce::BounceReason;
use domain::suppression::{Register, RegisterEvidence, SoftBounce, SuppressionEntry, SuppressionReason, TopicChoice};
use domain::time::possible;
use domain::unsubscribe::{InvalidTopic, Topic};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::csv_cell::{disarmed, text_of};

/// The columns of an export.
pub(super) const COLUMNS: [&str; 9] = [
    "address",
    "reason",
    "since",
    "expires_at",
    "subtype",
    "diagnostic",
    "source",
    "bounce_reason",
    "topic",
];
/// The source of a line that names none.
const SOURCE: &str = "import";

/// The accepted names of each column, reduced to lower-case letters and digits.
const NAMES: [&[&str]; 9] = [
    &["address", "email", "emailaddress", "mail", "recipient"],
    &["reason", "suppressionreason", "type"],
    &[
        "since",
        "at",
        "createdat",
        "created",
        "date",
        "lastupdatetime",
        "lastupdatedtime",
        "timestamp",
    ],
    &["expiresat", "expires"],
    &["subtype"],
    &["diagnostic", "diagnosticcode"],
    &["source", "origin"],
    &["bouncereason"],
    &["topic"],
];

/// Stands for all topics that an entry has no choice about.
const OTHER_TOPICS: &str = "*";

/// The change that a line makes to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegisterUpdate {
    /// Sets a register, or adds one soft bounce.
    Set(Register),
    /// Removes the address from the list.
    Lifted,
    /// The person left the topic of the line.
    Unsubscribed,
    /// The person came back to the topic of the line.
    Resubscribed,
}

impl RegisterUpdate {
    const SOFT: Self = Self::Set(Register::Of(SuppressionReason::Soft));
    const MANUAL: Self = Self::Set(Register::Of(SuppressionReason::Manual));

    fn as_str(self) -> &'static str {
        match self {
            Self::Set(register) => register.as_str(),
            Self::Lifted => "lifted",
            Self::Unsubscribed => "unsubscribed",
            Self::Resubscribed => "resubscribed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let reason = match letters(text).as_str() {
            // An entry that could not be read when it was exported stays suppressed until a person lifts it.
            "" | "manual" | "manualsuppression" | "unsubscribe" | "unsubscribed" | "unreadable" => {
                SuppressionReason::Manual
            }
            "bounce" | "bounced" | "hardbounce" | "permanent" => SuppressionReason::Bounce,
            "complaint" | "complained" | "spam" | "spamcomplaint" => SuppressionReason::Complaint,
            "blocked" => SuppressionReason::Blocked,
            "soft" => SuppressionReason::Soft,
            "bounceecho" => return Some(Self::Set(Register::BounceEcho)),
            "complaintecho" => return Some(Self::Set(Register::ComplaintEcho)),
            "lifted" => return Some(Self::Lifted),
            _ => return None,
        };
        Some(Self::Set(reason.into()))
    }
}

/// One register of an address.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) address: EmailAddress,
    pub(super) update: RegisterUpdate,
    pub(super) since: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) subtype: String,
    pub(super) diagnostic: Option<String>,
    pub(super) source: String,
    pub(super) bounce_reason: Option<BounceReason>,
    /// The topic of a choice. A choice without one is about all topics that the entry has no choice about.
    pub(super) topic: Option<Topic>,
}

/// Why a line is skipped. The message does not repeat the address, because logs may keep it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadLine {
    #[error("it is not UTF-8 text")]
    NotUtf8,
    #[error(
        "its address has a line break, because a quote is not closed. The lines up to the next quote are skipped with \
         it: close the quote"
    )]
    LineBreak,
    #[error("{0}")]
    Address(#[from] AddressError),
    #[error(
        "the reason must be one of bounce, complaint, blocked, manual, soft, lifted, bounce_echo, complaint_echo, \
         unreadable, unsubscribed and resubscribed"
    )]
    Reason,
    #[error("{0} must be a time like 2026-01-31T12:00:00Z, from 1970 until 2200")]
    Time(&'static str),
    /// Without a source and a time, two soft bounces would count as one.
    #[error("a soft bounce needs the columns source, which distinguishes it from others, and since")]
    SoftWithoutSource,
    #[error("the column topic: {0}")]
    Topic(#[from] InvalidTopic),
    #[error(
        "only a line with the reason unsubscribed, resubscribed or none may be imported for a topic: remove the column \
         reason if each line is a person who left the topic"
    )]
    NotAChoice,
    #[error("a line with the reason resubscribed needs a topic")]
    NoTopic,
    #[error("only a line with the reason manual may have expires_at")]
    Expires,
}

/// The positions of the columns of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns([Option<usize>; 9]);

impl Columns {
    /// Reads the header. Returns `None` if no column holds addresses.
    pub(super) fn read(header: &ByteRecord) -> Option<Self> {
        let names: Vec<String> = header
            .iter()
            .map(|name| letters(&String::from_utf8_lossy(name)))
            .collect();
        let column = |known: &&[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        let columns = NAMES.each_ref().map(column);
        columns[0].map(|_| Self(columns))
    }

    /// Reads a line. A time after `now`, the time of the import, becomes `now`: a register in the future could not be
    /// lifted.
    ///
    /// With `for_topic`, each line is a choice about this topic.
    pub(super) fn line(&self, record: &ByteRecord, now: Timestamp, for_topic: Option<&Topic>) -> Result<Line, BadLine> {
        let record = StringRecord::from_byte_record(record.clone()).map_err(|_| BadLine::NotUtf8)?;
        if record
            .get(self.0[0].unwrap_or_default())
            .is_some_and(|address| address.trim().contains('\n'))
        {
            return Err(BadLine::LineBreak);
        }
        let field = |column: usize| text_of(self.0[column].and_then(|at| record.get(at)).unwrap_or_default());
        let text = |column| Some(field(column)).filter(|text| !text.is_empty()).map(str::to_owned);
        let time_of = |column: usize| match field(column) {
            "" => Ok(None),
            text => time(text).map(Some).ok_or(BadLine::Time(COLUMNS[column])),
        };
        let (update, topic) = match (choice(field(1)), for_topic, field(8)) {
            (Some(choice), Some(topic), _) => (choice, Some(topic.clone())),
            (None, Some(_), _) => return Err(BadLine::NotAChoice),
            (Some(choice), None, OTHER_TOPICS) => (choice, None),
            (Some(choice), None, topic) if !topic.is_empty() => (choice, Some(Topic::parse(topic)?)),
            (Some(RegisterUpdate::Resubscribed), None, _) => return Err(BadLine::NoTopic),
            // Somebody who unsubscribed elsewhere, where there are no topics, gets no mail at all.
            _ => (RegisterUpdate::parse(field(1)).ok_or(BadLine::Reason)?, None),
        };
        let (since, expires_at, source) = (time_of(2)?, time_of(3)?, text(6));
        if update == RegisterUpdate::SOFT && (source.is_none() || since.is_none()) {
            return Err(BadLine::SoftWithoutSource);
        }
        if update != RegisterUpdate::MANUAL && expires_at.is_some() {
            return Err(BadLine::Expires);
        }
        Ok(Line {
            address: EmailAddress::parse(field(0))?,
            update,
            since: since.map_or(now, |since| since.min(now)),
            expires_at,
            subtype: text(4).unwrap_or_default(),
            diagnostic: text(5),
            source: source.unwrap_or_else(|| SOURCE.to_owned()),
            // Another service may have its own words in such a column.
            bounce_reason: BounceReason::parse(field(7)),
            topic,
        })
    }
}

/// Reads the reason of a line as a choice about a topic. A line without a reason may be one.
fn choice(reason: &str) -> Option<RegisterUpdate> {
    match letters(reason).as_str() {
        "" | "unsubscribe" | "unsubscribed" => Some(RegisterUpdate::Unsubscribed),
        "resubscribe" | "resubscribed" => Some(RegisterUpdate::Resubscribed),
        _ => None,
    }
}

/// Parses a time with an offset, a time without one (UTC), or a day. A time that cannot be ([`possible`]) is none.
fn time(text: &str) -> Option<Timestamp> {
    let in_utc = || Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    possible(text.parse().ok().or_else(in_utc)?)
}

/// Returns the letters and digits of a text in lower case.
fn letters(text: &str) -> String {
    let kept = text.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

/// Returns a line for each register of an entry, with the cells of [`COLUMNS`].
pub(super) fn lines_of(entry: &SuppressionEntry) -> Vec<[String; 9]> {
    let registers = &entry.registers;
    let name = |reason: BounceReason| reason.as_str().to_owned();
    let line = |update: RegisterUpdate, since: Timestamp| {
        let evidence = match update {
            RegisterUpdate::Set(register) => entry.evidence.get(&register).cloned().unwrap_or_default(),
            RegisterUpdate::Lifted | RegisterUpdate::Unsubscribed | RegisterUpdate::Resubscribed => {
                RegisterEvidence::default()
            }
        };
        let given = Some(evidence.address).filter(|given| !given.is_empty());
        let expires_at = registers.manual_expires_at.filter(|_| update == RegisterUpdate::MANUAL);
        [
            given.unwrap_or_else(|| entry.address.normalised().to_owned()),
            update.as_str().to_owned(),
            since.to_string(),
            expires_at.map(|at| at.to_string()).unwrap_or_default(),
            evidence.subtype,
            evidence.diagnostic.unwrap_or_default(),
            evidence.source,
            evidence.bounce_reason.map(name).unwrap_or_default(),
            String::new(),
        ]
    };
    let set = Register::WITH_ONE_TIME.map(|register| (RegisterUpdate::Set(register), registers.at(register)));
    let mut lines: Vec<_> = set
        .into_iter()
        .chain([(RegisterUpdate::Lifted, registers.lifted_at)])
        .filter_map(|(update, at)| Some(line(update, at?)))
        .collect();
    if registers.unreadable {
        let reason = SuppressionReason::Unreadable.as_str();
        lines.push([entry.address.normalised(), reason, "", "", "", "", "", "", ""].map(str::to_owned));
    }
    // The other days with a block, so that repeated blocks count after an import too.
    let blocked = RegisterUpdate::Set(SuppressionReason::Blocked.into());
    for at in registers
        .blocked_on
        .iter()
        .filter(|at| Some(**at) != registers.blocked_at)
    {
        let [address, reason, since, ..] = line(blocked, *at);
        let empty = String::new;
        let [e1, e2, e3, e4, e5, e6] = std::array::from_fn(|_| empty());
        lines.push([address, reason, since, e1, e2, e3, e4, e5, e6]);
    }
    let by_topic = registers.topics.by_topic.iter();
    let by_topic = by_topic.map(|(topic, choice)| (topic.as_str(), choice));
    let others = registers.topics.others.iter().map(|choice| (OTHER_TOPICS, choice));
    for (topic, choice) in by_topic.chain(others) {
        lines.push(line_of_choice(line, topic, choice));
    }
    for SoftBounce { at, source, reason } in &entry.soft_bounces {
        let mut soft = line(RegisterUpdate::SOFT, *at);
        soft[6].clone_from(source);
        soft[7] = reason.map(name).unwrap_or_default();
        lines.push(soft);
    }
    lines.into_iter().map(|cells| cells.map(disarmed)).collect()
}

/// Returns the line that says that the person left a topic; `None` if that is not so.
pub(super) fn line_of_topic(entry: &SuppressionEntry, topic: &Topic) -> Option<[String; 9]> {
    let choice = entry.registers.topics.left(topic)?;
    let line = |update: RegisterUpdate, since: Timestamp| {
        let mut cells: [String; 9] = std::array::from_fn(|_| String::new());
        entry.address.normalised().clone_into(&mut cells[0]);
        update.as_str().clone_into(&mut cells[1]);
        cells[2] = since.to_string();
        cells
    };
    Some(line_of_choice(line, topic.as_str(), choice).map(disarmed))
}

/// Returns the line of a choice about a topic.
fn line_of_choice(
    line: impl Fn(RegisterUpdate, Timestamp) -> [String; 9],
    topic: &str,
    choice: &TopicChoice,
) -> [String; 9] {
    let update = if choice.is_unsubscribed {
        RegisterUpdate::Unsubscribed
    } else {
        RegisterUpdate::Resubscribed
    };
    let mut cells = line(update, choice.at);
    cells[6].clone_from(&choice.source);
    topic.clone_into(&mut cells[8]);
    cells
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: [&str; 9] = COLUMNS;

    fn now() -> Timestamp {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    fn read<const N: usize>(header: [&str; N], line: [&str; N]) -> Result<Line, BadLine> {
        let columns = Columns::read(&ByteRecord::from(header.to_vec())).unwrap();
        columns.line(&ByteRecord::from(line.to_vec()), now(), None)
    }

    #[test]
    fn a_list_of_addresses_alone_becomes_manual_entries() {
        let line = read(["Email"], [" Anna@Example.org "]).unwrap();
        assert_eq!(line.address.normalised(), "anna@example.org");
        assert_eq!(
            (line.update, line.since, line.source.as_str()),
            (RegisterUpdate::MANUAL, now(), "import")
        );
    }

    #[test]
    fn a_quote_that_is_not_closed_is_named() {
        let line = read(["email"], ["a@example.org,bounce\nb@example.org,bounce\n"]);
        assert_eq!(line.err(), Some(BadLine::LineBreak));
        assert!(read(["email"], ["a@example.org\n"]).is_ok());
    }

    #[test]
    fn accepts_the_names_that_other_services_use() {
        for (column, reason, expected) in [
            ("Suppression Reason", "HardBounce", SuppressionReason::Bounce),
            ("reason", "BOUNCE", SuppressionReason::Bounce),
            ("REASON", "SpamComplaint", SuppressionReason::Complaint),
            ("type", "hard-bounce", SuppressionReason::Bounce),
            ("Reason", "ManualSuppression", SuppressionReason::Manual),
        ] {
            let line = read(
                ["email_address", column, "Created_At"],
                ["a@example.org", reason, "2026-01-02"],
            )
            .unwrap();
            assert_eq!(line.update, RegisterUpdate::Set(expected.into()), "{reason}");
            assert_eq!(line.since.to_string(), "2026-01-02T00:00:00Z");
        }
    }

    #[test]
    fn reads_times_with_and_without_an_offset_and_none_in_the_future() {
        for (since, expected) in [
            ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"),
            ("2026-01-02 03:04:05", "2026-01-02T03:04:05Z"),
            ("2099-01-01", "2026-06-01T00:00:00Z"),
        ] {
            let line = read(["address", "since"], ["a@example.org", since]).unwrap();
            assert_eq!(line.since.to_string(), expected, "{since}");
        }
    }

    #[test]
    fn names_the_error_of_a_line_without_the_address() {
        let line = |values: [&str; 8]| {
            let mut with_topic = [""; 9];
            with_topic[..8].copy_from_slice(&values);
            read(HEADER, with_topic).unwrap_err()
        };
        let anna = "anna@example.org";
        for (values, expected) in [
            (
                ["nobody", "", "", "", "", "", "", ""],
                BadLine::Address(AddressError::NotAnAddress),
            ),
            ([anna, "annoyed", "", "", "", "", "", ""], BadLine::Reason),
            ([anna, "bounce", "soon", "", "", "", "", ""], BadLine::Time("since")),
            (
                [anna, "manual", "", "never", "", "", "", ""],
                BadLine::Time("expires_at"),
            ),
            (
                [anna, "manual", "", "9999-12-30T22:00:00.001Z", "", "", "", ""],
                BadLine::Time("expires_at"),
            ),
            (
                [anna, "bounce", "-009999-01-02T01:59:59Z", "", "", "", "", ""],
                BadLine::Time("since"),
            ),
            ([anna, "bounce", "", "2026-01-01", "", "", "", ""], BadLine::Expires),
            (
                [anna, "soft", "2026-01-01", "", "", "", "", ""],
                BadLine::SoftWithoutSource,
            ),
            ([anna, "soft", "", "", "", "", "f-1", ""], BadLine::SoftWithoutSource),
        ] {
            let error = line(values);
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("anna"), "{error}");
        }
        let columns = Columns::read(&ByteRecord::from(vec!["address"])).unwrap();
        let record = ByteRecord::from(vec![&b"\xff@example.org"[..]]);
        assert_eq!(columns.line(&record, now(), None).unwrap_err(), BadLine::NotUtf8);
    }

    #[test]
    fn a_choice_has_a_topic_and_without_topics_it_is_a_manual_entry() {
        let news = Topic::parse("news").unwrap();
        let columns = Columns::read(&ByteRecord::from(vec!["address", "reason", "topic"])).unwrap();
        let line = |reason: &str, topic: &str, for_topic: Option<&Topic>| {
            let record = ByteRecord::from(vec!["anna@example.org", reason, topic]);
            columns
                .line(&record, now(), for_topic)
                .map(|line| (line.update, line.topic))
        };
        let (left, back) = (RegisterUpdate::Unsubscribed, RegisterUpdate::Resubscribed);
        let of_news = Some(news.clone());
        for (reason, topic, for_topic, expected) in [
            ("unsubscribed", "news", None, Ok((left, of_news.clone()))),
            ("Unsubscribe", "news", None, Ok((left, of_news.clone()))),
            ("", "news", None, Ok((left, of_news.clone()))),
            ("resubscribed", "news", None, Ok((back, of_news.clone()))),
            ("unsubscribed", "*", None, Ok((left, None))),
            ("unsubscribed", "", None, Ok((RegisterUpdate::MANUAL, None))),
            ("", "", None, Ok((RegisterUpdate::MANUAL, None))),
            ("", "", Some(&news), Ok((left, of_news.clone()))),
            ("resubscribed", "sale", Some(&news), Ok((back, of_news.clone()))),
            (
                "bounce",
                "News!",
                None,
                Ok((RegisterUpdate::Set(SuppressionReason::Bounce.into()), None)),
            ),
            ("bounce", "", Some(&news), Err(BadLine::NotAChoice)),
            ("unsubscribed", "News", None, Err(BadLine::Topic(InvalidTopic))),
            ("resubscribed", "", None, Err(BadLine::NoTopic)),
        ] {
            assert_eq!(
                line(reason, topic, for_topic),
                expected,
                "{reason} {topic} {for_topic:?}"
            );
        }
    }

    /// The entry of Anna, with a bounce that a server explained.
    fn bounced(diagnostic: &str) -> SuppressionEntry {
        let evidence = RegisterEvidence {
            address: "=1+anna@example.org".to_owned(),
            subtype: "@Permanent".to_owned(),
            bounce_reason: None,
            diagnostic: Some(diagnostic.to_owned()),
            source: "-f".to_owned(),
        };
        let bounce = Register::Of(SuppressionReason::Bounce);
        SuppressionEntry {
            id: uuid::Uuid::nil(),
            address: EmailAddress::parse("=1+anna@example.org").unwrap(),
            registers: domain::suppression::Registers {
                bounce_at: Some("2026-01-02T00:00:00Z".parse().unwrap()),
                ..domain::suppression::Registers::default()
            },
            soft_bounces: Vec::new(),
            evidence: [(bounce, evidence)].into(),
        }
    }

    #[test]
    fn no_cell_of_an_export_is_a_formula() {
        let lines = lines_of(&bounced("=HYPERLINK(\"https://evil.example\",\"Invoice\")"));
        let cells = lines.iter().flatten();
        let formulas: Vec<_> = cells.filter(|cell| cell.starts_with(['=', '+', '-', '@'])).collect();
        assert!(formulas.is_empty(), "{formulas:?}");
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_exported_as_such_and_stays_suppressed_where_it_is_imported() {
        let mut entry = bounced("550");
        entry.registers.unreadable = true;
        let lines = lines_of(&entry);
        let reasons: Vec<_> = lines.iter().map(|line| line[1].as_str()).collect();
        assert_eq!(reasons, ["bounce", "unreadable"]);
        let line = read(HEADER, lines[1].each_ref().map(String::as_str)).unwrap();
        assert_eq!((line.update, line.since), (RegisterUpdate::MANUAL, now()));
    }

    proptest! {
        #[test]
        fn what_is_exported_is_imported_as_it_was(diagnostic in "['=+@ \t\r\n,\"a-]{1,8}|\\PC{1,20}") {
            let entry = bounced(&diagnostic);
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(COLUMNS).unwrap();
            for line in lines_of(&entry) {
                writer.write_record(&line).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_slice());
            let columns = Columns::read(reader.byte_headers().unwrap()).unwrap();
            let records: Vec<ByteRecord> = reader.byte_records().map(Result::unwrap).collect();
            let line = columns.line(&records[0], now(), None).unwrap();
            prop_assert_eq!(line.diagnostic, Some(diagnostic));
            prop_assert_eq!(
                (line.address.as_given(), line.subtype.as_str(), line.source.as_str()),
                ("=1+anna@example.org", "@Permanent", "-f")
            );
            prop_assert_eq!(line.since, entry.registers.bounce_at.unwrap());
        }
    }

    #[test]
    fn rejects_a_file_without_a_column_of_addresses() {
        assert!(Columns::read(&ByteRecord::from(vec!["name", "reason"])).is_none());
        assert!(Columns::read(&ByteRecord::from(vec!["anna@example.org"])).is_none());
    }
}
