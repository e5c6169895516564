//! The client of DynamoDB, with its timeouts and retries.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_smithy_types::retry::RetryConfig;

use crate::connection::{CallTimeouts, client_config};

const TIMEOUTS: CallTimeouts = CallTimeouts {
    attempt: Some(Duration::from_secs(2)),
    operation: Duration::from_secs(6),
};

/// Makes a DynamoDB client. The SDK's retries stay on, because every write of the adapters is conditional or
/// idempotent.
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(50));
    Client::new(&client_config(config, retries, TIMEOUTS))
}
