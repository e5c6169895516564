//! The two tables in memory: every write has the conditions of its adapter, and one of them can be taken away.

mod claims;
mod recall;

use std::time::Duration;

use domain::idempotency::Claim;
use domain::queue::{Leaving, OutboxEntry};
use domain::record::{FailedReason, MessageRecord, SenderState};
use domain::time::plus;
use jiff::Timestamp;
use uuid::Uuid;

use crate::condition::Condition;
use crate::write::{Attempt, Reply, Write};

/// How long DynamoDB recognises a transaction by its token.
const TOKEN_KNOWN: Duration = Duration::from_mins(10);
/// The bytes of content from which on a cancellation leaves the content to the worker.
pub(crate) const LARGE: u64 = 3_000_001;

/// All items of one mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mail {
    pub(crate) id: Uuid,
    pub(crate) row: Option<MessageRecord>,
    pub(crate) entry: Option<OutboxEntry>,
    /// The nonces of the contents that are there.
    pub(crate) contents: Vec<Uuid>,
    /// The nonces of the contents that the row named and that were not replaced.
    pub(crate) named: Vec<Uuid>,
    /// The time at which the mail is to be sent, by the last acceptance or reschedule that was carried out.
    pub(crate) scheduled_at: Option<Timestamp>,
    /// How often the key had been used anew when the mail got its id.
    pub(crate) generation: u32,
}

/// The tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) mails: Vec<Mail>,
    pub(crate) claim: Option<Claim>,
    /// The promise that a write has broken.
    pub(crate) wrong: Option<&'static str>,
    without: Option<Condition>,
    generation: u32,
    tokens: Vec<(Uuid, Timestamp)>,
}

/// The conditions of a write that leaves a state which was read.
struct LeavingConditions {
    state: Condition,
    attempt: Condition,
    content: Condition,
    nonce: Condition,
}

const BEGIN: LeavingConditions = LeavingConditions {
    state: Condition::BeginState,
    attempt: Condition::BeginAttempt,
    content: Condition::BeginContent,
    nonce: Condition::BeginNonce,
};
const SUPPRESS: LeavingConditions = LeavingConditions {
    state: Condition::SuppressState,
    attempt: Condition::SuppressAttempt,
    content: Condition::SuppressContent,
    nonce: Condition::SuppressNonce,
};
const FAIL: LeavingConditions = LeavingConditions {
    state: Condition::FailState,
    attempt: Condition::FailAttempt,
    content: Condition::FailContent,
    nonce: Condition::FailNonce,
};

/// The conditions of the first write of an attempt.
struct FirstConditions {
    no_row: Condition,
    attempt: Condition,
    state: Condition,
    unsent: Condition,
}

const PUT: FirstConditions = FirstConditions {
    no_row: Condition::PutNoRow,
    attempt: Condition::PutAttempt,
    state: Condition::PutState,
    unsent: Condition::PutUnsent,
};
const ACCEPT: FirstConditions = FirstConditions {
    no_row: Condition::AcceptNoRow,
    attempt: Condition::AcceptAttempt,
    state: Condition::AcceptState,
    unsent: Condition::AcceptUnsent,
};
const NO_ROW: FirstConditions = FirstConditions {
    no_row: Condition::NoRowNoRow,
    attempt: Condition::NoRowAttempt,
    state: Condition::NoRowState,
    unsent: Condition::NoRowUnsent,
};

impl Store {
    /// Makes empty tables, whose writes lack one condition if one is taken away.
    pub(crate) fn new(without: Option<Condition>) -> Self {
        Self {
            without,
            ..Self::default()
        }
    }

    pub(crate) fn mail(&self, id: Uuid) -> Option<&Mail> {
        self.mails.iter().find(|mail| mail.id == id)
    }

    pub(crate) fn row(&self, id: Uuid) -> Option<&MessageRecord> {
        self.mail(id)?.row.as_ref()
    }

    pub(crate) fn entry(&self, id: Uuid) -> Option<&OutboxEntry> {
        self.mail(id)?.entry.as_ref()
    }

    /// Begins a use of a key that no other request shares, with the mail that has this id.
    pub(crate) fn begin_use(&mut self, id: Uuid) {
        self.generation += 1;
        self.mail_mut(id);
    }

