//! The claim of the key.

use aws::Claimed;
use domain::idempotency::Claim;
use jiff::Timestamp;
use uuid::Uuid;

use super::Store;
use crate::condition::Condition;
use crate::write::{Growth, Reply, Write};

impl Store {
    pub(super) fn grow_claim(&mut self, growth: &Growth) -> bool {
        let is_met = self.claim.as_ref().is_some_and(|claim| {
            self.holds(Condition::RescheduleMessage, claim.message_id == growth.message_id)
                && self.holds(Condition::RescheduleExpires, claim.expires < growth.expires)
                && claim.kept_until <= growth.kept_until
        });
        if is_met {
            self.remember(growth.expires);
        }
        if let Some(claim) = self.claim.as_mut().filter(|_| is_met) {
            claim.kept_until = growth.kept_until;
        }
        is_met
    }

    fn remember(&mut self, expires: Timestamp) {
        if let Some(claim) = &mut self.claim {
            if claim.expires > expires {
                self.wrong = Some("a key is remembered less long than before");
            }
            claim.expires = expires;
        }
    }

    pub(super) fn apply_to_claim(&mut self, write: &Write, now: Timestamp) -> Reply {
        let has = |store: &Self, condition, nonce: Uuid| {
            let held = store.claim.as_ref();
            held.is_some_and(|held| store.holds(condition, held.nonce == nonce))
        };
        let expires = |store: &Self, condition, at: Timestamp| {
            let held = store.claim.as_ref();
            held.is_some_and(|held| store.holds(condition, held.expires == at))
        };
        match write {
            Write::Take(claim) => {
                if !self.holds(Condition::TakeNoClaim, self.claim.is_none()) {
                    return self.claimed_by(claim);
                }
                self.claim = Some(claim.clone());
                // The mail belongs to this use of the key.
                self.mail_mut(claim.message_id);
                Reply::Claimed(Claimed::Won)
            }
            Write::TakeOver { held, claim } => {
                if !has(self, Condition::TakeOverNonce, held.nonce)
                    || !expires(self, Condition::TakeOverExpires, held.expires)
                {
                    return self.claimed_by(claim);
                }
                self.remember(claim.expires);
                if let Some(there) = &mut self.claim {
                    (there.nonce, there.lease_until) = (claim.nonce, claim.lease_until);
                    (there.expires, there.kept_until) = (claim.expires, claim.kept_until);
                }
                Reply::Claimed(Claimed::Won)
            }
            Write::Replace { held, claim } => {
                if !has(self, Condition::ReplaceNonce, held.nonce)
                    || !expires(self, Condition::ReplaceExpires, held.expires)
                {
                    return self.claimed_by(claim);
                }
                if self.claim.as_ref().is_some_and(|there| there.expires > now) {
                    self.wrong = Some("a key is used anew that is still remembered");
                }
                self.claim = Some(claim.clone());
                self.begin_use(claim.message_id);
                Reply::Claimed(Claimed::Won)
            }
            Write::Remember { held, expires } => {
                let is_earlier = self.claim.as_ref().is_some_and(|claim| claim.expires < *expires);
                if has(self, Condition::RememberNonce, held.nonce) && self.holds(Condition::RememberExpires, is_earlier)
                {
                    self.remember(*expires);
                }
                Reply::Done
            }
            Write::Release { nonce, now } => {
                if has(self, Condition::ReleaseNonce, *nonce)
                    && let Some(claim) = &mut self.claim
                {
                    claim.lease_until = *now;
                }
                Reply::Done
            }
            Write::Free { nonce } => {
                if has(self, Condition::FreeNonce, *nonce) {
                    self.claim = None;
                }
                Reply::Done
            }
            _ => unreachable!("no write to a claim"),
        }
    }

    fn claimed_by(&self, claim: &Claim) -> Reply {
        Reply::Claimed(match &self.claim {
            None => Claimed::Gone,
            Some(held) if held.nonce == claim.nonce && held.message_id == claim.message_id => Claimed::Won,
            Some(held) => Claimed::Held(held.clone()),
        })
    }
}
