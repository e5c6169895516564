//! Sends the emails of a request in chunks. For each chunk, it reads the suppression list, takes the slots and writes
//! the rows. Then it sends the chunk's emails concurrently, each at its slot.
//!
//! A chunk is limited to what goes out in [`CHUNK_TIME`], because the gate takes no slot back: the slots of emails that
//! then cannot be sent are lost.

use domain::message::Mail;
use domain::pacing::{CHUNK_TIME, WORKER_CHUNK_TIME};
use domain::recipient::{JudgedRecipients, OnSuppressed, judge};
use futures_util::future::join_all;
use tokio::time::Instant;
use uuid::Uuid;

use crate::brake_watch::BrakeWatch;
use crate::idempotency::ClaimResult;
use crate::own_attempts::OwnAttempts;
use crate::own_events::OwnEvents;
use crate::slot::Slot;
use crate::{Busy, Deadlines, Invalid, NotSent, Origin, Receipt, Sending, Submission};

/// The most emails in a chunk; they go out side by side.
pub(crate) const CHUNK_MAX: usize = 25;

/// The attempts of one request.
#[derive(Debug)]
pub(crate) struct Chunks<'a> {
    pub(crate) sending: &'a Sending,
    pub(crate) origin: &'a Origin<'a>,
    pub(crate) deadlines: &'a Deadlines,
    pub(crate) claimed: &'a ClaimResult,
    /// The attempts that the request itself has made.
    pub(crate) own_attempts: OwnAttempts,
    /// The events about the emails of the request.
    pub(crate) own_events: &'a OwnEvents,
    /// Whether every email waits in the queue if there is no room for it. Such emails take the slots of a worker:
    /// little at a time and none that are far ahead, so that other mail gets its turn.
    pub(crate) all_may_wait: bool,
}

/// An email that is to be attempted.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    /// Its index among the submissions of the request.
    pub(crate) index: usize,
    pub(crate) id: Uuid,
    pub(crate) mail: &'a Mail,
    pub(crate) judgement: JudgedRecipients<'a>,
}

impl Planned<'_> {
    /// How many recipients the email goes to.
    pub(crate) fn recipients(&self) -> i64 {
        let destination = self.judgement.destination.as_ref();
        destination.map_or(0, |destination| {
            i64::try_from(destination.recipients()).unwrap_or(i64::MAX)
        })
    }
}

/// An email by its index among the submissions, and its outcome.
pub(crate) type Attempted = (usize, Result<Receipt, NotSent>);

/// Why a chunk was not attempted.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The quota has not enough left for the recipients of all of it.
    Quota {
        /// The outcome for an email that gets no slot.
        error: NotSent,
        /// How many recipients the chunk has.
        recipients: i64,
    },
    /// Neither this chunk nor the rest of the request can be attempted.
    All(NotSent),
}

impl<E: Into<NotSent>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::All(error.into())
    }
}

