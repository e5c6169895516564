//! Admission of a chunk: its slots at the gate, then its rows. A chunk that the gate refuses leaves no row.

use std::time::Duration;

use aws::{NewMessage, PermitError, Put};
use domain::message::Mail;
use domain::pacing::{Permit, PermitRequest, Throttled};
use domain::ses_error::RETRY_SOON;
use domain::time::plus;
use futures_util::future::join_all;
use jiff::SignedDuration;
use tokio::time::Instant;
use uuid::Uuid;

use crate::chunks::{Chunks, Planned, Stopped};
use crate::slot::Slot;
use crate::{Busy, NotSent, Patience, Unavailable};

/// How many rows are written at a time.
const ROWS_AT_ONCE: usize = 5;

impl Chunks<'_> {
    /// Takes the slots of a chunk, from `asked` on. Returns the emails that have one, their slots, and the outcomes of
    /// the emails whose slots come too late.
    pub(crate) async fn take_slots<'e>(
        &self,
        planned: Vec<Planned<'e>>,
        asked: Instant,
    ) -> Result<(Vec<Planned<'e>>, Vec<Slot>, Vec<(usize, NotSent)>), Stopped> {
        let permit = self.deadlines.before_sending(self.ask(&planned, asked)).await??;
        let left = self.deadlines.left_to_send();
        let (mut kept, mut slots, mut too_late, mut before) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for planned in planned {
            let wait = permit.wait_after(before);
            before += planned.recipients();
            // The rate may have fallen since this process saw it.
            if wait > left {
                let refusal = self.sending.permits.next_slot(self.deadlines.now());
                let error = refusal.map_or(NotSent::Unavailable(Unavailable::Store), |refusal| {
                    NotSent::Busy(Busy::Gate(refusal))
                });
                too_late.push((planned.index, error));
            } else {
                kept.push(planned);
                slots.push(self.slot(asked, wait));
            }
        }
        Ok((kept, slots, too_late))
    }

    /// Asks the gate for the slots of a chunk.
    async fn ask(&self, planned: &[Planned<'_>], asked: Instant) -> Result<Permit, Stopped> {
        let recipients: i64 = planned.iter().map(Planned::recipients).sum();
        let permits = &self.sending.permits;
        let now = self.deadlines.at(asked);
        let patience = match self.origin.patience {
            Patience::Within(wait) => {
                let patience = self.deadlines.patience(wait).saturating_duration_since(asked);
                // A refusal that this process knows to be certain costs the gate nothing.
                if let Some(refusal) = permits.known_refusal(patience, now) {
                    return Err(Stopped::All(NotSent::Busy(Busy::Gate(refusal))));
                }
                patience
            }
            // Emails without a turn by then wait in the queue.
            Patience::UntilDeadline if self.all_may_wait => permits
                .worker_patience(self.origin.stream, recipients)
                .unwrap_or(self.sending.rules.wait)
                .min(self.deadlines.left_to_send()),
            // The last slot comes before sending has to end.
            Patience::UntilDeadline => self
                .deadlines
                .left_to_send()
                .saturating_sub(permits.time_of(recipients)),
        };
        let ask = PermitRequest {
            recipients,
            stream: self.origin.stream,
            now,
            patience,
            holds_bulk_back: false,
        };
        match permits.take(ask).await {
            Ok(permit) => Ok(permit),
            Err(PermitError::Refused(refusal @ Throttled::Quota { .. })) => {
                let error = NotSent::Busy(Busy::Gate(refusal));
                Err(Stopped::Quota { error, recipients })
            }
            Err(error) => Err(Stopped::All(error.into())),
        }
    }

    fn slot(&self, asked: Instant, wait: Duration) -> Slot {
        let at = asked + wait;
        let latest_retry = match self.origin.patience {
            Patience::Within(patience) => asked + patience,
            Patience::UntilDeadline => at + self.sending.rules.wait,
        };
        Slot {
            at,
            retry_until: latest_retry.min(asked + self.deadlines.left_to_send()),
        }
    }

    /// Writes the rows of emails, some at a time. Each row has a condition, because a write that was given up may be
    /// carried out later, and must not undo what became of the email since.
    pub(crate) async fn write_rows(&self, messages: &[NewMessage<'_>]) -> Vec<Result<(), NotSent>> {
        let mut written = Vec::new();
        for messages in messages.chunks(ROWS_AT_ONCE) {
            written.extend(join_all(messages.iter().map(|message| self.write_row(message))).await);
        }
        written
    }

    pub(crate) async fn write_row(&self, message: &NewMessage<'_>) -> Result<(), NotSent> {
        match self.sending.messages.put(message).await? {
            Put::Written => Ok(()),
            Put::Overtaken => Err(NotSent::InFlight {
                until: plus(self.deadlines.now(), SignedDuration::from_secs(RETRY_SOON.into())),
            }),
        }
    }

    /// The row of an attempt at an email.
    pub(crate) fn message<'m>(&'m self, planned: &'m Planned<'_>) -> NewMessage<'m> {
        NewMessage {
            outcomes: &planned.judgement.outcomes,
            will_be_sent: planned.judgement.destination.is_some(),
            ..self.message_to_nobody(planned.id, planned.mail)
        }
    }

    /// The row of an attempt at an email that no recipient has an outcome of.
    pub(crate) fn message_to_nobody<'m>(&'m self, id: Uuid, mail: &'m Mail) -> NewMessage<'m> {
        let before = self.claimed.records.get(&id);
        let attempt_before = self.own_attempts.refused(id).or(before.map(|record| record.attempt));
        let now = self.deadlines.arrived;
        NewMessage {
            id,
            attempt: attempt_before.map_or(1, |attempt| attempt.saturating_add(1)),
            attempt_at: self.deadlines.now(),
            nonce: self.origin.ids.nonce,
            mail,
            outcomes: &[],
            will_be_sent: true,
            stream: self.origin.stream,
            key_id: self.origin.key_id,
            created_at: before.map_or(now, |record| record.created_at),
            expires_at: self.claimed.kept_until,
        }
    }
}
