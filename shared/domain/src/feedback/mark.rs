//! Marks: what SES counts against the account, one for each recipient of a bounce or a complaint.
//!
//! A mark is written once however often its event comes, and the marks *are* the count: nothing is incremented. Okite
//! leaves out what SES leaves out of its rates: echoes of a list of the account, unsubscribed recipients, reports that
//! are no complaints, and mail to the mailbox simulator. SES also leaves out recipients at domains that the account has
//! verified. The quota reporter does that when it counts: this function does not know these domains, so the mark names
//! the domain of its recipient.
//!
//! AWS counts a bounce or a complaint that lists nobody as well. Its mark names the domain that the mail was sent to.
//!
//! A mark holds no address. A hash of the feedback's id, its kind and the address distinguishes it. The id is a random
//! value of SES, so nobody who does not know the feedback can find the address by its hash, and the hash needs no
//! secret.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::event::Mail;
use super::{FeedbackClass, RecipientFact, address, message_event};
use crate::address::EmailAddress;
use crate::hex::hex;
use crate::stream::Stream;

/// The tag that carries the stream of a mail.
const STREAM_TAG: &str = "okite_stream";
/// The beginnings of the names of the tags that SES and Okite add.
const TAGS_OF_OTHERS: [&str; 2] = ["ses:", "okite_"];

/// The most tags of a mail that a mark keeps; SES allows 50.
const TAGS_MAX: usize = 50;
/// The domain of a mark that lists nobody, of a mail that was not sent to one domain alone.
const UNKNOWN_DOMAIN: &str = "unknown";

/// The kind of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarkKind {
    /// A hard bounce.
    Bounce,
    /// A complaint.
    Complaint,
    /// A refusal of the sender: counted apart, because it says nothing of the addresses.
    Block,
}

impl MarkKind {
    /// Returns the name used in items.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Block => "block",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Bounce, Self::Complaint, Self::Block]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }

    /// The marks of a fact: the bounces and complaints that AWS counts, and every refusal of the sender.
    fn of(fact: &RecipientFact) -> impl Iterator<Item = Self> {
        let rate = fact.counts_for_rate.then_some(match fact.class {
            FeedbackClass::Complaint => Self::Complaint,
            _ => Self::Bounce,
        });
        rate.into_iter().chain(fact.blames_sender.then_some(Self::Block))
    }
}

/// One bounce or complaint of one recipient that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its kind.
    pub kind: MarkKind,
    /// The stream of the mail.
    pub stream: Stream,
    /// A hash that distinguishes it from other marks; every copy of the event has the same.
    pub hash: String,
    /// The recipient's domain, normalised.
    pub domain: String,
    /// The class of the fact.
    pub class: FeedbackClass,
    /// The caller's own tags on the mail, as `name=value`.
    pub tags: BTreeSet<String>,
    /// Our id of the mail, if it has one.
    pub message_id: Option<Uuid>,
    /// When SES says it happened.
    pub at: Timestamp,
    /// Whether the event carried the tags of the mail, and so its stream and its id. A classic notification carries
    /// none: it never replaces the mark of the same feedback.
    pub has_tags: bool,
}

impl Mark {
    /// Returns the day, in UTC, that it counts for.
    #[must_use]
    pub fn day(&self) -> Date {
        self.at.to_zoned(TimeZone::UTC).date()
    }
}

/// A mark as it was recorded, without the hash that distinguishes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedMark {
    /// Its kind.
    pub kind: MarkKind,
    /// The stream of the mail.
    pub stream: Stream,
    /// The recipient's domain, normalised.
    pub domain: String,
    /// The name of the fact's class.
    pub class: String,
    /// The caller's own tags on the mail, as `name=value`.
    pub tags: BTreeSet<String>,
    /// Our id of the mail, if it has one.
    pub message_id: Option<Uuid>,
    /// When SES says it happened.
    pub at: Timestamp,
}

