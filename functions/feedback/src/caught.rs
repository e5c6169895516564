//! Panics, caught for one event alone.
//!
//! A panic that is not caught ends the whole invocation. One event would take all others of its batch along, again and
//! again, until they are all in the dead-letter queue.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use crate::FeedbackError;

/// Does the work of one event. A panic becomes the failure of this event. The work is on the heap: its calls of the SDK
/// have some kilobytes, and every future around it would be copied with them.
pub(crate) fn caught<T>(
    work: impl Future<Output = Result<T, FeedbackError>>,
) -> impl Future<Output = Result<T, FeedbackError>> {
    let mut work = Box::pin(work);
    poll_fn(move |context| {
        // The work shares clients and counts with other events. A panic leaves both whole, and the work itself is not
        // polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.unwrap_or(Poll::Ready(Err(FeedbackError::Panicked)))
    })
}
