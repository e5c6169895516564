//! The one pipeline that sends mail. Every front hands it [`Submission`]s; none of them knows how mail is sent.
//!
//! [`Sending::submit`] takes one email, [`Sending::submit_all`] up to a hundred under one claim: one email is a chunk
//! of one and takes the same code. The order of the steps is what makes it safe:
//!
//! | step | module | what it does |
//! |---|---|---|
//! | claim | `idempotency` | takes the idempotency key, or finds the answer on record |
//! | plan | `plan` | reads the suppression list, consistently, and judges every recipient |
//! | admit | `admit` | takes the slots of a chunk at the gate, then writes its rows |
//! | deliver | `deliver`, `brake_watch` | calls SES once a mail, at its slot; again only when SES throttles |
//! | settle | `settle` | writes what became of each mail |
//! | wait | `wait` | attempts a mail again for some seconds, if its caller wants that while there is no room |
//! | accept | `accept` | puts a mail into the queue that is scheduled, or for which there is no room |
//! | let go | `let_go` | frees the key where nothing was sent |
//! | emit | `own_events` | emits what webhooks hear of the emails before the answer |
//!
//! Permit, then row, then SES: a mail that the gate refuses leaves no row, and SES is never called without one. What a
//! step does not know for certain counts against sending: the list cannot be read, so nothing is sent; SES did not
//! answer, so the mail may have been sent and is never sent again.
//!
//! A mail that was accepted into the queue is sent by a worker. Until then, [`Sending::cancel`] calls it back and
//! [`Sending::reschedule`] gives it another time. [`Recall`] does the same for an operator.
//!
//! [`NotSent`] says why an email was not sent, by what is *known*. It alone decides whether a key is freed and a row
//! becomes refused; each front maps it to its own protocol in one exhaustive match.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod accept;
mod admit;
mod answered;
mod brake_watch;
mod chunks;
mod config;
mod deadlines;
mod deliver;
mod idempotency;
mod let_go;
mod not_recalled;
mod not_sent;
mod own_attempts;
mod own_events;
mod plan;
mod queue;
mod recall;
mod refusals;
mod settle;
mod slot;
mod submission;
mod wait;
mod worker;

use aws::{Claims, Marks, Messages, Permits, Ses, Suppressions};
use domain::pacing::Allowance;
use domain::queue::WhenBusy;
use domain::retention::MessageRetention;
use domain::suppression::SoftBounceTiers;
use emitter::Emitter;
use jiff::Timestamp;

use own_events::OwnEvents;

pub use config::SendingConfig;
pub use deadlines::{Deadlines, OutOfTime};
pub use not_recalled::{NotRecalled, RecallError};
pub use not_sent::{Busy, Invalid, NotSent, Unavailable};
pub use queue::MailQueue;
pub use recall::{Recall, Rescheduling};
pub use submission::{Became, Ids, Origin, Outcomes, Patience, Receipt, Submission};
pub use worker::{DueMails, HintQueues, ReceivedHint, StreamReport, SweepReport, Worker};

/// The rules of a deployment, from its configuration.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How long one email may wait for its slot, and for SES while it throttles.
    pub wait: std::time::Duration,
    /// When soft bounces suppress an address for bulk mail.
    pub soft_bounce_tiers: SoftBounceTiers,
    /// How long the record of a message is kept.
    pub message_retention: MessageRetention,
}

/// The pipeline, with the tables and services that it works on.
#[derive(Debug)]
pub struct Sending {
    /// The rules of the deployment.
    pub rules: Rules,
    /// The suppression list.
    pub suppressions: Suppressions,
    /// The idempotency keys.
    pub claims: Claims,
    /// The records of messages.
    pub messages: Messages,
    /// The marks by which a storm of blocks is recognised.
    pub marks: Marks,
    /// The gate.
    pub permits: Permits,
    /// Amazon SES.
    pub ses: Ses,
    /// The queue. Without one, no mail waits: what there is no room for is refused.
    pub queue: Option<MailQueue>,
    /// The emitter of events. Without one, no webhook hears of the mails.
    pub emitter: Option<Emitter>,
}

