//! The noun `emails`.

mod body;
mod create;
mod idempotency;

pub(crate) use create::create;
