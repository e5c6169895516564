//! The operations of the SES API: one function each, which answers a request or refuses it.

pub(super) mod account;
pub(super) mod configuration_sets;
pub(super) mod identities;
mod input;
pub(super) mod send;
pub(super) mod suppression;
