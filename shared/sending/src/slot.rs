//! The time at which the gate lets an email go.

use tokio::time::Instant;

/// When an email may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// When SES is called first.
    pub(crate) at: Instant,
    /// When SES is called again at the latest, while it throttles.
    pub(crate) retry_until: Instant,
}

impl Slot {
    /// The slot of an email that calls nobody.
    pub(crate) fn now() -> Self {
        let at = Instant::now();
        Self { at, retry_until: at }
    }
}
