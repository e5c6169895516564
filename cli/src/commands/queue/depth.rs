//! How much mail of one stream waits, from what was counted and looked at.

use std::collections::BTreeMap;

use aws::Counted;
use domain::record::{MessageRecord, SenderState, WaitsFor};
use domain::stream::Stream;
use jiff::Timestamp;

/// The mail of one stream that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamDepth {
    pub(super) stream: Stream,
    /// All entries.
    pub(super) total: Counted,
    /// Mails that would go now if there were room. Those that SQS holds are among them.
    pub(super) due: Counted,
    /// Mails whose time is still to come.
    pub(super) scheduled: Counted,
    /// Mails that a worker is sending, and mails that have ended and are about to leave the queue.
    pub(super) at_work: u64,
    /// When the oldest due mail was queued, or was to be sent; of those that were looked at.
    pub(super) oldest_due_at: Option<Timestamp>,
    /// The causes that the mails that were looked at wait for after an attempt.
    pub(super) waits_for: BTreeMap<&'static str, u64>,
    /// The cause for which the gate holds the stream back.
    pub(super) held_back_by: Option<WaitsFor>,
    /// Hints that no worker could handle; `None` if the deployment has no such queue.
    pub(super) dead_letters: Option<i64>,
}

/// The entries of one stream: those whose time in the index has come, and the others.
pub(super) struct Entries {
    pub(super) now: Counted,
    pub(super) later: Counted,
    /// The rows of the entries that were looked at, those whose time has come.
    pub(super) rows_now: Vec<MessageRecord>,
    /// The same, of the others.
    pub(super) rows_later: Vec<MessageRecord>,
}

impl StreamDepth {
    /// Works out the depth at `now`. An entry whose time in the index is still to come is either scheduled or handed to
    /// SQS already; its row tells. Entries beyond those looked at count by the index alone.
    pub(super) fn of(stream: Stream, entries: &Entries, now: Timestamp) -> Self {
        let is_queued = |row: &&MessageRecord| row.written == SenderState::Queued && row.ses_id.is_none();
        let rows = || entries.rows_now.iter().chain(&entries.rows_later);
        let count = |rows: &[MessageRecord], is: &dyn Fn(&MessageRecord) -> bool| {
            rows.iter().filter(is_queued).filter(|row| is(row)).count() as u64
        };
        let is_scheduled = |row: &MessageRecord| row.queued.as_ref().and_then(|queued| queued.scheduled_at) > Some(now);
        let at_work = rows().filter(|row| !is_queued(row)).count() as u64;
        let at_work_now = entries.rows_now.iter().filter(|row| !is_queued(row)).count() as u64;
        let scheduled = count(&entries.rows_later, &is_scheduled);
        let due_later = count(&entries.rows_later, &|row| !is_scheduled(row));
        let all_seen = !entries.later.has_more && entries.rows_later.len() as u64 >= entries.later.count;
        let mut waits_for = BTreeMap::new();
        for row in rows().filter(is_queued) {
            if let Some(cause) = row.queued.as_ref().and_then(|queued| queued.waits_for) {
                *waits_for.entry(cause.as_str()).or_default() += 1;
            }
        }
        let due_since = |row: &MessageRecord| {
            let queued = row.queued.as_ref()?;
            Some(queued.scheduled_at.unwrap_or(queued.queued_at))
        };
        Self {
            stream,
            total: Counted {
                count: entries.now.count + entries.later.count,
                has_more: entries.now.has_more || entries.later.has_more,
            },
            due: Counted {
                count: (entries.now.count + due_later).saturating_sub(at_work_now),
                has_more: entries.now.has_more || !all_seen,
            },
            scheduled: Counted {
                count: scheduled,
                has_more: !all_seen,
            },
            at_work,
            oldest_due_at: rows()
                .filter(is_queued)
                .filter(|row| !is_scheduled(row))
                .filter_map(due_since)
                .min(),
            waits_for,
            held_back_by: None,
            dead_letters: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::record::QueuedMail;
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
    }

    fn row(written: SenderState, scheduled_at: Option<Timestamp>, waits_for: Option<WaitsFor>) -> MessageRecord {
        MessageRecord {
            queued: Some(QueuedMail {
                queued_at: at(-100),
                content_nonce: Uuid::nil(),
                scheduled_at,
                deadline: at(10_000),
                waits_for,
                rescheduled_at: None,
                ended_at: None,
                claim_id: None,
            }),
            ..MessageRecord::new(Uuid::nil(), written, at(-100))
        }
    }

    fn counted(count: u64) -> Counted {
        Counted { count, has_more: false }
    }

    #[test]
    fn mails_are_told_apart_by_their_rows() {
        use SenderState::{Queued, Sending};
        let entries = Entries {
            now: counted(3),
            later: counted(3),
            rows_now: vec![
                row(Queued, None, Some(WaitsFor::Rate)),
                row(Queued, Some(at(-200)), None),
                row(Sending, None, None),
            ],
            rows_later: vec![
                // A worker has its hint.
                row(Queued, None, Some(WaitsFor::Rate)),
                row(Queued, Some(at(1)), None),
                row(Queued, Some(at(0)), Some(WaitsFor::Quota)),
            ],
        };
        let depth = StreamDepth::of(Stream::Bulk, &entries, at(0));
        assert_eq!(
            (depth.total, depth.due, depth.scheduled, depth.at_work),
            (counted(6), counted(4), counted(1), 1)
        );
        assert_eq!(depth.oldest_due_at, Some(at(-200)));
        assert_eq!(depth.waits_for, BTreeMap::from([("quota", 1), ("rate", 2)]));
    }

    #[test]
    fn what_was_not_looked_at_makes_a_number_the_least() {
        use SenderState::Queued;
        let seen = |now: Counted, later: Counted| Entries {
            now,
            later,
            rows_now: vec![row(Queued, None, None)],
            rows_later: vec![row(Queued, Some(at(9)), None)],
        };
        let more = Counted {
            count: 5_000,
            has_more: true,
        };
        for (now, later, total_is_least, due_is_least, scheduled_is_least) in [
            (counted(1), counted(1), false, false, false),
            // The rest of what is due now is due by the index alone.
            (counted(5_000), counted(1), false, false, false),
            (more, counted(1), true, true, false),
            (counted(1), counted(5_000), false, true, true),
            (counted(1), more, true, true, true),
        ] {
            let depth = StreamDepth::of(Stream::Bulk, &seen(now, later), at(0));
            let least = (depth.total.has_more, depth.due.has_more, depth.scheduled.has_more);
            assert_eq!(
                least,
                (total_is_least, due_is_least, scheduled_is_least),
                "{now:?} {later:?}"
            );
            assert_eq!(depth.due.count, now.count);
        }
    }
}
