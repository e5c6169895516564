//! The messages of all queues, and their file.
//!
//! Pure but for the file: callers pass the time and the ids in. Each change is one line of the file: a message as it is
//! now, or the note that it is gone. So a message that moves from one queue to another is in exactly one of them,
//! whenever the process dies. No operation but a listing looks at every message.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::{Message, NewMessage, Receipt};
use crate::json_lines::JsonLines;
use crate::template::Queue;

/// The number of outdated lines at which the file is rewritten.
const STALE_MAX: usize = 1_000;

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum QueueFileLine {
    Gone { gone: Uuid },
    Message(Box<Message>),
}

/// The messages of one queue. The orders name a message by the number under which the queue took it in.
#[derive(Debug, Default)]
struct Contents {
    messages: BTreeMap<u64, Message>,
    by_visibility: BTreeSet<(Timestamp, u64)>,
    by_age: BTreeSet<(Timestamp, u64)>,
}

/// The numbers of messages that can be received, of those that were received and may come again, and of those that
/// are delayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) visible: usize,
    pub(super) in_flight: usize,
    /// Those in flight that an invocation is handling.
    pub(super) being_handled: usize,
    pub(super) delayed: usize,
}

/// The end of a move out of a dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MovedBack {
    pub(super) moved: usize,
    pub(super) to_move: usize,
    /// The move ended early at a message that came from no queue.
    pub(super) source_is_unknown: bool,
}

/// Why the visibility of a message was not changed.
#[derive(Debug)]
pub(super) enum VisibilityError {
    /// The queue does not hold the message any more.
    Gone,
    /// The message can be received by anybody, or was received again.
    NotInFlight,
    /// The change could not be kept.
    NotKept(io::Error),
}

/// The messages, in the order in which their queues took them in.
#[derive(Debug, Default)]
pub(super) struct Messages {
    queues: Vec<Queue>,
    contents: HashMap<String, Contents>,
    /// The queue and the number of each message.
    places: HashMap<Uuid, (String, u64)>,
    /// The messages that an invocation is handling, which nobody else can receive however far the clock is set forward.
    held: HashSet<Uuid>,
    /// The number of the next message.
    next: u64,
    file: Option<JsonLines>,
    stale: usize,
}

impl Messages {
    /// Opens the messages of `queues`. Those that were received before can be received again at once: their receivers
    /// ended with the run before.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written, or holds a line of another shape.
    pub(super) fn open(queues: Vec<Queue>, path: Option<PathBuf>, now: Timestamp) -> io::Result<Self> {
        let mut messages = Self {
            queues,
            ..Self::default()
        };
        if let Some(path) = path {
            let (file, lines) = JsonLines::open(path)?;
            for line in lines {
                match line {
                    QueueFileLine::Gone { gone } => {
                        messages.take(gone);
                    }
                    QueueFileLine::Message(message) => messages.put(*message),
                }
            }
            messages.release(now);
            messages.file = Some(file);
            messages.rewrite()?;
        }
        Ok(messages)
    }

    pub(super) fn queues(&self) -> &[Queue] {
        &self.queues
    }

