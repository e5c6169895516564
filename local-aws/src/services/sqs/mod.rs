//! SQS: standard queues with visibility timeout, retention and redrive.
//!
//! | module | contents |
//! |---|---|
//! | `wire` | the JSON protocol |
//! | `operations` | the API, as far as operators use it |
//! | `messages` | the messages in the queues, and their file |
//!
//! All times are those of [`crate::clock`]: setting the clock forward ends a visibility timeout of minutes at once.

mod messages;
mod operations;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::middleware::Middleware;
use crate::template::Queue;

pub use messages::Message;

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
}

impl Sqs {
    /// Opens `queues` and the messages in `file`. Without a file, messages are kept in memory.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written, or holds something else.
    pub fn open(queues: Vec<Queue>, file: Option<PathBuf>, clock: Clock) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            messages: Mutex::new(Messages::open(queues, file)?),
            changed: Notify::new(),
            clock,
            moves: Mutex::default(),
        }))
    }

    /// Returns the routes of the API.
    pub fn router(self: &Arc<Self>, middleware: &Middleware) -> axum::Router {
        middleware.router(Arc::new(SqsWire(Arc::clone(self))))
    }

    /// Returns the ARN of the queue with a URL.
    fn queue_arn(&self, url: &str) -> Option<String> {
        let messages = self.messages();
        let queue = messages.queues().iter().find(|queue| queue.url == url)?;
        Some(queue.arn.clone())
    }

    /// Sends a message to the queue of an ARN.
    ///
    /// # Errors
    /// Returns an error if the message could not be kept. It was not sent then.
    pub fn send(&self, queue_arn: &str, body: String) -> io::Result<()> {
        self.messages().send(queue_arn, body, new_id(), self.clock.now())?;
        self.changed.notify_waiters();
        Ok(())
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
            let visible = messages
                .of(&queue.arn)
                .filter(|message| message.visible_at <= now)
                .count();
            QueueState {
                name: queue.name.clone(),
                url: queue.url.clone(),
                arn: queue.arn.clone(),
                visible,
                in_flight: messages.of(&queue.arn).count() - visible,
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
    pub(crate) fn receive(&self, queue_arn: &str, max: usize) -> io::Result<Vec<Message>> {
        self.messages().receive(queue_arn, max, self.clock.now())
    }

    /// Deletes a message from a queue.
    ///
    /// # Errors
    /// Returns an error if the change could not be kept.
    pub(crate) fn delete(&self, queue_arn: &str, message_id: Uuid) -> io::Result<()> {
        self.messages().delete(queue_arn, message_id)
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
