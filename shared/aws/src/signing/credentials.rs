//! The credentials of the function's role, read once.

use std::sync::OnceLock;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::identity::{Identity, IdentityCacheLocation, IdentityFuture, ResolveIdentity};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// The credentials of a provider. Those that do not expire are asked for once: Lambda never changes the environment of
/// a process.
#[derive(Debug)]
pub(super) struct RoleCredentials {
    provider: SharedCredentialsProvider,
    kept: OnceLock<Identity>,
}

impl RoleCredentials {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            kept: OnceLock::new(),
        }
    }
}

impl ResolveIdentity for RoleCredentials {
    fn resolve_identity<'a>(&'a self, _: &'a RuntimeComponents, _: &'a ConfigBag) -> IdentityFuture<'a> {
        if let Some(identity) = self.kept.get() {
            return IdentityFuture::ready(Ok(identity.clone()));
        }
        IdentityFuture::new(async {
            let credentials = self.provider.provide_credentials().await?;
            let expires = credentials.expiry().is_some();
            let identity = identity(credentials)?;
            if !expires {
                // Another call may have been first, with the same credentials.
                let _ = self.kept.set(identity.clone());
            }
            Ok(identity)
        })
    }

    fn cache_location(&self) -> IdentityCacheLocation {
        IdentityCacheLocation::IdentityResolver
    }
}

/// Leaves out where the credentials come from, which only the SDK's user agent names.
fn identity(credentials: Credentials) -> Result<Identity, aws_smithy_runtime_api::box_error::BoxError> {
    let mut builder = Identity::builder();
    // DynamoDB has endpoints of its own for each account.
    if let Some(account) = credentials.account_id() {
        builder = builder.property(account.clone());
    }
    builder.set_expiration(credentials.expiry());
    Ok(builder.data(credentials).build()?)
}
