//! The entry of a waiting mail in the table Outbox, and when it is due first.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::ContentRef;
use super::delay::{HINT_DELAY_MAX, ahead, whole_seconds};
use crate::retention::MessageRetention;
use crate::stream::Stream;

/// How long the entry and the content may be kept, counted from acceptance: 30 days of scheduling, 3 days until the
/// deadline, and a reserve. So nothing has to be renewed, and DynamoDB deletes nothing that is still to be sent.
pub const ENTRY_KEPT: Duration = Duration::from_hours(45 * 24);
/// The number of parts that the index of each stream has, so that no single one takes all writes.
pub const WAKE_SHARDS: u8 = 4;
/// How long a hint of acceptance has before the sweep looks after its mail.
const HINTED_HEAD_START: Duration = Duration::from_mins(2);
/// How much longer a row is kept than the idempotency key that is answered from it.
const ROW_OUTLIVES_CLAIM: Duration = Duration::from_hours(1);

/// The entry of a waiting mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Okite's id of the message.
    pub id: Uuid,
    /// The stream that the mail is sent in.
    pub stream: Stream,
    /// The id of the API key that the mail came with.
    pub key_id: String,
    /// Where the content is stored.
    pub content: ContentRef,
    /// When the mail becomes `failed` if it is not sent.
    pub deadline: Timestamp,
    /// When the sweep hands the mail over next.
    pub wake_at: Timestamp,
    /// How often a worker died with this mail.
    pub crashes: u32,
    /// When DynamoDB may delete the entry and the content.
    pub expires_at: Timestamp,
}

/// Returns the part of the index `wake` that an entry is in: `<stream>#<0–3>`.
#[must_use]
pub fn wake_shard(stream: Stream, id: Uuid) -> String {
    // The last bits of a UUIDv7 are random, and count up in a batch.
    shard(stream, id.as_u128() % u128::from(WAKE_SHARDS))
}

/// Returns all parts of the index `wake` that entries of `stream` are in.
pub(super) fn shard(stream: Stream, number: u128) -> String {
    format!("{}#{number}", stream.as_str())
}

impl OutboxEntry {
    /// Returns all parts of the index `wake` that the entries of `stream` are in.
    #[must_use]
    pub fn shards(stream: Stream) -> Vec<String> {
        (0..WAKE_SHARDS).map(|number| shard(stream, number.into())).collect()
    }
}

/// Returns when the sweep looks after a mail that is accepted at `now`. Acceptance hints transactional mail itself, so
/// the sweep gives it a head start.
#[must_use]
pub fn first_wake_at(stream: Stream, scheduled_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    match (scheduled_at, stream) {
        (Some(at), _) if at > now => at,
        (_, Stream::Transactional) => now.checked_add(HINTED_HEAD_START).unwrap_or(Timestamp::MAX),
        (_, Stream::Bulk) => now,
    }
}

/// Returns the delay of the hint that acceptance or a reschedule sends itself, in whole seconds. Returns `None` if the
/// mail is left to the sweep: bulk mail, and mail that is due later than a hint can be delayed.
#[must_use]
pub fn first_hint(stream: Stream, scheduled_at: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let ahead = scheduled_at.map_or(Duration::ZERO, |at| ahead(at, now));
    (stream == Stream::Transactional && ahead <= HINT_DELAY_MAX).then(|| whole_seconds(ahead))
}

/// Returns when DynamoDB may delete the row of a mail that was queued at `accepted_at`: not before its entry, and an
/// hour after its idempotency key at the earliest.
#[must_use]
pub fn row_expires_at(
    retention: MessageRetention,
    accepted_at: Timestamp,
    claim_expires: Option<Timestamp>,
) -> Timestamp {
    let after = |at: Timestamp, span| at.checked_add(span).unwrap_or(Timestamp::MAX);
    let kept = retention.expires_at(accepted_at).max(after(accepted_at, ENTRY_KEPT));
    claim_expires.map_or(kept, |expires| kept.max(after(expires, ROW_OUTLIVES_CLAIM)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::SignedDuration;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn later(seconds: i64) -> Timestamp {
        now() + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn the_mails_of_a_batch_are_spread_over_the_parts_of_the_index() {
        let shards: BTreeSet<String> = (0..10)
            .map(|nth| wake_shard(Stream::Bulk, Uuid::from_u128(0x1234_5678 + nth)))
            .collect();
        assert_eq!(
            shards.into_iter().collect::<Vec<_>>(),
            OutboxEntry::shards(Stream::Bulk)
        );
        assert_eq!(
            OutboxEntry::shards(Stream::Bulk),
            ["bulk#0", "bulk#1", "bulk#2", "bulk#3"]
        );
        assert_eq!(wake_shard(Stream::Transactional, Uuid::from_u128(7)), "transactional#3");
    }

    #[test]
    fn a_mail_is_due_at_its_schedule_and_after_the_hint_had_its_time() {
        use Stream::{Bulk, Transactional};
        for (stream, scheduled_at, wake_at) in [
            (Transactional, None, later(120)),
            (Transactional, Some(now()), later(120)),
            (Transactional, Some(later(1)), later(1)),
            (Transactional, Some(later(90_000)), later(90_000)),
            (Bulk, None, now()),
            (Bulk, Some(later(-5)), now()),
            (Bulk, Some(later(90_000)), later(90_000)),
        ] {
            assert_eq!(
                first_wake_at(stream, scheduled_at, now()),
                wake_at,
                "{stream:?} {scheduled_at:?}"
            );
        }
    }

    #[test]
    fn acceptance_hints_transactional_mail_that_is_due_within_a_quarter_of_an_hour() {
        use Stream::{Bulk, Transactional};
        let half = now() + SignedDuration::from_millis(500);
        for (stream, scheduled_at, delay) in [
            (Transactional, None, Some(0)),
            (Transactional, Some(later(-5)), Some(0)),
            // A hint that comes early would have to wait again.
            (Transactional, Some(half), Some(1)),
            (Transactional, Some(later(900)), Some(900)),
            (Transactional, Some(later(901)), None),
            (Bulk, None, None),
        ] {
            let delay = delay.map(Duration::from_secs);
            assert_eq!(
                first_hint(stream, scheduled_at, now()),
                delay,
                "{stream:?} {scheduled_at:?}"
            );
        }
    }

    #[test]
    fn a_row_outlives_its_entry_and_its_key() {
        let days = |at: Timestamp| at.duration_since(now()).as_hours() / 24;
        let retention = MessageRetention::from_days(1);
        assert_eq!(days(row_expires_at(retention, now(), None)), 45);
        assert_eq!(days(row_expires_at(MessageRetention::from_days(90), now(), None)), 90);
        let key = later(50 * 86_400);
        assert_eq!(
            row_expires_at(retention, now(), Some(key)),
            key + SignedDuration::from_hours(1)
        );
        assert_eq!(
            row_expires_at(retention, Timestamp::MAX, Some(Timestamp::MAX)),
            Timestamp::MAX
        );
    }
}