    fn mail_mut(&mut self, id: Uuid) -> &mut Mail {
        let found = self.mails.iter().position(|mail| mail.id == id);
        let index = found.unwrap_or_else(|| {
            self.mails.push(Mail {
                id,
                generation: self.generation,
                ..Mail::default()
            });
            self.mails.len() - 1
        });
        &mut self.mails[index]
    }

    /// Carries out a write.
    #[expect(clippy::too_many_lines, reason = "one arm a write, and nothing to share")]
    pub(crate) fn apply(&mut self, write: &Write, now: Timestamp) -> Reply {
        match write {
            Write::Put { attempt, is_suppressed } => self.put(*attempt, *is_suppressed),
            Write::Accept { attempt, queued, entry } => {
                let own = |row: &MessageRecord| content_of(row) == Some(queued.content_nonce);
                self.once(queued.content_nonce, now, |store| {
                    let row = store.row(attempt.id);
                    if !store.is_first(row, attempt.attempt, &ACCEPT) {
                        return match row {
                            Some(row) if own(row) => Reply::Done,
                            row => otherwise(row),
                        };
                    }
                    let mail = store.mail_mut(attempt.id);
                    let mut row = new_row(*attempt, SenderState::Queued);
                    (row.attempt_at, row.queued) = (None, Some(queued.clone()));
                    (mail.row, mail.entry) = (Some(row), Some(entry.clone()));
                    mail.named.push(queued.content_nonce);
                    mail.scheduled_at = queued.scheduled_at;
                    Reply::Done
                })
            }
            Write::Refused(attempt) => {
                let is_met = self.row(attempt.id).is_some_and(|row| {
                    self.holds(Condition::RefusedState, row.written == SenderState::Sending)
                        && self.holds(Condition::RefusedAttempt, row.attempt == attempt.attempt)
                        && self.holds(Condition::RefusedNonce, row.nonce == Some(attempt.nonce))
                        && self.holds(Condition::RefusedUnsent, row.ses_id.is_none())
                });
                self.change_if(is_met, attempt.id, |row| row.written = SenderState::Refused);
                Reply::Done
            }
            Write::RefusedWithoutRow(attempt) => self.refuse_without_row(*attempt),
            Write::Accepted { id, ses_id, now } => {
                if self.row(*id).is_none() {
                    return Reply::Otherwise(None);
                }
                self.change_if(true, *id, |row| {
                    row.ses_id.get_or_insert_with(|| ses_id.clone());
                    row.sent_at.get_or_insert(*now);
                });
                Reply::Done
            }
            Write::BeginAttempt {
                id,
                leaving,
                nonce,
                now,
                lease_until,
            } => {
                let is_met = self.leaves(*id, *leaving, &BEGIN)
                    && self.is_open(*id, *now, Condition::BeginDeadline, Condition::BeginUnsent);
                let change = |row: &mut MessageRecord| {
                    let (Leaving::Queued { attempt, .. } | Leaving::Released { attempt, .. }) = leaving;
                    (row.written, row.attempt) = (SenderState::Sending, attempt + 1);
                    (row.nonce, row.attempt_at) = (Some(*nonce), Some(*now));
                    row.lease_until = Some(*lease_until);
                    wait_for_nothing(row);
                };
                let own = |row: &MessageRecord| row.written == SenderState::Sending && row.nonce == Some(*nonce);
                self.move_row(*id, is_met, change, own)
            }
            Write::Suppress { id, leaving, now } => {
                let is_met = self.leaves(*id, *leaving, &SUPPRESS)
                    && self.is_open(*id, *now, Condition::SuppressDeadline, Condition::SuppressUnsent);
                let change = |row: &mut MessageRecord| {
                    row.written = SenderState::Suppressed;
                    end(row, *now);
                };
                self.move_row(*id, is_met, change, |row| row.written == SenderState::Suppressed)
            }
            Write::Requeue { id, nonce, waits_for } => {
                let is_met = self.is_sending(*id, *nonce, Condition::RequeueState, Condition::RequeueNonce);
                let change = |row: &mut MessageRecord| {
                    (row.written, row.lease_until) = (SenderState::Queued, None);
                    if let Some(queued) = &mut row.queued {
                        queued.waits_for = Some(*waits_for);
                    }
                };
                let own = |row: &MessageRecord| row.written == SenderState::Queued && row.nonce == Some(*nonce);
                self.move_row(*id, is_met, change, own)
            }
            Write::Expire { id, leaving, now } => match *leaving {
                Leaving::Queued { .. } => self.expire_queued(*id, *now),
                Leaving::Released { nonce, .. } => self.fail_attempt(*id, nonce, FailedReason::Expired, *now),
            },
            Write::ExpireQueued { id, now } => self.expire_queued(*id, *now),
            Write::Fail {
                id,
                leaving,
                reason,
                now,
            } => {
                let is_met = self.leaves(*id, *leaving, &FAIL);
                self.fail(*id, is_met, *reason, *now)
            }
            Write::FailAttempt { id, nonce, reason, now } => self.fail_attempt(*id, *nonce, *reason, *now),
            Write::GiveUp { id, nonce } => {
                let is_met = self.is_sending(*id, *nonce, Condition::GiveUpState, Condition::GiveUpNonce);
                let is_unknown = |row: &MessageRecord| row.written == SenderState::Unknown;
                self.move_row(*id, is_met, |row| row.written = SenderState::Unknown, is_unknown)
            }
            Write::Cancel { token, .. } | Write::Reschedule { token, .. } => {
                self.once(*token, now, |store| store.recall(write))
            }
            Write::SwitchContent { to, .. } => self.once(to.nonce, now, |store| store.recall(write)),
            Write::PutContent { id, nonce } => {
                let contents = &mut self.mail_mut(*id).contents;
                contents.retain(|there| there != nonce);
                contents.push(*nonce);
                Reply::Done
            }
            Write::DeleteContent { id, content } => {
                self.mail_mut(*id).contents.retain(|there| *there != content.nonce);
                Reply::Done
            }
            Write::DeleteEntry { id } => {
                self.mail_mut(*id).entry = None;
                Reply::Done
            }
            Write::WakeAgain { id, seen, wake_at } => {
                let without = self.without == Some(Condition::WakeSeen);
                match &mut self.mail_mut(*id).entry {
                    Some(entry) if entry.wake_at == *seen || without => entry.wake_at = *wake_at,
                    _ => return Reply::Overtaken,
                }
                Reply::Done
            }
            claim => self.apply_to_claim(claim, now),
        }
    }

