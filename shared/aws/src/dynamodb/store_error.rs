//! The error of a DynamoDB operation.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::error_code::{CONNECTION_FAILED, error_code};

/// A DynamoDB operation failed after the SDK's retries. The caller must not go on as if it had succeeded.
#[derive(Debug, thiserror::Error)]
#[error("DynamoDB {operation} failed: {code}")]
pub struct StoreError {
    /// The name of the operation, such as `PutItem`.
    pub operation: &'static str,
    /// AWS's error code, or the kind of failure if there was no answer with one.
    pub code: String,
    /// The cause. Its text may contain addresses: it is for a debugger, not for a log.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// Makes the error of a failure that DynamoDB did not report as one.
    pub(crate) fn new(operation: &'static str, code: &str) -> Self {
        Self {
            operation,
            code: code.to_owned(),
            source: None,
        }
    }

    /// Returns whether no connection to DynamoDB could be opened.
    #[must_use]
    pub fn never_connected(&self) -> bool {
        self.code == CONNECTION_FAILED
    }

    /// Returns whether the request fails until somebody mends the deployment: a table is missing, or the role may not
    /// use it or has no credentials.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
    #[must_use]
    pub fn needs_operator(&self) -> bool {
        matches!(
            self.code.as_str(),
            "AccessDeniedException"
                | "ExpiredTokenException"
                | "IncompleteSignatureException"
                | "InvalidSignatureException"
                | "MissingAuthenticationTokenException"
                | "ResourceNotFoundException"
                | "UnrecognizedClientException"
        )
    }

    /// Returns the cause as the field `cause` of a log line, by which alarms of the template count lines.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        if self.needs_operator() { "deployment" } else { "store" }
    }

    /// Returns whether the same request may succeed later.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        matches!(
            self.code.as_str(),
            "ProvisionedThroughputExceededException"
                | "RequestLimitExceeded"
                | "ThrottlingException"
                | "InternalServerError"
                | "ServiceUnavailable"
                | "Timeout"
                | "UnprocessedKeys"
        )
    }

    /// Returns a function that turns the SDK's errors of `operation` into this error.
    pub(crate) fn of<E, R>(operation: &'static str) -> impl FnOnce(SdkError<E, R>) -> Self
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        move |error| Self {
            operation,
            code: error_code(&error),
            source: Some(Box::new(error)),
        }
    }
}
