//! The model and the adapters agree: the same writes are carried out by both, and what each says must be equal.

mod writes;

use aws::{
    Accepted, Cancel, ClaimGrowth, ContentSwitch, Moved, NewAttempt, NewMessage, NewQueued, Put, Reschedule,
    Rescheduled,
};
use domain::message::Mail;
use domain::record::{MessageRecord, RecordedMail};
use domain::stream::Stream;

use self::writes::{Writes, claim_of};
use crate::seeds;
use crate::store::Store;
use crate::support::{self, at, mail, parts};
use crate::write::{Attempt, Reply, Write};

/// How many sequences of writes a normal test carries out, and how long each is.
const SEQUENCES: u64 = 200;
const WRITES: u32 = 10;

/// The tables of the local engine.
struct Engine {
    store: support::Store,
    mail: Mail,
}

impl Engine {
    fn message(&self, attempt: Attempt) -> NewMessage<'_> {
        NewMessage {
            id: attempt.id,
            attempt: attempt.attempt,
            attempt_at: attempt.attempt_at,
            nonce: attempt.nonce,
            mail: &self.mail,
            outcomes: &[],
            will_be_sent: true,
            stream: Stream::Transactional,
            key_id: "",
            created_at: attempt.created_at,
            expires_at: at(0),
        }
    }

    /// Carries out a write by its adapter.
    #[expect(clippy::too_many_lines, reason = "one arm a write, and nothing to share")]
    async fn apply(&self, write: &Write, key: &str) -> Reply {
        let (messages, outbox, claims) = (self.store.messages(), self.store.outbox(), self.store.claims());
        let done = Reply::Done;
        match write {
            Write::Put { attempt, is_suppressed } => {
                let message = NewMessage {
                    will_be_sent: !is_suppressed,
                    ..self.message(*attempt)
                };
                put(messages.put(&message).await.unwrap())
            }
            Write::Accept { attempt, queued, entry } => {
                let mail = NewQueued {
                    message: self.message(*attempt),
                    queued,
                    entry,
                };
                match messages.accept(&outbox, &mail).await.unwrap() {
                    Accepted::Queued => done,
                    Accepted::Overtaken(found) => Reply::Otherwise(found.map(plain)),
                }
            }
            Write::Refused(attempt) => {
                messages.refused(&self.message(*attempt)).await.unwrap();
                done
            }
            Write::RefusedWithoutRow(attempt) => {
                put(messages.refused_without_row(&self.message(*attempt)).await.unwrap())
            }
            // A mail without a row is an error there, which says no more.
            Write::Accepted { id, ses_id, now } => match messages.accepted(*id, ses_id, *now).await {
                Ok(()) => done,
                Err(_) => Reply::Otherwise(None),
            },
            Write::BeginAttempt {
                id,
                leaving,
                nonce,
                now,
                lease_until,
            } => {
                let attempt = NewAttempt {
                    id: *id,
                    leaving: *leaving,
                    nonce: *nonce,
                    now: *now,
                    lease_until: *lease_until,
                    outcomes: &[],
                };
                moved(messages.begin_attempt(&attempt).await.unwrap())
            }
            Write::Suppress { id, leaving, now } => moved(messages.suppress(*id, *leaving, &[], *now).await.unwrap()),
            Write::Requeue { id, nonce, waits_for } => moved(messages.requeue(*id, *nonce, *waits_for).await.unwrap()),
            Write::Expire { id, leaving, now } => moved(messages.expire(*id, *leaving, *now).await.unwrap()),
            Write::ExpireQueued { id, now } => moved(messages.expire_queued(*id, *now).await.unwrap()),
            Write::Fail {
                id,
                leaving,
                reason,
                now,
            } => moved(messages.fail(*id, *leaving, *reason, *now).await.unwrap()),
            Write::FailAttempt { id, nonce, reason, now } => {
                moved(messages.fail_attempt(*id, *nonce, *reason, *now).await.unwrap())
            }
            Write::GiveUp { id, nonce } => moved(messages.give_up(*id, *nonce).await.unwrap()),
            Write::Cancel {
                id,
                content,
                now,
                token,
            } => {
                let cancel = Cancel {
                    id: *id,
                    content: *content,
                    now: *now,
                    token: *token,
                };
                moved(messages.cancel(&outbox, &cancel).await.unwrap())
            }
            Write::Reschedule {
                id,
                attempt,
                now,
                scheduled_at,
                deadline,
                wake_at,
                claim,
                token,
            } => {
                let reschedule = Reschedule {
                    id: *id,
                    attempt: *attempt,
                    now: *now,
                    scheduled_at: *scheduled_at,
                    deadline: *deadline,
                    wake_at: *wake_at,
                    claim: claim.map(|growth| ClaimGrowth {
                        id: key.to_owned(),
                        message_id: growth.message_id,
                        expires: growth.expires,
                        kept_until: growth.kept_until,
                    }),
                    token: *token,
                };
                match messages.reschedule(&outbox, &reschedule).await.unwrap() {
                    Rescheduled::Done => done,
                    Rescheduled::Otherwise(found) => Reply::Otherwise(found.map(plain)),
                    Rescheduled::ClaimChanged => Reply::ClaimChanged,
                }
            }
            Write::SwitchContent { id, from, to, wake_at } => {
                let switch = ContentSwitch {
                    id: *id,
                    from: *from,
                    to: *to,
                    wake_at: *wake_at,
                };
                moved(messages.switch_content(&outbox, &switch).await.unwrap())
            }
            // A content is an item of its own, and its writes have no condition.
            Write::PutContent { .. } | Write::DeleteContent { .. } => done,
            Write::DeleteEntry { id } => {
                outbox.delete_entry(*id).await.unwrap();
                done
            }
            Write::WakeAgain { id, seen, wake_at } => {
                let is_woken = outbox.wake_again(*id, *seen, *wake_at).await.unwrap();
                if is_woken { done } else { Reply::Overtaken }
            }
            Write::Take(claim) => Reply::Claimed(claims.take(claim).await.unwrap()),
            Write::TakeOver { held, claim } => Reply::Claimed(claims.take_over(held, claim).await.unwrap()),
            Write::Replace { held, claim } => Reply::Claimed(claims.replace(held, claim).await.unwrap()),
            Write::Remember { held, expires } => {
                claims.remember(held, *expires).await.unwrap();
                done
            }
            Write::Release { nonce, now } => {
                let claim = claim_of(key, *nonce, 0);
                claims.release(&claim, *now).await.unwrap();
                done
            }
            Write::Free { nonce } => {
                claims.free(key, *nonce).await.unwrap();
                done
            }
        }
    }
}