    pub(crate) fn holds(&self, condition: Condition, is_met: bool) -> bool {
        is_met || self.without == Some(condition)
    }

    /// Carries out a transaction unless it was carried out before and is remembered.
    fn once(&mut self, token: Uuid, now: Timestamp, transaction: impl FnOnce(&mut Self) -> Reply) -> Reply {
        let is_known = |(known, at): &(Uuid, Timestamp)| *known == token && now < plus(*at, TOKEN_KNOWN);
        if self.tokens.iter().any(is_known) {
            return Reply::Done;
        }
        let reply = transaction(self);
        if reply == Reply::Done {
            self.tokens.push((token, now));
        }
        reply
    }

    fn is_first(&self, row: Option<&MessageRecord>, attempt: u32, conditions: &FirstConditions) -> bool {
        if attempt <= 1 {
            return self.holds(conditions.no_row, row.is_none());
        }
        row.is_some_and(|row| {
            self.holds(conditions.attempt, row.attempt == attempt - 1)
                && self.holds(conditions.state, row.written == SenderState::Refused)
                && self.holds(conditions.unsent, row.ses_id.is_none())
        })
    }

    fn put(&mut self, attempt: Attempt, is_suppressed: bool) -> Reply {
        let state = if is_suppressed {
            SenderState::Suppressed
        } else {
            SenderState::Sending
        };
        let found = self.row(attempt.id);
        if self.is_first(found, attempt.attempt, &PUT) {
            let mut row = new_row(attempt, state);
            if is_suppressed {
                (row.attempt, row.attempt_at) = (0, None);
            }
            self.mail_mut(attempt.id).row = Some(row);
            return Reply::Done;
        }
        match found {
            Some(row) if row.nonce == Some(attempt.nonce) && row.written == state => Reply::Done,
            _ => Reply::Overtaken,
        }
    }

    fn refuse_without_row(&mut self, attempt: Attempt) -> Reply {
        let found = self.row(attempt.id);
        let is_own = |row: &MessageRecord| {
            self.holds(Condition::NoRowOwnState, row.written == SenderState::Sending)
                && self.holds(Condition::NoRowOwnNonce, row.nonce == Some(attempt.nonce))
        };
        if self.is_first(found, attempt.attempt, &NO_ROW) || found.is_some_and(is_own) {
            self.mail_mut(attempt.id).row = Some(new_row(attempt, SenderState::Refused));
            return Reply::Done;
        }
        match found {
            Some(row) if row.nonce == Some(attempt.nonce) && row.written == SenderState::Refused => Reply::Done,
            _ => Reply::Overtaken,
        }
    }

