//! The mails of a stream that are due: the parts of the index, merged.

use aws::{DueEntry, StoreError, Wakes};
use domain::queue::{OutboxEntry, WAKE_SHARDS};
use domain::stream::Stream;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::Worker;

impl Worker {
    /// Finds at most `limit` mails of a stream that are due at `until`, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub(super) async fn due(
        &self,
        stream: Stream,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntry>, StoreError> {
        let shards = OutboxEntry::shards(stream);
        let of_each = of_each_shard(limit);
        let read = shards.iter().map(|shard| self.outbox.due(shard, until, of_each));
        Ok(oldest_first(try_join_all(read).await?, of_each, limit))
    }

    /// Finds about `limit` mails of a stream that became due after `after`, and are due at `until`.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub(super) async fn due_after(
        &self,
        stream: Stream,
        after: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntry>, StoreError> {
        let (shards, wakes) = (OutboxEntry::shards(stream), Wakes::After(after));
        let of_each = of_each_shard(limit);
        let read = shards.iter().map(|shard| self.outbox.first(shard, wakes, of_each));
        let mut due: Vec<DueEntry> = try_join_all(read).await?.into_iter().flatten().collect();
        due.retain(|entry| entry.wake_at <= until);
        Ok(due)
    }
}

/// Returns whether nothing more is due than what [`Worker::due`] found with this limit.
pub(super) fn is_whole(due: &[DueEntry], limit: usize) -> bool {
    // Less than what is read of one part was found, so no part was cut off.
    due.len() < of_each_shard(limit).min(limit)
}

/// Logs that the index of a stream's mails cannot be read.
pub(super) fn log_index(stream: Stream, error: &StoreError) {
    let (stream, code) = (stream.as_str(), &error.code);
    tracing::error!(
        cause = error.cause(),
        stream,
        code,
        "the index of what is due cannot be read"
    );
}

/// Returns how many entries of each part of the index are read for `limit` entries of all. Ids are random, so each part
/// has about as many; the rest makes up for the difference.
fn of_each_shard(limit: usize) -> usize {
    const DIFFERENCE: usize = 25;
    let even = limit.div_ceil(WAKE_SHARDS.into());
    even.saturating_add(even / 2).saturating_add(DIFFERENCE)
}

/// Merges what was read of each part, at most `of_each` entries. A part of which that many were read may hold more, so
/// later entries of the others wait for the next sweep: nothing younger goes before them.
fn oldest_first(shards: Vec<Vec<DueEntry>>, of_each: usize, limit: usize) -> Vec<DueEntry> {
    let cut_off = shards.iter().filter(|shard| shard.len() >= of_each);
    let horizon = cut_off.filter_map(|shard| shard.last().map(|last| last.wake_at)).min();
    let mut due: Vec<DueEntry> = shards.into_iter().flatten().collect();
    due.retain(|entry| horizon.is_none_or(|horizon| entry.wake_at <= horizon));
    due.sort_by_key(|entry| (entry.wake_at, entry.id));
    due.truncate(limit);
    due
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;

    fn shard(seconds: impl IntoIterator<Item = i64>) -> Vec<DueEntry> {
        let at = |second| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        let entry = |second: i64| DueEntry {
            id: Uuid::from_u128(second.unsigned_abs().into()),
            wake_at: at(second),
            key_id: "k".to_owned(),
            content_nonce: Uuid::nil(),
            size: 1,
            deadline: at(second + 60),
        };
        seconds.into_iter().map(entry).collect()
    }

    fn merged(shards: Vec<Vec<DueEntry>>, of_each: usize, limit: usize) -> Vec<i64> {
        let due = oldest_first(shards, of_each, limit);
        due.into_iter().map(|entry| entry.wake_at.as_second()).collect()
    }

    #[test]
    fn the_parts_of_the_index_are_one_order() {
        let shards = || vec![shard([1, 5, 6]), shard([]), shard([2, 3]), shard([4])];
        assert_eq!(merged(shards(), 10, 10), [1, 2, 3, 4, 5, 6]);
        assert_eq!(merged(shards(), 10, 2), [1, 2]);
        assert_eq!(merged(vec![], 10, 2), [] as [i64; 0]);
    }

    #[test]
    fn nothing_goes_before_what_was_not_read() {
        // The first part may go on with 4.
        assert_eq!(merged(vec![shard([1, 2, 3]), shard([2, 5])], 3, 10), [1, 2, 2, 3]);
        // Whatever is cut off, the sweep gets on.
        assert_eq!(merged(vec![shard([9, 9]), shard([9, 9])], 2, 10), [9, 9, 9, 9]);
    }

    #[test]
    fn what_was_cut_off_is_not_whole() {
        let limit = 8;
        let of_each = of_each_shard(limit);
        let cut_off = shard(0..i64::try_from(of_each).unwrap());
        let due = oldest_first(vec![cut_off, shard([])], of_each, limit);
        assert!(!is_whole(&due, limit));
        assert!(is_whole(&oldest_first(vec![shard(0..7)], of_each, limit), limit));
    }

    #[test]
    fn enough_is_read_of_each_part() {
        for limit in [1, 120, 1_000, 24_000] {
            assert!(of_each_shard(limit) * usize::from(WAKE_SHARDS) > limit);
        }
    }
}
