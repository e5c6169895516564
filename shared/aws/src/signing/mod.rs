//! The signatures of a function's calls (`SigV4`), by the rules of the crate `sigv4`.
//!
//! The SDK's own signer derives the key of the day anew for each call, signs every header and copies the request
//! several times: a quarter of the instructions of a mail. This one takes its place in the clients of functions. It
//! signs what the services need that Okite calls, and refuses anything else.
//!
//! | module | concept |
//! |---|---|
//! | `cannot_sign` | the reasons why a request cannot be signed |
//! | `credentials` | the credentials of the function's role, read once |
//! | `day_key` | the key that signs the calls of one day |
//! | `request` | what is signed of a request |
//! | `server_clock` | how far the clock of AWS is ahead of this machine's |
//! | `signer` | the part of the SDK that signs |
//! | `trim` | the parts of the SDK that are switched off, and the measurement of the clock |

mod cannot_sign;
mod credentials;
mod day_key;
mod request;
mod server_clock;
mod signer;
mod trim;

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_runtime::auth::sigv4::SCHEME_ID;
use aws_smithy_runtime_api::client::auth::{AuthScheme, AuthSchemeId, Sign};
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_runtime_api::client::runtime_components::GetIdentityResolver;

use credentials::RoleCredentials;
use server_clock::ServerClock;
use signer::Signer;
use trim::Trim;

/// Makes a client that signs its calls itself. The SDK has these types once for each service, with nothing in common
/// between them. What follows the settings is set as well.
macro_rules! signed_client {
    ($service:ident, $sdk:expr $(, $setting:ident = $value:expr)?) => {{
        let sdk: &aws_config::SdkConfig = $sdk;
        let (scheme, interceptor) = $crate::signing::parts(sdk);
        let mut config = $service::config::Builder::from(sdk).push_auth_scheme(scheme);
        config.push_interceptor(interceptor);
        $(let config = config.$setting($value);)?
        $service::Client::from_conf(config.build())
    }};
}
pub(crate) use signed_client;

/// Makes what a client needs to sign its calls: the scheme in the place of the SDK's, and the interceptor that measures
/// the clock of the service for it.
pub(crate) fn parts(sdk: &SdkConfig) -> (SigningScheme, SharedInterceptor) {
    let clock = Arc::new(ServerClock::default());
    let credentials = sdk.credentials_provider();
    let scheme = SigningScheme {
        credentials: credentials.map(|provider| SharedIdentityResolver::new(RoleCredentials::new(provider))),
        signer: Signer::new(Arc::clone(&clock)),
    };
    (scheme, SharedInterceptor::permanent(Trim::new(clock)))
}

/// The scheme `sigv4`, as the SDK asks for it.
#[derive(Debug)]
pub(crate) struct SigningScheme {
    credentials: Option<SharedIdentityResolver>,
    signer: Signer,
}

impl AuthScheme for SigningScheme {
    fn scheme_id(&self) -> AuthSchemeId {
        SCHEME_ID
    }

    fn identity_resolver(&self, _: &dyn GetIdentityResolver) -> Option<SharedIdentityResolver> {
        self.credentials.clone()
    }

    fn signer(&self) -> &dyn Sign {
        &self.signer
    }
}

#[cfg(test)]
mod tests;
