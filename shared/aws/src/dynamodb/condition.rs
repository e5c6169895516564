//! Conditional writes: what came of one, whichever operation it is.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::item::Item;
use super::store_error::StoreError;

/// The result of a conditional write.
#[derive(Debug)]
pub(crate) enum Written<T> {
    /// The condition held, and DynamoDB carried the write out.
    Done(T),
    /// The condition failed. Holds the item that was there, if there was one and the request asked for `ALL_OLD`.
    Failed(Option<Item>),
}

/// The error of an operation that takes a condition.
pub(crate) trait ConditionalWrite: Error + ProvideErrorMetadata + Send + Sync + 'static {
    /// The name of the operation.
    const OPERATION: &'static str;

    /// Returns what DynamoDB says of the condition, if that is what failed.
    fn failed(&self) -> Option<&ConditionalCheckFailedException>;
}

impl ConditionalWrite for PutItemError {
    const OPERATION: &'static str = "PutItem";

    fn failed(&self) -> Option<&ConditionalCheckFailedException> {
        match self {
            Self::ConditionalCheckFailedException(failed) => Some(failed),
            _ => None,
        }
    }
}

impl ConditionalWrite for UpdateItemError {
    const OPERATION: &'static str = "UpdateItem";

    fn failed(&self) -> Option<&ConditionalCheckFailedException> {
        match self {
            Self::ConditionalCheckFailedException(failed) => Some(failed),
            _ => None,
        }
    }
}

impl ConditionalWrite for DeleteItemError {
    const OPERATION: &'static str = "DeleteItem";

    fn failed(&self) -> Option<&ConditionalCheckFailedException> {
        match self {
            Self::ConditionalCheckFailedException(failed) => Some(failed),
            _ => None,
        }
    }
}

/// Separates a condition that failed from a write that may not have happened.
pub(crate) fn written<T, E: ConditionalWrite>(
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Written<T>, StoreError> {
    let error = match answer {
        Ok(output) => return Ok(Written::Done(output)),
        Err(error) => error,
    };
    match error.as_service_error().and_then(E::failed) {
        Some(failed) => {
            let item = failed.item().filter(|item| !item.is_empty());
            Ok(Written::Failed(item.cloned()))
        }
        None => Err(StoreError::of(E::OPERATION)(error)),
    }
}

/// Accepts a write whose condition failed: the item is already as late as the write, or later.
pub(crate) fn unless_overtaken<T, E: ConditionalWrite>(
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<(), StoreError> {
    written(answer).map(drop)
}
