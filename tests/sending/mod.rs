//! Sending one email: what goes out, once, paced, and what happens when something fails.

pub(crate) mod content;
pub(crate) mod faults;
pub(crate) mod histories;
pub(crate) mod idempotency;
pub(crate) mod on_suppressed;
pub(crate) mod permit;
pub(crate) mod refusals;
mod unknown;
