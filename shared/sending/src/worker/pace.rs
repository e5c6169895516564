//! The pace of a worker: mails that are due go out in chunks of a fraction of a second, and each chunk takes one permit
//! when the last slot of the chunk before is over. So direct calls get their turn between two chunks.

use std::collections::VecDeque;
use std::time::Duration;

use aws::{CONTENT_MAX, PermitError};
use domain::pacing::{Permit, PermitRequest, Throttled, WORKER_CHUNK_MAX, WORKER_CHUNK_TIME};
use domain::stream::Stream;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::due_mail::DueMail;
use super::hinted::{HintEnd, caught};
use super::prepare::PreparedMail;
use super::rejudge::JudgedMail;
use super::run::Run;
use super::wait::{AT_ONCE, no_time_wait, store_wait};
use crate::brake_watch::BrakeWatch;
use crate::slot::Slot;

/// A permit is not asked for in the last part of an invocation: its mails may need all of it.
const LAST_PART: Duration = Duration::from_secs(20);
/// How old a judgement may be when SES is called.
pub(super) const JUDGED_FOR: Duration = Duration::from_secs(25);
/// How much of that the write before SES is called may take.
const BEGINNING: Duration = Duration::from_secs(7);

/// The end of a chunk.
struct ChunkEnd {
    ended: Vec<(usize, HintEnd)>,
    next: Next,
}

/// The step after a chunk.
enum Next {
    /// The next chunk, at this time.
    Chunk(Instant),
    /// The same mails again, in chunks of at most so many.
    Smaller(Vec<DueMail>, usize),
    /// Neither these mails nor those after them are sent now: the gate refuses.
    Refused(Vec<DueMail>, Throttled),
    /// The gate has no answer, or there is no time to ask it. Neither these mails nor those after them are sent now;
    /// they wait so long.
    NoAnswer(Vec<DueMail>, Duration),
}

