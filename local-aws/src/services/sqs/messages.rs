//! The messages of all queues, and their file.
//!
//! Pure but for the file: callers pass the time and the ids in. Each change is one line of the file: a message as it is
//! now, or the note that it is gone. So a message that moves from one queue to another is in exactly one of them,
//! whenever the process dies.

use std::io;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::json_lines::JsonLines;
use crate::template::Queue;

/// The number of outdated lines at which the file is rewritten.
const STALE_MAX: usize = 1_000;

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The message's id.
    pub message_id: Uuid,
    /// ARN of the queue that holds it.
    pub queue_arn: String,
    /// ARN of the queue that it came from, for a message in a dead-letter queue.
    pub source_arn: Option<String>,
    /// The body.
    pub body: String,
    /// The time at which it was sent.
    pub sent_at: Timestamp,
    /// The time at which it was first received.
    pub first_received_at: Option<Timestamp>,
    /// The number of times that it was received.
    pub receive_count: u32,
    /// The time from which it can be received.
    pub visible_at: Timestamp,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum QueueFileLine {
    Gone { gone: Uuid },
    Message(Box<Message>),
}

/// The messages, in the order in which they were sent.
#[derive(Debug)]
pub(super) struct Messages {
    queues: Vec<Queue>,
    all: Vec<Message>,
    file: Option<JsonLines>,
    stale: usize,
}

impl Messages {
    /// Opens the messages of `queues`.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written, or holds a line of another shape.
    pub(super) fn open(queues: Vec<Queue>, path: Option<PathBuf>) -> io::Result<Self> {
        let mut messages = Self {
            queues,
            all: Vec::new(),
            file: None,
            stale: 0,
        };
        if let Some(path) = path {
            let (file, lines) = JsonLines::open(path)?;
            for line in lines {
                match line {
                    QueueFileLine::Gone { gone } => messages.all.retain(|message| message.message_id != gone),
                    QueueFileLine::Message(message) => messages.put(*message),
                }
            }
            messages.file = Some(file);
            messages.rewrite()?;
        }
        Ok(messages)
    }

    pub(super) fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// Sends a message.
    pub(super) fn send(&mut self, queue_arn: &str, body: String, message_id: Uuid, now: Timestamp) -> io::Result<()> {
        self.save(Message {
            message_id,
            queue_arn: queue_arn.to_owned(),
            source_arn: None,
            body,
            sent_at: now,
            first_received_at: None,
            receive_count: 0,
            visible_at: now,
        })
    }

    /// Receives up to `max` messages of a queue, which then cannot be received again until their visibility timeout
    /// ends. A message that was received as often as its queue allows goes to the dead-letter queue instead.
    pub(super) fn receive(&mut self, queue_arn: &str, max: usize, now: Timestamp) -> io::Result<Vec<Message>> {
        self.expire(now)?;
        let Some(queue) = self.queues.iter().find(|queue| queue.arn == queue_arn).cloned() else {
            return Ok(Vec::new());
        };
        let is_visible = |message: &&Message| message.queue_arn == queue_arn && message.visible_at <= now;
        let visible: Vec<Message> = self.all.iter().filter(is_visible).cloned().collect();
        let mut received = Vec::new();
        for mut message in visible {
            match &queue.redrive {
                Some(redrive) if message.receive_count >= redrive.max_receive_count => {
                    let source_arn = std::mem::replace(&mut message.queue_arn, redrive.queue_arn.clone());
                    message.source_arn = Some(source_arn);
                    message.receive_count = 0;
                    message.first_received_at = None;
                    self.save(message)?;
                }
                _ if received.len() < max => {
                    message.receive_count += 1;
                    message.first_received_at.get_or_insert(now);
                    message.visible_at = later(now, queue.visibility_timeout);
                    self.save(message.clone())?;
                    received.push(message);
                }
                _ => {}
            }
        }
        Ok(received)
    }

    /// Deletes a message if the queue still holds it. A message that went to the dead-letter queue meanwhile stays
    /// there, as on AWS.
    pub(super) fn delete(&mut self, queue_arn: &str, message_id: Uuid) -> io::Result<()> {
        if !self.of(queue_arn).any(|message| message.message_id == message_id) {
            return Ok(());
        }
        if let Some(file) = &mut self.file {
            file.append(&QueueFileLine::Gone { gone: message_id })?;
        }
        self.all.retain(|message| message.message_id != message_id);
        self.written(2)
    }

