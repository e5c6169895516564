//! The common parts of all tables of DynamoDB: the client, items, batches and errors.

pub(crate) mod batch;
mod client;
pub(crate) mod condition;
mod endpoint;
pub(crate) mod item;
pub(crate) mod store_error;
pub(crate) mod transaction;

pub use client::client;
pub(crate) use client::{settings, settings_for_events};
pub(crate) use endpoint::KeptEndpoint;
pub use store_error::StoreError;
