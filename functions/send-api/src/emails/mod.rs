//! The noun `emails`.

mod body;
mod create;
mod idempotency;
mod recipient;
mod send;
mod show;

pub(crate) use create::create;
pub(crate) use show::show;
