//! The constants of every `okite up`, and the configuration of a client that reaches it.

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

/// The default data directory, relative to the current directory.
pub(crate) const DEFAULT_DATA_DIR: &str = ".okite";
/// The API key that every `okite up` accepts: full permission, transactional stream, any sender domain. It is not
/// secret, and no deployed stack accepts it.
pub const LOCAL_API_KEY: &str = "ok_local_this_key_works_with_okite_up_only";
/// The access key id of [`LOCAL_API_KEY`], for AWS's SDKs.
pub(crate) const LOCAL_ACCESS_KEY_ID: &str = "ok_local";
/// The secret access key of [`LOCAL_API_KEY`]. It is no more secret than the key.
pub(crate) const LOCAL_SECRET_ACCESS_KEY: &str = "fc60fd31e54f75bc2caeba291316f46663101d63";

/// Returns the configuration of a client that calls the local AWS at `endpoint`.
pub(crate) fn local_config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("okite", "local", None, None, "local AWS");
    SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new(local_aws::REGION))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws::http_client())
        .build()
}

#[cfg(test)]
mod tests {
    use domain::api_key::ApiKey;

    use super::*;

    #[test]
    fn the_local_key_has_these_aws_credentials() {
        let key = ApiKey::parse(LOCAL_API_KEY).unwrap();
        assert_eq!(key.access_key_id(), LOCAL_ACCESS_KEY_ID);
        assert_eq!(key.secret_access_key(), LOCAL_SECRET_ACCESS_KEY);
    }

    #[test]
    fn the_documented_aws_credentials_are_those_of_the_local_key() {
        let document = include_str!("../../docs/LOCAL.md");
        for credential in [LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY] {
            for line in [format!("={credential}\n"), format!(" = \"{credential}\"\n")] {
                assert!(document.contains(&line), "{line}");
            }
        }
    }
}
