//! The endpoints under `/emails`: send one or a batch, show one, list those to an address.

mod batch;
mod body;
mod create;
mod idempotency_key;
mod list;
mod receipt;
mod show;
mod submittable;

pub(crate) use batch::create_batch;
pub(crate) use create::create;
pub(crate) use list::list;
pub(crate) use show::show;
pub use show::{EmailId, email_json, find_email};
