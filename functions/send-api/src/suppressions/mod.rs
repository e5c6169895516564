//! The endpoints under `/suppressions`: show, list, add and lift suppressions.
//!
//! | module | concept |
//! |---|---|
//! | `body` | a suppression, as the answers show it |
//! | `find` | finds a suppression by id or address |
//! | `list` | pages of the list |
//! | `create`, `lift` | add or lift one suppression or a batch |

mod body;
mod create;
mod find;
mod lift;
mod list;

pub(crate) use create::{create, create_all};
pub(crate) use find::show;
pub(crate) use lift::{lift, lift_all};
pub(crate) use list::list;

/// The most addresses or ids in one request.
const BATCH_MAX: usize = 100;
