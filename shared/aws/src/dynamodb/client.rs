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

/// The timeouts of a client for events, which come again by themselves. While DynamoDB is slow, each event that waits
/// holds an execution of Lambda, which the send API may lack.
const TIMEOUTS_FOR_EVENTS: CallTimeouts = CallTimeouts {
    attempt: Some(Duration::from_secs(1)),
    operation: Duration::from_secs(2),
};

/// Makes a DynamoDB client. The SDK's retries stay on, because every write of the adapters is conditional or
/// idempotent.
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    Client::new(&settings(config))
}

/// Returns the configuration of the client.
pub(crate) fn settings(config: &SdkConfig) -> SdkConfig {
    with(config, 3, TIMEOUTS)
}

/// Returns the configuration of a client with less patience, for events that come again if they fail.
pub(crate) fn settings_for_events(config: &SdkConfig) -> SdkConfig {
    with(config, 2, TIMEOUTS_FOR_EVENTS)
}

fn with(config: &SdkConfig, attempts: u32, timeouts: CallTimeouts) -> SdkConfig {
    let retries = RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(Duration::from_millis(50));
    client_config(config, retries, timeouts)
}

#[cfg(test)]
mod tests {
    use aws_config::Region;
    use aws_smithy_types::timeout::TimeoutConfig;

    use super::*;

    #[test]
    fn an_event_waits_a_third_as_long_for_the_store_as_a_request_does() {
        let config = SdkConfig::builder()
            .behavior_version(crate::behavior_version())
            .region(Region::new("us-east-1"))
            .build();
        let operation = |settings: SdkConfig| settings.timeout_config().and_then(TimeoutConfig::operation_timeout);
        assert_eq!(operation(settings(&config)), Some(Duration::from_secs(6)));
        assert_eq!(operation(settings_for_events(&config)), Some(Duration::from_secs(2)));
    }
}