impl Run<'_> {
    /// Sends mails of one stream. Returns the ends of their hints, by the places of the mails.
    pub(super) async fn send_in_chunks(&self, stream: Stream, due: Vec<DueMail>) -> Vec<(usize, HintEnd)> {
        let (mut waiting, mut ends) = (VecDeque::from(due), Vec::new());
        let (mut limit, mut ask_at) = (WORKER_CHUNK_MAX, Instant::now());
        while !waiting.is_empty() {
            if self.deadlines.left_after(ask_at.max(Instant::now())) < LAST_PART {
                let wait = ask_at.saturating_duration_since(Instant::now());
                ends.extend(self.all_come_again(waiting.into(), wait).await);
                break;
            }
            sleep_until(ask_at).await;
            let len = self.chunk_len(&waiting).min(limit);
            let preparation = Box::pin(self.prepare(waiting.drain(..len).collect())).await;
            ends.extend(preparation.ended);
            put_back(&mut waiting, preparation.left);
            let chunk = Box::pin(self.send_chunk(stream, &preparation.prepared, !waiting.is_empty())).await;
            ends.extend(chunk.ended);
            match chunk.next {
                Next::Chunk(at) => ask_at = at,
                Next::Smaller(mails, most) => {
                    limit = most;
                    put_back(&mut waiting, mails);
                }
                Next::Refused(mails, refusal) => {
                    put_back(&mut waiting, mails);
                    ends.extend(self.hold_back(waiting.into(), refusal).await);
                    break;
                }
                Next::NoAnswer(mails, wait) => {
                    put_back(&mut waiting, mails);
                    ends.extend(self.all_come_again(waiting.into(), wait).await);
                    break;
                }
            }
        }
        ends
    }

    /// How many mails make the next chunk, one at least.
    fn chunk_len(&self, waiting: &VecDeque<DueMail>) -> usize {
        let most = self
            .worker
            .sending
            .permits
            .recipients_within(WORKER_CHUNK_TIME)
            .unwrap_or(1);
        let (mut recipients, mut size) = (0_i64, 0_u64);
        let fits = |mail: &&DueMail| {
            recipients = recipients.saturating_add(mail.addressed);
            size = size.saturating_add(mail.entry.content.size);
            recipients <= most && size <= CONTENT_MAX as u64
        };
        waiting.iter().take_while(fits).count().clamp(1, WORKER_CHUNK_MAX)
    }

    /// Sends the mails of a chunk, if the gate lets them through. `leaves_mails` says whether others of the batch wait.
    async fn send_chunk(&self, stream: Stream, mails: &[PreparedMail], leaves_mails: bool) -> ChunkEnd {
        let judged_at = Instant::now();
        let (judged, mut ended) = Box::pin(self.rejudge(stream, mails)).await;
        let Some(last) = judged.last() else {
            let next = Next::Chunk(Instant::now());
            return ChunkEnd { ended, next };
        };
        let recipients: i64 = judged.iter().map(JudgedMail::recipients).sum();
        let permits = &self.worker.sending.permits;
        let asked = Instant::now();
        let asked_for = || judged.iter().map(|judged| judged.mail.due.clone()).collect();
        // The tables may have been slow.
        if self.deadlines.left_after(asked) < LAST_PART {
            let next = Next::NoAnswer(asked_for(), AT_ONCE);
            return ChunkEnd { ended, next };
        }
        // The last mail must begin in time, with what was judged.
        let before_last = permits.time_of(recipients.saturating_sub(last.recipients()));
        let latest = (judged_at + JUDGED_FOR - BEGINNING).min(asked + self.deadlines.left_to_send());
        let patience = permits.worker_patience(stream, recipients).unwrap_or_default();
        let patience = patience.min(latest.saturating_duration_since(asked).saturating_sub(before_last));
        let ask = PermitRequest {
            recipients,
            stream,
            now: self.deadlines.at(asked),
            patience,
            holds_bulk_back: leaves_mails && stream == Stream::Transactional,
        };
        // A refusal that this process knows to be certain costs the gate nothing.
        let known = permits.known_refusal(patience, ask.now);
        let taken = async {
            match known {
                Some(refusal) => Err(PermitError::Refused(refusal)),
                None => permits.take(ask).await,
            }
        };
        let next = match self.deadlines.before_sending(taken).await {
            Ok(Ok(permit)) => {
                ended.extend(
                    self.deliver_chunk(stream, &judged, &permit, (judged_at, asked, latest))
                        .await,
                );
                Next::Chunk(asked + permit.wait_after(recipients))
            }
            // The rest of the quota may be enough for some of them, and no mail is smaller than one recipient.
            Ok(Err(PermitError::Refused(Throttled::Quota { .. }))) if judged.len() > 1 => {
                Next::Smaller(asked_for(), judged.len() / 2)
            }
            Ok(Err(PermitError::Refused(refusal @ Throttled::Quota { .. }))) if recipients > 1 => {
                ended.extend(self.hold_back(asked_for(), refusal).await);
                Next::Chunk(Instant::now())
            }
            Ok(Err(PermitError::Refused(refusal))) => Next::Refused(asked_for(), refusal),
            Ok(Err(PermitError::Store(error))) => Next::NoAnswer(asked_for(), store_wait(last.mail.due.id(), &error)),
            Err(_) => Next::NoAnswer(asked_for(), no_time_wait()),
        };
        ChunkEnd { ended, next }
    }

    /// Sends the mails of a chunk side by side, each at its slot. `times` are when they were judged, when the gate was
    /// asked, and when the last one must begin.
    async fn deliver_chunk(
        &self,
        stream: Stream,
        judged: &[JudgedMail<'_>],
        permit: &Permit,
        times: (Instant, Instant, Instant),
    ) -> Vec<(usize, HintEnd)> {
        let (judged_at, asked, latest) = times;
        let sending = &self.worker.sending;
        let watch = BrakeWatch::new(sending, self.deadlines, stream, asked);
        let mut before = 0;
        let slots = judged.iter().map(|judged| {
            let at = asked + permit.wait_after(before);
            before += judged.recipients();
            let throttled_until = (at + sending.rules.wait).min(judged_at + JUDGED_FOR);
            Slot {
                at,
                retry_until: throttled_until.min(asked + self.deadlines.left_to_send()),
            }
        });
        let slots: Vec<Slot> = slots.collect();
        let sent = judged.iter().zip(slots).map(async |(judged, slot)| {
            let due = &judged.mail.due;
            // The rate may have fallen since this process saw it.
            let end = if slot.at > latest {
                caught(due.id(), Box::pin(self.come_again(due, AT_ONCE))).await
            } else {
                let attempt = self.attempt(judged, slot, judged_at + JUDGED_FOR, &watch);
                caught(due.id(), Box::pin(attempt)).await
            };
            (due.place, end.unwrap_or(HintEnd::Panicked))
        });
        join_all(sent).await
    }
}

/// Puts mails back before those that wait.
fn put_back(waiting: &mut VecDeque<DueMail>, mails: Vec<DueMail>) {
    for mail in mails.into_iter().rev() {
        waiting.push_front(mail);
    }
}