impl Chunks<'_> {
    /// Attempts every submission that has no outcome yet and is not scheduled for later, and gives it one.
    pub(crate) async fn attempt(&self, submissions: &[Submission], outcomes: &mut [Option<Result<Receipt, NotSent>>]) {
        let mut waiting = self.unattempted(submissions, outcomes);
        let mut limit = CHUNK_MAX;
        let mut is_first = true;
        while !waiting.is_empty() {
            let refusal = if is_first { None } else { self.too_late() };
            is_first = false;
            let chunk = &waiting[..self.chunk_len(&waiting).min(limit)];
            let stopped = match refusal {
                Some(refusal) => Err(Stopped::All(refusal)),
                None => self.attempt_chunk(chunk, outcomes).await,
            };
            match stopped {
                Ok(()) => {}
                // The rest of the quota may be enough for some of them.
                Err(Stopped::Quota { .. }) if chunk.len() > 1 => limit = chunk.len() / 2,
                Err(Stopped::Quota { error, recipients }) if recipients > 1 => outcomes[chunk[0].0] = Some(Err(error)),
                // No email is smaller than one recipient.
                Err(Stopped::Quota { error, .. } | Stopped::All(error)) => {
                    for (index, _) in &waiting {
                        outcomes[*index].get_or_insert_with(|| Err(error.clone()));
                    }
                }
            }
            waiting.retain(|(index, _)| outcomes[*index].is_none());
        }
    }

    /// Returns the submissions that have no outcome yet and are not scheduled for later.
    fn unattempted<'s>(
        &self,
        submissions: &'s [Submission],
        outcomes: &[Option<Result<Receipt, NotSent>>],
    ) -> Vec<(usize, &'s Submission)> {
        submissions
            .iter()
            .enumerate()
            .filter(|(index, submission)| {
                outcomes[*index].is_none() && !submission.is_scheduled(self.deadlines.arrived)
            })
            .collect()
    }

    /// Refuses a request that takes longer than it may, even when no other request sends. It must be called before
    /// anything is attempted: the refusal says that nothing was sent.
    pub(crate) fn refuse_too_many(
        &self,
        submissions: &[Submission],
        outcomes: &[Option<Result<Receipt, NotSent>>],
    ) -> Result<(), NotSent> {
        let waiting = self.unattempted(submissions, outcomes);
        // An earlier attempt may have sent some emails of a resumed request, so its caller must not be told to split
        // it. A request whose emails may wait is never too large.
        let may_wait = waiting.iter().any(|(_, submission)| self.queues_when_busy(submission));
        if submissions.len() == 1 || !self.claimed.records.is_empty() || may_wait {
            return Ok(());
        }
        let Some(most) = self.sending.permits.recipients_within(self.deadlines.left_to_send()) else {
            return Ok(());
        };
        let all: i64 = waiting.iter().map(|(_, submission)| addressed(&submission.mail)).sum();
        // Suppressed recipients take no slots, so a request that is a little too large may fit.
        if all > most.saturating_mul(2).max(1) {
            return Err(NotSent::Invalid(Invalid::TooManyRecipients { most: most.max(1) }));
        }
        Ok(())
    }

    /// Refuses the rest of a request when there is no time to send it in. Emails that may wait are not attempted for so
    /// long: their acceptance needs time too.
    fn too_late(&self) -> Option<NotSent> {
        let is_over = if self.all_may_wait {
            self.deadlines.elapsed() >= CHUNK_TIME
        } else {
            self.deadlines.left_to_send().is_zero()
        };
        let refusal = self
            .sending
            .permits
            .next_slot(self.deadlines.now())
            .filter(|_| is_over)?;
        Some(NotSent::Busy(Busy::Gate(refusal)))
    }

    /// How many emails make the next chunk, one at least.
    fn chunk_len(&self, waiting: &[(usize, &Submission)]) -> usize {
        let time = if self.all_may_wait {
            WORKER_CHUNK_TIME
        } else {
            CHUNK_TIME
        };
        let time = time.min(self.deadlines.left_to_send());
        let most = self.sending.permits.recipients_within(time).unwrap_or(1);
        let mut sum = 0;
        let fits = |(_, submission): &&(usize, &Submission)| {
            sum += addressed(&submission.mail);
            sum <= most
        };
        waiting.iter().take_while(fits).count().clamp(1, CHUNK_MAX)
    }

    /// Attempts the emails of a chunk and gives them their outcomes. If it returns an error, the gate let none of them
    /// through: the emails that need its leave have no outcome and no row.
    async fn attempt_chunk(
        &self,
        chunk: &[(usize, &Submission)],
        outcomes: &mut [Option<Result<Receipt, NotSent>>],
    ) -> Result<(), Stopped> {
        let mails = chunk.iter().map(|(_, submission)| &submission.mail);
        let (stream, now) = (self.origin.stream, self.deadlines.arrived);
        let known = self.sending.registers(mails, stream, now);
        let known = self.deadlines.before_sending(known).await??;
        let (mut to_nobody, mut planned) = (Vec::new(), Vec::new());
        for (index, submission) in chunk {
            let tiers = &self.sending.rules.soft_bounce_tiers;
            let judgement = judge(&submission.mail, &known, now, stream, tiers);
            if submission.on_suppressed == OnSuppressed::Reject
                && let Some(rejected) = judgement.rejected()
            {
                let error = NotSent::Invalid(Invalid::Suppressed(rejected));
                outcomes[*index] = Some(Err(error));
                continue;
            }
            let email = Planned {
                index: *index,
                id: self.claimed.id(submission),
                mail: &submission.mail,
                judgement,
            };
            if email.judgement.destination.is_some() {
                planned.push(email);
            } else {
                to_nobody.push(email);
            }
        }
        // An email with no recipient left needs no slot: the gate has no say in it.
        let at_once = vec![Slot::now(); to_nobody.len()];
        self.write_and_deliver(to_nobody, at_once, Instant::now(), outcomes)
            .await;
        if planned.is_empty() {
            return Ok(());
        }
        let asked = Instant::now();
        let (planned, slots, too_late) = self.take_slots(planned, asked).await?;
        for (index, error) in too_late {
            outcomes[index] = Some(Err(error));
        }
        self.write_and_deliver(planned, slots, asked, outcomes).await;
        Ok(())
    }

    /// Writes the rows of emails, and sends each whose row is written at its slot. The gate was asked at `asked`.
    async fn write_and_deliver(
        &self,
        planned: Vec<Planned<'_>>,
        slots: Vec<Slot>,
        asked: Instant,
        outcomes: &mut [Option<Result<Receipt, NotSent>>],
    ) {
        let watch = BrakeWatch::new(self.sending, self.deadlines, self.origin.stream, asked);
        let messages: Vec<_> = planned.iter().map(|planned| self.message(planned)).collect();
        let rows = self.deadlines.before_sending(self.write_rows(&messages)).await;
        let rows = rows.unwrap_or_else(|error| vec![Err(error.into()); messages.len()]);
        let sent = planned
            .iter()
            .zip(&messages)
            .zip(slots.into_iter().zip(rows))
            .map(|((planned, message), (slot, row))| self.deliver(planned, message, row.map(|()| slot), &watch));
        for (index, outcome) in join_all(sent).await {
            outcomes[index] = Some(outcome);
        }
    }
}

/// How many recipients a mail has on all its lines.
fn addressed(mail: &Mail) -> i64 {
    i64::try_from(mail.recipients().count()).unwrap_or(i64::MAX)
}
