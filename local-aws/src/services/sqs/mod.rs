//! SQS: standard queues with visibility timeout, retention and redrive, as far as the template uses them.
//!
//! | part | what it does |
//! |---|---|
//! | `messages` | what is in the queues, and their file |
//! | `mapping` | Lambda's side: takes messages out and calls a function with them |
//! | `wire` | the API, as far as an operator needs it |
//!
//! All times are those of [`crate::clock`]: a queue whose visibility timeout is minutes is waited for by setting the clock
//! forward.

mod mapping;
mod messages;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::template::Queue;

pub(crate) use mapping::Poller;
pub use messages::Message;

use messages::Messages;
use wire::MoveTask;

/// The queues of a stack.
#[derive(Debug)]
pub struct Sqs {
    messages: Mutex<Messages>,
    /// Something was sent or moved.
    changed: Notify,
    clock: Clock,
    /// What was moved back, by its dead-letter queue.
    moves: Mutex<Vec<MoveTask>>,
}

/// A queue as `/_local/queues` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueState {
    /// Its name.
    pub name: String,
    /// Its URL in AWS, by which the API calls it.
    pub url: String,
    /// Its ARN.
    pub arn: String,
    /// How many messages can be received.
    pub visible: usize,
    /// How many were received and may come again.
    pub in_flight: usize,
}

impl Sqs {
    /// Opens `queues`, whose messages are kept in a file if there is one.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds something else.
    pub fn open(queues: Vec<Queue>, file: Option<PathBuf>, clock: Clock) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            messages: Mutex::new(Messages::open(queues, file)?),
            changed: Notify::new(),
            clock,
            moves: Mutex::default(),
        }))
    }

    /// Sends a message to the queue of an ARN.
    ///
    /// # Errors
    /// It could not be kept; it was not sent then.
    pub fn send(&self, queue_arn: &str, body: String) -> io::Result<()> {
        self.messages().send(queue_arn, body, new_id(), self.clock.now())?;
        self.changed.notify_waiters();
        Ok(())
    }

    /// Lists the queues.
    ///
    /// # Errors
    /// What is too old could not be dropped.
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

    /// Shows the messages of the queue of a name, oldest first, or nothing if there is no such queue.
    #[must_use]
    pub fn messages_of(&self, name: &str) -> Option<Vec<Message>> {
        let messages = self.messages();
        let queue = messages.queues().iter().find(|queue| queue.name == name)?;
        Some(messages.of(&queue.arn).cloned().collect())
    }

    /// Waits until messages of a queue can be received, and receives them.
    async fn receive(&self, queue_arn: &str, max: usize) -> io::Result<Vec<Message>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let next = {
                let mut messages = self.messages();
                let received = messages.receive(queue_arn, max, self.clock.now())?;
                if !received.is_empty() {
                    return Ok(received);
                }
                messages.next_visible(queue_arn)
            };
            match next {
                Some(next) => tokio::select! {
                    () = self.clock.reaches(next) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    fn delete(&self, queue_arn: &str, message_id: Uuid) -> io::Result<()> {
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
