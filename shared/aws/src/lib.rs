//! The adapters to AWS: one concrete struct for each table or service.
//!
//! An adapter takes and returns the domain's types. Its errors say what the caller must do; they carry the operation
//! and AWS's error code for a log, and no text of AWS's, for that contains addresses.

mod api_keys;
mod batch;
mod brake_changes;
mod claims;
#[cfg(feature = "reporter")]
mod cloudwatch;
mod function_config;
mod http_client;
mod item;
mod marks;
mod messages;
#[cfg(feature = "reporter")]
mod notifications;
mod permits;
mod ses;
mod ses_suppression_list;
mod store_error;
mod suppressions;
mod usage;
mod warm_up;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;

pub use api_keys::{ApiKeys, ApiKeysPage};
pub use brake_changes::BrakeChanges;
pub use claims::{Claimed, Claims};
#[cfg(feature = "reporter")]
pub use cloudwatch::{CloudWatch, MetricsError};
pub use function_config::FunctionConfig;
pub use http_client::{TrustError, http_client, http_connector};
pub use marks::{MARK_KEPT_DAYS, Marks, MarksPage};
pub use messages::{Forgotten, Messages, NewMessage, Put, SentTo};
#[cfg(feature = "reporter")]
pub use notifications::{Notifications, NotifyError};
pub use permits::{PermitError, Permits};
pub use ses::{AccountError, IdentitiesError, Outgoing, SendError, Ses};
pub use ses_suppression_list::{ListError, ListedPage, Pace, SesSuppressionList};
pub use store_error::StoreError;
pub use suppressions::{EntriesPage, Evidence, NewestFrom, NewestPage, Suppressions, TAKEN_AT_ONCE, TakenFromSes};
pub use usage::{CountedDay, GateSet, GateState, KeptReconciliation, NOT_A_REPORT, Usage, VerifiedDomains, WordInGate};

use http_client::CONNECT_TIMEOUT;

use domain::pacing::SEND_TIMEOUT;

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