/// Makes the marks of what happened to the recipients of `mail`.
///
/// A mail that names no stream counts as transactional, the default of a mail.
/// Classic notifications name none.
pub(super) fn of(mail: &Mail, facts: &[RecipientFact]) -> Vec<Mark> {
    // Without any id of SES's the hash would be one of the address alone; no event of SES's is like that.
    let counted = facts
        .iter()
        .filter(|fact| !fact.address.is_simulator() && !fact.feedback_id.is_empty());
    let kinds = counted.flat_map(|fact| MarkKind::of(fact).map(move |kind| (fact, kind)));
    let marks = kinds.map(|(fact, kind)| Mark {
        kind,
        stream: Stream::default(),
        hash: hash(kind, &fact.feedback_id, fact.address.normalised()),
        domain: fact.address.domain().to_owned(),
        class: fact.class,
        tags: BTreeSet::new(),
        message_id: None,
        at: fact.at,
        has_tags: false,
    });
    of_mail(mail, marks.collect())
}

/// A bounce or a complaint that lists nobody, and that AWS counts all the same.
#[derive(Debug)]
pub(super) struct UnlistedFeedback {
    pub(super) kind: MarkKind,
    pub(super) class: FeedbackClass,
    pub(super) at: Timestamp,
    pub(super) feedback_id: String,
}

/// Makes the mark of a bounce or a complaint of `mail` that lists nobody. It counts once, for nobody knows how many.
pub(super) fn of_unlisted(mail: &Mail, unlisted: &UnlistedFeedback) -> Vec<Mark> {
    let sent_to = mail
        .destination
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let sent_to: Vec<_> = sent_to.filter_map(Value::as_str).flat_map(address::read_all).collect();
    let is_simulator = !sent_to.is_empty() && sent_to.iter().all(EmailAddress::is_simulator);
    if is_simulator || unlisted.feedback_id.is_empty() {
        return Vec::new();
    }
    let domains: BTreeSet<&str> = sent_to.iter().map(EmailAddress::domain).collect();
    let only = domains.first().filter(|_| domains.len() == 1);
    let mark = Mark {
        kind: unlisted.kind,
        stream: Stream::default(),
        hash: hash(unlisted.kind, &unlisted.feedback_id, ""),
        domain: only.copied().unwrap_or(UNKNOWN_DOMAIN).to_owned(),
        class: unlisted.class,
        tags: BTreeSet::new(),
        message_id: None,
        at: unlisted.at,
        has_tags: false,
    };
    of_mail(mail, vec![mark])
}

/// Adds what the marks of a mail have in common.
fn of_mail(mail: &Mail, mut marks: Vec<Mark>) -> Vec<Mark> {
    if marks.is_empty() {
        return marks;
    }
    let stream = mail.tag(STREAM_TAG).and_then(|tag| Stream::deserialize(tag).ok());
    let tags = own_tags(mail);
    for mark in &mut marks {
        mark.stream = stream.unwrap_or_default();
        mark.tags.clone_from(&tags);
        mark.message_id = message_event::id(mail);
        mark.has_tags = mail.tags.as_ref().is_some_and(Value::is_object);
    }
    marks
}

fn hash(kind: MarkKind, feedback_id: &str, address: &str) -> String {
    let parts = [feedback_id, kind.as_str(), address];
    hex(&Sha256::digest(parts.join("\n"))[..16])
}

/// Returns the caller's own tags as `name=value`.
fn own_tags(mail: &Mail) -> BTreeSet<String> {
    own_values(mail)
        .map(|(name, value)| message_event::short(&format!("{name}={value}")))
        .take(TAGS_MAX)
        .collect()
}

/// Returns the caller's own tags by name, each with its first value.
pub(super) fn own_tags_by_name(mail: &Mail) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for (name, value) in own_values(mail).take(TAGS_MAX) {
        tags.entry(message_event::short(name))
            .or_insert_with(|| message_event::short(value));
    }
    tags
}

