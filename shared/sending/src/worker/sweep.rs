//! The sweep: every minute it finds in the index what is due, and hands over what can be sent soon.
//!
//! | what | the sweep |
//! |---|---|
//! | the stream is held back by quota or brake | hands over only what is not queued any more: see `tidy` |
//! | SQS does not tell how full the queue is | the same, this minute |
//! | a mail is due, and there is room | sends a hint, then sets when the mail is due again |
//! | a mail is past its deadline | writes that it failed, emits that, and deletes its content and its entry |
//! | the row of such a mail is not queued any more | sends a hint: the worker decides |
//!
//! The head of the index is read in any case, so deadlines are kept while a stream is held back. A sweep that dies, or
//! two of them at once, do no harm: each write has a condition, and a hint that is sent twice changes nothing.

use std::time::Duration;

use aws::{DueEntry, HINTS_AT_ONCE_MAX, Moved, NewHint, StoreError};
use domain::pacing::Gate;
use domain::queue::{Hint, QueueDepth, hand_over_budget, hand_over_delay, wake_again_at};
use domain::stream::Stream;
use domain::time::plus;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::Worker;
use super::due::log_index;
use crate::Deadlines;
use crate::queue::log_no_hint;

/// A mail that is due before the next sweep is handed over now, with a delay.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// How many entries at the head of the index are read at least, and how many deadlines are settled at most.
pub(super) const HEAD: usize = 1_000;
/// How many calls with hints are under way at a time.
const CALLS_AT_ONCE: usize = 4;
/// How many deadlines are settled at a time.
const SETTLED_AT_ONCE: usize = 10;
/// Nothing new is begun in the last part of an invocation: a call may take some seconds.
const RESERVE: Duration = Duration::from_secs(15);

/// The report of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Of transactional mail.
    pub transactional: StreamReport,
    /// Of bulk mail.
    pub bulk: StreamReport,
}

/// The report of a sweep about one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamReport {
    /// The depth of the queue of SQS before; `None` if SQS did not return it.
    pub depth: Option<QueueDepth>,
    /// The mails that were due in the index before; `None` if the index could not be read.
    pub due: Option<DueMails>,
    /// How many mails were handed over.
    pub handed_over: u64,
    /// How many mails failed because their deadline was over.
    pub expired: u64,
    /// How many steps failed. The next sweep does them.
    pub failed: u64,
}

/// The mails at the head of the index that were due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DueMails {
    /// How many the sweep found. There may be more than it read.
    pub count: u64,
    /// For how long the oldest has been due.
    pub oldest: Duration,
}

/// The outcome for a mail past its deadline.
enum Expiry {
    /// It failed, and nothing of it is left in the table of waiting mails.
    Settled,
    /// Its row is not queued: the worker decides what remains to be done.
    Otherwise,
    /// It has ended before, or has another deadline.
    Over,
    /// It failed, and its events are not on their way. The next sweep emits them.
    NotReported,
}

impl Worker {
    /// Hands over what is due and settles what is past its deadline, as far as the time of the invocation lasts.
    pub async fn sweep(&self, deadlines: &Deadlines) -> SweepReport {
        let gate = match self.sending.permits.gate().await {
            Ok(gate) => Some(gate.unwrap_or_else(Gate::before_reports)),
            Err(error) => {
                let code = &error.code;
                tracing::error!(
                    cause = error.cause(),
                    code,
                    "the gate cannot be read, so nothing is handed over"
                );
                None
            }
        };
        let (transactional, bulk) = tokio::join!(
            self.sweep_stream(Stream::Transactional, gate.as_ref(), deadlines),
            self.sweep_stream(Stream::Bulk, gate.as_ref(), deadlines),
        );
        SweepReport { transactional, bulk }
    }

    async fn sweep_stream(&self, stream: Stream, gate: Option<&Gate>, deadlines: &Deadlines) -> StreamReport {
        let mut report = StreamReport {
            failed: u64::from(gate.is_none()),
            ..StreamReport::default()
        };
        match self.hints.of(stream).depth().await {
            Ok(depth) => report.depth = Some(depth),
            Err(error) => {
                let (stream, code) = (stream.as_str(), &error.code);
                tracing::error!(
                    cause = error.cause(),
                    stream,
                    code,
                    "SQS does not tell how full a queue of hints is"
                );
                report.failed += 1;
            }
        }
        let now = deadlines.now();
        let budget = gate.map_or(0, |gate| hand_over_budget(gate, stream, report.depth, now));
        let budget = usize::try_from(budget).unwrap_or(usize::MAX);
        let due = match self.due(stream, plus(now, AHEAD), budget.max(HEAD)).await {
            Ok(due) => due,
            Err(error) => {
                log_index(stream, &error);
                report.failed += 1;
                return report;
            }
        };
        report.due = Some(DueMails::of(&due, now));
        let (expired, mut waiting): (Vec<_>, Vec<_>) = due.into_iter().partition(|due| due.deadline <= now);
        let mut for_worker = self.settle_all(expired, deadlines, &mut report).await;
        // A mail whose rest a worker only deletes takes no slot.
        if budget == 0 {
            let held_back = std::mem::take(&mut waiting);
            for_worker.extend(self.not_queued(stream, held_back, deadlines, &mut report).await);
        }
        waiting.truncate(budget);
        waiting.splice(0..0, for_worker);
        let slot_interval = gate.map_or(0, |gate| gate.slot_interval);
        self.hand_over(stream, &waiting, slot_interval, deadlines, &mut report)
            .await;
        report
    }

