//! Hints: messages of SQS that ask a worker to look at one waiting mail.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_smithy_types::retry::RetryConfig;

use crate::connection::{CallTimeouts, client_config};
use crate::error_code::error_code;
use domain::queue::{HINT_DELAY_MAX, Hint};

/// A caller waits for its answer meanwhile, and the index hands the mail over without the hint.
const TIMEOUTS: CallTimeouts = CallTimeouts {
    attempt: None,
    operation: Duration::from_millis(300),
};

/// Makes an SQS client that tries a call once, for at most 300 ms.
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    Client::new(&client_config(config, RetryConfig::disabled(), TIMEOUTS))
}

/// SQS may not have taken a hint. The mail waits until the sweep finds it in the index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SendMessage failed: {code}")]
pub struct HintNotSent {
    /// SQS's error code, or the kind of failure if there was no answer with one.
    pub code: String,
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

    /// Sends a hint about a mail of the API key `key_id`, to be received after `delay`, in whole seconds and at most
    /// [`HINT_DELAY_MAX`]. The hints of a key are a message group, so that SQS shares the queue out fairly among keys.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>
    ///
    /// # Errors
    /// [`HintNotSent`] if SQS may not have taken it.
    pub async fn send(&self, hint: &Hint, key_id: &str, delay: Duration) -> Result<(), HintNotSent> {
        let seconds = delay.min(HINT_DELAY_MAX).as_secs();
        let sent = self
            .client
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(hint.to_body())
            .message_group_id(key_id)
            .delay_seconds(i32::try_from(seconds).unwrap_or(i32::MAX))
            .send()
            .await;
        sent.map(drop).map_err(|error| HintNotSent {
            code: error_code(&error),
        })
    }
}
