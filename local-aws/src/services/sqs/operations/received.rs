//! What a receiver does with a message that it has received: `DeleteMessage` and `ChangeMessageVisibility`, and their
//! batches.

use std::time::Duration;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Sqs;
use super::super::error::SqsError;
use super::super::message::Receipt;
use super::super::messages::VisibilityError;
use super::batch::{self, Outcomes};
use super::{Answer, read};

/// The longest visibility timeout, in seconds.
const VISIBILITY_MAX: i64 = 12 * 60 * 60;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Received {
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Visibility {
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

impl Sqs {
    pub(super) fn delete_message(&self, body: &Bytes) -> Answer {
        let queue = self.named_queue(body)?;
        self.delete_received(&queue.arn, body)
    }

    pub(super) fn delete_message_batch(&self, body: &Bytes, undone: usize) -> Answer {
        let queue = self.named_queue(body)?;
        each(body, undone, |entry| self.delete_received(&queue.arn, entry))
    }

    pub(super) fn change_message_visibility(&self, body: &Bytes) -> Answer {
        let queue = self.named_queue(body)?;
        self.change_visibility(&queue.arn, body)
    }

    pub(super) fn change_message_visibility_batch(&self, body: &Bytes, undone: usize) -> Answer {
        let queue = self.named_queue(body)?;
        each(body, undone, |entry| self.change_visibility(&queue.arn, entry))
    }

    fn delete_received(&self, queue_arn: &str, entry: &Bytes) -> Answer {
        let Received { receipt_handle } = read(entry)?;
        self.delete(queue_arn, receipt(&receipt_handle)?)?;
        Ok(json!({}))
    }

    fn change_visibility(&self, queue_arn: &str, entry: &Bytes) -> Answer {
        let Visibility {
            receipt_handle,
            visibility_timeout,
        } = read(entry)?;
        let receipt = receipt(&receipt_handle)?;
        let timeout = visibility(visibility_timeout.ok_or_else(|| SqsError::missing("VisibilityTimeout"))?)?;
        let now = self.clock.now();
        let changed = self.messages().change_visibility(queue_arn, receipt, timeout, now);
        changed.map_err(|error| match error {
            VisibilityError::Gone => SqsError::invalid(format!(
                "Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not \
                 available for visibility timeout change."
            )),
            VisibilityError::NotInFlight => SqsError::new(
                "MessageNotInflight",
                "The specified message isn't in flight.",
            ),
            VisibilityError::NotKept(error) => error.into(),
        })?;
        self.changed.notify_waiters();
        Ok(json!({}))
    }
}

/// Does the same with each entry of a batch.
fn each(body: &Bytes, undone: usize, carry_out: impl Fn(&Bytes) -> Result<Value, SqsError>) -> Answer {
    let mut outcomes = Outcomes::default();
    for (id, entry) in batch::entries(body, undone)? {
        outcomes.add(&id, entry.and_then(|entry| carry_out(&entry)));
    }
    Ok(outcomes.answer())
}

fn receipt(handle: &str) -> Result<Receipt, SqsError> {
    let invalid = |()| SqsError::new("ReceiptHandleIsInvalid", "The input receipt handle is invalid.");
    handle.parse().map_err(invalid)
}

/// Reads a visibility timeout.
pub(super) fn visibility(seconds: i64) -> Result<Duration, SqsError> {
    if (0..=VISIBILITY_MAX).contains(&seconds) {
        return Ok(Duration::from_secs(seconds.unsigned_abs()));
    }
    Err(SqsError::outside("VisibilityTimeout", seconds, (0, VISIBILITY_MAX)))
}
