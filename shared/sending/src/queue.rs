//! The queue, as the pipeline uses it.

use std::time::Duration;

use aws::{HintNotSent, Hints, Outbox};
use domain::queue::{DeadlineDefaults, Hint};
use domain::stream::Stream;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Deadlines, Submission};

/// The queue: the table of the mails that wait, and the hints to look at one.
#[derive(Clone, Debug)]
pub struct MailQueue {
    /// The table of the mails that wait.
    pub outbox: Outbox,
    /// The hints about transactional mail. The sweep hands all other mail over.
    pub hints: Hints,
    /// How long a mail waits whose caller names no deadline.
    pub deadlines: DeadlineDefaults,
}

impl MailQueue {
    /// Returns the deadline of an email that waits, of a request that arrived at `arrived`.
    pub(crate) fn deadline(&self, submission: &Submission, stream: Stream, arrived: Timestamp) -> Timestamp {
        let due = submission.scheduled_at.unwrap_or(arrived).max(arrived);
        submission
            .deadline
            .unwrap_or_else(|| self.deadlines.deadline(stream, due))
    }

    /// Sends a hint: [`send_hint`].
    pub(crate) async fn hint(&self, hint: &Hint, key_id: &str, delay: Duration, deadlines: &Deadlines) {
        send_hint(&self.hints, hint, key_id, delay, deadlines).await;
    }
}

/// Sends a hint, if there is time. A mail whose hint is lost is found in the index.
pub(crate) async fn send_hint(hints: &Hints, hint: &Hint, key_id: &str, delay: Duration, deadlines: &Deadlines) {
    let sent = deadlines.before_answering(hints.send(hint, key_id, delay)).await;
    if let Ok(Err(error)) = sent {
        log_no_hint(hint.id, &error);
    }
}

/// Logs that SQS did not confirm a hint about a mail. A hint that is lost is nothing to act on, and a role or a queue
/// that lets none through is.
pub(crate) fn log_no_hint(id: Uuid, error: &HintNotSent) {
    const MESSAGE: &str = "a queued message has no hint yet";
    let (cause, code) = (error.cause(), &error.code);
    if error.needs_operator() {
        tracing::error!(message.id = %id, code, cause, "{MESSAGE}");
    } else {
        tracing::warn!(message.id = %id, code, cause, "{MESSAGE}");
    }
}
