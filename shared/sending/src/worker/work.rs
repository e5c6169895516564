//! A batch of hints: what each mail needs is found out side by side, and the mails that are due are sent in chunks.

use domain::brake::Brake;
use domain::pacing::Throttled;
use domain::queue::cause_wait;
use domain::stream::Stream;
use futures_util::future::join_all;
use uuid::Uuid;

use super::due_mail::DueMail;
use super::hinted::{HintEnd, HintedMail, caught, hinted};
use super::look::Looked;
use super::run::Run;
use super::{ReceivedHint, Worker};
use crate::Deadlines;

/// How many mails are looked at side by side.
const LOOKED_AT_ONCE: usize = 25;
/// From this delivery on, a mail is worked on alone: its worker may have died with it twice.
const ALONE_FROM: u32 = 3;

impl Worker {
    /// Works on a batch of hints. Returns SQS's ids of the messages that must be delivered again. The others may be
    /// deleted: their mails have ended, or come back by a fresh hint or by the index.
    ///
    /// `new_id` makes random ids. It is called before anything else is done.
    pub async fn work(&self, hints: &[ReceivedHint], deadlines: &Deadlines, new_id: impl Fn() -> Uuid) -> Vec<String> {
        let mails = hinted(hints, new_id);
        let gate = deadlines.before_sending(self.sending.permits.look()).await;
        let run = Run {
            worker: self,
            deadlines,
            gate: gate.ok().flatten(),
        };
        let ends = run.work_on(&mails).await;
        let not_done = mails
            .into_iter()
            .zip(ends)
            .filter(|(_, end)| *end != HintEnd::Acknowledge);
        not_done.flat_map(|(mail, _)| mail.message_ids).collect()
    }
}

impl Run<'_> {
    /// Returns the end of each mail's hints.
    async fn work_on(&self, mails: &[HintedMail]) -> Vec<HintEnd> {
        // A mail without an end would be one whose work did not come to an end.
        let mut ends = vec![HintEnd::Panicked; mails.len()];
        let (mut due, mut alone) = (Vec::new(), Vec::new());
        let places: Vec<usize> = (0..mails.len()).collect();
        for places in places.chunks(LOOKED_AT_ONCE) {
            let looked = places.iter().map(async |&place| {
                let mail = &mails[place];
                (place, caught(mail.hint.id, Box::pin(self.look(place, mail))).await)
            });
            for (place, looked) in join_all(looked).await {
                match looked {
                    None => {}
                    Some(Looked::Ended(end)) => ends[place] = end,
                    Some(Looked::Due(mail)) => {
                        let is_suspect = mails[place].receive_count >= ALONE_FROM || mail.entry.crashes > 0;
                        if is_suspect { &mut alone } else { &mut due }.push(*mail);
                    }
                }
            }
        }
        for stream in [Stream::Transactional, Stream::Bulk] {
            let of_stream = due.extract_if(.., |mail: &mut DueMail| mail.entry.stream == stream);
            for (place, end) in Box::pin(self.send(stream, of_stream.collect())).await {
                ends[place] = end;
            }
        }
        // After the others: if the worker dies again, they have been sent.
        for mail in alone {
            let place = mail.place;
            ends[place] = Box::pin(self.send_alone(mail)).await;
        }
        ends
    }

    /// Sends mails of a stream, or lets them come back while the brake holds the stream back: their contents need not
    /// be read then.
    pub(super) async fn send(&self, stream: Stream, due: Vec<DueMail>) -> Vec<(usize, HintEnd)> {
        match self.gate {
            Some(gate) if gate.brake.level() >= Brake::against(stream).level() => {
                self.hold_back(due, Throttled::Brake(gate.brake)).await
            }
            _ => self.send_in_chunks(stream, due).await,
        }
    }

    /// Lets mails come back that the gate refuses.
    pub(super) async fn hold_back(&self, due: Vec<DueMail>, refusal: Throttled) -> Vec<(usize, HintEnd)> {
        if !due.is_empty() {
            let waits_for = match refusal {
                Throttled::Rate { .. } => "rate",
                Throttled::Quota { .. } => "quota",
                Throttled::Brake(_) => "brake",
            };
            tracing::info!(waits_for, messages = due.len(), "the gate refused messages that wait");
        }
        self.all_come_again(due, cause_wait(refusal)).await
    }
}
