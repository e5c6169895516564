//! AWS's own message of an error. An operator may read it in full: the names of their tables and queues are not secret.

use std::error::Error;
use std::iter;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sesv2::error::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};

const NO_CREDENTIALS: &str =
    "no AWS credentials were found. Run `aws configure` or `aws sso login`, or set AWS_PROFILE";
/// The codes by which AWS refuses credentials that were good earlier.
const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "RequestExpired"];
/// The codes by which AWS refuses credentials that it does not know.
const UNKNOWN: [&str; 4] = [
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "InvalidSignatureException",
];

/// Joins the messages of an error and its sources, without the SDK's wrappers around AWS's message.
pub(crate) fn message(error: &(dyn Error + 'static)) -> String {
    let links = iter::successors(Some(error), |&error| error.source());
    if links.clone().any(is_no_credentials) {
        return NO_CREDENTIALS.to_owned();
    }
    let mut joined = String::new();
    for text in links.filter_map(text_of) {
        // A link often begins with the code that the link before it ends with.
        let text = match text.split_once(": ") {
            Some((code, message)) if joined.ends_with(code) => message,
            _ if joined.ends_with(&text) => continue,
            _ => &text,
        };
        if !joined.is_empty() {
            joined.push_str(": ");
        }
        joined.push_str(text);
    }
    joined
}

/// Describes why a call failed: whether the credentials do not permit it, and AWS's own message.
pub(crate) fn failed<E, R>(operation: &str, error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .unwrap_or_default();
    let reason = message(error);
    if code.starts_with("AccessDenied") || code.starts_with("AuthorizationError") {
        return format!("these AWS credentials may not call {operation}: {reason}");
    }
    format!("{operation} failed: {reason}")
}

/// Returns whether the credential chain found no credentials. Its own message lists every provider.
fn is_no_credentials(error: &(dyn Error + 'static)) -> bool {
    matches!(
        error.downcast_ref::<CredentialsError>(),
        Some(CredentialsError::CredentialsNotLoaded(_))
    )
}

/// Returns the message of one error of a chain, or `None` if it only wraps its source.
fn text_of(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(metadata) = error.downcast_ref::<ErrorMetadata>() {
        let text = metadata.message().or(metadata.code())?;
        let is_one_of = |codes: &[&str]| metadata.code().is_some_and(|code| codes.contains(&code));
        if is_one_of(&EXPIRED) {
            let text = text.trim_end_matches('.');
            return Some(format!(
                "{text}. Renew your AWS credentials, such as with `aws sso login`"
            ));
        }
        if is_one_of(&UNKNOWN) {
            let text = text.trim_end_matches('.');
            return Some(format!(
                "{text}. AWS does not accept these credentials: check AWS_PROFILE, AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY"
            ));
        }
        return Some(text.to_owned());
    }
    let text = error.to_string();
    let wrapper = text == "service error" || text.starts_with("unhandled error") || text == "dispatch failure";
    (!wrapper || error.source().is_none()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error that prints `text` and has a source.
    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Box<dyn Error>,
    }

    fn link(text: &'static str, source: impl Into<Box<dyn Error>>) -> Link {
        Link {
            text,
            source: source.into(),
        }
    }

    #[test]
    fn shows_awss_message_once_and_not_the_wrappers_of_the_sdk() {
        let metadata = ErrorMetadata::builder()
            .code("AccessDenied")
            .message("Not allowed.")
            .build();
        let service = link("service error", link("unhandled error (AccessDenied)", metadata));
        let store = link("DynamoDB Scan failed: AccessDenied", service);
        assert_eq!(message(&store), "DynamoDB Scan failed: AccessDenied: Not allowed.");
        let modelled = link(
            "DynamoDB Scan failed: NotFound",
            link("service error", "NotFound: No such table"),
        );
        assert_eq!(message(&modelled), "DynamoDB Scan failed: NotFound: No such table");
        let connection = link("dispatch failure", link("io error", "connection refused"));
        assert_eq!(message(&connection), "io error: connection refused");
    }

    #[test]
    fn names_the_remedy_for_missing_credentials() {
        let missing = CredentialsError::not_loaded("no providers in chain provided credentials");
        assert_eq!(message(&link("dispatch failure", missing)), NO_CREDENTIALS);
    }

    #[test]
    fn names_the_remedy_for_credentials_that_aws_refuses() {
        for (code, remedy) in [
            ("ExpiredToken", "aws sso login"),
            ("RequestExpired", "aws sso login"),
            ("InvalidClientTokenId", "AWS_PROFILE"),
            ("UnrecognizedClientException", "AWS_PROFILE"),
        ] {
            let metadata = ErrorMetadata::builder().code(code).message("It is invalid.").build();
            let error = message(&link("service error", link("unhandled error", metadata)));
            assert!(error.starts_with("It is invalid. "), "{error}");
            assert!(error.contains(remedy), "{error}");
        }
    }

    #[test]
    fn shows_the_code_of_an_error_without_a_message() {
        let metadata = ErrorMetadata::builder().code("Throttling").build();
        let error = link("service error", link("unhandled error (Throttling)", metadata));
        assert_eq!(message(&error), "Throttling");
    }
}
