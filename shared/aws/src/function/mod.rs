//! The clients of a function, configured from its environment.

mod warm_up;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::connection::{TrustError, behavior_version, function_connector};
use crate::dynamodb::KeptEndpoint;
use crate::signing::signed_client;
#[cfg(feature = "sqs")]
use crate::sqs::SqsClient;

/// The configuration of a function's clients, which share one connector and its pool of connections. They sign their
/// calls themselves.
#[derive(Clone, Debug)]
pub struct FunctionConfig {
    sdk: SdkConfig,
    connector: SharedHttpConnector,
}

impl FunctionConfig {
    /// Reads the endpoint overrides and the credentials of the role from the environment of a Lambda function.
    ///
    /// Profiles, files and the metadata service are left out, because a Lambda function has none. This makes the
    /// package a tenth smaller.
    ///
    /// # Errors
    /// [`TrustError`] if the certificates for TLS cannot be used.
    pub fn from_env(region: &str) -> Result<Self, TrustError> {
        let connector = function_connector()?;
        let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
        let http_client = http_client_fn({
            let connector = connector.clone();
            move |_, _| connector.clone()
        });
        let sdk = SdkConfig::builder()
            .behavior_version(behavior_version())
            .region(Region::new(region.to_owned()))
            .credentials_provider(credentials)
            .http_client(http_client)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .service_config(ServiceEnvironment)
            .use_fips(is_true("AWS_USE_FIPS_ENDPOINT"))
            .use_dual_stack(is_true("AWS_USE_DUALSTACK_ENDPOINT"))
            .build();
        Ok(Self { sdk, connector })
    }

    /// Makes a DynamoDB client.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        dynamodb(&crate::dynamodb::settings(&self.sdk))
    }

    /// Makes a DynamoDB client with less patience, for events that come again if they fail.
    #[must_use]
    pub fn dynamodb_for_events(&self) -> aws_sdk_dynamodb::Client {
        dynamodb(&crate::dynamodb::settings_for_events(&self.sdk))
    }

    /// Makes an SES client.
    #[cfg(feature = "ses")]
    #[must_use]
    pub fn sesv2(&self) -> aws_sdk_sesv2::Client {
        signed_client!(aws_sdk_sesv2, &crate::ses::settings(&self.sdk))
    }

    /// Makes a CloudWatch client. Its connection opens with the first call.
    #[cfg(feature = "cloudwatch")]
    #[must_use]
    pub fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        signed_client!(aws_sdk_cloudwatch, &crate::cloudwatch::settings(&self.sdk))
    }

    /// Makes an SNS client. Its connection opens with the first call.
    #[cfg(feature = "sns")]
    #[must_use]
    pub fn sns(&self) -> aws_sdk_sns::Client {
        signed_client!(aws_sdk_sns, &crate::sns::settings(&self.sdk))
    }

    /// Returns an SQS client that is made with its first call, and opens its connection then.
    #[cfg(feature = "sqs")]
    #[must_use]
    pub fn sqs(&self) -> SqsClient {
        let sdk = self.sdk.clone();
        SqsClient::later(move || signed_client!(aws_sdk_sqs, &crate::sqs::settings(&sdk)))
    }

    /// Returns an SQS client with the patience of the queue's worker. It is made with its first call, and opens its
    /// connection then.
    #[cfg(feature = "sqs")]
    #[must_use]
    pub fn sqs_for_worker(&self) -> SqsClient {
        let sdk = self.sdk.clone();
        SqsClient::later(move || signed_client!(aws_sdk_sqs, &crate::sqs::settings_for_worker(&sdk)))
    }

    /// Opens a connection to DynamoDB.
    pub async fn open_dynamodb(&self) {
        warm_up::open(&self.connector, warm_up::dynamodb(&self.sdk).await).await;
    }

    /// Opens a connection to SES.
    #[cfg(feature = "ses")]
    pub async fn open_sesv2(&self) {
        warm_up::open(&self.connector, warm_up::sesv2(&self.sdk).await).await;
    }
}

/// Makes a DynamoDB client that signs its calls itself, and resolves its endpoint once.
fn dynamodb(settings: &SdkConfig) -> aws_sdk_dynamodb::Client {
    signed_client!(aws_sdk_dynamodb, settings, endpoint_resolver = KeptEndpoint::default())
}

/// Returns whether a variable of the environment is `true`, as the SDKs of AWS read it.
fn is_true(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Returns the endpoint that the environment names for a service, in tests and behind proxies:
/// `AWS_ENDPOINT_URL_DYNAMODB`, or `AWS_ENDPOINT_URL` for all services.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
pub(crate) fn endpoint_override(service: &str) -> Option<String> {
    let named = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
    named(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| named("AWS_ENDPOINT_URL"))
}

/// The settings of single services in the environment that the SDK asks for: only the endpoint.
#[derive(Debug)]
struct ServiceEnvironment;

impl LoadServiceConfig for ServiceEnvironment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        match key.env() {
            "AWS_ENDPOINT_URL" => endpoint_override(&key.service_id().to_ascii_uppercase()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the clients that the macro is given: the signer of Okite must be the last scheme of each.
    macro_rules! check {
        ($($client:expr),*) => {
            $(
                let schemes: Vec<_> = $client.config().auth_schemes().collect();
                assert!(format!("{:?}", schemes.last()).contains("SigningScheme"), "{}", stringify!($client));
            )*
        };
    }

    #[test]
    fn every_client_signs_its_calls_itself() {
        let config = FunctionConfig::from_env("eu-west-1").unwrap();
        check!(config.dynamodb(), config.dynamodb_for_events());
        #[cfg(feature = "ses")]
        check!(config.sesv2());
        #[cfg(feature = "cloudwatch")]
        check!(config.cloudwatch());
        #[cfg(feature = "sns")]
        check!(config.sns());
        #[cfg(feature = "sqs")]
        check!(config.sqs().get(), config.sqs_for_worker().get());
    }
}
