//! The client of SES, which never repeats a call by itself.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Builder;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;

use crate::connection::timeouts;
use domain::pacing::SEND_TIMEOUT;

/// Makes an SES client. The SDK's retries are off, because `SendEmail` has no idempotency token: a second attempt after
/// a lost answer would be a second mail.
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    let config = Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(None, SEND_TIMEOUT))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    Client::from_conf(config.build())
}
