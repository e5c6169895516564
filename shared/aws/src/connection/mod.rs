//! The connections to AWS: one HTTP client for every service, its certificates and its timeouts.
//!
//! | module | concept |
//! |---|---|
//! | `http_client` | the clients of a function and of the command line |
//! | `connector` | answers the SDK's requests, each of which is written once |
//! | `pool` | the idle connections |
//! | `dial` | opens a connection |
//! | `exchange` | a connection, and a request and its answer over it |
//! | `stream` | the bytes of a connection |
//! | `trust` | the certificate authorities |
//! | `failure` | the reasons why a request has no answer |

mod connector;
mod dial;
mod exchange;
mod failure;
mod http_client;
mod pool;
mod stream;
#[cfg(test)]
mod tests;
mod trust;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

#[cfg(feature = "ses")]
pub(crate) use failure::NeverSent;
pub(crate) use http_client::function_connector;
pub use http_client::{http_client, http_connector};
pub use trust::TrustError;

use http_client::CONNECT_TIMEOUT;

/// Returns the behaviour of the SDK that Okite is tested with.
#[must_use]
pub fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// How long the calls of a client may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallTimeouts {
    /// One attempt at a call; `None` for as long as the call.
    pub(crate) attempt: Option<Duration>,
    /// All attempts at a call together.
    pub(crate) operation: Duration,
}

/// Returns the configuration of a service's client, with its retries and timeouts.
pub(crate) fn client_config(config: &SdkConfig, retries: RetryConfig, timeouts: CallTimeouts) -> SdkConfig {
    let mut limits = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_timeout(timeouts.operation);
    limits.set_operation_attempt_timeout(timeouts.attempt);
    let config = config.to_builder().retry_config(retries).timeout_config(limits.build());
    config
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}