    /// Moves the messages of a dead-letter queue back to the queues that they came from, as new messages. Returns their
    /// number.
    pub(super) fn move_back(
        &mut self,
        dead_letter_arn: &str,
        new_id: impl Fn() -> Uuid,
        now: Timestamp,
    ) -> io::Result<usize> {
        self.expire(now)?;
        let dead = self.of(dead_letter_arn);
        let dead: Vec<Message> = dead.filter(|message| message.source_arn.is_some()).cloned().collect();
        for message in &dead {
            let queue_arn = message.source_arn.as_deref().unwrap_or_default();
            // A kill in between leaves the message twice, which AWS does not rule out either.
            self.send(queue_arn, message.body.clone(), new_id(), now)?;
            self.delete(dead_letter_arn, message.message_id)?;
        }
        Ok(dead.len())
    }

    /// Lists the messages of a queue.
    pub(super) fn of(&self, queue_arn: &str) -> impl Iterator<Item = &Message> {
        self.all.iter().filter(move |message| message.queue_arn == queue_arn)
    }

    /// Returns the time at which the next message of a queue can be received.
    pub(super) fn next_visible(&self, queue_arn: &str) -> Option<Timestamp> {
        self.of(queue_arn).map(|message| message.visible_at).min()
    }

    /// Drops the messages that are older than their queue's retention.
    pub(super) fn expire(&mut self, now: Timestamp) -> io::Result<()> {
        let is_old = |message: &&Message| {
            let queue = self.queues.iter().find(|queue| queue.arn == message.queue_arn);
            queue.is_some_and(|queue| later(message.sent_at, queue.retention) <= now)
        };
        let old: Vec<Message> = self.all.iter().filter(is_old).cloned().collect();
        let mut old = old.into_iter();
        old.try_for_each(|message| self.delete(&message.queue_arn, message.message_id))
    }

    fn save(&mut self, message: Message) -> io::Result<()> {
        let mut stale = 0;
        if let Some(file) = &mut self.file {
            let line = QueueFileLine::Message(Box::new(message.clone()));
            file.append(&line)?;
            stale = usize::from(self.all.iter().any(|other| other.message_id == message.message_id));
        }
        self.put(message);
        self.written(stale)
    }

    fn put(&mut self, message: Message) {
        match self.all.iter_mut().find(|other| other.message_id == message.message_id) {
            Some(before) => *before = message,
            None => self.all.push(message),
        }
    }

    /// Counts outdated lines, and rewrites the file when there are many.
    fn written(&mut self, stale: usize) -> io::Result<()> {
        self.stale += stale;
        if self.stale > STALE_MAX.max(self.all.len()) {
            self.rewrite()?;
        }
        Ok(())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        self.stale = 0;
        match &mut self.file {
            Some(file) => file.rewrite(self.all.iter()),
            None => Ok(()),
        }
    }
}

