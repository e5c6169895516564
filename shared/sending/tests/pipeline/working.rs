//! The queue's worker in a world: each invocation in a process of its own.

use std::sync::Arc;
use std::time::Duration;

use domain::queue::Hint;
use domain::stream::Stream;
use sending::{Deadlines, ReceivedHint};
use tokio::time::Instant;
use uuid::Uuid;

use crate::network::{Call, Fault, Network};
use crate::world::{BULK_HINTS, HINTS, World, unless_dead};

/// The time that an invocation of the worker has.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);

/// An invocation of the worker, before it begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) hints: Vec<ReceivedHint>,
    pub(crate) faults: Vec<Fault>,
    /// After how many polls its process ends.
    pub(crate) dies_after: Option<u32>,
    /// The time that it has, if not the usual one.
    pub(crate) timeout: Option<Duration>,
    /// How many seconds its clock is ahead.
    pub(crate) skew: i64,
}

impl Batch {
    /// A batch of hints that each come for the first time. The messages are `0`, `1`, ….
    pub(crate) fn of(hints: &[Hint]) -> Self {
        let received = |(nth, hint): (usize, &Hint)| ReceivedHint {
            message_id: nth.to_string(),
            hint: hint.clone(),
            receive_count: 1,
            stream: Stream::Transactional,
        };
        Self {
            hints: hints.iter().enumerate().map(received).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    pub(crate) fn received(mut self, times: u32) -> Self {
        for hint in &mut self.hints {
            hint.receive_count = times;
        }
        self
    }
}

/// How an invocation of the worker ended.
#[derive(Debug)]
pub(crate) struct Worked {
    /// The messages that are to be delivered again; `None` if the process ended first.
    pub(crate) again: Option<Vec<String>>,
    /// The fresh hints, with their delays in seconds.
    pub(crate) hints: Vec<(Hint, i64)>,
    pub(crate) calls: Vec<Call>,
}

impl Worked {
    /// Whether all hints were acknowledged.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.again.as_deref() == Some(&[])
    }

    /// How many calls an operation had.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.calls.iter().filter(|call| call.operation == operation).count()
    }

    /// How many of its requests had this text.
    pub(crate) fn saying(&self, operation: &str, text: &str) -> usize {
        let of = |call: &&Call| call.operation == operation && call.body.to_string().contains(text);
        self.calls.iter().filter(of).count()
    }
}

impl World {
    /// The hint that acceptance or the sweep sends about a mail that waits.
    pub(crate) async fn hint(&self, id: Uuid) -> Hint {
        Hint::new(id, self.entry(id).await.unwrap().content.nonce)
    }

    /// Queues a mail, and opens the gate again.
    pub(crate) async fn waiting(&self, key: &str) -> Uuid {
        let id = self.queue(key).await;
        self.new_gate().await;
        id
    }

    /// Has a worker work on a batch.
    pub(crate) async fn work(&self, batch: &Batch) -> Worked {
        let network = Network::new(Arc::clone(&self.shared), 0, batch.faults.clone());
        let worker = self.worker(&network);
        let end = Instant::now() + batch.timeout.unwrap_or(TIMEOUT);
        let deadlines = Deadlines::new(self.later(batch.skew), end);
        let before = [HINTS, BULK_HINTS].map(|queue| self.hints_in(queue).len());
        let work = Box::pin(worker.work(&batch.hints, &deadlines, || self.new_id()));
        let again = tokio::select! {
            again = unless_dead(work, batch.dies_after) => again,
            () = network.is_dead.cancelled() => None,
        };
        let fresh = [HINTS, BULK_HINTS].into_iter().zip(before);
        Worked {
            again,
            hints: fresh
                .flat_map(|(queue, before)| self.hints_in(queue).split_off(before))
                .collect(),
            calls: network.calls(),
        }
    }

    /// Has a worker work on one mail, with the hint of the sweep.
    pub(crate) async fn work_on(&self, id: Uuid, faults: &[Fault]) -> Worked {
        let batch = Batch {
            faults: faults.to_vec(),
            ..Batch::of(&[self.hint(id).await])
        };
        self.work(&batch).await
    }
}
