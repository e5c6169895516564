//! What waits in a world, as tests look at it.

use aws::Outbox;
use domain::queue::{Hint, OutboxEntry, WhenBusy};
use domain::record::MessageRecord;
use jiff::{SignedDuration, Timestamp};
use local_aws::services::sqs::Message;
use uuid::Uuid;

use crate::request::{Mail, Request};
use crate::world::{Ended, HINTS, World};

/// A request with one email that waits if there is no room.
pub(crate) fn to_queue(key: &str) -> Request {
    Request {
        when_busy: WhenBusy::Queue,
        ..Request::new(Some(key), key, &[Mail::Plain])
    }
}

impl World {
    pub(crate) fn later(&self, seconds: i64) -> Timestamp {
        self.clock.now() + SignedDuration::from_secs(seconds)
    }

    /// The row of a mail.
    pub(crate) async fn row(&self, id: Uuid) -> Option<MessageRecord> {
        self.shared.messages.read(id).await.unwrap()
    }

    /// The entry of a mail.
    pub(crate) async fn entry(&self, id: Uuid) -> Option<OutboxEntry> {
        self.outbox().entry(id).await.unwrap()
    }

    /// The table of the mails that wait, over a network without faults.
    pub(crate) fn outbox(&self) -> Outbox {
        self.sending(&self.shared.connector).queue.unwrap().outbox
    }

    /// The hints about transactional mail so far, with their delays in seconds.
    pub(crate) fn hints(&self) -> Vec<(Hint, i64)> {
        self.hints_in(HINTS)
    }

    /// The hints in a queue so far, with their delays in seconds.
    pub(crate) fn hints_in(&self, queue: &str) -> Vec<(Hint, i64)> {
        let hint = |message: Message| {
            let delay = message.visible_at.duration_since(message.sent_at);
            (Hint::parse(&message.body).unwrap(), delay.as_secs())
        };
        self.sqs.messages_of(queue).unwrap().into_iter().map(hint).collect()
    }

    /// Queues a mail, with the gate closed.
    pub(crate) async fn queue(&self, key: &str) -> Uuid {
        self.close_gate().await;
        self.submit(&to_queue(key)).await.id()
    }

    /// The next slot is a minute ahead.
    pub(crate) async fn close_gate(&self) {
        self.new_gate().await;
        self.fill_gate(std::time::Duration::from_mins(1)).await;
    }
}

impl Ended {
    /// The id of its only email, which Okite answers for.
    pub(crate) fn id(&self) -> Uuid {
        self.only().as_ref().unwrap().id
    }
}
