//! Local AWS: `/_local/` and the clock.

pub(crate) mod api;
pub(crate) mod clock;
mod outbox;
mod transactions;
