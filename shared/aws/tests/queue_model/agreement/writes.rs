//! Random writes about one mail and one key.

use domain::idempotency::Claim;
use domain::queue::{ContentEncoding, ContentRef, Leaving, OutboxEntry};
use domain::record::{FailedReason, QueuedMail, SenderState, WaitsFor};
use domain::stream::Stream;
use jiff::Timestamp;
use uuid::Uuid;

use crate::choices::Choices;
use crate::store::{LARGE, Store};
use crate::support::at;
use crate::write::{Attempt, Growth, Write};

/// The id of the first mail; those of the others follow.
const FIRST_ID: u128 = 0x0190_0000_0000_7000_8000_0000_0000_0000;

/// A claim of one of two messages, by one of three requests.
pub(super) fn claim_of(key: &str, nonce: Uuid, message: u128) -> Claim {
    Claim {
        id: key.to_owned(),
        body_hash: String::new(),
        message_id: Uuid::from_u128(message),
        nonce,
        lease_until: at(35_000),
        emails: 1,
        expires: at(50_000),
        kept_until: at(90_000),
    }
}

/// Makes writes about one mail and one key, of few values, so that their conditions hold as often as they fail.
pub(super) struct Writes {
    choices: Choices,
    pub(super) id: Uuid,
    pub(super) key: String,
    /// Contents and tokens are never used twice for different values.
    last: u128,
    made: Vec<Write>,
}

impl Writes {
    pub(super) fn new(sequence: u64) -> Self {
        Self {
            choices: Choices::random(sequence),
            id: Uuid::from_u128(FIRST_ID + u128::from(sequence)),
            key: format!("claim#{sequence}"),
            last: 0,
            made: Vec::new(),
        }
    }

    fn nonce(&mut self) -> Uuid {
        Uuid::from_u128(u128::from(self.choices.below(3)) + 1)
    }

    fn time(&mut self) -> Timestamp {
        at(i64::from(self.choices.below(6)) * 10_000)
    }

    fn new_id(&mut self) -> Uuid {
        self.last += 1;
        Uuid::from_u128((self.id.as_u128() << 16) | self.last)
    }

    fn attempt(&mut self) -> Attempt {
        Attempt {
            id: self.id,
            attempt: self.choices.below(3) + 1,
            attempt_at: self.time(),
            nonce: self.nonce(),
            created_at: at(0),
        }
    }

    /// A content that the row or the entry may name.
    fn content(&mut self, store: &Store) -> ContentRef {
        let named = store.entry(self.id).map(|entry| entry.content);
        named.filter(|_| self.choices.below(4) < 3).unwrap_or_else(|| {
            let nonce = self.new_id();
            content_of(nonce, self.choices.pick(&[1, LARGE]))
        })
    }

    /// A state that the row may have.
    fn leaving(&mut self, store: &Store) -> Leaving {
        let row = store.row(self.id);
        let (seen, nonce) = row.map_or((1, None), |row| (row.attempt, row.nonce));
        let content_nonce = self.content(store).nonce;
        let attempt = if self.choices.one_in(5) {
            self.choices.below(4)
        } else {
            seen
        };
        let is_queued = row.is_some_and(|row| row.written == SenderState::Queued);
        if is_queued != self.choices.one_in(5) {
            return Leaving::Queued { attempt, content_nonce };
        }
        let other = self.nonce();
        Leaving::Released {
            attempt,
            content_nonce,
            nonce: nonce.filter(|_| self.choices.below(4) < 3).unwrap_or(other),
        }
    }

    fn held(&mut self, store: &Store) -> Claim {
        let held = store.claim.clone();
        let other = claim_of(&self.key.clone(), self.nonce(), 1);
        let held = held.filter(|_| self.choices.below(4) < 3).unwrap_or(other);
        Claim {
            expires: if self.choices.one_in(6) {
                self.time()
            } else {
                held.expires
            },
            ..held
        }
    }

    fn claim(&mut self) -> Claim {
        let (nonce, message) = (self.nonce(), self.choices.below(2));
        Claim {
            expires: self.time(),
            lease_until: self.time(),
            ..claim_of(&self.key, nonce, message.into())
        }
    }

    /// Makes the next write, or one that was made before once more.
    pub(super) fn next(&mut self, store: &Store) -> Write {
        loop {
            let write = if !self.made.is_empty() && self.choices.one_in(6) {
                let index = self.choices.below(u32::try_from(self.made.len()).unwrap());
                self.made[index as usize].clone()
            } else {
                self.new_write(store)
            };
            // Only a mail that was queued returns to the queue. No adapter checks that, and no worker does otherwise.
            let was_queued = store.row(self.id).is_none_or(|row| row.queued.is_some());
            if was_queued || !matches!(write, Write::Requeue { .. }) {
                self.made.push(write.clone());
                return write;
            }
        }
    }

