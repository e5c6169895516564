//! The operator's AWS configuration: the standard chain of credentials, and the configured region.
//!
//! Both are looked up before the first call, so that a command ends with the one thing that is missing, and not with
//! the error of whatever it happened to call first.

use std::error::Error;
use std::iter;
use std::sync::{Mutex, PoisonError};

use aws_config::imds::client::error::ImdsError;
use aws_config::profile;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::os_shim_internal::{Env, Fs};

use crate::aws_error;

/// Why a command has no AWS configuration to work with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    #[error("no AWS region is configured. Set AWS_REGION, or name the region with --region")]
    NoRegion,
    #[error("no AWS credentials were found. Run `aws configure` or `aws sso login`, or set AWS_PROFILE")]
    NoCredentials,
    #[error(
        "there is no AWS profile {0}, which AWS_PROFILE names. Correct it: `aws configure list-profiles` prints the \
         profiles"
    )]
    NoProfile(String),
    #[error("your sign-in at AWS has expired, or has not begun. Run `aws sso login{}`", option(.0.as_deref()))]
    SignedOut(Option<String>),
    #[error("the AWS credentials could not be loaded: {0}. `aws sts get-caller-identity` shows whether they work")]
    Credentials(String),
}

/// Returns the option of `aws` that names a profile.
fn option(profile: Option<&str>) -> String {
    profile
        .map(|profile| format!(" --profile {profile}"))
        .unwrap_or_default()
}

/// Loads the region and the credentials.
///
/// # Errors
/// [`OperatorError`] if one of them is missing.
pub(crate) async fn configuration(region: Option<&str>) -> Result<SdkConfig, OperatorError> {
    let mut loader = aws_config::defaults(aws::behavior_version()).http_client(aws::http_client());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let profile = std::env::var("AWS_PROFILE").ok().filter(|profile| !profile.is_empty());
    let config = loader.load().await;
    let found = match config.credentials_provider() {
        Some(chain) => chain.provide_credentials().await.map(|first| (first, chain)),
        None => Err(CredentialsError::not_loaded_no_source()),
    };
    let region_is_known = config.region().is_some();
    match found {
        Ok((first, chain)) if region_is_known => {
            let provider = Loaded {
                first: Mutex::new(Some(first)),
                chain,
            };
            let provider = SharedCredentialsProvider::new(provider);
            Ok(config.into_builder().credentials_provider(provider).build())
        }
        Ok(_) => Err(OperatorError::NoRegion),
        Err(error) => Err(match (trouble(&error, profile.clone()), profile) {
            (OperatorError::NoCredentials, Some(profile)) if !is_defined(&profile).await => {
                OperatorError::NoProfile(profile)
            }
            (trouble, _) => trouble,
        }),
    }
}

/// Judges why no credentials were loaded.
fn trouble(error: &CredentialsError, profile: Option<String>) -> OperatorError {
    let links = || iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
    let is_signed_out = |link: &(dyn Error + 'static)| {
        let text = link.to_string();
        ["SSO token", "/sso/cache/", "UnauthorizedException"]
            .iter()
            .any(|sign| text.contains(sign))
    };
    // Where nothing is configured, the last place that the chain looks at is the metadata service of EC2.
    let is_of_ec2 = |link: &(dyn Error + 'static)| link.is::<ImdsError>();
    if links().any(is_signed_out) {
        OperatorError::SignedOut(profile)
    } else if matches!(error, CredentialsError::CredentialsNotLoaded(_)) || links().any(is_of_ec2) {
        OperatorError::NoCredentials
    } else {
        OperatorError::Credentials(aws_error::message(error))
    }
}

/// Returns whether the files of the AWS configuration have a profile. Files that cannot be read are no answer.
#[expect(
    clippy::default_trait_access,
    reason = "the type is in a crate that is not used otherwise"
)]
async fn is_defined(profile: &str) -> bool {
    let profiles = profile::load(&Fs::real(), &Env::real(), &Default::default(), None).await;
    profiles.is_ok_and(|profiles| profiles.get_profile(profile).is_some())
}

/// Credentials that are loaded already, and the chain for when they expire. Each look at the chain may run a process or
/// call AWS.
#[derive(Debug)]
struct Loaded {
    first: Mutex<Option<Credentials>>,
    chain: SharedCredentialsProvider,
}

impl ProvideCredentials for Loaded {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        match first {
            Some(first) => future::ProvideCredentials::ready(Ok(first)),
            None => self.chain.provide_credentials(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judges_what_is_missing_by_the_errors_of_the_chain() {
        let shown =
            |error: CredentialsError, profile: Option<&str>| trouble(&error, profile.map(str::to_owned)).to_string();
        let expired = || CredentialsError::provider_error("the SSO token has expired and cannot be refreshed");
        assert!(shown(expired(), None).ends_with("Run `aws sso login`"));
        assert!(shown(expired(), Some("work")).ends_with("Run `aws sso login --profile work`"));
        let none = shown(CredentialsError::not_loaded("no providers"), None);
        assert!(
            none.starts_with("no AWS credentials were found. Run `aws configure`"),
            "{none}"
        );
        let other = shown(CredentialsError::provider_error("the process printed no JSON"), None);
        assert!(other.contains("the process printed no JSON"), "{other}");
    }

    #[tokio::test]
    async fn credentials_that_are_loaded_are_used_once_and_then_the_chain() {
        let credentials = |id: &str| Credentials::new(id, "secret", None, None, "test");
        let loaded = Loaded {
            first: Mutex::new(Some(credentials("first"))),
            chain: SharedCredentialsProvider::new(credentials("chain")),
        };
        for expected in ["first", "chain", "chain"] {
            let found = loaded.provide_credentials().await.unwrap();
            assert_eq!(found.access_key_id(), expected);
        }
    }
}
