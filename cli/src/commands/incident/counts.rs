//! Counts of bounces, complaints and blocks by day, kind, stream, domain, class, tags and API key. An address in a tag
//! or in the name of a key is replaced by `[address]`.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use domain::address::without_addresses;
use domain::feedback::{MarkKind, RecordedMark};
use jiff::civil::Date;

/// The key of a mail whose record has expired, or that Okite did not send.
pub(super) const NOT_ON_RECORD: &str = "not on record";

/// The properties by which events are counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    pub(super) day: Date,
    pub(super) kind: MarkKind,
    pub(super) stream: &'static str,
    pub(super) domain: String,
    pub(super) class: String,
    /// The tags of the mail as `name=value`.
    pub(super) tags: Vec<String>,
    /// The API key as [`key`] describes it.
    pub(super) key: String,
}

impl Event {
    pub(super) fn of(day: Date, mark: &RecordedMark, key: String) -> Self {
        Self {
            day,
            kind: mark.kind,
            stream: mark.stream.as_str(),
            domain: mark.domain.clone(),
            class: mark.class.clone(),
            tags: mark.tags.iter().map(|tag| without_addresses(tag)).collect(),
            key,
        }
    }
}

/// Describes an API key by its name and id. A key without a name was revoked.
pub(super) fn key(key: Option<(&str, Option<&str>)>) -> String {
    match key {
        None => NOT_ON_RECORD.to_owned(),
        Some((id, Some(name))) => format!("{} ({id})", without_addresses(name)),
        Some((id, None)) => format!("revoked since ({id})"),
    }
}

/// The number of events of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) bounces: u64,
    pub(super) complaints: u64,
    pub(super) blocks: u64,
}

impl Tally {
    fn of(kind: MarkKind, count: u64) -> Self {
        let mut tally = Self::default();
        match kind {
            MarkKind::Bounce => tally.bounces = count,
            MarkKind::Complaint => tally.complaints = count,
            MarkKind::Block => tally.blocks = count,
        }
        tally
    }

    /// Returns the number of all events.
    pub(super) fn count(self) -> u64 {
        self.bounces + self.complaints + self.blocks
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.bounces += other.bounces;
        self.complaints += other.complaints;
        self.blocks += other.blocks;
    }
}

/// The events of some days, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) events: BTreeMap<Event, u64>,
    /// Events at domains that the account has verified. AWS does not count them, and no other figure includes them.
    pub(super) at_verified: u64,
    /// Items that could not be read.
    pub(super) unreadable: u64,
}

impl Counts {
    pub(super) fn add(&mut self, event: Event) {
        *self.events.entry(event).or_default() += 1;
    }

    /// Adds up all events.
    pub(super) fn all(&self) -> Tally {
        let mut all = Tally::default();
        for (event, count) in &self.events {
            all += Tally::of(event.kind, *count);
        }
        all
    }

    /// Counts by the names that `of` returns, most events first. An event with several names counts for each.
    pub(super) fn by<'a>(&'a self, of: impl Fn(&'a Event) -> Vec<&'a str>) -> Vec<(&'a str, Tally)> {
        let mut tallies = BTreeMap::<&str, Tally>::new();
        for (event, count) in &self.events {
            for name in of(event) {
                *tallies.entry(name).or_default() += Tally::of(event.kind, *count);
            }
        }
        let mut tallies: Vec<_> = tallies.into_iter().collect();
        tallies.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.count()));
        tallies
    }

    /// Counts by day, without the days that have no event.
    pub(super) fn by_day(&self) -> BTreeMap<Date, Tally> {
        let mut days = BTreeMap::<Date, Tally>::new();
        for (event, count) in &self.events {
            *days.entry(event.day).or_default() += Tally::of(event.kind, *count);
        }
        days
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use domain::stream::Stream;

    use super::*;

    pub(in crate::commands::incident) fn event(kind: MarkKind, day: &str, domain: &str, tags: &[&str]) -> Event {
        let mark = RecordedMark {
            kind,
            stream: Stream::Bulk,
            domain: domain.to_owned(),
            class: "hard_bounce".to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect::<BTreeSet<_>>(),
            message_id: None,
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
        };
        Event::of(day.parse().unwrap(), &mark, key(None))
    }

    pub(in crate::commands::incident) fn counts() -> Counts {
        let mut counts = Counts::default();
        for (kind, day, domain, tags) in [
            (
                MarkKind::Bounce,
                "2026-03-01",
                "example.org",
                &["campaign=spring", "b=1"][..],
            ),
            (
                MarkKind::Bounce,
                "2026-03-01",
                "example.org",
                &["campaign=spring", "b=1"],
            ),
            (MarkKind::Complaint, "2026-03-01", "example.org", &["campaign=spring"]),
            (MarkKind::Bounce, "2026-03-02", "example.net", &[]),
            (MarkKind::Block, "2026-03-02", "example.com", &[]),
        ] {
            counts.add(event(kind, day, domain, tags));
        }
        counts
    }

    fn tally(bounces: u64, complaints: u64, blocks: u64) -> Tally {
        Tally {
            bounces,
            complaints,
            blocks,
        }
    }

    #[test]
    fn counts_by_domain_day_and_tag() {
        let counts = counts();
        assert_eq!(counts.all(), tally(3, 1, 1));
        let domains = counts.by(|event| vec![&event.domain]);
        assert_eq!(
            domains,
            [
                ("example.org", tally(2, 1, 0)),
                ("example.com", tally(0, 0, 1)),
                ("example.net", tally(1, 0, 0)),
            ]
        );
        // An event with two tags is counted for both.
        let tags = counts.by(|event| event.tags.iter().map(String::as_str).collect());
        assert_eq!(tags, [("campaign=spring", tally(2, 1, 0)), ("b=1", tally(2, 0, 0))]);
        let days: Vec<_> = counts.by_day().into_values().collect();
        assert_eq!(days, [tally(2, 1, 0), tally(1, 0, 1)]);
    }

    #[test]
    fn a_key_has_its_name_unless_it_was_revoked() {
        assert_eq!(
            key(Some(("a1", Some("shop of anna@example.org")))),
            "shop of [address] (a1)"
        );
        assert_eq!(key(Some(("a1", None))), "revoked since (a1)");
        assert_eq!(key(None), "not on record");
    }

    #[test]
    fn an_address_in_a_tag_is_replaced() {
        let event = event(
            MarkKind::Bounce,
            "2026-03-01",
            "example.org",
            &["user=anna@example.org"],
        );
        assert_eq!(event.tags, ["user=[address]"]);
    }
}
