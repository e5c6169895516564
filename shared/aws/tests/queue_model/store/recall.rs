//! The transactions over a row and its entry.

use domain::record::SenderState;

use super::{LARGE, Store, content_of, end, otherwise, wait_for_nothing};
use crate::condition::Condition;
use crate::write::{Reply, Write};

impl Store {
    /// Cancels, reschedules or replaces the content of a mail that is queued.
    #[expect(clippy::too_many_lines, reason = "one arm a write, and nothing to share")]
    pub(super) fn recall(&mut self, write: &Write) -> Reply {
        match write {
            Write::Cancel { id, content, now, .. } => {
                let row = self.row(*id);
                let is_met = row.is_some_and(|row| {
                    self.holds(Condition::CancelState, row.written == SenderState::Queued)
                        && self.holds(Condition::CancelContent, content_of(row) == Some(content.nonce))
                });
                if !is_met {
                    return otherwise(row);
                }
                let is_large = content.size >= LARGE;
                if is_large && !self.holds(Condition::CancelEntry, self.entry(*id).is_some()) {
                    return Reply::Otherwise(None);
                }
                let mail = self.mail_mut(*id);
                if is_large {
                    if let Some(entry) = &mut mail.entry {
                        entry.wake_at = *now;
                    }
                } else {
                    mail.entry = None;
                    mail.contents.retain(|there| *there != content.nonce);
                }
                self.change_if(true, *id, |row| {
                    row.written = SenderState::Canceled;
                    end(row, *now);
                });
                Reply::Done
            }
            Write::Reschedule {
                id,
                attempt,
                now,
                scheduled_at,
                deadline,
                wake_at,
                claim,
                ..
            } => {
                let row = self.row(*id);
                let is_met = row.is_some_and(|row| {
                    let is_ahead = row.queued.as_ref().is_some_and(|queued| queued.deadline > *now);
                    self.holds(Condition::RescheduleState, row.written == SenderState::Queued)
                        && self.holds(Condition::RescheduleAttempt, row.attempt == *attempt)
                        && self.holds(Condition::RescheduleDeadline, is_ahead)
                });
                if !is_met {
                    return otherwise(row);
                }
                let waits = row.is_some_and(|row| row.written == SenderState::Queued);
                if !self.holds(Condition::RescheduleEntry, self.entry(*id).is_some()) {
                    return Reply::Otherwise(None);
                }
                if let Some(growth) = claim
                    && !self.grow_claim(growth)
                {
                    return Reply::ClaimChanged;
                }
                if !waits {
                    self.wrong = Some("a mail that does not wait gets a new time");
                }
                let mail = self.mail_mut(*id);
                mail.scheduled_at = Some(*scheduled_at);
                if let Some(entry) = &mut mail.entry {
                    (entry.wake_at, entry.deadline) = (*wake_at, *deadline);
                }
                self.change_if(true, *id, |row| {
                    row.attempt = attempt + 1;
                    if let Some(queued) = &mut row.queued {
                        (queued.scheduled_at, queued.deadline) = (Some(*scheduled_at), *deadline);
                        queued.rescheduled_at = Some(*now);
                    }
                    wait_for_nothing(row);
                });
                Reply::Done
            }
            Write::SwitchContent { id, from, to, wake_at } => {
                let row = self.row(*id);
                let is_met = row.is_some_and(|row| {
                    self.holds(Condition::SwitchState, row.written == SenderState::Queued)
                        && self.holds(Condition::SwitchContent, content_of(row) == Some(*from))
                });
                if !is_met {
                    return otherwise(row);
                }
                if !self.holds(Condition::SwitchEntry, self.entry(*id).is_some()) {
                    return Reply::Otherwise(None);
                }
                let mail = self.mail_mut(*id);
                if let Some(entry) = &mut mail.entry {
                    (entry.content, entry.wake_at) = (*to, *wake_at);
                }
                mail.named.retain(|named| named != from);
                mail.named.push(to.nonce);
                self.change_if(true, *id, |row| {
                    if let Some(queued) = &mut row.queued {
                        queued.content_nonce = to.nonce;
                    }
                });
                Reply::Done
            }
            _ => unreachable!("no recall"),
        }
    }
}
