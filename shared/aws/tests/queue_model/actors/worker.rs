//! A worker with one hint: the steps of `sending::worker`, with the real `next_step`, `retry_wait` and hints.

use std::time::Duration;

use domain::brake::Brake;
use domain::pacing::Throttled;
use domain::queue::{Hint, Leaving, NextStep, OutboxEntry, Settle, Wait, cause_wait, next_step, retry_wait};
use domain::record::{FailedReason, MessageRecord, WaitsFor};
use domain::ses_error::{RETRY_LATER, RETRY_SOON};
use domain::time::plus;
use jiff::Timestamp;
use uuid::Uuid;

use crate::world::{SesAnswer, World, pause};
use crate::write::{Reply, Write};

/// How often a mail is looked at again that changes meanwhile.
const LOOKS_MAX: u32 = 6;
/// How often the row is taken again that was in another state.
const ROUNDS_MAX: u32 = 4;
const LEASE_RESERVE: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(RETRY_SOON as u64);
const LATER: Duration = Duration::from_secs(RETRY_LATER as u64);
const AT_ONCE: Duration = Duration::ZERO;

/// Whether the hint has done its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Acknowledge,
    DeliverAgain,
}

#[derive(Clone)]
struct Due {
    entry: OutboxEntry,
    leaving: Leaving,
}

enum Looked {
    Due(Due),
    Ended(End),
}

struct Worker {
    world: World,
    hint: Hint,
    /// When its invocation ends.
    end: Timestamp,
}

/// Works on a hint until `end`.
pub(crate) async fn work(world: World, number: u32, hint: Hint, end: Timestamp) {
    let worker = Worker {
        world: world.clone(),
        hint,
        end,
    };
    if worker.work().await == End::Acknowledge {
        world.state().hints.retain(|message| message.number != number);
    }
}

impl Worker {
    fn id(&self) -> Uuid {
        self.hint.id
    }

    async fn work(&self) -> End {
        match self.look().await {
            Looked::Ended(end) => end,
            Looked::Due(due) => self.send(due).await,
        }
    }

    async fn look(&self) -> Looked {
        let id = self.id();
        for _ in 0..LOOKS_MAX {
            let Some(entry) = self.world.read_entry(id).await else {
                return Looked::Ended(End::DeliverAgain);
            };
            let Some(entry) = entry else {
                return Looked::Ended(End::Acknowledge);
            };
            let Some(row) = self.world.read_row(id).await else {
                return Looked::Ended(End::DeliverAgain);
            };
            let now = self.world.now();
            match next_step(row.as_ref(), Some(&entry), &self.hint, now) {
                NextStep::Send(leaving) => return Looked::Due(Due { entry, leaving }),
                NextStep::Wait(wait) => return Looked::Ended(self.wait(&self.hint, &entry, wait).await),
                NextStep::Drop { delete: false, .. } => return Looked::Ended(End::Acknowledge),
                NextStep::Drop { delete: true, .. } => {
                    if is_of_one_content(row.as_ref(), &entry) {
                        return Looked::Ended(self.end(&entry).await);
                    }
                }
                NextStep::Settle(settle) => {
                    let write = match settle {
                        Settle::Expired(leaving) => Write::Expire { id, leaving, now },
                        Settle::Unknown { nonce } => Write::GiveUp { id, nonce },
                    };
                    if self.world.write(write).await.is_none() {
                        return Looked::Ended(End::DeliverAgain);
                    }
                }
            }
        }
        Looked::Ended(End::DeliverAgain)
    }

    /// Tidies up after a mail that has ended.
    async fn end(&self, entry: &OutboxEntry) -> End {
        end_mail(&self.world, entry)
            .await
            .map_or(End::DeliverAgain, |()| End::Acknowledge)
    }

    async fn wait(&self, hint: &Hint, entry: &OutboxEntry, wait: Wait) -> End {
        match wait {
            Wait::Standing => End::Acknowledge,
            Wait::Hint(delay) => {
                for _ in 0..3 {
                    if self.world.hint(hint.clone(), delay).await {
                        return End::Acknowledge;
                    }
                }
                End::DeliverAgain
            }
            Wait::Index(at) => {
                let wake = Write::WakeAgain {
                    id: entry.id,
                    seen: entry.wake_at,
                    wake_at: at,
                };
                let woken = self.world.write(wake).await;
                woken.map_or(End::DeliverAgain, |_| End::Acknowledge)
            }
        }
    }

    async fn come_again(&self, due: &Due, hint: &Hint, cause: Duration) -> End {
        let releases = !hint.released.is_empty();
        let wait = retry_wait(cause, due.entry.deadline, self.world.now(), releases);
        self.wait(hint, &due.entry, wait).await
    }

