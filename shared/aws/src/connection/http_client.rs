//! The HTTP clients: that of a function, and that of the command line.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};

use super::connector::Connector;
use super::trust::{Trust, TrustError};

/// How long a connection may take to open.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// An idle connection is not reused after this time. SES may have closed it while the function was frozen, and a
/// request that is written to it looks exactly like one whose answer was lost.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// Makes the HTTP connector of a function, which trusts Amazon's roots alone. It serves every client, with one pool.
///
/// # Errors
/// [`TrustError`] if `AWS_CA_BUNDLE` is set and its file cannot be used.
pub(crate) fn function_connector() -> Result<SharedHttpConnector, TrustError> {
    let connector = Connector::new(Trust::of_function()?, CONNECT_TIMEOUT, IDLE_CONNECTION);
    Ok(SharedHttpConnector::new(connector))
}

/// Makes the HTTP client of the command line, which trusts the roots of the computer. Providers of credentials, such as
/// those of containers, set a limit on an answer.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    let connector = of_command_line();
    http_client_fn(move |settings, _| {
        let limit = settings.connect_timeout().unwrap_or(CONNECT_TIMEOUT);
        SharedHttpConnector::new(connector.with_limits(limit, settings.read_timeout()))
    })
}

/// Makes the HTTP connector of the command line, for requests that are not to AWS's APIs.
#[must_use]
pub fn http_connector() -> SharedHttpConnector {
    SharedHttpConnector::new(of_command_line())
}

fn of_command_line() -> Connector {
    Connector::new(Trust::System, CONNECT_TIMEOUT, IDLE_CONNECTION)
}
