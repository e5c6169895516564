//! Opening connections before they are needed.
//!
//! During init a function has a whole core to itself, after it a fourteenth of one at 128 MB: a TLS handshake belongs into
//! init. The pool of connections belongs to a client with its timeouts, so the handshake goes through the very clients
//! that are used later, by an operation that is turned into an unsigned `GET /` before it leaves: it needs no permission,
//! changes nothing and counts as no call of the API. Whatever comes back, the connection is open.

use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_types::body::SdkBody;

use super::item::s;

/// Init goes on without a connection after so long: the first request then opens it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Opens a connection to DynamoDB.
pub async fn dynamodb(client: &aws_sdk_dynamodb::Client) {
    let opening = client
        .get_item()
        .table_name("none")
        .key("none", s("none"))
        .customize()
        .interceptor(BareGet);
    let _ = tokio::time::timeout(PATIENCE, opening.send()).await;
}

/// Opens a connection to SES.
pub async fn ses(client: &aws_sdk_sesv2::Client) {
    let opening = client.get_account().customize().interceptor(BareGet);
    let _ = tokio::time::timeout(PATIENCE, opening.send()).await;
}

/// Turns a request that is signed and about to leave into an unsigned `GET /`.
#[derive(Debug)]
struct BareGet;

impl Intercept for BareGet {
    fn name(&self) -> &'static str {
        "BareGet"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let origin = request.uri().split('/').take(3).collect::<Vec<_>>().join("/");
        request.set_uri(format!("{origin}/"))?;
        request.set_method("GET")?;
        let names: Vec<String> = request.headers().iter().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            request.headers_mut().remove(name);
        }
        *request.body_mut() = SdkBody::empty();
        Ok(())
    }
}