    async fn decide_again(&self) -> End {
        match self.look().await {
            Looked::Ended(end) => end,
            Looked::Due(due) => self.come_again(&due, &self.hint, AT_ONCE).await,
        }
    }

    async fn fail(&self, due: &Due, reason: FailedReason) -> End {
        let fail = Write::Fail {
            id: self.id(),
            leaving: due.leaving,
            reason,
            now: self.world.now(),
        };
        match self.world.write(fail).await {
            Some(Reply::Done) => self.end(&due.entry).await,
            Some(_) => self.decide_again().await,
            None => End::DeliverAgain,
        }
    }

    async fn send(&self, due: Due) -> End {
        let (id, content) = (self.id(), due.entry.content.nonce);
        if self.world.state().is_held_back {
            let wait = cause_wait(Throttled::Brake(Brake::All));
            return self.come_again(&due, &self.hint, wait).await;
        }
        if self.world.goes_wrong(16) {
            return self.fail(&due, FailedReason::KeyRevoked).await;
        }
        if !self.world.read_content(id, content).await {
            return self.fail(&due, FailedReason::ContentMissing).await;
        }
        if self.world.goes_wrong(16) {
            let now = self.world.now();
            let leaving = due.leaving;
            return match self.world.write(Write::Suppress { id, leaving, now }).await {
                Some(Reply::Done) => self.end(&due.entry).await,
                Some(_) => self.decide_again().await,
                None => End::DeliverAgain,
            };
        }
        // The permit.
        pause().await;
        if self.world.goes_wrong(8) {
            return self.come_again(&due, &self.hint, SOON).await;
        }
        if self.world.goes_wrong(20) {
            return self.come_again(&due, &self.hint, LATER).await;
        }
        self.attempt(due, content).await
    }

    /// Writes that SES is about to be called, and calls it.
    async fn attempt(&self, mut due: Due, content: Uuid) -> End {
        for _ in 0..ROUNDS_MAX {
            let nonce = self.world.new_id();
            let begin = Write::BeginAttempt {
                id: self.id(),
                leaving: due.leaving,
                nonce,
                now: self.world.now(),
                lease_until: plus(self.end, LEASE_RESERVE),
            };
            match self.world.write(begin).await {
                Some(Reply::Done) => return self.call_ses(&due, nonce, content).await,
                Some(_) => match self.look().await {
                    Looked::Due(again) => due = again,
                    Looked::Ended(end) => return end,
                },
                None => {
                    let hint = self.hint.clone().releasing(nonce);
                    return self.come_again(&due, &hint, SOON).await;
                }
            }
        }
        self.come_again(&due, &self.hint, AT_ONCE).await
    }

    async fn call_ses(&self, due: &Due, nonce: Uuid, content: Uuid) -> End {
        let id = self.id();
        let refusal = match self.world.call_ses(id, Some(content)).await {
            SesAnswer::Accepted(ses_id) => {
                let now = self.world.now();
                return match self.world.write(Write::Accepted { id, ses_id, now }).await {
                    Some(_) => self.end(&due.entry).await,
                    None => End::DeliverAgain,
                };
            }
            SesAnswer::Ambiguous => return self.decide_again().await,
            SesAnswer::Refused(refusal) => refusal,
        };
        let wait = Wait::after_refusal(refusal).unwrap_or(SOON);
        let reason = FailedReason::of(refusal);
        let write = match reason {
            Some(reason) => Write::FailAttempt {
                id,
                nonce,
                reason,
                now: self.world.now(),
            },
            None => Write::Requeue {
                id,
                nonce,
                waits_for: WaitsFor::after(refusal).unwrap_or(WaitsFor::Service),
            },
        };
        match (self.world.write(write).await, reason) {
            (Some(Reply::Done), Some(_)) => self.end(&due.entry).await,
            (Some(Reply::Done), None) => self.come_again(due, &self.hint, wait).await,
            (Some(_), _) => self.decide_again().await,
            (None, _) => {
                let hint = self.hint.clone().releasing(nonce);
                self.come_again(due, &hint, wait).await
            }
        }
    }
}

/// Reports the end of a mail, and deletes its content and then its entry. Returns `None` if one has no answer.
pub(super) async fn end_mail(world: &World, entry: &OutboxEntry) -> Option<()> {
    let (id, content) = (entry.id, entry.content);
    world.state().reported.push(id);
    world.write(Write::DeleteContent { id, content }).await?;
    world.write(Write::DeleteEntry { id }).await?;
    Some(())
}

fn is_of_one_content(row: Option<&MessageRecord>, entry: &OutboxEntry) -> bool {
    let queued = row.and_then(|row| row.queued.as_ref());
    queued.is_none_or(|queued| queued.content_nonce == entry.content.nonce)
}
