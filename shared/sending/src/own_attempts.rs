//! The attempts that a request has made itself and that came to nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// The attempts of a request whose rows are written, by the id of the email.
#[derive(Debug, Default)]
pub(crate) struct OwnAttempts(Mutex<BTreeMap<Uuid, Option<u32>>>);

impl OwnAttempts {
    /// Notes that an attempt sent nothing: its number if its row is confirmed as refused, and `None` if the row may still
    /// say that it is being sent.
    pub(crate) fn ended(&self, id: Uuid, refused: Option<u32>) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.insert(id, refused);
    }

    /// Returns the number of the last attempt at an email, if its row is confirmed as refused.
    pub(crate) fn refused(&self, id: Uuid) -> Option<u32> {
        self.of(id).flatten()
    }

    /// Returns whether an email may be attempted again or accepted: no row of this request may say that it is being sent.
    pub(crate) fn allow_another(&self, id: Uuid) -> bool {
        self.of(id) != Some(None)
    }

    fn of(&self, id: Uuid) -> Option<Option<u32>> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.get(&id).copied()
    }
}
