//! The part of the SDK that signs.

use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_runtime::auth::{
    PayloadSigningOverride, SigV4OperationSigningConfig, SigV4SessionTokenNameOverride, SigningOptions,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::{AuthSchemeEndpointConfig, Sign};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_types::SigningName;
use aws_types::region::SigningRegion;

use super::cannot_sign::CannotSign;
use super::day_key::{DayKey, SignedAt};
use super::request;
use super::server_clock::ServerClock;

/// Signs the calls of one client, with the key of the day.
#[derive(Debug)]
pub(super) struct Signer {
    clock: Arc<ServerClock>,
    /// The key that was used last. A client calls one service in one region, so one is enough.
    key: Mutex<Option<Arc<DayKey>>>,
}

impl Signer {
    pub(super) fn new(clock: Arc<ServerClock>) -> Self {
        Self {
            clock,
            key: Mutex::new(None),
        }
    }

    fn key(&self, at: SignedAt, credentials: &Credentials, region: &str, service: &str) -> Arc<DayKey> {
        let mut kept = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref() {
            Some(key) if key.is_for(at, credentials, region, service) => Arc::clone(key),
            _ => Arc::clone(kept.insert(Arc::new(DayKey::derive(at, credentials, region, service)))),
        }
    }
}

impl Sign for Signer {
    fn sign_http_request(
        &self,
        request: &mut HttpRequest,
        identity: &Identity,
        endpoint: AuthSchemeEndpointConfig<'_>,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        let credentials = identity.data::<Credentials>().ok_or(CannotSign::NoCredentials)?;
        check_options(&endpoint, config)?;
        // The endpoint's own scope first: that of a multi-region or a local endpoint is not the client's.
        let of_endpoint = |name: &str| endpoint.get(name).and_then(|value| value.as_string());
        let region = of_endpoint("signingRegion").or_else(|| config.load::<SigningRegion>().map(AsRef::as_ref));
        let region = region.ok_or(CannotSign::NoScope("region"))?;
        let service = of_endpoint("signingName").or_else(|| config.load::<SigningName>().map(AsRef::as_ref));
        let service = service.ok_or(CannotSign::NoScope("service"))?;

        let local = components.time_source().unwrap_or_default().now();
        let at = SignedAt::new(self.clock.time(local)).ok_or(CannotSign::Time)?;
        let key = self.key(at, credentials, region, service);
        Ok(request::sign(request, &key, key.time(at), credentials.session_token())?)
    }
}

/// Refuses what the services that Okite calls never ask for.
fn check_options(endpoint: &AuthSchemeEndpointConfig<'_>, config: &ConfigBag) -> Result<(), CannotSign> {
    let operation = config.load::<SigV4OperationSigningConfig>();
    let is_usual = operation.is_some_and(|operation| operation.signing_options == SigningOptions::default());
    let is_other = ["disableDoubleEncoding", "disableNormalizePath"]
        .iter()
        .any(|name| endpoint.get(name).is_some())
        || config.load::<PayloadSigningOverride>().is_some()
        || config.load::<SigV4SessionTokenNameOverride>().is_some();
    if is_usual && !is_other {
        Ok(())
    } else {
        Err(CannotSign::Options)
    }
}