fn own_values(mail: &Mail) -> impl Iterator<Item = (&str, &str)> {
    let tags = mail.tags.as_ref().and_then(Value::as_object).into_iter().flatten();
    tags.filter(|(name, _)| !TAGS_OF_OTHERS.iter().any(|prefix| name.starts_with(prefix)))
        .flat_map(|(name, values)| {
            let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
            values.map(move |value| (name.as_str(), value))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fact(address: &str, class: FeedbackClass) -> RecipientFact {
        RecipientFact {
            address: EmailAddress::parse(address).unwrap(),
            class,
            reason: None,
            blames_sender: class == FeedbackClass::Blocked,
            counts_for_rate: matches!(
                class,
                FeedbackClass::HardBounce
                    | FeedbackClass::GloballySuppressed
                    | FeedbackClass::Complaint
                    | FeedbackClass::MessageFault
            ),
            at: "2026-01-01T23:59:59Z".parse().unwrap(),
            feedback_id: "f-1".to_owned(),
            subtype: String::new(),
            diagnostic: None,
        }
    }

    fn marks(tags: &Value, facts: &[RecipientFact]) -> Vec<Mark> {
        let mail = Mail {
            tags: Some(tags.clone()),
            ..Mail::default()
        };
        of(&mail, facts)
    }

    fn mark(tags: &Value) -> Mark {
        marks(tags, &[fact("Gone@Example.org", FeedbackClass::HardBounce)]).remove(0)
    }

    #[test]
    fn counts_like_ses() {
        use FeedbackClass::*;
        for (class, kind) in [
            (HardBounce, Some(MarkKind::Bounce)),
            (GloballySuppressed, Some(MarkKind::Bounce)),
            (ListEcho, None),
            (ValidationSuppressed, None),
            (Unsubscribed, None),
            (Blocked, Some(MarkKind::Block)),
            (Soft, None),
            (MessageFault, Some(MarkKind::Bounce)),
            (Undetermined, None),
            (Complaint, Some(MarkKind::Complaint)),
            (ComplaintEcho, None),
            (NotSpam, None),
            (AuthFailure, None),
        ] {
            let marks = marks(&json!({}), &[fact("a@example.org", class)]);
            assert_eq!(marks.first().map(|mark| mark.kind), kind, "{class:?}");
        }
    }

    #[test]
    fn leaves_out_the_mailbox_simulator_and_events_without_id() {
        let simulator = fact("bounce+x@Simulator.amazonses.com", FeedbackClass::HardBounce);
        let nameless = RecipientFact {
            feedback_id: String::new(),
            ..fact("a@example.org", FeedbackClass::HardBounce)
        };
        assert_eq!(marks(&json!({}), &[simulator, nameless]), []);
    }

    #[test]
    fn says_the_domain_and_the_day_and_no_address() {
        let mark = mark(&json!({}));
        assert_eq!(
            (mark.domain.as_str(), mark.day().to_string()),
            ("example.org", "2026-01-01".to_owned())
        );
        assert!(!format!("{mark:?}").to_lowercase().contains("gone"));
    }

    #[test]
    fn reads_stream_id_and_the_callers_own_tags() {
        let id = Uuid::from_u128(7);
        let bulk = mark(&json!({
            "okite_stream": ["bulk"], "okite_id": [id.to_string()], "okite_attempt": ["1"], "ses:from-domain": ["example.com"],
            "campaign": ["spring"], "b": ["2", "1", "2"],
        }));
        assert_eq!((bulk.stream, bulk.message_id), (Stream::Bulk, Some(id)));
        assert_eq!(Vec::from_iter(bulk.tags), ["b=1", "b=2", "campaign=spring"]);
    }

    #[test]
    fn a_mail_that_names_no_stream_is_transactional() {
        for tags in [
            json!({}),
            json!(null),
            json!([]),
            json!({"okite_stream": []}),
            json!({"okite_stream": ["new"]}),
            json!({"okite_stream": "bulk"}),
        ] {
            let mark = mark(&tags);
            assert_eq!(mark.stream, Stream::Transactional, "{tags}");
            assert_eq!(mark.has_tags, tags.is_object(), "{tags}");
        }
    }

    #[test]
    fn the_hash_is_that_of_feedback_kind_and_mailbox() {
        let hash = |fact: RecipientFact| marks(&json!({}), &[fact]).remove(0).hash;
        let gone = || fact("gone@example.org", FeedbackClass::HardBounce);
        assert_eq!(
            hash(gone()),
            hash(fact("GONE@Example.org", FeedbackClass::GloballySuppressed))
        );
        let another = RecipientFact {
            feedback_id: "f-2".to_owned(),
            ..gone()
        };
        for other in [
            another,
            fact("gone@example.org", FeedbackClass::Complaint),
            fact("b@example.org", FeedbackClass::HardBounce),
        ] {
            assert_ne!(hash(gone()), hash(other));
        }
        assert_eq!(hash(gone()).len(), 32);
    }
}
