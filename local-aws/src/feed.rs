//! The feed that watchers follow: each mail that SES accepts, and each published event with its result.
//!
//! Every entry has a number. An entry that changes, because the handling of its event ended, gets a new number and
//! moves to the end. A watcher that knows the last number it saw therefore misses nothing by reading on from there,
//! even after a broken connection. Only the newest entries are kept, in memory. A watcher that missed more, or that
//! comes from an earlier run, starts from the beginning.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

/// The number of entries of each kind that are kept.
const KEPT: usize = 500;
/// The longest message that is kept, in bytes. SES's own have a few thousand.
const MESSAGE_MAX: usize = 64 * 1024;

/// The number of happenings that a slow follower may be behind.
const BEHIND_MAX: usize = 4096;

/// What a follower in this process is told.
#[derive(Clone, Debug)]
pub enum Happening {
    /// SES accepted a mail; its summary, as in the stream of `/_local/events`.
    Mail(Arc<Value>),
    /// The handling of a published event ended; as in that stream.
    Event(Arc<Value>),
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// SES accepted a mail, or the outbox changed otherwise.
    Outbox(OutboxChange),
    /// A message was published to a topic, or its handling ended.
    Event,
}

/// A change of the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutboxChange {
    /// SES accepted a mail.
    Mail,
    /// Mails were deleted, or marked as read or unread.
    Changed,
    /// The outbox was emptied.
    Cleared,
}

impl EntryKind {
    /// Returns the name of the kind in the event stream.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Outbox(OutboxChange::Mail) => "mail",
            Self::Outbox(OutboxChange::Changed) => "changed",
            Self::Outbox(OutboxChange::Cleared) => "cleared",
            Self::Event => "event",
        }
    }

    fn is_event(self) -> bool {
        self == Self::Event
    }
}

/// One entry of the feed.
#[derive(Clone, Debug)]
pub(crate) struct FeedEntry {
    /// The entry's number. Later entries have greater numbers.
    pub(crate) number: u64,
    pub(crate) kind: EntryKind,
    /// The data that a watcher gets.
    pub(crate) data: Arc<Value>,
}

/// The entries that are new to a watcher.
#[derive(Debug)]
pub(crate) struct FeedUpdate {
    /// Whether the watcher must drop what it has: all kept events follow, and it must read the outbox again.
    pub(crate) is_reset: bool,
    pub(crate) entries: Vec<FeedEntry>,
    /// The number to read on from.
    pub(crate) last: u64,
}

/// The feed. Clones share it.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The id of this run. In another run, a number means another entry.
    run: Uuid,
    entries: Arc<Mutex<Entries>>,
    last: Arc<watch::Sender<u64>>,
    happenings: broadcast::Sender<Happening>,
}

#[derive(Debug, Default)]
struct Entries {
    last: u64,
    kept: VecDeque<FeedEntry>,
    /// The greatest number of an entry that was dropped and not replaced by a newer one.
    lost: u64,
}

impl Default for Feed {
    #[expect(clippy::disallowed_methods, reason = "the id of a run is made here and nowhere else")]
    fn default() -> Self {
        Self {
            run: Uuid::new_v4(),
            entries: Arc::default(),
            last: Arc::new(watch::Sender::new(0)),
            happenings: broadcast::Sender::new(BEHIND_MAX),
        }
    }
}

impl Feed {
    /// Adds a mail that SES accepted.
    pub(crate) fn mail(&self, summary: Value) {
        let summary = Arc::new(summary);
        self.add(EntryKind::Outbox(OutboxChange::Mail), Arc::clone(&summary));
        // Nobody may follow.
        let _ = self.happenings.send(Happening::Mail(summary));
    }

    /// Adds that mails were deleted, or marked as read or unread.
    pub(crate) fn changed(&self) {
        self.add(EntryKind::Outbox(OutboxChange::Changed), json!({}).into());
    }

    /// Adds that the outbox was emptied.
    pub(crate) fn cleared(&self) {
        self.add(EntryKind::Outbox(OutboxChange::Cleared), Arc::new(json!({})));
    }

