//! What every table of DynamoDB has in common: items, batches and errors.

pub(crate) mod batch;
pub(crate) mod item;
pub(crate) mod store_error;