    fn new_write(&mut self, store: &Store) -> Write {
        let (id, now) = (self.id, self.time());
        let own = store.row(id).and_then(|row| row.nonce);
        let other = self.nonce();
        let nonce = own.filter(|_| self.choices.below(4) < 3).unwrap_or(other);
        let reason = self.choices.pick(&[FailedReason::Rejected, FailedReason::Expired]);
        // Most mails are queued first.
        let is_first = self.made.is_empty() && self.choices.below(4) < 3;
        match if is_first { 0 } else { self.choices.below(30) } {
            0..=2 => self.accept(),
            3..=6 => Write::Put {
                attempt: self.attempt(),
                is_suppressed: self.choices.one_in(5),
            },
            7 => Write::Refused(self.attempt()),
            8 => Write::RefusedWithoutRow(self.attempt()),
            9 => Write::Accepted {
                id,
                ses_id: nonce.to_string(),
                now,
            },
            10..=13 => Write::BeginAttempt {
                id,
                leaving: self.leaving(store),
                nonce: self.nonce(),
                now,
                lease_until: self.time(),
            },
            14 => Write::Suppress {
                id,
                leaving: self.leaving(store),
                now,
            },
            15 | 16 => Write::Requeue {
                id,
                nonce,
                waits_for: WaitsFor::Rate,
            },
            17 => Write::Expire {
                id,
                leaving: self.leaving(store),
                now,
            },
            18 => Write::ExpireQueued { id, now },
            19 => Write::Fail {
                id,
                leaving: self.leaving(store),
                reason,
                now,
            },
            20 => Write::FailAttempt { id, nonce, reason, now },
            21 => Write::GiveUp { id, nonce },
            22 => Write::Cancel {
                id,
                content: self.content(store),
                now,
                token: self.new_id(),
            },
            23 | 24 => self.reschedule(store, now),
            25 => self.switch(store, now),
            26 => self.of_entry(store, now),
            _ => self.of_claim(store, now),
        }
    }

    fn accept(&mut self) -> Write {
        let (mut attempt, content) = (self.attempt(), self.new_id());
        if self.made.is_empty() {
            attempt.attempt = 1;
        }
        let early = self.time();
        let deadline = self.choices.pick(&[at(40_000), at(50_000), early]);
        let queued = QueuedMail {
            queued_at: at(0),
            content_nonce: content,
            scheduled_at: self.choices.one_in(3).then(|| at(20_000)),
            deadline,
            waits_for: None,
            rescheduled_at: None,
            ended_at: None,
            claim_id: Some(self.key.clone()),
        };
        let entry = OutboxEntry {
            id: self.id,
            stream: Stream::Transactional,
            key_id: String::from("k"),
            content: content_of(content, self.choices.pick(&[1, 1, LARGE])),
            deadline,
            wake_at: self.time(),
            crashes: 0,
            expires_at: at(0),
        };
        Write::Accept { attempt, queued, entry }
    }

    fn reschedule(&mut self, store: &Store, now: Timestamp) -> Write {
        let seen = store.row(self.id).map_or(1, |row| row.attempt);
        let growth = Growth {
            message_id: Uuid::from_u128(self.choices.below(2).into()),
            expires: self.time(),
            kept_until: self.choices.pick(&[at(90_000), at(80_000)]),
        };
        Write::Reschedule {
            id: self.id,
            attempt: if self.choices.one_in(4) { 1 } else { seen },
            now,
            scheduled_at: self.time(),
            deadline: self.choices.pick(&[at(40_000), at(50_000)]),
            wake_at: self.time(),
            claim: self.choices.one_in(3).then_some(growth),
            token: self.new_id(),
        }
    }

    fn switch(&mut self, store: &Store, now: Timestamp) -> Write {
        Write::SwitchContent {
            id: self.id,
            from: self.content(store).nonce,
            to: content_of(self.new_id(), 1),
            wake_at: now,
        }
    }

    fn of_entry(&mut self, store: &Store, now: Timestamp) -> Write {
        let id = self.id;
        if self.choices.one_in(4) {
            return Write::DeleteEntry { id };
        }
        let seen = store.entry(id).map(|entry| entry.wake_at);
        Write::WakeAgain {
            id,
            seen: seen.filter(|_| !self.choices.one_in(3)).unwrap_or(now),
            wake_at: self.time(),
        }
    }

    fn of_claim(&mut self, store: &Store, now: Timestamp) -> Write {
        match self.choices.below(7) {
            0 | 1 => Write::Take(self.claim()),
            2 => Write::TakeOver {
                held: self.held(store),
                claim: self.claim(),
            },
            3 => Write::Replace {
                held: self.held(store),
                claim: self.claim(),
            },
            4 => Write::Remember {
                held: self.held(store),
                expires: self.time(),
            },
            5 => Write::Release {
                nonce: self.held(store).nonce,
                now,
            },
            _ => Write::Free {
                nonce: self.held(store).nonce,
            },
        }
    }
}

fn content_of(nonce: Uuid, size: u64) -> ContentRef {
    ContentRef {
        nonce,
        parts: 1,
        size,
        encoding: ContentEncoding::DeflatedJson,
    }
}
