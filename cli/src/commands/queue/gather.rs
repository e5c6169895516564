//! Reads the queue of a target, within bounds.

use aws::{Counted, DueEntry, Messages, Outbox, StoreError, Usage, Wakes};
use domain::pacing::Gate;
use domain::queue::{OutboxEntry, held_back_by};
use domain::record::MessageRecord;
use domain::stream::Stream;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use uuid::Uuid;

use super::QueueError;
use super::depth::{Entries, StreamDepth};
use crate::dead_letter_queue::DeadLetterQueue;
use crate::retry::retry_throttled;
use crate::target::{BULK_DEAD_HINTS, MESSAGES, OUTBOX, Resource, TRANSACTIONAL_DEAD_HINTS, Target, USAGE};

/// How many entries of one part of the index are counted. More are "at least" so many.
const COUNTED_MAX: u64 = 25_000;
/// How many of them are looked at, of those whose time has come and of the others.
const LOOKED_AT_MAX: usize = 250;

/// The queue of a target.
pub(super) struct Queue {
    pub(super) target_name: String,
    pub(super) now: Timestamp,
    pub(super) streams: Vec<StreamDepth>,
    /// The gate; `None` before the first report and the first send.
    pub(super) gate: Option<Gate>,
}

struct Tables {
    outbox: Outbox,
    messages: Messages,
}

/// Reads the queue of a target.
pub(super) async fn gather(target: &Target) -> Result<Queue, QueueError> {
    if matches!(target, Target::Resource { .. }) {
        return Err(QueueError::SingleTable);
    }
    let (outbox, messages) = (target.resolve(OUTBOX).await?, target.resolve(MESSAGES).await?);
    let usage = target.resolve(USAGE).await?;
    let client = aws::dynamodb(&outbox.config);
    let usage_table = Usage::new(client.clone(), usage.name.clone(), usage.region()?);
    let tables = Tables {
        outbox: Outbox::new(client.clone(), outbox.name),
        messages: Messages::new(client, messages.name),
    };
    let (failed, now) = (
        |error: StoreError| target.store_error(&error, QueueError::Store),
        target.now(),
    );
    let gate = retry_throttled(async || usage_table.gate().await)
        .await
        .map_err(failed)?;
    let mut streams = Vec::new();
    for (stream, dead_letters) in [
        (Stream::Transactional, TRANSACTIONAL_DEAD_HINTS),
        (Stream::Bulk, BULK_DEAD_HINTS),
    ] {
        let entries = tables.entries(stream, now).await.map_err(failed)?;
        streams.push(StreamDepth {
            held_back_by: gate.and_then(|gate| held_back_by(&gate, stream, now)),
            dead_letters: count_dead_letters(target, dead_letters).await?,
            ..StreamDepth::of(stream, &entries, now)
        });
    }
    Ok(Queue {
        target_name: outbox.target_name,
        now,
        streams,
        gate,
    })
}

async fn count_dead_letters(target: &Target, queue: Resource) -> Result<Option<i64>, QueueError> {
    match DeadLetterQueue::if_there(target, queue).await? {
        Some(queue) => Ok(Some(queue.waiting().await?)),
        None => Ok(None),
    }
}

impl Tables {
    async fn entries(&self, stream: Stream, now: Timestamp) -> Result<Entries, StoreError> {
        let (now, later) = (Wakes::Until(now), Wakes::After(now));
        let shards = OutboxEntry::shards(stream);
        Ok(Entries {
            now: self.count(&shards, now).await?,
            later: self.count(&shards, later).await?,
            rows_now: self.rows(&shards, now).await?,
            rows_later: self.rows(&shards, later).await?,
        })
    }

    async fn count(&self, shards: &[String], wakes: Wakes) -> Result<Counted, StoreError> {
        let count =
            async |shard: &String| retry_throttled(async || self.outbox.count(shard, wakes, COUNTED_MAX).await).await;
        let counted = try_join_all(shards.iter().map(count)).await?;
        Ok(counted.into_iter().fold(Counted::default(), |sum, one| Counted {
            count: sum.count + one.count,
            has_more: sum.has_more || one.has_more,
        }))
    }

    /// Reads the rows of the first entries of each part. An entry of which the row is gone has ended.
    async fn rows(&self, shards: &[String], wakes: Wakes) -> Result<Vec<MessageRecord>, StoreError> {
        let first =
            async |shard: &String| retry_throttled(async || self.outbox.first(shard, wakes, LOOKED_AT_MAX).await).await;
        let entries: Vec<DueEntry> = try_join_all(shards.iter().map(first)).await?.concat();
        let ids: Vec<Uuid> = entries.iter().map(|entry| entry.id).collect();
        let rows = retry_throttled(async || self.messages.get_all(&ids).await).await?;
        Ok(rows.into_values().collect())
    }
}
