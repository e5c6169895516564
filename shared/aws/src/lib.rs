//! The adapters to AWS: one concrete struct for each table or service.
//!
//! An adapter takes and returns the domain's types. Its errors say what the caller must do; they carry the operation
//! and AWS's error code for a log, and no text of AWS's, for that contains addresses.

mod api_keys;
#[cfg(feature = "reporter")]
mod cloudwatch;
mod connection;
mod dynamodb;
mod messages;
mod ses;
#[cfg(feature = "reporter")]
mod sns;
mod suppressions;
mod usage;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;

pub use api_keys::{ApiKeys, ApiKeysPage};
#[cfg(feature = "reporter")]
pub use cloudwatch::{CloudWatch, MetricsError};
pub use connection::TrustError;
pub use connection::function_config::FunctionConfig;
pub use connection::http_client::{http_client, http_connector};
pub use dynamodb::store_error::StoreError;
pub use messages::{Claimed, Claims, Forgotten, Messages, NewMessage, Put, SentTo};
pub use ses::{
    AccountError, IdentitiesError, ListError, ListedPage, Outgoing, Pace, SendError, Ses, SesSuppressionList,
};
#[cfg(feature = "reporter")]
pub use sns::{Notifications, NotifyError};
pub use suppressions::{EntriesPage, Evidence, NewestFrom, NewestPage, Suppressions, TAKEN_AT_ONCE, TakenFromSes};
pub use usage::{
    BrakeChanges, CountedDay, GateSet, GateState, KeptReconciliation, MARK_KEPT_DAYS, Marks, MarksPage, NOT_A_REPORT,
    PermitError, Permits, Usage, VerifiedDomains, WordInGate,
};

use connection::http_client::CONNECT_TIMEOUT;
use domain::permit::SEND_TIMEOUT;

/// How long one attempt at a DynamoDB operation may take, and all of them.
const STORE_TIMEOUTS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(6));

/// How long one attempt at another operation may take, and all of them.
#[cfg(feature = "reporter")]
const REPORTER_TIMEOUTS: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(8));

/// The behaviour of the SDK that Okite is tested with.
#[must_use]
pub fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Makes a DynamoDB client. The SDK's retries stay on: every write of ours is conditional or idempotent.
#[must_use]
pub fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let (attempt, operation) = STORE_TIMEOUTS;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build();
    let config = aws_sdk_dynamodb::config::Builder::from(config)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(Duration::from_millis(50)),
        )
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// Makes an SES client. The SDK's retries are off: `SendEmail` has no idempotency token, and a second attempt after a
/// lost answer is a second mail.
#[must_use]
pub fn sesv2(config: &SdkConfig) -> aws_sdk_sesv2::Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_timeout(SEND_TIMEOUT)
        .build();
    let config = aws_sdk_sesv2::config::Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    aws_sdk_sesv2::Client::from_conf(config.build())
}

/// Makes a CloudWatch client. The SDK's retries stay on: it only reads.
#[cfg(feature = "reporter")]
#[must_use]
pub fn cloudwatch(config: &SdkConfig) -> aws_sdk_cloudwatch::Client {
    let config = aws_sdk_cloudwatch::config::Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(reporter_timeouts())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    aws_sdk_cloudwatch::Client::from_conf(config.build())
}

/// Makes an SNS client. The SDK's retries stay on: a message that reaches operators twice is better than none.
#[cfg(feature = "reporter")]
#[must_use]
pub fn sns(config: &SdkConfig) -> aws_sdk_sns::Client {
    let config = aws_sdk_sns::config::Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(reporter_timeouts())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    aws_sdk_sns::Client::from_conf(config.build())
}

#[cfg(feature = "reporter")]
fn reporter_timeouts() -> TimeoutConfig {
    let (attempt, operation) = REPORTER_TIMEOUTS;
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}
