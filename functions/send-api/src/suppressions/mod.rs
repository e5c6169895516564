//! The noun `suppressions`: seeing, adding and lifting them.
//!
//! | module | concept |
//! |---|---|
//! | `body` | a suppression as answers show it, and fields of requests |
//! | `find` | which one a path means |
//! | `list` | pages of the list |
//! | `create`, `lift` | one or many |

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
