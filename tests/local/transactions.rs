//! Transactions of DynamoDB: all or nothing, why one was cancelled, safe repeats, and faults.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Get, Put, ReturnValuesOnConditionCheckFailure, TransactGetItem,
    TransactWriteItem, Update,
};
use local_aws::calls::Call;
use serde_json::json;

use crate::support::{Okite, within};

/// The attempts of the SDK at one call.
const ATTEMPTS: u32 = 3;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// Steps on the table of messages.
struct Steps<'a> {
    table: &'a str,
}

impl Steps<'_> {
    fn put(&self, id: &str) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(self.table)
            .item("pk", text(id))
            .item("sk", text("t"));
        let put = put.condition_expression("attribute_not_exists(pk)");
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        TransactWriteItem::builder().put(put.build().unwrap()).build()
    }

    fn count(&self, id: &str) -> TransactWriteItem {
        let update = Update::builder()
            .table_name(self.table)
            .key("pk", text(id))
            .key("sk", text("t"));
        let update = update.update_expression("ADD n :one");
        let update = update.expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        TransactWriteItem::builder().update(update.build().unwrap()).build()
    }

    fn delete(&self, id: &str) -> TransactWriteItem {
        let delete = Delete::builder()
            .table_name(self.table)
            .key("pk", text(id))
            .key("sk", text("t"));
        TransactWriteItem::builder().delete(delete.build().unwrap()).build()
    }

    fn check(&self, id: &str) -> TransactWriteItem {
        let check = ConditionCheck::builder()
            .table_name(self.table)
            .key("pk", text(id))
            .key("sk", text("t"));
        let check = check.condition_expression("attribute_exists(pk)");
        TransactWriteItem::builder()
            .condition_check(check.build().unwrap())
            .build()
    }
}

impl Okite {
    fn steps(&self) -> Steps<'_> {
        Steps {
            table: self.variable("MESSAGES_TABLE"),
        }
    }

    async fn transact(
        &self,
        token: &str,
        steps: Vec<TransactWriteItem>,
    ) -> Result<(), SdkError<TransactWriteItemsError>> {
        let write = self.dynamodb.transact_write_items().client_request_token(token);
        within(write.set_transact_items(Some(steps)).send()).await.map(drop)
    }

    async fn is_there(&self, id: &str) -> bool {
        self.item("MESSAGES_TABLE", &[("pk", id), ("sk", "t")]).await.is_some()
    }

    async fn counted(&self, id: &str) -> String {
        let item = self.item("MESSAGES_TABLE", &[("pk", id), ("sk", "t")]).await.unwrap();
        item["n"].as_n().unwrap().clone()
    }
}

/// The codes of the reasons for which a transaction was cancelled.
fn reasons(error: SdkError<TransactWriteItemsError>) -> Vec<String> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error.into_service_error() else {
        panic!("it was not cancelled");
    };
    let reasons = cancelled.cancellation_reasons.unwrap();
    reasons.into_iter().map(|reason| reason.code.unwrap()).collect()
}

#[tokio::test]
async fn a_transaction_does_everything_or_nothing_and_names_the_step_that_failed() {
    let okite = Okite::start().await;
    let steps = okite.steps();
    okite
        .transact("1", vec![steps.put("a"), steps.count("b")])
        .await
        .unwrap();
    let again = okite
        .transact("2", vec![steps.put("c"), steps.put("a"), steps.delete("b")])
        .await;
    let error = again.unwrap_err();
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error.as_service_error().unwrap() else {
        panic!("{error:?}");
    };
    let held = cancelled.cancellation_reasons()[1].item().unwrap();
    assert_eq!(held["pk"], text("a"));
    assert_eq!(reasons(error), ["None", "ConditionalCheckFailed", "None"]);
    assert!(!okite.is_there("c").await && okite.is_there("b").await);
    let missing = okite.transact("3", vec![steps.check("nobody"), steps.put("c")]).await;
    assert_eq!(reasons(missing.unwrap_err()), ["ConditionalCheckFailed", "None"]);

    let get = |id: &str| {
        let get = Get::builder()
            .table_name(steps.table)
            .key("pk", text(id))
            .key("sk", text("t"));
        TransactGetItem::builder().get(get.build().unwrap()).build()
    };
    let read = okite
        .dynamodb
        .transact_get_items()
        .transact_items(get("a"))
        .transact_items(get("c"));
    let read = within(read.send()).await.unwrap().responses.unwrap();
    let found: Vec<bool> = read.iter().map(|response| response.item.is_some()).collect();
    assert_eq!(found, [true, false]);
}