    fn leaves(&self, id: Uuid, leaving: Leaving, conditions: &LeavingConditions) -> bool {
        let (state, attempt, content, nonce) = match leaving {
            Leaving::Queued { attempt, content_nonce } => (SenderState::Queued, attempt, content_nonce, None),
            Leaving::Released {
                attempt,
                content_nonce,
                nonce,
            } => (SenderState::Sending, attempt, content_nonce, Some(nonce)),
        };
        self.row(id).is_some_and(|row| {
            self.holds(conditions.state, row.written == state)
                && self.holds(conditions.attempt, row.attempt == attempt)
                && self.holds(conditions.content, content_of(row) == Some(content))
                && (nonce.is_none() || self.holds(conditions.nonce, row.nonce == nonce))
        })
    }

    fn is_open(&self, id: Uuid, now: Timestamp, deadline: Condition, unsent: Condition) -> bool {
        self.row(id).is_some_and(|row| {
            let is_ahead = row.queued.as_ref().is_some_and(|queued| queued.deadline > now);
            self.holds(deadline, is_ahead) && self.holds(unsent, row.ses_id.is_none())
        })
    }

    fn is_sending(&self, id: Uuid, seen: Uuid, state: Condition, nonce: Condition) -> bool {
        self.row(id).is_some_and(|row| {
            self.holds(state, row.written == SenderState::Sending) && self.holds(nonce, row.nonce == Some(seen))
        })
    }

    fn expire_queued(&mut self, id: Uuid, now: Timestamp) -> Reply {
        let is_met = self.row(id).is_some_and(|row| {
            let is_over = row.queued.as_ref().is_some_and(|queued| queued.deadline <= now);
            self.holds(Condition::ExpireState, row.written == SenderState::Queued)
                && self.holds(Condition::ExpireDeadline, is_over)
        });
        self.fail(id, is_met, FailedReason::Expired, now)
    }

    fn fail_attempt(&mut self, id: Uuid, nonce: Uuid, reason: FailedReason, now: Timestamp) -> Reply {
        let is_met = self.is_sending(id, nonce, Condition::FailAttemptState, Condition::FailAttemptNonce);
        self.fail(id, is_met, reason, now)
    }

    fn fail(&mut self, id: Uuid, is_met: bool, reason: FailedReason, now: Timestamp) -> Reply {
        let change = |row: &mut MessageRecord| {
            (row.written, row.failed) = (SenderState::Failed, Some(reason));
            end(row, now);
        };
        let own = |row: &MessageRecord| row.written == SenderState::Failed && row.failed == Some(reason);
        self.move_row(id, is_met, change, own)
    }

    fn move_row(
        &mut self,
        id: Uuid,
        is_met: bool,
        change: impl FnOnce(&mut MessageRecord),
        own: impl Fn(&MessageRecord) -> bool,
    ) -> Reply {
        if is_met {
            self.change_if(true, id, change);
            return Reply::Done;
        }
        match self.row(id) {
            Some(row) if own(row) => Reply::Done,
            row => otherwise(row),
        }
    }

    fn change_if(&mut self, is_met: bool, id: Uuid, change: impl FnOnce(&mut MessageRecord)) {
        if let Some(row) = self.mail_mut(id).row.as_mut().filter(|_| is_met) {
            change(row);
        }
    }
}

fn new_row(attempt: Attempt, state: SenderState) -> MessageRecord {
    MessageRecord {
        attempt: attempt.attempt,
        attempt_at: Some(attempt.attempt_at),
        nonce: Some(attempt.nonce),
        ..MessageRecord::new(attempt.id, state, attempt.created_at)
    }
}

fn otherwise(row: Option<&MessageRecord>) -> Reply {
    Reply::Otherwise(row.cloned().map(Box::new))
}

fn content_of(row: &MessageRecord) -> Option<Uuid> {
    row.queued.as_ref().map(|queued| queued.content_nonce)
}

fn end(row: &mut MessageRecord, now: Timestamp) {
    wait_for_nothing(row);
    if let Some(queued) = &mut row.queued {
        queued.ended_at = Some(now);
    }
}

fn wait_for_nothing(row: &mut MessageRecord) {
    if let Some(queued) = &mut row.queued {
        queued.waits_for = None;
    }
}
