//! The client of DynamoDB, with its timeouts and retries.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;

use crate::connection::timeouts;

/// How long one attempt at an operation may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long all attempts at an operation may take together.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(6);

/// Makes a DynamoDB client. The SDK's retries stay on, because every write of the adapters is conditional or
/// idempotent.
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    let config = Builder::from(config)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(Duration::from_millis(50)),
        )
        .timeout_config(timeouts(Some(ATTEMPT_TIMEOUT), OPERATION_TIMEOUT))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    Client::from_conf(config.build())
}
