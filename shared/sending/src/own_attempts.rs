//! The attempts that a request has made itself and that came to nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// The trace of an attempt that sent nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptLeft {
    /// A row that is confirmed as refused, with the number of the attempt.
    Refused(u32),
    /// Perhaps a row that says that the email is being sent.
    Unconfirmed,
}

/// The attempts of a request that sent nothing, by the id of the email.
#[derive(Debug, Default)]
pub(crate) struct OwnAttempts(Mutex<BTreeMap<Uuid, AttemptLeft>>);

impl OwnAttempts {
    /// Notes that an attempt sent nothing.
    pub(crate) fn ended(&self, id: Uuid, left: AttemptLeft) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.insert(id, left);
    }

    /// Returns the number of the last attempt at an email, if its row is confirmed as refused.
    pub(crate) fn refused(&self, id: Uuid) -> Option<u32> {
        match self.last(id) {
            Some(AttemptLeft::Refused(attempt)) => Some(attempt),
            Some(AttemptLeft::Unconfirmed) | None => None,
        }
    }

    /// Returns whether an email may be attempted again or accepted: no row of this request may say that it is being
    /// sent.
    pub(crate) fn allow_another(&self, id: Uuid) -> bool {
        self.last(id) != Some(AttemptLeft::Unconfirmed)
    }

    fn last(&self, id: Uuid) -> Option<AttemptLeft> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.get(&id).copied()
    }
}
