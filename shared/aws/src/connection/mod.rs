//! The connections to AWS: one HTTP client for every service, its certificates and its timeouts.

mod http_client;

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_smithy_types::timeout::TimeoutConfig;

pub(crate) use http_client::function_connector;
pub use http_client::{TrustError, http_client, http_connector};

use http_client::CONNECT_TIMEOUT;

/// Returns the behaviour of the SDK that Okite is tested with.
#[must_use]
pub fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Makes the timeouts of a service's client. Without `attempt`, each attempt may take as long as the operation.
pub(crate) fn timeouts(attempt: Option<Duration>, operation: Duration) -> TimeoutConfig {
    let mut timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_timeout(operation);
    timeouts.set_operation_attempt_timeout(attempt);
    timeouts.build()
}
