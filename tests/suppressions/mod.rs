//! The suppression list: its endpoints, and the daily pass over SES's own list.

pub(crate) mod api;
mod list_management;
pub(crate) mod reconciliation;
mod unsubscribe;
mod webhooks;
