//! The endpoints under `/emails`: send one or a batch, show or list them, call one back, give one another time.

mod batch;
mod body;
mod cancel;
mod create;
mod expired;
mod idempotency_key;
mod list;
mod recallable;
mod receipt;
mod reschedule;
mod show;
mod submittable;
mod waiting;

pub(crate) use batch::create_batch;
pub(crate) use cancel::cancel;
pub(crate) use create::create;
pub(crate) use list::list;
pub(crate) use reschedule::reschedule;
pub(crate) use show::show;
pub use show::{EmailId, email_json, find_email};