#[tokio::test]
async fn a_transaction_has_at_most_a_hundred_steps() {
    let okite = Okite::start().await;
    let steps = okite.steps();
    let puts = |count: usize| (0..count).map(|id| steps.put(&format!("of {count}: {id}"))).collect();
    okite.transact("1", puts(100)).await.unwrap();
    let refused = okite.transact("2", puts(101)).await.unwrap_err();
    assert_eq!(refused.code(), Some("ValidationException"));
    assert!(okite.is_there("of 100: 99").await && !okite.is_there("of 101: 0").await);
}

#[tokio::test]
async fn a_token_makes_a_repeat_safe_for_ten_minutes_of_the_clock() {
    let okite = Okite::start().await;
    let steps = okite.steps();
    for _ in 0..2 {
        okite.transact("1", vec![steps.count("a")]).await.unwrap();
    }
    assert_eq!(okite.counted("a").await, "1");
    let other = okite.transact("1", vec![steps.count("b")]).await.unwrap_err();
    assert!(other.into_service_error().is_idempotent_parameter_mismatch_exception());
    okite.advance(Duration::from_mins(11)).await;
    for _ in 0..2 {
        okite.transact("1", vec![steps.count("a")]).await.unwrap();
    }
    assert_eq!(okite.counted("a").await, "2");
}

#[tokio::test]
async fn a_fault_refuses_a_transaction_or_loses_its_answer() {
    let okite = Okite::start().await;
    let steps = okite.steps();
    let message =
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, TransactionConflict]";
    okite
        .fault(
            json!({ "operation": "TransactWriteItems", "error": "TransactionCanceledException", "message": message }),
        )
        .await;
    let conflict = okite.transact("1", vec![steps.put("a"), steps.put("b")]).await;
    assert_eq!(reasons(conflict.unwrap_err()), ["None", "TransactionConflict"]);
    for (token, moment, is_there) in [("2", "before", false), ("3", "after", true)] {
        let fault =
            json!({ "operation": "TransactWriteItems", "drop": moment, "times": ATTEMPTS, "table": "MessagesTable" });
        okite.fault(fault).await;
        let id = format!("dropped {moment}");
        let lost = okite.transact(token, vec![steps.put(&id)]).await;
        assert!(matches!(lost, Err(SdkError::DispatchFailure(_))), "{lost:?}");
        assert_eq!(okite.is_there(&id).await, is_there, "{moment}");
        okite.transact(token, vec![steps.put(&id)]).await.unwrap();
    }
    okite
        .fault(json!({ "operation": "TransactWriteItems", "delay_ms": 50 }))
        .await;
    okite.transact("4", vec![steps.put("late")]).await.unwrap();
    assert!(okite.is_there("late").await);
}

#[tokio::test]
async fn a_role_allows_a_transaction_by_the_actions_of_its_steps() {
    let okite = Okite::start().await;
    let steps = okite.steps();
    okite.transact("1", vec![steps.put("a")]).await.unwrap();
    okite
        .transact(
            "2",
            vec![steps.put("b"), steps.count("c"), steps.delete("d"), steps.check("a")],
        )
        .await
        .unwrap();
    let arn = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{}", steps.table);
    let of_test = |call: &&Call| call.function == "test" && call.resource == arn;
    let seen = okite.local.calls.seen();
    let actions: BTreeSet<&str> = seen.iter().filter(of_test).map(|call| call.action.as_str()).collect();
    let expected =
        ["ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem"].map(|action| format!("dynamodb:{action}"));
    assert_eq!(actions, expected.iter().map(String::as_str).collect());
}
