//! The quota reporter: the report, the gate, the health of the account.

pub(crate) mod account_health;
pub(crate) mod reports;
mod webhooks;