impl Sending {
    /// Reads the gate, so that the first permit of this process is one write and not two. It also opens the connection
    /// to DynamoDB.
    pub async fn warm_up(&self) {
        let _ = self.permits.look().await;
    }

    /// Returns the sending rate as far as this process knows it; `None` before it has seen the gate.
    #[must_use]
    pub fn allowance(&self, now: Timestamp) -> Option<Allowance> {
        self.permits.allowance(now)
    }

    /// Sends one email, once, or accepts it into the queue.
    ///
    /// # Errors
    /// [`NotSent`] says why it was not sent, or that this is not known.
    pub async fn submit(
        &self,
        submission: Submission,
        origin: &Origin<'_>,
        deadlines: &Deadlines,
    ) -> Result<Receipt, NotSent> {
        let outcomes = self.submit_all(&[submission], origin, deadlines).await?;
        // One submission has one outcome.
        outcomes
            .each
            .into_iter()
            .next()
            .unwrap_or(Err(NotSent::Unavailable(Unavailable::Store)))
    }

    /// Sends emails under one claim, or accepts them into the queue, each with an outcome of its own, in their order.
    ///
    /// A request with the same key resumes one that was cut off anywhere: an email without a row was never attempted,
    /// one that was refused is attempted again, and the others are answered from their rows.
    ///
    /// # Errors
    /// [`NotSent`] if none of them was attempted.
    pub async fn submit_all(
        &self,
        submissions: &[Submission],
        origin: &Origin<'_>,
        deadlines: &Deadlines,
    ) -> Result<Outcomes, NotSent> {
        // Each step is on the heap: the futures of the SDK are large, and together they outgrow the stack of a thread.
        let claimed = Box::pin(self.claim(submissions, origin, deadlines)).await?;
        let first = claimed.first;
        let own_events = OwnEvents::new(self.emitter.as_ref());
        let mut outcomes: Vec<Option<Result<Receipt, NotSent>>> = submissions
            .iter()
            .map(|submission| {
                let record = claimed.record(submission)?;
                own_events.add_recorded(record, deadlines.arrived);
                idempotency::settled(record, deadlines.arrived)
            })
            .collect();
        if !claimed.is_answered {
            for (submission, outcome) in submissions.iter().zip(&mut outcomes) {
                if submission.is_too_late {
                    outcome.get_or_insert(Err(NotSent::Invalid(Invalid::TooLate)));
                }
            }
            let chunks = chunks::Chunks {
                sending: self,
                origin,
                deadlines,
                claimed: &claimed,
                own_attempts: own_attempts::OwnAttempts::default(),
                own_events: &own_events,
                all_may_wait: self.queue.is_some()
                    && submissions
                        .iter()
                        .all(|submission| submission.when_busy == WhenBusy::Queue),
            };
            let attempted = Box::pin(chunks.attempt_patiently(submissions, &mut outcomes)).await;
            if attempted.is_ok() {
                Box::pin(chunks.accept_all(submissions, &mut outcomes)).await;
                refusals::log_refusals(&outcomes);
            }
            settle::settle(first, deadlines, chunks.let_go(submissions, &outcomes)).await;
            attempted?;
        }
        Box::pin(own_events.emit(self.emitter.as_ref(), deadlines)).await;
        let each = outcomes.into_iter().zip(submissions).map(|(outcome, submission)| {
            outcome.unwrap_or_else(|| {
                Err(if claimed.is_answered && claimed.record(submission).is_none() {
                    // Its record may have expired before those of the others, so it may have been sent.
                    let id = claimed.id(submission);
                    NotSent::StillUnknown { id }
                } else {
                    // It was not attempted.
                    NotSent::Unavailable(Unavailable::Store)
                })
            })
        });
        Ok(Outcomes {
            first,
            each: each.collect(),
        })
    }
}
