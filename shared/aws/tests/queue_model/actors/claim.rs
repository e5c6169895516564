//! How a request claims its key: the rules of `sending`'s `idempotency`, for one email.

use std::time::Duration;

use aws::Claimed;
use domain::idempotency::{Claim, LEASE, RECORDS_OUTLIVE, REMEMBERED};
use domain::queue::{WhenBusy, claim_expires};
use domain::record::{DeliveryState, MessageRecord};
use domain::time::plus;
use jiff::Timestamp;

use super::request::{Claiming, Outcome, Request};
use crate::write::{Reply, Write};

/// How often a key may change hands while it is being claimed.
const ROUNDS_MAX: u32 = 4;
/// How long the row of a message is kept.
const RETENTION: Duration = Duration::from_hours(30 * 24);

impl Request {
    fn new_claim(&self) -> Claim {
        let may_wait = self.order.when_busy == WhenBusy::Queue || self.scheduled_at.is_some();
        let remembered = plus(self.arrived, REMEMBERED);
        let expires = if may_wait {
            remembered.max(claim_expires(self.arrived, self.deadline))
        } else {
            remembered
        };
        Claim {
            id: String::new(),
            body_hash: String::new(),
            message_id: self.message,
            nonce: self.nonce,
            lease_until: plus(self.arrived, LEASE),
            emails: 1,
            expires,
            kept_until: plus(self.arrived, RETENTION).max(plus(expires, RECORDS_OUTLIVE)),
        }
    }

    pub(super) async fn claim(&self) -> Result<Claiming, Outcome> {
        if !self.order.has_key {
            self.world.state().store.begin_use(self.message);
            return Ok(Claiming {
                id: self.message,
                claim: None,
                record: None,
                is_answered: false,
                is_taken_over: false,
            });
        }
        let claim = self.new_claim();
        let mut may_have_taken = false;
        let claimed = self.take_claim(&claim, &mut may_have_taken).await;
        if let Err(outcome) = &claimed
            && outcome.frees_key()
        {
            let (nonce, now) = (self.nonce, self.world.now());
            let write = if may_have_taken {
                Write::Release { nonce, now }
            } else {
                Write::Free { nonce }
            };
            self.world.write(write).await;
        }
        claimed
    }

    async fn claim_write(&self, write: Write) -> Result<Claimed, Outcome> {
        match self.world.write(write).await {
            Some(Reply::Claimed(claimed)) => Ok(claimed),
            _ => Err(Outcome::NotSent),
        }
    }

    async fn take_claim(&self, claim: &Claim, may_have_taken: &mut bool) -> Result<Claiming, Outcome> {
        let won = |claim: &Claim, record| Claiming {
            id: claim.message_id,
            claim: Some(claim.clone()),
            record,
            is_answered: false,
            is_taken_over: false,
        };
        let now = self.arrived;
        for _ in 0..ROUNDS_MAX {
            let held = match self.claim_write(Write::Take(claim.clone())).await? {
                Claimed::Won => return Ok(won(claim, None)),
                Claimed::Held(held) => held,
                Claimed::Gone => continue,
            };
            let is_over = held.is_over(now);
            let record = self.world.read_row(held.message_id).await.ok_or(Outcome::NotSent)?;
            if is_over && record.as_ref().is_none_or(|record| record.is_settled(now)) {
                let claim = claim.clone();
                let replace = Write::Replace {
                    held,
                    claim: claim.clone(),
                };
                match self.claim_write(replace).await? {
                    Claimed::Won => return Ok(won(&claim, None)),
                    Claimed::Held(_) | Claimed::Gone => continue,
                }
            }
            let standing = Standing::of(record.as_ref(), &held, now);
            let has_ended = now >= held.lease_until || matches!(standing, Standing::Settled | Standing::GivenUp);
            if standing != Standing::Settled && !has_ended {
                return Err(Outcome::InFlight);
            }
            if matches!(standing, Standing::Settled | Standing::AtWork) || now >= held.kept_until {
                if is_over {
                    let expires = held.remembered_anew(now);
                    let remember = Write::Remember {
                        held: held.clone(),
                        expires,
                    };
                    self.world.write(remember).await.ok_or(Outcome::NotSent)?;
                }
                return Ok(Claiming {
                    is_answered: true,
                    ..won(&held, record)
                });
            }
            let counts = record
                .as_ref()
                .is_some_and(|record| record.state(now) != DeliveryState::Refused);
            let taken = held.taken_over(claim, counts);
            *may_have_taken = true;
            let write = Write::TakeOver {
                held,
                claim: taken.clone(),
            };
            if self.claim_write(write).await? == Claimed::Won {
                return Ok(Claiming {
                    is_taken_over: true,
                    ..won(&taken, record)
                });
            }
        }
        Err(Outcome::InFlight)
    }
}

/// Where the email of a key stands, for another request with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Settled,
    AtWork,
    GivenUp,
    Open,
}

impl Standing {
    fn of(record: Option<&MessageRecord>, held: &Claim, now: Timestamp) -> Self {
        let Some(record) = record else { return Self::Open };
        if record.queued.is_some() {
            return Self::Settled;
        }
        match record.state(now) {
            DeliveryState::Sending(_) => Self::AtWork,
            DeliveryState::Refused if record.nonce == Some(held.nonce) => Self::GivenUp,
            DeliveryState::Refused => Self::Open,
            _ => Self::Settled,
        }
    }
}
