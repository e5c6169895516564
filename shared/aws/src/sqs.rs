//! Hints: messages of SQS that ask a worker to look at one waiting mail.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use aws_smithy_types::retry::RetryConfig;

use crate::connection::{CallTimeouts, client_config};
use crate::error_code::error_code;
use domain::queue::{HINT_DELAY_MAX, Hint, QueueDepth};

/// The most hints of one [`Hints::send_all`].
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
pub const HINTS_AT_ONCE_MAX: usize = 10;

/// A caller waits for its answer meanwhile, and the index hands the mail over without the hint.
const TIMEOUTS: CallTimeouts = CallTimeouts {
    attempt: None,
    operation: Duration::from_millis(300),
};

/// Nobody waits for the worker, and what it does not get through has to wait for the next sweep.
const TIMEOUTS_OF_WORKER: CallTimeouts = CallTimeouts {
    attempt: Some(Duration::from_secs(2)),
    operation: Duration::from_secs(5),
};

/// Makes an SQS client that tries a call once, for at most 300 ms.
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    Client::new(&client_config(config, RetryConfig::disabled(), TIMEOUTS))
}

/// Makes an SQS client with the patience of the queue's worker. A hint that is sent twice does no harm.
#[must_use]
pub fn client_for_worker(config: &SdkConfig) -> Client {
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(50));
    Client::new(&client_config(config, retries, TIMEOUTS_OF_WORKER))
}

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

/// SQS did not tell how many hints a queue holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GetQueueAttributes failed: {code}")]
pub struct DepthUnknown {
    /// SQS's error code, or the kind of failure if there was no answer with one.
    pub code: String,
}

impl DepthUnknown {
    /// Returns the cause as the field `cause` of a log line, by which alarms of the template count lines.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        if needs_operator(&self.code) {
            "deployment"
        } else {
            "no_depth"
        }
    }
}

/// Returns whether a call fails with this code until somebody mends the deployment.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>
fn needs_operator(code: &str) -> bool {
    matches!(
        code.rsplit('.').next().unwrap_or_default(),
        "AccessDenied"
            | "AccessDeniedException"
            | "ExpiredTokenException"
            | "IncompleteSignature"
            | "InvalidClientTokenId"
            | "NonExistentQueue"
            | "NotAuthorized"
            | "QueueDoesNotExist"
            | "UnrecognizedClientException"
    )
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
    client: Client,
    queue_url: String,
}

impl Hints {
    /// Sends to the queue with this URL.
    #[must_use]
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }

    /// Returns whether the queue has this ARN. Its URL ends with its name too.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>
    #[must_use]
    pub fn has_arn(&self, arn: &str) -> bool {
        let name = self.queue_url.rsplit('/').next();
        name.is_some_and(|name| !name.is_empty()) && name == arn.rsplit(':').next()
    }

    /// Sends a hint about a mail of the API key `key_id`, to be received after `delay`, in whole seconds and at most
    /// [`HINT_DELAY_MAX`]. The hints of a key are a message group, so that SQS shares the queue out fairly among keys.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>
    ///
    /// # Errors
    /// [`HintNotSent`] if SQS may not have taken it.
    pub async fn send(&self, hint: &Hint, key_id: &str, delay: Duration) -> Result<(), HintNotSent> {
        let sent = self
            .client
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
        let not_sent = |code: &str| Err(HintNotSent { code: code.to_owned() });
        let entries: Result<Vec<_>, _> = hints
            .iter()
            .enumerate()
            .map(|(index, hint)| entry(index, hint))
            .collect();
        let Ok(entries) = entries else {
            return vec![not_sent("NotSent"); hints.len()];
        };
        let call = self.client.send_message_batch().queue_url(&self.queue_url);
        match call.set_entries(Some(entries)).send().await {
            Ok(answer) => {
                // SQS may not have taken a hint that its answer does not name.
                let mut outcomes = vec![not_sent("NotAnswered"); hints.len()];
                let failed = answer
                    .failed
                    .iter()
                    .map(|failed| (failed.id(), not_sent(failed.code())));
                let taken = answer.successful.iter().map(|taken| (taken.id(), Ok(())));
                for (id, outcome) in taken.chain(failed) {
                    if let Some(place) = id.parse().ok().and_then(|index: usize| outcomes.get_mut(index)) {
                        *place = outcome;
                    }
                }
                outcomes
            }
            Err(error) => vec![not_sent(&error_code(&error)); hints.len()],
        }
    }

    /// Asks how many hints are to be worked off: those that can be received, and those in flight. Delayed hints do not
    /// count. SQS's figures are approximate.
    ///
    /// # Errors
    /// [`DepthUnknown`] if there is no answer, or one without a figure. The queue must then count as full.
    pub async fn depth(&self) -> Result<QueueDepth, DepthUnknown> {
        const VISIBLE: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessages;
        const IN_FLIGHT: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let asked = self
            .client
            .get_queue_attributes()
            .queue_url(&self.queue_url)
            .attribute_names(VISIBLE)
            .attribute_names(IN_FLIGHT)
            .send()
            .await;
        let attributes = asked
            .map_err(|error| DepthUnknown {
                code: error_code(&error),
            })?
            .attributes
            .unwrap_or_default();
        let count = |name| attributes.get(&name)?.parse().ok();
        match (count(VISIBLE), count(IN_FLIGHT)) {
            (Some(visible), Some(in_flight)) => Ok(QueueDepth { visible, in_flight }),
            _ => Err(DepthUnknown {
                code: "UnreadableAnswer".to_owned(),
            }),
        }
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

/// Returns a delay as SQS takes it.
fn seconds(delay: Duration) -> i32 {
    i32::try_from(delay.min(HINT_DELAY_MAX).as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use aws_config::Region;
    use aws_smithy_types::timeout::TimeoutConfig;

    use super::*;

    #[test]
    fn a_caller_waits_for_a_hint_less_than_the_worker_does() {
        let config = SdkConfig::builder()
            .behavior_version(crate::behavior_version())
            .region(Region::new("us-east-1"))
            .build();
        let limits = |client: Client| {
            let config = client.config();
            let operation = config.timeout_config().and_then(TimeoutConfig::operation_timeout);
            (operation, config.retry_config().map(RetryConfig::max_attempts))
        };
        assert_eq!(limits(client(&config)), (Some(Duration::from_millis(300)), Some(1)));
        assert_eq!(
            limits(client_for_worker(&config)),
            (Some(Duration::from_secs(5)), Some(3))
        );
    }
}
