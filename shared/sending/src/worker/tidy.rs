//! Mails of a stream that is held back and have ended, or are being sent: a worker must tidy up after them, though none
//! of the stream is woken. The others are not touched, so their order and their age stay as they are.

use aws::DueEntry;
use domain::record::SenderState;
use domain::stream::Stream;
use domain::time::plus;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::Worker;
use super::due::{is_whole, log_index};
use super::sweep::{HEAD, StreamReport, has_time};
use super::wait::log_store_error;
use crate::Deadlines;

/// How many rows are read at a time.
const ROWS_AT_ONCE: usize = 25;
/// In how many sweeps those behind the head of the index are gone through.
const SWEEPS: u32 = 60;

impl Worker {
    /// Finds the mails of `waiting`, the head of the index, whose row is not queued, and some of those behind it. Each
    /// sweep looks at another part of what is behind.
    pub(super) async fn not_queued(
        &self,
        stream: Stream,
        mut waiting: Vec<DueEntry>,
        deadlines: &Deadlines,
        report: &mut StreamReport,
    ) -> Vec<DueEntry> {
        let now = deadlines.now();
        if let Some(last) = waiting.last()
            && !is_whole(&waiting, HEAD)
        {
            let after = part_behind(last.wake_at, now);
            match self.due_after(stream, after, now, HEAD).await {
                Ok(behind) => waiting.extend(behind),
                Err(error) => {
                    log_index(stream, &error);
                    report.failed += 1;
                }
            }
        }
        let mut rows = stream::iter(waiting)
            .take_while(|_| std::future::ready(has_time(deadlines)))
            .map(async |due| (self.sending.messages.get(due.id).await, due))
            .buffered(ROWS_AT_ONCE);
        let mut found = Vec::new();
        while let Some((row, due)) = rows.next().await {
            match row {
                Ok(Some(row)) if row.written == SenderState::Queued && row.ses_id.is_none() => {}
                Ok(_) => found.push(due),
                Err(error) => {
                    log_store_error(due.id, &error);
                    report.failed += 1;
                }
            }
        }
        found
    }
}

/// Returns after which `wake_at` a sweep at `now` looks: another one each minute, from `last` to `now`.
fn part_behind(last: Timestamp, now: Timestamp) -> Timestamp {
    let minute = u32::try_from(now.as_second().div_euclid(60).rem_euclid(SWEEPS.into())).unwrap_or(0);
    let behind = now.duration_since(last).unsigned_abs();
    if last < now {
        plus(last, behind / SWEEPS * minute)
    } else {
        last
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn the_sweeps_of_an_hour_go_through_all_that_is_behind() {
        let last = Timestamp::from_second(1_800_000_000).unwrap();
        let hour = last + SignedDuration::from_hours(1_000);
        let minutes = (0..60).map(|minute| hour + SignedDuration::from_mins(minute));
        let mut parts: Vec<Timestamp> = minutes.map(|now| part_behind(last, now)).collect();
        parts.sort();
        assert_eq!(parts[0], last);
        let widest = parts.windows(2).map(|pair| pair[1].duration_since(pair[0])).max();
        assert!(widest.unwrap() <= SignedDuration::from_hours(17), "{widest:?}");
        assert!(*parts.last().unwrap() >= hour - SignedDuration::from_hours(17));
        assert_eq!(part_behind(hour, last), hour);
    }
}
