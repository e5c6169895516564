//! The functions as Lambda runs them: sample events, processes, permissions.

pub(crate) mod events;
pub(crate) mod permissions;
pub(crate) mod processes;
