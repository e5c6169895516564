//! Version 2 of the SES API: JSON.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/>
//!
//! | module | concept |
//! |---|---|
//! | `route` | the operation of a method and a path |
//! | `send_email` | the body of `SendEmail` |
//! | `account`, `suppression`, `identities` | the requests and answers of the other operations |
//! | `json` | reads a body, and writes an answer |

mod account;
mod identities;
mod json;
mod route;
mod send_email;
mod suppression;

pub use account::account;
pub use identities::{IdentityPage, ListEmailIdentities, identities, identity};
pub use route::Operation;
pub use send_email::{send_email, sent};
pub use suppression::{
    ListSuppressed, ListedReason, PutSuppressed, SuppressedDestination, destination, suppressed, suppressed_list,
};

use uuid::Uuid;

use crate::answer::ApiAnswer;

/// Answers an operation that has nothing to say.
#[must_use]
pub fn empty(request_id: Uuid) -> ApiAnswer {
    json::answer(request_id, &serde_json::json!({}))
}
