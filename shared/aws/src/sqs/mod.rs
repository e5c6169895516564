//! SQS: the queues of hints and of deliveries to webhooks.
//!
//! | module | holds |
//! |---|---|
//! | `client` | the client, which a function makes with its first call |
//! | `hints` | the queues of hints about mails that wait |
//! | `deliveries` | the queue of deliveries to webhooks |
//! | `batch` | messages that are sent in one call, and the outcome of each |
//! | `depth` | how many messages a queue holds |

mod batch;
mod client;
mod deliveries;
mod depth;
mod hints;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_smithy_types::retry::RetryConfig;

use crate::connection::{CallTimeouts, client_config};
use domain::queue::HINT_DELAY_MAX;

pub use client::SqsClient;
pub use deliveries::{DeliveryNotQueued, DeliveryQueue, QueuedDelivery};
pub use depth::DepthUnknown;
pub use hints::{HINTS_AT_ONCE_MAX, HintNotSent, Hints, NewHint};

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
    Client::new(&settings(config))
}

/// Returns the configuration of a client that tries a call once.
pub(crate) fn settings(config: &SdkConfig) -> SdkConfig {
    client_config(config, RetryConfig::disabled(), TIMEOUTS)
}

/// Makes an SQS client with the patience of the queue's worker. A hint that is sent twice does no harm.
#[must_use]
pub fn client_for_worker(config: &SdkConfig) -> Client {
    Client::new(&settings_for_worker(config))
}

/// Returns the configuration of the worker's client.
pub(crate) fn settings_for_worker(config: &SdkConfig) -> SdkConfig {
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(50));
    client_config(config, retries, TIMEOUTS_OF_WORKER)
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
