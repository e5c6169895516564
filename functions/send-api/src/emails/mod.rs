//! The noun `emails`.

mod batch;
mod body;
mod create;
mod idempotency;
mod list;
mod show;

pub(crate) use batch::create_batch;
pub(crate) use create::create;
pub(crate) use list::list;
pub(crate) use show::show;
