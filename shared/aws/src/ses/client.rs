//! The client of SES, which never repeats a call by itself.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_smithy_types::retry::RetryConfig;

use crate::connection::{CallTimeouts, client_config};
use domain::pacing::SEND_TIMEOUT;

const TIMEOUTS: CallTimeouts = CallTimeouts {
    attempt: None,
    operation: SEND_TIMEOUT,
};

/// Makes an SES client. The SDK's retries are off, because `SendEmail` has no idempotency token: a second attempt after
/// a lost answer would be a second mail.
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    Client::new(&settings(config))
}

/// Returns the configuration of the client.
pub(crate) fn settings(config: &SdkConfig) -> SdkConfig {
    client_config(config, RetryConfig::disabled(), TIMEOUTS)
}