    /// Adds a message that is being published. The result ends the entry.
    pub(crate) fn publish(&self, topic_arn: &str, message: &str, now: Timestamp) -> Publication {
        let message = if message.len() > MESSAGE_MAX {
            Value::Null
        } else {
            serde_json::from_str(message).unwrap_or_else(|_| message.into())
        };
        let mut entries = self.lock();
        let key = entries.last + 1;
        let data = json!({ "key": key, "at": now, "topic": topic_arn, "state": "handling", "trouble": null, "event": message });
        let number = entries.add(EntryKind::Event, Arc::new(data.clone()));
        drop(entries);
        self.last.send_replace(number);
        Publication {
            feed: self.clone(),
            number,
            data,
        }
    }

    /// Returns the id of an entry, which [`Feed::after`] takes.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{}.{number}", self.run.as_simple())
    }

    /// Returns the entries after the one with an id. Without an id, or with one of another run or of a dropped entry,
    /// it returns all kept events.
    pub(crate) fn after(&self, id: Option<&str>) -> FeedUpdate {
        let number = id.and_then(|id| {
            let (run, number) = id.split_once('.')?;
            (run == self.run.as_simple().to_string())
                .then_some(number)?
                .parse()
                .ok()
        });
        let entries = self.lock();
        let number = number.filter(|number| (entries.lost..=entries.last).contains(number));
        let wanted = |entry: &&FeedEntry| number.map_or(entry.kind.is_event(), |number| entry.number > number);
        FeedUpdate {
            is_reset: number.is_none(),
            entries: entries.kept.iter().filter(wanted).cloned().collect(),
            last: entries.last,
        }
    }

    /// Returns a receiver of the number of the newest entry.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Returns a receiver of what happens from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Happening> {
        self.happenings.subscribe()
    }

    fn add(&self, kind: EntryKind, data: Arc<Value>) {
        let number = self.lock().add(kind, data);
        self.last.send_replace(number);
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Nothing in here panics halfway.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn add(&mut self, kind: EntryKind, data: Arc<Value>) -> u64 {
        self.last += 1;
        self.kept.push_back(FeedEntry {
            number: self.last,
            kind,
            data,
        });
        let is_alike = |entry: &FeedEntry| entry.kind.is_event() == kind.is_event();
        if self.kept.iter().filter(|entry| is_alike(entry)).count() > KEPT
            && let Some(oldest) = self.kept.iter().position(is_alike)
            && let Some(gone) = self.kept.remove(oldest)
        {
            self.lost = self.lost.max(gone.number);
        }
        self.last
    }
}

/// How the handling of a published message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicationResult {
    /// Every subscriber handled it.
    Handled,
    /// It failed at a subscriber and is in a queue.
    Queued,
    /// It is neither handled nor in a queue, for this reason.
    Lost(String),
}

/// A message that is being published.
#[derive(Debug)]
pub(crate) struct Publication {
    feed: Feed,
    number: u64,
    data: Value,
}

