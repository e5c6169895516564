//! The ids of requests and mails.

use uuid::Uuid;

/// Makes an id.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge of the simulator, where its ids are made"
)]
pub(super) fn new_id() -> Uuid {
    Uuid::new_v4()
}
