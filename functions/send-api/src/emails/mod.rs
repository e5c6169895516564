//! The noun `emails`.

mod body;
mod create;

pub(crate) use create::create;
