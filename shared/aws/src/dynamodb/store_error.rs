//! A DynamoDB operation that did not work.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::item::Item;
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

/// Takes an update whose condition failed for done: what is there is as late as what was to be written, or later.
pub(crate) fn unless_overtaken<T>(
    updated: Result<T, SdkError<UpdateItemError, HttpResponse>>,
) -> Result<(), StoreError> {
    match updated {
        Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(()),
        updated => updated.map(drop).map_err(StoreError::of("UpdateItem")),
    }
}

/// Returns the item by which the condition of an update failed, if it did; an empty one if there was none. The update has to
/// ask for `ALL_OLD`.
pub(crate) fn refused_by(
    updated: Result<UpdateItemOutput, SdkError<UpdateItemError, HttpResponse>>,
) -> Result<Option<Item>, StoreError> {
    match updated {
        Ok(_) => Ok(None),
        Err(SdkError::ServiceError(error)) => match error.err() {
            UpdateItemError::ConditionalCheckFailedException(failed) => {
                Ok(Some(failed.item().cloned().unwrap_or_default()))
            }
            _ => Err(StoreError::of("UpdateItem")(SdkError::ServiceError(error))),
        },
        Err(error) => Err(StoreError::of("UpdateItem")(error)),
    }
}
