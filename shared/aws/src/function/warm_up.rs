//! Connections that are opened before they are needed.
//!
//! During init a function has a whole core, and afterwards a fourteenth of one at 128 MB, so the TLS handshake belongs
//! in init. The request is a bare `GET /` over the connector that the clients use. It is not signed, needs no
//! permission, changes nothing and counts as no API call. Whatever the answer is, the connection is open and in the
//! pool.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::endpoint::Endpoint;

use super::endpoint_override;

/// How long init waits for a connection. Without one, the first request opens it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Resolves the endpoint of a service as its client does. The SDK has these types once for each service, with nothing
/// in common between them.
macro_rules! endpoint {
    ($service:ident, $sdk:ident, $variable:literal) => {{
        use $service::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
        let parameters = Params::builder()
            .set_region($sdk.region().map(ToString::to_string))
            .set_use_fips($sdk.use_fips())
            .set_use_dual_stack($sdk.use_dual_stack())
            .set_endpoint(endpoint_override($variable))
            .build()
            .ok()?;
        DefaultResolver::new().resolve_endpoint(&parameters).await.ok()
    }};
}

/// Returns the endpoint of DynamoDB, if the region has one.
pub(crate) async fn dynamodb(sdk: &SdkConfig) -> Option<Endpoint> {
    endpoint!(aws_sdk_dynamodb, sdk, "DYNAMODB")
}

/// Returns the endpoint of SES, if the region has one.
#[cfg(feature = "ses")]
pub(crate) async fn sesv2(sdk: &SdkConfig) -> Option<Endpoint> {
    endpoint!(aws_sdk_sesv2, sdk, "SESV2")
}

/// Opens a connection, if there is an endpoint.
pub(crate) async fn open(connector: &SharedHttpConnector, endpoint: Option<Endpoint>) {
    let Some(endpoint) = endpoint else { return };
    if let Ok(request) = HttpRequest::get(endpoint.url()) {
        let _ = tokio::time::timeout(PATIENCE, connector.call(request)).await;
    }
}