fn put(put: Put) -> Reply {
    match put {
        Put::Written => Reply::Done,
        Put::Overtaken => Reply::Overtaken,
    }
}

fn moved(moved: Moved) -> Reply {
    match moved {
        Moved::Done => Reply::Done,
        Moved::Otherwise(found) => Reply::Otherwise(found.map(plain)),
    }
}

/// A record without what the model has not.
fn plain(record: Box<MessageRecord>) -> Box<MessageRecord> {
    Box::new(MessageRecord {
        mail: RecordedMail::default(),
        ..*record
    })
}

#[tokio::test]
async fn the_model_says_what_the_adapters_say() {
    let engine = Engine {
        store: support::Store::start().await,
        mail: mail(parts()),
    };
    for sequence in seeds("QUEUE_AGREEMENTS", SEQUENCES) {
        let mut model = Store::new(None);
        let mut writes = Writes::new(sequence);
        let (id, key) = (writes.id, writes.key.clone());
        let mut done = Vec::new();
        for _ in 0..WRITES {
            let write = writes.next(&model);
            let (of_model, of_adapter) = (model.apply(&write, at(0)), engine.apply(&write, &key).await);
            assert_eq!(of_model, of_adapter, "{sequence}: {write:?} after {done:#?}");
            done.push(write);
        }
        let row = engine.store.messages().get(id).await.unwrap();
        assert_eq!(
            model.row(id).cloned(),
            row.map(|row| *plain(Box::new(row))),
            "{sequence}: {done:#?}"
        );
        let entry = engine.store.outbox().entry(id).await.unwrap();
        assert_eq!(model.entry(id).cloned(), entry, "{sequence}: {done:#?}");
        let claim = engine.store.claims().get(&key).await.unwrap();
        assert_eq!(model.claim, claim, "{sequence}: {done:#?}");
    }
}
