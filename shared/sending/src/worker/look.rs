//! Looking at a mail: its entry and its row are read, what they ask for is done, and both are read again until the mail
//! is due or its hint has done its work.

use aws::{Moved, StoreError};
use domain::queue::{Hint, NextStep, OutboxEntry, Settle, next_step};
use domain::record::{MessageRecord, SenderState};
use domain::stream::Stream;
use uuid::Uuid;

use super::due_mail::DueMail;
use super::hinted::{HintEnd, HintedMail};
use super::run::Run;
use super::wait::{AT_ONCE, log_store_error, no_time_wait, store_wait};

/// How often a mail is read again that changes meanwhile.
const ROUNDS_MAX: u32 = 6;

/// The result of a look at a mail.
#[derive(Debug)]
pub(super) enum Looked {
    /// It may be sent.
    Due(Box<DueMail>),
    /// Its hints have this end.
    Ended(HintEnd),
}

impl Run<'_> {
    /// Looks at a mail that a hint names.
    pub(super) async fn look(&self, place: usize, mail: &HintedMail) -> Looked {
        self.look_by(place, &mail.hint, mail.random, mail.stream).await
    }

    /// Looks again at a mail whose row was in another state than it had been read in.
    pub(super) async fn look_again(&self, mail: &DueMail) -> Looked {
        self.look_by(mail.place, &mail.hint, mail.random, mail.entry.stream)
            .await
    }

    /// Looks at a mail again whose row was in another state than expected. If it is due again, it comes back at once.
    pub(super) async fn decide_again(&self, mail: &DueMail) -> HintEnd {
        match Box::pin(self.look_again(mail)).await {
            Looked::Ended(end) => end,
            Looked::Due(mail) => self.come_again(&mail, AT_ONCE).await,
        }
    }

    async fn look_by(&self, place: usize, hint: &Hint, random: Uuid, stream: Stream) -> Looked {
        for _ in 0..ROUNDS_MAX {
            // A fresh hint needs some time after a read that has no answer.
            let (entry, row) = match self.deadlines.before_sending(self.read(hint)).await {
                Ok(Ok(read)) => read,
                Ok(Err(error)) => {
                    let wait = store_wait(hint.id, &error);
                    return Looked::Ended(self.deliver_again(hint, stream, wait).await);
                }
                Err(_) => return Looked::Ended(self.deliver_again(hint, stream, no_time_wait()).await),
            };
            let step = next_step(row.as_ref(), entry.as_ref(), hint, self.deadlines.now());
            let Some(entry) = entry else {
                return Looked::Ended(HintEnd::Acknowledge);
            };
            match step {
                NextStep::Send(leaving) => {
                    return Looked::Due(Box::new(DueMail {
                        place,
                        hint: hint.clone(),
                        random,
                        entry,
                        leaving,
                        addressed: row.as_ref().map_or(1, addressed),
                    }));
                }
                NextStep::Wait(wait) => return Looked::Ended(self.wait(hint, &entry, wait).await),
                NextStep::Drop { delete: false, .. } => return Looked::Ended(HintEnd::Acknowledge),
                NextStep::Drop { emit, delete: true } => {
                    // Another content may have come between the two reads. It must not lose its entry.
                    if is_of_one_content(row.as_ref(), &entry) {
                        return Looked::Ended(match (&row, emit) {
                            (Some(row), Some(state)) => self.end(&entry, row, state).await,
                            _ => self.tidy(&entry, emit).await,
                        });
                    }
                }
                NextStep::Settle(settle) => {
                    if !self.settle(hint.id, settle).await {
                        return Looked::Ended(self.deliver_again(hint, stream, no_time_wait()).await);
                    }
                }
            }
        }
        tracing::warn!(message.id = %hint.id, "a message keeps changing");
        Looked::Ended(self.deliver_again(hint, stream, no_time_wait()).await)
    }

    /// Reads the entry, then the row: see [`next_step`] for why in this order.
    async fn read(&self, hint: &Hint) -> Result<(Option<OutboxEntry>, Option<MessageRecord>), StoreError> {
        let sending = &self.worker.sending;
        let Some(entry) = self.worker.outbox.entry(hint.id).await? else {
            return Ok((None, None));
        };
        let mut row = sending.messages.get(hint.id).await?;
        if let Some(row) = &mut row
            && row.written == SenderState::Sending
        {
            sending.add_proof(row, self.deadlines.now()).await?;
        }
        Ok((Some(entry), row))
    }

    /// Writes the end of a mail. Returns whether the row has an answer, which may be that it is in another state.
    async fn settle(&self, id: Uuid, settle: Settle) -> bool {
        let messages = &self.worker.sending.messages;
        let moved = match settle {
            Settle::Expired(leaving) => {
                let now = self.deadlines.now();
                self.moved(id, messages.expire(id, leaving, now)).await
            }
            Settle::Unknown { nonce } => self.moved(id, messages.give_up(id, nonce)).await,
        };
        if moved == Some(Moved::Done) {
            match settle {
                Settle::Expired(_) => {
                    tracing::error!(message.id = %id, cause = "expired", "a message was not sent by its deadline");
                }
                Settle::Unknown { .. } => tracing::error!(
                    message.id = %id,
                    cause = "queue_unknown",
                    "it will stay unknown whether SES accepted a message"
                ),
            }
        }
        moved.is_some()
    }

    /// Carries out a transition, as long as there is time. Returns `None` if it has no answer.
    pub(super) async fn moved(
        &self,
        id: Uuid,
        transition: impl Future<Output = Result<Moved, StoreError>>,
    ) -> Option<Moved> {
        match self.deadlines.before_answering(transition).await {
            Ok(Ok(moved)) => Some(moved),
            Ok(Err(error)) => {
                log_store_error(id, &error);
                None
            }
            Err(_) => None,
        }
    }
}

fn is_of_one_content(row: Option<&MessageRecord>, entry: &OutboxEntry) -> bool {
    let queued = row.and_then(|row| row.queued.as_ref());
    queued.is_none_or(|queued| queued.content_nonce == entry.content.nonce)
}

fn addressed(row: &MessageRecord) -> i64 {
    let recipients = row.mail.to.len() + row.mail.cc.len() + row.mail.bcc.len();
    i64::try_from(recipients).unwrap_or(i64::MAX).max(1)
}
