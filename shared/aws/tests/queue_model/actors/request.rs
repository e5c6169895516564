//! A request that sends a mail: the steps of `sending`'s attempt, accept and let go, for one email.

use std::time::Duration;

use domain::idempotency::Claim;
use domain::queue::{ContentEncoding, ContentRef, ENTRY_KEPT, Hint, OutboxEntry, WhenBusy, first_hint, first_wake_at};
use domain::record::{DeliveryState, MessageRecord, QueuedMail};
use domain::ses_error::ErrorCause;
use domain::stream::Stream;
use domain::time::plus;
use jiff::Timestamp;
use uuid::Uuid;

use crate::store::LARGE;
use crate::world::{Answer, SesAnswer, World, pause};
use crate::write::{Attempt, Reply, Write};

/// The wish of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) has_key: bool,
    pub(crate) stream: Stream,
    /// How long after the request the mail is to be sent, if it is not to be sent at once.
    pub(crate) ahead: Option<Duration>,
    /// How long it may wait from then on.
    pub(crate) patience: Duration,
    pub(crate) when_busy: WhenBusy,
    pub(crate) is_large: bool,
}

/// The outcome of an email so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Accepted,
    Busy,
    NotSent,
    Unknown,
    InFlight,
}

impl Outcome {
    pub(super) fn frees_key(self) -> bool {
        matches!(self, Self::Busy | Self::NotSent)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AttemptLeft {
    Refused(u32),
    Unconfirmed,
}

pub(super) struct Claiming {
    pub(super) id: Uuid,
    pub(super) claim: Option<Claim>,
    pub(super) record: Option<MessageRecord>,
    pub(super) is_answered: bool,
    pub(super) is_taken_over: bool,
}

pub(super) struct Request {
    pub(super) world: World,
    pub(super) order: Order,
    pub(super) arrived: Timestamp,
    pub(super) scheduled_at: Option<Timestamp>,
    pub(super) deadline: Timestamp,
    pub(super) message: Uuid,
    pub(super) nonce: Uuid,
}

/// Makes a request and answers it.
pub(crate) async fn submit(world: World, order: Order) {
    let arrived = world.now();
    let scheduled_at = order.ahead.map(|ahead| plus(arrived, ahead));
    let request = Request {
        order,
        arrived,
        scheduled_at,
        deadline: plus(scheduled_at.unwrap_or(arrived), order.patience),
        message: world.new_id(),
        nonce: world.new_id(),
        world: world.clone(),
    };
    world.state().note("request", &(request.message, request.nonce, &order));
    let answer = request.answer().await;
    world.answer(answer);
}

impl Request {
    async fn answer(&self) -> Answer {
        let claimed = match self.claim().await {
            Ok(claimed) => claimed,
            Err(outcome) => {
                return match outcome {
                    Outcome::InFlight => Answer::InFlight,
                    _ => Answer::NotSent,
                };
            }
        };
        let now = self.world.now();
        let mut outcome = claimed.record.as_ref().and_then(|record| settled(record, now));
        if !claimed.is_answered {
            let mut left = None;
            if outcome.is_none() {
                outcome = self.attempt_patiently(&claimed, &mut left).await;
                outcome = Some(self.accept_if_waiting(&claimed, outcome, left).await);
            }
            self.let_go(&claimed, outcome, left).await;
        }
        match outcome {
            Some(Outcome::Accepted) => Answer::Accepted(claimed.id),
            Some(Outcome::Unknown) => Answer::Unknown(claimed.id),
            Some(Outcome::InFlight) => Answer::InFlight,
            // Its record may have expired.
            None if claimed.is_answered => Answer::Unknown(claimed.id),
            Some(Outcome::Busy | Outcome::NotSent) | None => Answer::NotSent,
        }
    }

    fn next_attempt(&self, claimed: &Claiming, left: Option<AttemptLeft>) -> Attempt {
        let before = match left {
            Some(AttemptLeft::Refused(attempt)) => Some(attempt),
            _ => claimed.record.as_ref().map(|record| record.attempt),
        };
        let created_at = claimed.record.as_ref().map_or(self.arrived, |record| record.created_at);
        Attempt {
            id: claimed.id,
            attempt: before.map_or(1, |attempt| attempt + 1),
            attempt_at: self.world.now(),
            nonce: self.nonce,
            created_at,
        }
    }

    /// Attempts a mail that is not scheduled, and again if its caller wants to wait for room.
    async fn attempt_patiently(&self, claimed: &Claiming, left: &mut Option<AttemptLeft>) -> Option<Outcome> {
        if self.scheduled_at.is_some() {
            return None;
        }
        for _ in 0..3 {
            let outcome = self.attempt(claimed, left).await;
            let waits = self.order.when_busy == WhenBusy::Wait && *left != Some(AttemptLeft::Unconfirmed);
            if outcome != Outcome::Busy || !waits {
                return Some(outcome);
            }
        }
        Some(Outcome::Busy)
    }

    async fn attempt(&self, claimed: &Claiming, left: &mut Option<AttemptLeft>) -> Outcome {
        pause().await;
        let is_full = self.world.state().is_full;
        if is_full || self.world.goes_wrong(3) {
            return Outcome::Busy;
        }
        let attempt = self.next_attempt(claimed, *left);
        let is_suppressed = self.world.goes_wrong(30);
        match self.world.write(Write::Put { attempt, is_suppressed }).await {
            Some(Reply::Done) if is_suppressed => return Outcome::Accepted,
            Some(Reply::Done) => {}
            Some(_) => return Outcome::InFlight,
            None => {
                let refused = self.world.write(Write::RefusedWithoutRow(attempt)).await;
                *left = Some(match refused {
                    Some(Reply::Done) => AttemptLeft::Refused(attempt.attempt),
                    _ => AttemptLeft::Unconfirmed,
                });
                return Outcome::NotSent;
            }
        }
        let outcome = match self.world.call_ses(claimed.id, None).await {
            SesAnswer::Accepted(ses_id) => {
                let (id, now) = (claimed.id, self.world.now());
                self.world.write(Write::Accepted { id, ses_id, now }).await;
                return Outcome::Accepted;
            }
            SesAnswer::Ambiguous => return Outcome::Unknown,
            SesAnswer::Refused(refusal) if refusal.fault() == ErrorCause::Capacity => Outcome::Busy,
            SesAnswer::Refused(_) => Outcome::NotSent,
        };
        *left = Some(match self.world.write(Write::Refused(attempt)).await {
            Some(_) => AttemptLeft::Refused(attempt.attempt),
            None => AttemptLeft::Unconfirmed,
        });
        outcome
    }

    /// Accepts a mail into the queue that is scheduled, or for which there was no room.
    async fn accept_if_waiting(
        &self,
        claimed: &Claiming,
        outcome: Option<Outcome>,
        left: Option<AttemptLeft>,
    ) -> Outcome {
        match outcome {
            None => self.accept(claimed, left).await,
            Some(Outcome::Busy)
                if self.order.when_busy == WhenBusy::Queue && left != Some(AttemptLeft::Unconfirmed) =>
            {
                self.accept(claimed, left).await
            }
            Some(outcome) => outcome,
        }
    }

    async fn accept(&self, claimed: &Claiming, left: Option<AttemptLeft>) -> Outcome {
        let (id, now, stream) = (claimed.id, self.world.now(), self.order.stream);
        let content_nonce = self.world.new_id();
        let put = Write::PutContent {
            id,
            nonce: content_nonce,
        };
        if self.world.write(put).await.is_none() {
            return Outcome::NotSent;
        }
        let entry = OutboxEntry {
            id,
            stream,
            key_id: String::new(),
            content: ContentRef {
                nonce: content_nonce,
                parts: 1,
                size: if self.order.is_large { LARGE } else { 1 },
                encoding: ContentEncoding::DeflatedJson,
            },
            deadline: self.deadline,
            wake_at: first_wake_at(stream, self.scheduled_at, now),
            crashes: 0,
            expires_at: plus(now, ENTRY_KEPT),
        };
        let queued = QueuedMail {
            queued_at: now,
            content_nonce,
            scheduled_at: self.scheduled_at,
            deadline: self.deadline,
            waits_for: None,
            rescheduled_at: None,
            ended_at: None,
            claim_id: claimed.claim.as_ref().map(|_| String::new()),
        };
        let attempt = self.next_attempt(claimed, left);
        let accept = Write::Accept { attempt, queued, entry };
        match self.world.until_answered(accept).await {
            None => return Outcome::Unknown,
            Some(Reply::Done) => {}
            Some(Reply::Otherwise(found)) => {
                let found = found.and_then(|found| settled(&found, self.world.now()));
                return found.unwrap_or(Outcome::InFlight);
            }
            Some(other) => unreachable!("{other:?}"),
        }
        if let Some(delay) = first_hint(stream, self.scheduled_at, now) {
            self.world.hint(Hint::new(id, content_nonce), delay).await;
        }
        Outcome::Accepted
    }

    async fn let_go(&self, claimed: &Claiming, outcome: Option<Outcome>, left: Option<AttemptLeft>) {
        let Some(claim) = &claimed.claim else { return };
        let (nonce, now) = (claim.nonce, self.world.now());
        let sent_nothing = outcome.is_none_or(Outcome::frees_key);
        let may_have_sent = claimed
            .record
            .as_ref()
            .is_some_and(|record| record.state(now) != DeliveryState::Refused);
        if !sent_nothing {
            return;
        }
        if outcome.is_some() && !may_have_sent {
            match self.predecessor_is_shut_out(claimed, left).await {
                Some(true) => {
                    self.world.write(Write::Free { nonce }).await;
                    return;
                }
                Some(false) => {}
                // The write has no answer, so nothing is done.
                None => return,
            }
        }
        self.world.write(Write::Release { nonce, now }).await;
    }

    async fn predecessor_is_shut_out(&self, claimed: &Claiming, left: Option<AttemptLeft>) -> Option<bool> {
        if !claimed.is_taken_over || matches!(left, Some(AttemptLeft::Refused(_))) {
            return Some(true);
        }
        let attempt = self.next_attempt(claimed, left);
        let refused = self.world.write(Write::RefusedWithoutRow(attempt)).await?;
        Some(refused == Reply::Done)
    }
}

/// Returns the outcome of an email whose record needs no attempt.
fn settled(record: &MessageRecord, now: Timestamp) -> Option<Outcome> {
    if record.queued.is_some() {
        return Some(Outcome::Accepted);
    }
    match record.state(now) {
        DeliveryState::Refused => None,
        DeliveryState::Sending(_) => Some(Outcome::InFlight),
        DeliveryState::Unknown => Some(Outcome::Unknown),
        _ => Some(Outcome::Accepted),
    }
}