    /// Settles mails whose deadline is over. Returns those whose row is not queued.
    async fn settle_all(
        &self,
        mut expired: Vec<DueEntry>,
        deadlines: &Deadlines,
        report: &mut StreamReport,
    ) -> Vec<DueEntry> {
        expired.truncate(HEAD);
        let settle = async |due: DueEntry| {
            let settled = self.settle_expired(&due, deadlines).await;
            (due, settled)
        };
        let mut settled = stream::iter(expired)
            .take_while(|_| std::future::ready(has_time(deadlines)))
            .map(settle)
            .buffer_unordered(SETTLED_AT_ONCE);
        let mut otherwise = Vec::new();
        while let Some((due, settled)) = settled.next().await {
            match settled {
                Ok(Expiry::Settled) => report.expired += 1,
                Ok(Expiry::Otherwise) => otherwise.push(due),
                Ok(Expiry::Over) => {}
                Ok(Expiry::NotReported) => report.failed += 1,
                Err(error) => {
                    let code = &error.code;
                    tracing::error!(
                        message.id = %due.id, cause = error.cause(), code,
                        "a message past its deadline was not settled",
                    );
                    report.failed += 1;
                }
            }
        }
        otherwise
    }

    async fn settle_expired(&self, due: &DueEntry, deadlines: &Deadlines) -> Result<Expiry, StoreError> {
        let now = deadlines.now();
        // The index may be out of date, and it does not say where the content is.
        let Some(entry) = self.outbox.entry(due.id).await? else {
            return Ok(Expiry::Over);
        };
        if entry.deadline > now {
            return Ok(Expiry::Over);
        }
        if self.sending.messages.expire_queued(due.id, now).await? != Moved::Done {
            return Ok(Expiry::Otherwise);
        }
        tracing::error!(message.id = %due.id, cause = "expired", "a message was not sent by its deadline");
        // A reader of the mail may have settled it before, and the row says when.
        if self.sending.emitter.is_some()
            && let Some(row) = self.sending.messages.get(due.id).await?
            && !self.report(&row, deadlines).await
        {
            return Ok(Expiry::NotReported);
        }
        // An address may have been forgotten since, which gives the mail another content. From now on nothing does.
        let Some(entry) = self.outbox.entry(due.id).await? else {
            return Ok(Expiry::Settled);
        };
        self.outbox.delete_content(due.id, &entry.content).await?;
        self.outbox.delete_entry(due.id).await?;
        Ok(Expiry::Settled)
    }

    async fn hand_over(
        &self,
        stream: Stream,
        due: &[DueEntry],
        slot_interval: i64,
        deadlines: &Deadlines,
        report: &mut StreamReport,
    ) {
        let waiting = report.depth.map_or(0, QueueDepth::waiting);
        let few = due
            .chunks(HINTS_AT_ONCE_MAX)
            .zip((waiting..).step_by(HINTS_AT_ONCE_MAX));
        let mut handed_over = stream::iter(few)
            .take_while(|_| std::future::ready(has_time(deadlines)))
            .map(|(few, waiting)| self.hand_over_few(stream, few, waiting, slot_interval, deadlines.now()))
            .buffer_unordered(CALLS_AT_ONCE);
        while let Some((done, failed)) = handed_over.next().await {
            report.handed_over += done;
            report.failed += failed;
        }
    }

    /// Hands over as many mails as go in one call. `waiting` mails are to be worked off before them. Returns how many
    /// were handed over, and how many steps failed.
    async fn hand_over_few(
        &self,
        stream: Stream,
        few: &[DueEntry],
        waiting: u64,
        slot_interval: i64,
        now: Timestamp,
    ) -> (u64, u64) {
        let hint = |due: &DueEntry| NewHint {
            hint: Hint::new(due.id, due.content_nonce),
            key_id: due.key_id.clone(),
            delay: hand_over_delay(due.wake_at, now),
        };
        let hints: Vec<NewHint> = few.iter().map(hint).collect();
        let sent = self.hints.of(stream).send_all(&hints).await;
        let (mut done, mut failed) = (0, 0);
        let mut wake_again = Vec::new();
        for (due, sent) in few.iter().zip(sent) {
            match sent {
                Ok(()) => {
                    done += 1;
                    let again = wake_again_at(due.wake_at, due.deadline, now, waiting, slot_interval);
                    wake_again.push(self.outbox.wake_again(due.id, due.wake_at, again));
                }
                Err(error) => {
                    failed += 1;
                    log_no_hint(due.id, &error);
                }
            }
        }
        // One that could not be written is handed over again by the next sweep, which does no harm.
        for error in join_all(wake_again).await.into_iter().filter_map(Result::err) {
            failed += 1;
            let code = &error.code;
            tracing::warn!(
                cause = error.cause(),
                code,
                "it was not written when a message is due again"
            );
        }
        (done, failed)
    }
}

impl DueMails {
    fn of(due: &[DueEntry], now: Timestamp) -> Self {
        let mut until_now = due.iter().filter(|due| due.wake_at <= now).peekable();
        let oldest = until_now
            .peek()
            .map_or(SignedDuration::ZERO, |oldest| now.duration_since(oldest.wake_at));
        Self {
            oldest: oldest.unsigned_abs(),
            count: until_now.count() as u64,
        }
    }
}

pub(super) fn has_time(deadlines: &Deadlines) -> bool {
    deadlines.left_to_answer() > RESERVE
}
