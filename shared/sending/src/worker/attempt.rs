//! One mail at its slot: the row becomes `sending`, SES is called, and the row says what came of it.
//!
//! | what came | the row | the hint |
//! |---|---|---|
//! | SES accepted it | SES's id | acknowledged once content and entry are deleted |
//! | SES refused it because of the mail itself | `failed` | likewise |
//! | SES refused it for now, or our deployment is at fault | `queued` | a fresh hint, or a later `wake_at` |
//! | it is not known whether SES accepted it | stays `sending` | acknowledged: the index brings the mail back |
//! | the write before SES, or that of a refusal, had no answer | may say `sending` | a fresh one, with the nonce |
//! | that SES accepted it is not confirmed | may say `sending` | delivered again |

use std::time::Duration;

use aws::{Moved, NewAttempt, Outgoing, SendError};
use domain::queue::{Leaving, Wait};
use domain::record::{FailedReason, OkiteState, WaitsFor};
use domain::ses_error::{RETRY_LATER, RETRY_SOON, SesRefusal};
use domain::time::plus;
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

use super::due_mail::DueMail;
use super::hinted::HintEnd;
use super::look::Looked;
use super::rejudge::JudgedMail;
use super::run::Run;
use super::wait::{AT_ONCE, no_time_wait, store_wait};
use crate::brake_watch::BrakeWatch;
use crate::settle::settle;
use crate::slot::Slot;
use crate::{Busy, NotSent, Unavailable};

/// How often the row is taken again that was in another state.
const ROUNDS_MAX: u128 = 4;
/// How long after the end of the invocation its attempts may still write.
const LEASE_RESERVE: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// Sends a mail at its slot. SES must be called by `latest`.
    pub(super) async fn attempt(
        &self,
        judged: &JudgedMail<'_>,
        slot: Slot,
        latest: Instant,
        watch: &BrakeWatch<'_>,
    ) -> HintEnd {
        if let Err(error) = watch.let_pass(slot.at).await {
            return self.come_again(&judged.mail.due, wait_of(&error)).await;
        }
        sleep_until(slot.at).await;
        let mut due = judged.mail.due.clone();
        for round in 0..ROUNDS_MAX {
            let nonce = Uuid::from_u128(due.random.as_u128() ^ round);
            match self.begin(judged, &due, nonce, latest).await {
                Ok(Moved::Done) => {
                    return Box::pin(self.call_ses(judged, &due, nonce, slot.retry_until)).await;
                }
                // Its key, its content and its recipients are as fresh as they were.
                Ok(Moved::Otherwise(_)) => match Box::pin(self.look_again(&due)).await {
                    Looked::Due(again) => due = *again,
                    Looked::Ended(end) => return end,
                },
                Err(wait) => return self.come_again_released(&due, nonce, wait).await,
            }
        }
        self.come_again(&due, AT_ONCE).await
    }

    /// Writes that SES is about to be called. Without an answer, it returns how long the mail waits.
    async fn begin(
        &self,
        judged: &JudgedMail<'_>,
        due: &DueMail,
        nonce: Uuid,
        latest: Instant,
    ) -> Result<Moved, Duration> {
        let attempt = NewAttempt {
            id: due.id(),
            leaving: due.leaving,
            nonce,
            now: self.deadlines.now(),
            lease_until: plus(self.deadlines.end(), LEASE_RESERVE),
            outcomes: &judged.judgement.outcomes,
        };
        let begun = self.worker.sending.messages.begin_attempt(&attempt);
        match timeout_at(latest, self.deadlines.before_sending(begun)).await {
            Ok(Ok(Ok(moved))) => Ok(moved),
            Ok(Ok(Err(error))) => Err(store_wait(due.id(), &error)),
            Ok(Err(_)) | Err(_) => Err(no_time_wait()),
        }
    }

    async fn call_ses(&self, judged: &JudgedMail<'_>, due: &DueMail, nonce: Uuid, retry_until: Instant) -> HintEnd {
        let (id, sending) = (due.id(), &self.worker.sending);
        let Some(destination) = &judged.judgement.destination else {
            // A mail to nobody has no slot.
            return self.decide_again(due).await;
        };
        let outgoing = Outgoing {
            id,
            attempt: seen_attempt(due.leaving).saturating_add(1),
            stream: due.entry.stream,
            mail: &judged.mail.content.mail,
            destination,
        };
        match sending.call_ses(outgoing, retry_until, nonce).await {
            Ok(ses_id) => {
                let accepted = sending.messages.accepted(id, &ses_id, self.deadlines.now());
                if settle(id, self.deadlines, accepted).await {
                    self.end_sent(judged, due).await
                } else {
                    HintEnd::DeliverAgain
                }
            }
            Err(SendError::Refused { refusal, .. }) => self.refused(due, nonce, refusal).await,
            // No worker sends it again. It becomes `unknown` unless an event of SES settles it.
            Err(SendError::Ambiguous { .. }) => self.decide_again(due).await,
        }
    }

    /// Ends a mail that SES accepted. Its suppressed recipients are reported; `email.sent` follows from SES's event.
    async fn end_sent(&self, judged: &JudgedMail<'_>, due: &DueMail) -> HintEnd {
        let mut outcomes = judged.judgement.outcomes.iter();
        if outcomes.any(|outcome| outcome.status.suppression().is_some()) {
            self.end_written(&due.entry, OkiteState::Sent).await
        } else {
            self.tidy(&due.entry, Some(OkiteState::Sent)).await
        }
    }

    /// Settles a mail that SES certainly did not take.
    async fn refused(&self, due: &DueMail, nonce: Uuid, refusal: SesRefusal) -> HintEnd {
        let (id, messages) = (due.id(), &self.worker.sending.messages);
        let wait = Wait::after_refusal(refusal);
        let (moved, reason) = match (FailedReason::of(refusal), WaitsFor::after(refusal)) {
            (Some(reason), _) => (
                self.moved(id, messages.fail_attempt(id, nonce, reason, self.deadlines.now()))
                    .await,
                Some(reason),
            ),
            (None, waits_for) => {
                let waits_for = waits_for.unwrap_or(WaitsFor::Service);
                (self.moved(id, messages.requeue(id, nonce, waits_for)).await, None)
            }
        };
        let wait = wait.unwrap_or(Duration::from_secs(RETRY_SOON.into()));
        match (moved, reason) {
            (Some(Moved::Done), Some(reason)) => self.end_failed(due, reason).await,
            (Some(Moved::Done), None) => self.come_again(due, wait).await,
            (Some(Moved::Otherwise(_)), _) => self.decide_again(due).await,
            (None, _) => self.come_again_released(due, nonce, wait).await,
        }
    }
}

/// Returns how long a mail waits that the brake holds back at its slot, or whose brake cannot be read.
fn wait_of(error: &NotSent) -> Duration {
    match error {
        NotSent::Busy(Busy::Gate(refusal)) => domain::queue::cause_wait(*refusal),
        NotSent::Unavailable(Unavailable::StoreRefused) => Duration::from_secs(RETRY_LATER.into()),
        _ => no_time_wait(),
    }
}

fn seen_attempt(leaving: Leaving) -> u32 {
    match leaving {
        Leaving::Queued { attempt, .. } | Leaving::Released { attempt, .. } => attempt,
    }
}
