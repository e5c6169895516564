//! A DynamoDB operation that did not work.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

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
    pub(super) fn new(operation: &'static str, code: &str) -> Self {
        Self {
            operation,
            code: code.to_owned(),
            source: None,
        }
    }

    /// Makes a mapping for the errors of `operation`.
    pub(super) fn of<E, R>(operation: &'static str) -> impl FnOnce(SdkError<E, R>) -> Self
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

/// Returns AWS's error code, or the kind of failure where there was no answer to carry one.
pub(super) fn error_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    let code = match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("UnknownError"),
        SdkError::TimeoutError(_) => "Timeout",
        SdkError::DispatchFailure(_) => "ConnectionFailed",
        SdkError::ResponseError(_) => "UnreadableAnswer",
        _ => "NotSent",
    };
    code.to_owned()
}
