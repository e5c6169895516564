//! The SES API: applications that speak to Amazon SES by an AWS SDK, unchanged.

mod account;
mod authentication;
pub(crate) mod client;
mod limits;
mod outcomes;
mod permissions;
mod raw;
mod repeats;
mod suppression_list;
mod unsubscribe;
