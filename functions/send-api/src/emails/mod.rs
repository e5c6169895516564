//! The noun `emails`.

mod body;
mod create;
mod idempotency;
mod send;

pub(crate) use create::create;
