//! A mail that may be sent now.

use domain::queue::{Hint, Leaving, OutboxEntry};
use uuid::Uuid;

/// A mail that is due, by its row and its entry.
#[derive(Clone, Debug)]
pub(super) struct DueMail {
    /// Its place among the mails of the batch.
    pub(super) place: usize,
    pub(super) hint: Hint,
    pub(super) random: Uuid,
    pub(super) entry: OutboxEntry,
    /// The state of its row that the next write leaves.
    pub(super) leaving: Leaving,
    /// How many recipients it has, whether they are suppressed or not.
    pub(super) addressed: i64,
}

impl DueMail {
    pub(super) fn id(&self) -> Uuid {
        self.entry.id
    }
}