    pub(super) fn queue(&self, arn: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.arn == arn)
    }

    /// Sends messages with their ids, all or none.
    pub(super) fn send(&mut self, queue_arn: &str, new: Vec<(Uuid, NewMessage)>, now: Timestamp) -> io::Result<()> {
        let default_delay = self.queue(queue_arn).map(|queue| queue.delay).unwrap_or_default();
        let message = |(message_id, new): (Uuid, NewMessage)| Message {
            message_id,
            queue_arn: queue_arn.to_owned(),
            source_arn: None,
            body: new.body,
            group_id: new.group_id,
            attributes: new.attributes,
            sent_at: now,
            moved_at: None,
            first_received_at: None,
            receive_count: 0,
            visible_at: later(now, new.delay.unwrap_or(default_delay)),
        };
        self.save(new.into_iter().map(message).collect())
    }

    /// Receives up to `max` messages of a queue, which then cannot be received again until their visibility timeout
    /// ends: `visibility`, or the queue's. A message that was received as often as its queue allows goes to the
    /// dead-letter queue instead.
    pub(super) fn receive(
        &mut self,
        queue_arn: &str,
        max: usize,
        visibility: Option<Duration>,
        now: Timestamp,
    ) -> io::Result<Vec<Message>> {
        self.expire(now)?;
        let Some(queue) = self.queue(queue_arn).cloned() else {
            return Ok(Vec::new());
        };
        let hidden_until = later(now, visibility.unwrap_or(queue.visibility_timeout));
        let (mut received, mut dead) = (Vec::new(), Vec::new());
        for message in self.visible(queue_arn, now) {
            let mut message = message.clone();
            match &queue.redrive {
                Some(redrive) if message.receive_count >= redrive.max_receive_count => {
                    message.queue_arn.clone_from(&redrive.queue_arn);
                    message.source_arn = Some(queue_arn.to_owned());
                    message.moved_at = Some(now);
                    message.receive_count = 0;
                    message.first_received_at = None;
                    dead.push(message);
                }
                _ if received.len() < max => {
                    message.receive_count += 1;
                    message.first_received_at.get_or_insert(now);
                    message.visible_at = hidden_until;
                    received.push(message);
                }
                _ => break,
            }
        }
        self.save(dead)?;
        self.save(received.clone())?;
        Ok(received)
    }

    /// Keeps messages that were received from being received again until [`Self::let_go`].
    pub(super) fn hold(&mut self, ids: &[Uuid]) {
        for id in ids {
            self.held.insert(*id);
            if let Some((contents, place)) = self.find(*id) {
                contents.by_visibility.remove(&place);
            }
        }
    }

    /// Lets messages be received again as soon as their visibility timeout has ended.
    pub(super) fn let_go(&mut self, ids: &[Uuid]) {
        for id in ids {
            self.held.remove(id);
            if let Some((contents, place)) = self.find(*id) {
                contents.by_visibility.insert(place);
            }
        }
    }

    /// Deletes a message if the queue still holds it and the receipt is its newest. A message that went to the
    /// dead-letter queue meanwhile stays there, as on AWS, and one that was received again comes again.
    pub(super) fn delete(&mut self, queue_arn: &str, receipt: Receipt) -> io::Result<()> {
        match self.held(queue_arn, receipt.message_id) {
            Some(message) if message.receive_count == receipt.receive_count => self.remove(receipt.message_id),
            _ => Ok(()),
        }
    }

    /// Sets the time after which a message that was received comes again. With zero it comes at once.
    pub(super) fn change_visibility(
        &mut self,
        queue_arn: &str,
        receipt: Receipt,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<(), VisibilityError> {
        let message = self.held(queue_arn, receipt.message_id).ok_or(VisibilityError::Gone)?;
        let is_visible = message.visible_at <= now && !self.held.contains(&message.message_id);
        if message.receive_count != receipt.receive_count || is_visible {
            return Err(VisibilityError::NotInFlight);
        }
        let mut message = message.clone();
        message.visible_at = later(now, timeout);
        self.save(vec![message]).map_err(VisibilityError::NotKept)
    }

    /// Moves the messages of a dead-letter queue, as new messages: to the queue `destination_arn`, or each back to the
    /// queue that it came from. Without a destination it ends at a message that came from no queue, as on AWS.
    pub(super) fn move_back(
        &mut self,
        dead_letter_arn: &str,
        destination_arn: Option<&str>,
        new_id: impl Fn() -> Uuid,
        now: Timestamp,
    ) -> io::Result<MovedBack> {
        self.expire(now)?;
        let dead: Vec<Message> = self.of(dead_letter_arn).cloned().collect();
        let mut result = MovedBack {
            moved: 0,
            to_move: dead.len(),
            source_is_unknown: false,
        };
        for message in dead {
            let Some(queue_arn) = destination_arn.map(str::to_owned).or(message.source_arn) else {
                result.source_is_unknown = true;
                break;
            };
            let new = NewMessage {
                body: message.body,
                delay: Some(Duration::ZERO),
                group_id: message.group_id,
                attributes: message.attributes,
            };
            // A kill in between leaves the message twice, which AWS does not rule out either.
            self.send(&queue_arn, vec![(new_id(), new)], now)?;
            self.remove(message.message_id)?;
            result.moved += 1;
        }
        Ok(result)
    }

    /// Lists the messages of a queue.
    pub(super) fn of(&self, queue_arn: &str) -> impl Iterator<Item = &Message> {
        let contents = self.contents.get(queue_arn);
        contents.into_iter().flat_map(|contents| contents.messages.values())
    }

    /// Counts the messages of a queue.
    pub(super) fn count(&self, queue_arn: &str, now: Timestamp) -> Counts {
        let mut counts = Counts::default();
        for message in self.of(queue_arn) {
            counts.being_handled += usize::from(self.held.contains(&message.message_id));
            let count = match message {
                message if message.is_delayed(now) => &mut counts.delayed,
                message if message.visible_at > now || self.held.contains(&message.message_id) => &mut counts.in_flight,
                _ => &mut counts.visible,
            };
            *count += 1;
        }
        counts
    }

    /// Returns the time at which the next message of a queue can be received.
    pub(super) fn next_visible(&self, queue_arn: &str) -> Option<Timestamp> {
        let (next, _) = self.contents.get(queue_arn)?.by_visibility.first()?;
        Some(*next)
    }

    /// Drops the messages that are older than their queue's retention.
    pub(super) fn expire(&mut self, now: Timestamp) -> io::Result<()> {
        for queue in self.queues.clone() {
            while let Some(oldest) = self.oldest(&queue.arn)
                && later(oldest.sent_at, queue.retention) <= now
            {
                let id = oldest.message_id;
                self.remove(id)?;
            }
        }
        Ok(())
    }

    /// Finds the message of a queue that was sent first.
    fn oldest(&self, queue_arn: &str) -> Option<&Message> {
        let contents = self.contents.get(queue_arn)?;
        let (_, number) = contents.by_age.first()?;
        contents.messages.get(number)
    }

    /// Lists the messages of a queue that can be received, the longest visible first.
    fn visible(&self, queue_arn: &str, now: Timestamp) -> impl Iterator<Item = &Message> {
        let contents = self.contents.get(queue_arn).into_iter();
        contents.flat_map(move |contents| {
            let visible = contents.by_visibility.range(..=(now, u64::MAX));
            visible.filter_map(|(_, number)| contents.messages.get(number))
        })
    }

    /// Finds a message of a queue.
    fn held(&self, queue_arn: &str, id: Uuid) -> Option<&Message> {
        let (arn, number) = self.places.get(&id).filter(|(arn, _)| arn == queue_arn)?;
        self.contents.get(arn)?.messages.get(number)
    }

    /// Finds the contents that have a message, and its place in the order of visibility.
    fn find(&mut self, id: Uuid) -> Option<(&mut Contents, (Timestamp, u64))> {
        let (queue_arn, number) = self.places.get(&id)?;
        let contents = self.contents.get_mut(queue_arn)?;
        let visible_at = contents.messages.get(number)?.visible_at;
        Some((contents, (visible_at, *number)))
    }

    /// Ends the visibility timeouts of all messages.
    fn release(&mut self, now: Timestamp) {
        let in_flight = |message: &&Message| message.receive_count > 0 && message.visible_at > now;
        let contents = self.contents.values().flat_map(|contents| contents.messages.values());
        let mut hidden: Vec<Message> = contents.filter(in_flight).cloned().collect();
        for message in &mut hidden {
            message.visible_at = now;
        }
        for message in hidden {
            self.put(message);
        }
    }

    /// Adds messages or replaces them by themselves, all or none.
    fn save(&mut self, messages: Vec<Message>) -> io::Result<()> {
        let mut stale = 0;
        if let Some(file) = &mut self.file {
            let line = |message: &Message| QueueFileLine::Message(Box::new(message.clone()));
            file.append_all(messages.iter().map(line))?;
            let known = |message: &&Message| self.places.contains_key(&message.message_id);
            stale = messages.iter().filter(known).count();
        }
        for message in messages {
            self.put(message);
        }
        self.written(stale)
    }

    fn remove(&mut self, id: Uuid) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.append_all([QueueFileLine::Gone { gone: id }])?;
        }
        self.take(id);
        self.written(2)
    }

    /// Takes a message in. One that its queue holds already keeps its place.
    fn put(&mut self, message: Message) {
        let place = self.take(message.message_id);
        let number = match place {
            Some((queue_arn, number)) if queue_arn == message.queue_arn => number,
            _ => self.next,
        };
        self.next = self.next.max(number + 1);
        self.places
            .insert(message.message_id, (message.queue_arn.clone(), number));
        let contents = self.contents.entry(message.queue_arn.clone()).or_default();
        if !self.held.contains(&message.message_id) {
            contents.by_visibility.insert((message.visible_at, number));
        }
        contents.by_age.insert((message.sent_at, number));
        contents.messages.insert(number, message);
    }

    /// Takes a message out and returns where it was.
    fn take(&mut self, id: Uuid) -> Option<(String, u64)> {
        let (queue_arn, number) = self.places.remove(&id)?;
        let contents = self.contents.get_mut(&queue_arn)?;
        let message = contents.messages.remove(&number)?;
        contents.by_visibility.remove(&(message.visible_at, number));
        contents.by_age.remove(&(message.sent_at, number));
        Some((queue_arn, number))
    }

    /// Counts outdated lines, and rewrites the file when there are many.
    fn written(&mut self, stale: usize) -> io::Result<()> {
        self.stale += stale;
        if self.stale > STALE_MAX.max(self.places.len()) {
            self.rewrite()?;
        }
        Ok(())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        self.stale = 0;
        let all = self.contents.values().flat_map(|contents| contents.messages.values());
        match &mut self.file {
            Some(file) => file.rewrite(all),
            None => Ok(()),
        }
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
