//! Hints: messages of SQS that ask a worker to look at one waiting mail.

use std::time::Duration;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use super::client::SqsClient;
use super::{DepthUnknown, batch, depth, needs_operator, seconds};
use crate::error_code::error_code;
use domain::queue::{Hint, QueueDepth};

/// The most hints of one [`Hints::send_all`].
pub const HINTS_AT_ONCE_MAX: usize = batch::MESSAGES_MAX;

/// SQS may not have taken a hint. The mail waits until the sweep finds it in the index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SendMessage failed: {code}")]
pub struct HintNotSent {
    /// SQS's error code, or the kind of failure if there was no answer with one.
    pub code: String,
}

impl HintNotSent {
    /// Returns whether no hint is taken until somebody mends the deployment: the queue is missing, or the role may not
    /// send to it.
    #[must_use]
    pub fn needs_operator(&self) -> bool {
        needs_operator(&self.code)
    }

    /// Returns the cause as the field `cause` of a log line, by which alarms of the template count lines.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        if self.needs_operator() { "deployment" } else { "no_hint" }
    }
}

/// A hint that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHint {
    /// The hint.
    pub hint: Hint,
    /// The API key of the mail.
    pub key_id: String,
    /// The time after which it is to be received.
    pub delay: Duration,
}

/// A queue of hints.
#[derive(Clone, Debug)]
pub struct Hints {
    client: SqsClient,
    queue_url: String,
}

impl Hints {
    /// Sends to the queue with this URL.
    #[must_use]
    pub fn new(client: impl Into<SqsClient>, queue_url: String) -> Self {
        Self {
            client: client.into(),
            queue_url,
        }
    }

    /// Returns whether the queue has this ARN. Its URL ends with its name too.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>
    #[must_use]
    pub fn has_arn(&self, arn: &str) -> bool {
        let name = self.queue_url.rsplit('/').next();
        name.is_some_and(|name| !name.is_empty()) && name == arn.rsplit(':').next()
    }

    /// Sends a hint about a mail of the API key `key_id`, to be received after `delay`, in whole seconds and at most
    /// [`HINT_DELAY_MAX`](domain::queue::HINT_DELAY_MAX). The hints of a key are a message group, so that SQS shares
    /// the queue out fairly among keys.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>
    ///
    /// # Errors
    /// [`HintNotSent`] if SQS may not have taken it.
    pub async fn send(&self, hint: &Hint, key_id: &str, delay: Duration) -> Result<(), HintNotSent> {
        let sent = self
            .client
            .get()
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(hint.to_body())
            .message_group_id(key_id)
            .delay_seconds(seconds(delay))
            .send()
            .await;
        sent.map(drop).map_err(|error| HintNotSent {
            code: error_code(&error),
        })
    }

    /// Sends at most [`HINTS_AT_ONCE_MAX`] hints in one call, as [`Self::send`] sends each. Returns the outcome of
    /// each, in their order: SQS may take some and not the others.
    pub async fn send_all(&self, hints: &[NewHint]) -> Vec<Result<(), HintNotSent>> {
        let entries = hints.iter().enumerate().map(|(index, hint)| entry(index, hint));
        let outcomes = batch::send(self.client.get(), &self.queue_url, entries.collect()).await;
        let outcome = |taken: Result<(), String>| taken.map_err(|code| HintNotSent { code });
        outcomes.into_iter().map(outcome).collect()
    }

    /// Asks how many hints are to be worked off: those that can be received, and those in flight. Delayed hints do not
    /// count. SQS's figures are approximate.
    ///
    /// # Errors
    /// [`DepthUnknown`] if there is no answer, or one without a figure. The queue must then count as full.
    pub async fn depth(&self) -> Result<QueueDepth, DepthUnknown> {
        depth::of(self.client.get(), &self.queue_url).await
    }
}

/// Makes the entry of a hint in a batch. Its id is its place.
fn entry(index: usize, hint: &NewHint) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(hint.hint.to_body())
        .message_group_id(&hint.key_id)
        .delay_seconds(seconds(hint.delay))
        .build()
}
