//! Transactions: several conditional writes that are all carried out or none.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::item::Item;
use super::store_error::StoreError;

pub(crate) const OPERATION: &str = "TransactWriteItems";

/// The result of a transaction.
#[derive(Debug)]
pub(crate) enum Transacted {
    /// Every condition held, and DynamoDB carried all of it out.
    Done,
    /// A condition failed, and nothing was carried out.
    Failed {
        /// The index of the first write whose condition failed.
        index: usize,
        /// The item that was there, if there was one and the write asked for `ALL_OLD`.
        item: Option<Item>,
    },
}

/// Separates a condition that failed from a transaction that may not have happened. One that collided with another
/// write is an error, which [`StoreError::is_throttled`] recognises.
pub(crate) fn transacted(
    answer: Result<TransactWriteItemsOutput, SdkError<TransactWriteItemsError, HttpResponse>>,
) -> Result<Transacted, StoreError> {
    let Err(error) = answer else {
        return Ok(Transacted::Done);
    };
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() else {
        return Err(StoreError::of(OPERATION)(error));
    };
    let reasons = canceled.cancellation_reasons();
    let failed = reasons
        .iter()
        .position(|reason| reason.code() == Some("ConditionalCheckFailed"));
    if let Some(index) = failed {
        let item = reasons[index].item().filter(|item| !item.is_empty()).cloned();
        return Ok(Transacted::Failed { index, item });
    }
    let code = reasons
        .iter()
        .filter_map(|reason| reason.code())
        .find(|code| *code != "None");
    Err(StoreError {
        operation: OPERATION,
        code: code.unwrap_or("TransactionCanceledException").to_owned(),
        source: Some(Box::new(error)),
    })
}
