//! SQS: standard queues with visibility timeout, retention and redrive.
//!
//! | module | contents |
//! |---|---|
//! | `wire` | the JSON protocol |
//! | `operations` | the API |
//! | `error` | its errors |
//! | `message` | a message, its attributes and receipts |
//! | `messages` | the messages in the queues, and their file |
//!
//! All times are those of [`crate::clock`]: setting the clock forward ends a delay or a visibility timeout at once.
//! Only a receiver that waits for a message does so by the machine's time.

mod error;
mod message;
mod messages;
mod operations;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::middleware::Middleware;
use crate::template::Queue;

pub use message::{Message, MessageAttribute};

use message::{NewMessage, Receipt};
use messages::Messages;
use operations::MoveTask;
use wire::SqsWire;

/// The queues of a stack.
#[derive(Debug)]
pub struct Sqs {
    messages: Mutex<Messages>,
    /// Notified when a message was sent or moved.
    changed: Notify,
    clock: Clock,
    /// The moves of messages so far, oldest first.
    moves: Mutex<Vec<MoveTask>>,
}

/// A queue as `/_local/queues` returns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueState {
    /// The queue's name.
    pub name: String,
    /// The queue's URL in AWS, by which the API names it.
    pub url: String,
    /// The queue's ARN.
    pub arn: String,
    /// The number of messages that can be received now.
    pub visible: usize,
    /// The number of messages that were received and may come again.
    pub in_flight: usize,
    /// The number of those in flight that an invocation is handling now.
    pub being_handled: usize,
    /// The number of messages that cannot be received yet, because they were sent with a delay.
    pub delayed: usize,
    /// The time since the oldest message was sent, or came to a dead-letter queue, in seconds; nothing without one.
    pub oldest_seconds: Option<i64>,
}

/// Messages that an invocation is handling. Dropping it lets others receive those that are left.
#[derive(Debug)]
pub(crate) struct Held {
    sqs: Arc<Sqs>,
    ids: Vec<Uuid>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.sqs.messages().let_go(&self.ids);
        self.sqs.changed.notify_waiters();
    }
}

impl Sqs {
    /// Opens `queues` and the messages in `file`. Without a file, messages are kept in memory.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written, or holds something else.
    pub fn open(queues: Vec<Queue>, file: Option<PathBuf>, clock: Clock) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            messages: Mutex::new(Messages::open(queues, file, clock.now())?),
            changed: Notify::new(),
            clock,
            moves: Mutex::default(),
        }))
    }

    /// Returns the routes of the API.
    pub fn router(self: &Arc<Self>, middleware: &Middleware) -> axum::Router {
        middleware.router(Arc::new(SqsWire(Arc::clone(self))))
    }

    /// Returns the queue with a URL.
    fn queue_of_url(&self, url: &str) -> Option<Queue> {
        let messages = self.messages();
        messages.queues().iter().find(|queue| queue.url == url).cloned()
    }

    /// Sends a message to the queue of an ARN.
    ///
    /// # Errors
    /// Returns an error if the message could not be kept. It was not sent then.
    pub fn send(&self, queue_arn: &str, body: String) -> io::Result<()> {
        let message = NewMessage {
            body,
            ..NewMessage::default()
        };
        self.send_all(queue_arn, vec![message]).map(drop)
    }

    /// Sends messages, all or none, and returns their ids.
    fn send_all(&self, queue_arn: &str, messages: Vec<NewMessage>) -> io::Result<Vec<Uuid>> {
        let messages: Vec<_> = messages.into_iter().map(|message| (new_id(), message)).collect();
        let ids = messages.iter().map(|(id, _)| *id).collect();
        self.messages().send(queue_arn, messages, self.clock.now())?;
        self.changed.notify_waiters();
        Ok(ids)
    }

    /// Lists the queues.
    ///
    /// # Errors
    /// Returns an error if expired messages could not be dropped.
    pub fn queues(&self) -> io::Result<Vec<QueueState>> {
        let now = self.clock.now();
        let mut messages = self.messages();
        messages.expire(now)?;
        let state = |queue: &Queue| {
            let counts = messages.count(&queue.arn, now);
            let oldest = messages.of(&queue.arn).map(Message::held_since).min();
            QueueState {
                name: queue.name.clone(),
                url: queue.url.clone(),
                arn: queue.arn.clone(),
                visible: counts.visible,
                in_flight: counts.in_flight,
                being_handled: counts.being_handled,
                delayed: counts.delayed,
                oldest_seconds: oldest.map(|since| now.duration_since(since).as_secs()),
            }
        };
        Ok(messages.queues().iter().map(state).collect())
    }

    /// Lists the messages of a queue by its name, oldest first. Returns nothing if there is no such queue.
    #[must_use]
    pub fn messages_of(&self, name: &str) -> Option<Vec<Message>> {
        let messages = self.messages();
        let queue = messages.queues().iter().find(|queue| queue.name == name)?;
        Some(messages.of(&queue.arn).cloned().collect())
    }

    /// Waits until a message of a queue can be received, or must go to the dead-letter queue.
    pub(crate) async fn wait_for_messages(&self, queue_arn: &str) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let next = self.messages().next_visible(queue_arn);
            match next {
                Some(next) if next <= self.clock.now() => return,
                Some(next) => tokio::select! {
                    () = self.clock.reaches(next) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    /// Receives up to `max` messages of a queue; none if there are none.
    ///
    /// # Errors
    /// Returns an error if the change could not be kept.
    pub(crate) fn receive(
        &self,
        queue_arn: &str,
        max: usize,
        visibility: Option<Duration>,
    ) -> io::Result<Vec<Message>> {
        self.messages().receive(queue_arn, max, visibility, self.clock.now())
    }

    /// Receives messages for an invocation. Nobody else can receive them until it ends, however far the clock is set
    /// forward meanwhile: what is under way keeps its time, and on AWS no invocation outlasts a visibility timeout.
    ///
    /// # Errors
    /// Returns an error if the change could not be kept.
    pub(crate) fn receive_and_hold(self: &Arc<Self>, queue_arn: &str, max: usize) -> io::Result<(Vec<Message>, Held)> {
        let mut messages = self.messages();
        let received = messages.receive(queue_arn, max, None, self.clock.now())?;
        let ids: Vec<Uuid> = received.iter().map(|message| message.message_id).collect();
        messages.hold(&ids);
        let sqs = Arc::clone(self);
        Ok((received, Held { sqs, ids }))
    }

    /// Deletes a message from a queue, if the receipt is its newest.
    ///
    /// # Errors
    /// Returns an error if the change could not be kept.
    pub(crate) fn delete(&self, queue_arn: &str, receipt: Receipt) -> io::Result<()> {
        self.messages().delete(queue_arn, receipt)
    }

    fn messages(&self) -> MutexGuard<'_, Messages> {
        // A panic while the lock was held leaves lists that are still lists.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the ids of messages and tasks are made here and nowhere else"
)]
fn new_id() -> Uuid {
    Uuid::new_v4()
}