impl Publication {
    /// Records how the handling ended.
    pub(crate) fn ended(mut self, result: PublicationResult) {
        self.data["state"] = match result {
            PublicationResult::Handled => "handled".into(),
            PublicationResult::Queued => "queued".into(),
            PublicationResult::Lost(reason) => {
                self.data["trouble"] = reason.into();
                "lost".into()
            }
        };
        let mut entries = self.feed.lock();
        // The new entry replaces this one.
        entries.kept.retain(|entry| entry.number != self.number);
        let data = Arc::new(self.data);
        let number = entries.add(EntryKind::Event, Arc::clone(&data));
        drop(entries);
        self.feed.last.send_replace(number);
        let _ = self.feed.happenings.send(Happening::Event(data));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(update: &FeedUpdate) -> Vec<&str> {
        update.entries.iter().map(|entry| entry.kind.name()).collect()
    }

    fn event(feed: &Feed) -> Publication {
        feed.publish("arn:t", r#"{"eventType":"Send"}"#, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_watcher_goes_on_where_it_was() {
        let feed = Feed::default();
        feed.mail(json!({}));
        let update = feed.after(None);
        assert!(update.is_reset && update.entries.is_empty());
        let seen = feed.id(update.last);
        feed.mail(json!({ "subject": "two" }));
        feed.cleared();
        event(&feed).ended(PublicationResult::Handled);
        let update = feed.after(Some(&seen));
        assert!(!update.is_reset);
        assert_eq!(names(&update), ["mail", "cleared", "event"]);
        assert!(feed.after(Some(&feed.id(update.last))).entries.is_empty());
    }

    #[test]
    fn a_follower_is_told_of_mails_and_of_how_events_ended() {
        let feed = Feed::default();
        feed.mail(json!({ "subject": "before" }));
        let mut happenings = feed.follow();
        feed.mail(json!({ "subject": "one" }));
        let published = event(&feed);
        feed.cleared();
        published.ended(PublicationResult::Queued);
        let mut next = || match happenings.try_recv() {
            Ok(Happening::Mail(mail)) => mail["subject"].clone(),
            Ok(Happening::Event(event)) => event["state"].clone(),
            Err(_) => Value::Null,
        };
        assert_eq!([next(), next(), next()], [json!("one"), json!("queued"), Value::Null]);
    }

    #[test]
    fn an_event_that_ends_takes_the_place_of_its_beginning() {
        let feed = Feed::default();
        let published = event(&feed);
        let begun = feed.after(None);
        let other = event(&feed);
        published.ended(PublicationResult::Queued);
        drop(other);
        let update = feed.after(Some(&feed.id(begun.last)));
        let told: Vec<_> = update
            .entries
            .iter()
            .map(|entry| (&entry.data["key"], &entry.data["state"]))
            .collect();
        assert_eq!(told, [(&json!(2), &json!("handling")), (&json!(1), &json!("queued"))]);
        assert_eq!(feed.after(None).entries.len(), 2);
    }

    #[test]
    fn a_lost_message_has_a_reason() {
        let feed = Feed::default();
        event(&feed).ended(PublicationResult::Lost("there is no topic arn:t".to_owned()));
        let entry = &feed.after(None).entries[0];
        assert_eq!(entry.data["state"], "lost");
        assert_eq!(entry.data["trouble"], "there is no topic arn:t");
    }

    #[test]
    fn a_watcher_that_missed_too_much_is_reset_to_the_kept_entries() {
        let feed = Feed::default();
        let before = feed.id(feed.after(None).last);
        for _ in 0..KEPT {
            event(&feed);
        }
        assert!(!feed.after(Some(&before)).is_reset);
        event(&feed);
        let update = feed.after(Some(&before));
        assert!(update.is_reset);
        assert_eq!(update.entries.len(), KEPT);
        assert_eq!(update.entries[0].number, 2);
    }

    #[test]
    fn mails_do_not_push_events_out() {
        let feed = Feed::default();
        event(&feed);
        for _ in 0..=KEPT {
            feed.mail(json!({}));
        }
        assert_eq!(names(&feed.after(None)), ["event"]);
    }

    #[test]
    fn an_id_of_another_run_or_none_starts_from_the_beginning() {
        let feed = Feed::default();
        event(&feed);
        for id in [
            Feed::default().id(1),
            String::new(),
            "1".to_owned(),
            feed.id(7),
            format!("{}x", feed.id(1)),
        ] {
            assert!(feed.after(Some(&id)).is_reset, "{id}");
        }
    }

    #[test]
    fn a_message_that_is_no_json_is_kept_as_text_and_a_huge_one_is_not() {
        let feed = Feed::default();
        feed.publish("arn:t", "hello", Timestamp::UNIX_EPOCH);
        feed.publish("arn:t", &"x".repeat(MESSAGE_MAX + 1), Timestamp::UNIX_EPOCH);
        let update = feed.after(None);
        assert_eq!(
            (&update.entries[0].data["event"], &update.entries[1].data["event"]),
            (&json!("hello"), &Value::Null)
        );
    }
}
