//! A DynamoDB operation that did not work.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::error_code::{CONNECTION_FAILED, error_code};

/// A DynamoDB operation that did not work, after the SDK's retries. Whoever needed it must not go on as if it had.
#[derive(Debug, thiserror::Error)]
#[error("DynamoDB {operation} failed: {code}")]
pub struct StoreError {
    /// The operation.
    pub operation: &'static str,
    /// AWS's error code, or what went wrong before there was one.
    pub code: String,
    /// The cause. Its text may contain addresses: it is for a debugger, not for a log.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// A failure that DynamoDB did not report as an error.
    pub(crate) fn new(operation: &'static str, code: &str) -> Self {
        Self {
            operation,
            code: code.to_owned(),
            source: None,
        }
    }

    /// Tells whether DynamoDB was not there at all.
    #[must_use]
    pub fn never_connected(&self) -> bool {
        self.code == CONNECTION_FAILED
    }

    /// Tells whether DynamoDB asks for patience: later, the same may work.
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

    /// Makes a mapping for the errors of `operation`.
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