fn later(time: Timestamp, by: std::time::Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::template::Redrive;

    const RETRIES: &str = "arn:retries";
    const DEAD: &str = "arn:dead";

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap()
    }

    fn queues() -> Vec<Queue> {
        let queue = |arn: &str, hours, redrive| Queue {
            logical_id: arn.to_owned(),
            name: arn.to_owned(),
            arn: arn.to_owned(),
            url: arn.to_owned(),
            visibility_timeout: Duration::from_mins(6),
            retention: Duration::from_hours(hours),
            redrive,
        };
        let redrive = Redrive {
            queue_arn: DEAD.to_owned(),
            max_receive_count: 2,
        };
        vec![queue(RETRIES, 24, Some(redrive)), queue(DEAD, 48, None)]
    }

    fn messages() -> Messages {
        Messages::open(queues(), None).unwrap()
    }

    fn send(messages: &mut Messages, id: u128, minutes: i64) {
        let body = format!("body {id}");
        messages.send(RETRIES, body, Uuid::from_u128(id), at(minutes)).unwrap();
    }

    fn receive(messages: &mut Messages, max: usize, minutes: i64) -> Vec<u128> {
        let received = messages.receive(RETRIES, max, at(minutes)).unwrap();
        received.iter().map(|message| message.message_id.as_u128()).collect()
    }

    fn in_queue(messages: &Messages, queue: &str) -> Vec<u128> {
        messages.of(queue).map(|message| message.message_id.as_u128()).collect()
    }

    #[test]
    fn a_message_that_was_received_is_hidden_until_its_visibility_timeout_ends() {
        let mut messages = messages();
        send(&mut messages, 1, 0);
        assert_eq!(receive(&mut messages, 10, 0), [1]);
        assert_eq!(receive(&mut messages, 10, 5), []);
        assert_eq!(messages.next_visible(RETRIES), Some(at(6)));
        assert_eq!(receive(&mut messages, 10, 6), [1]);
    }

    #[test]
    fn as_many_are_received_as_are_asked_for_oldest_first() {
        let mut messages = messages();
        for id in 1..=3 {
            send(&mut messages, id, 0);
        }
        assert_eq!(receive(&mut messages, 2, 0), [1, 2]);
        assert_eq!(receive(&mut messages, 2, 0), [3]);
    }

    #[test]
    fn what_is_deleted_does_not_come_again() {
        let mut messages = messages();
        send(&mut messages, 1, 0);
        receive(&mut messages, 10, 0);
        messages.delete(RETRIES, Uuid::from_u128(1)).unwrap();
        messages.delete(RETRIES, Uuid::from_u128(1)).unwrap();
        assert_eq!(receive(&mut messages, 10, 60), []);
    }

    #[test]
    fn what_was_received_too_often_goes_to_the_dead_letter_queue_with_its_age() {
        let mut messages = messages();
        send(&mut messages, 1, 0);
        for minutes in [0, 6] {
            assert_eq!(receive(&mut messages, 10, minutes), [1]);
        }
        assert_eq!(in_queue(&messages, DEAD), []);
        assert_eq!(receive(&mut messages, 10, 12), []);
        // The last try has taken long, and ends well after all.
        messages.delete(RETRIES, Uuid::from_u128(1)).unwrap();
        let dead: Vec<_> = messages.of(DEAD).collect();
        assert_eq!((dead.len(), dead[0].sent_at), (1, at(0)));
    }

    #[test]
    fn what_is_moved_back_comes_as_a_new_message() {
        let mut messages = messages();
        send(&mut messages, 1, 0);
        for minutes in [0, 6, 12] {
            receive(&mut messages, 10, minutes);
        }
        let moved = messages.move_back(DEAD, || Uuid::from_u128(2), at(60)).unwrap();
        assert_eq!((moved, in_queue(&messages, DEAD)), (1, vec![]));
        let received = messages.receive(RETRIES, 10, at(60)).unwrap();
        let Message {
            body,
            sent_at,
            receive_count,
            ..
        } = &received[0];
        assert_eq!((body.as_str(), *sent_at, *receive_count), ("body 1", at(60), 1));
    }

    #[test]
    fn a_message_is_kept_as_long_as_its_queue_keeps_messages() {
        let mut messages = messages();
        send(&mut messages, 1, 0);
        send(&mut messages, 2, 60);
        assert_eq!(receive(&mut messages, 10, 24 * 60), [2]);
        assert_eq!(in_queue(&messages, RETRIES), [2]);
    }

    #[test]
    fn everything_outlives_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queues.jsonl");
        let open = || Messages::open(queues(), Some(path.clone())).unwrap();
        let mut messages = open();
        for id in 1..=4 {
            send(&mut messages, id, 0);
        }
        messages.delete(RETRIES, Uuid::from_u128(2)).unwrap();
        for minutes in [0, 6, 12] {
            receive(&mut messages, 2, minutes);
        }
        let before = messages.all.clone();
        assert_eq!(in_queue(&messages, DEAD), [1, 3]);
        drop(messages);
        assert_eq!(open().all, before);
        assert_eq!(open().all, before);
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queues.jsonl");
        let mut messages = Messages::open(queues(), Some(path.clone())).unwrap();
        send(&mut messages, 1, 0);
        for id in 2..2_000 {
            send(&mut messages, id, 0);
            messages.delete(RETRIES, Uuid::from_u128(id)).unwrap();
        }
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= STALE_MAX + 3, "{lines}");
        assert_eq!(in_queue(&Messages::open(queues(), Some(path)).unwrap(), RETRIES), [1]);
    }
}
