//! The daily pass over SES's own suppression list, in runs of the reporter that may stop at any step.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::suppression::SuppressionReason;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Okite, assert_suppressed, email, eventually, suppression_key};

/// What the pass waits for after the first report, and more.
const FIRST: i64 = 11 * 60 * 1000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Starts, waits for the first report and sets the clock to when the first pass is due.
pub(crate) async fn due() -> Okite {
    let okite = Okite::start().await;
    eventually("the pass is planned", async || state(&okite).await.is_some()).await;
    advance(&okite, FIRST).await;
    okite
}

async fn advance(okite: &Okite, milliseconds: i64) {
    let answer = okite
        .local(Method::POST, "clock", &json!({ "advance_ms": milliseconds }))
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// The state that is kept between runs.
async fn state(okite: &Okite) -> Option<Value> {
    let key = [("pk", "gate#us-east-1"), ("sk", "reconciliation")];
    let item = okite.item("USAGE_TABLE", &key).await?;
    Some(serde_json::from_str(item["state"].as_s().unwrap()).unwrap())
}

/// Puts an address on SES's list.
pub(crate) async fn suppress_at_ses(okite: &Okite, address: &str, reason: &str) {
    let put = okite.ses().put_suppressed_destination().email_address(address);
    put.reason(reason.into()).send().await.unwrap();
}

/// The addresses on SES's list.
pub(crate) async fn listed_at_ses(okite: &Okite) -> Vec<String> {
    let page = okite.ses().list_suppressed_destinations().send().await.unwrap();
    let listed = page.suppressed_destination_summaries.unwrap_or_default();
    listed.into_iter().map(|entry| entry.email_address).collect()
}

/// Sets a register of an address.
pub(crate) async fn set_register(okite: &Okite, address: &str, register: &str, at: i64) {
    let update = okite
        .dynamodb
        .update_item()
        .table_name(okite.variable("SUPPRESSIONS_TABLE"))
        .key("address_hash", AttributeValue::S(suppression_key(address)));
    update
        .update_expression("SET #register = :at")
        .expression_attribute_names("#register", register)
        .expression_attribute_values(":at", AttributeValue::N(at.to_string()))
        .send()
        .await
        .unwrap();
}

/// Goes over SES's list as far as a run does, and returns the report that follows.
async fn reconciled(okite: &Okite) -> Value {
    okite.pass_over_ses_list().await.unwrap();
    okite.report().await
}

fn found(report: &Value) -> [u64; 4] {
    ["listed", "added", "lifted", "unreadable"].map(|name| report["suppression_list"][name].as_u64().unwrap())
}

fn milliseconds(at: &Value) -> i64 {
    at.as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond()
}

/// How often the reporter asked SES for a page.
fn pages_asked_for(okite: &Okite) -> u32 {
    let calls = okite.local.calls.seen();
    let lists = calls
        .iter()
        .filter(|call| call.action == "ses:ListSuppressedDestinations");
    let of_the_reporter = lists.filter(|call| call.function == "quota-reporter");
    of_the_reporter.map(|call| okite.local.calls.count(call)).sum()
}

#[tokio::test]
async fn entries_of_sess_list_are_added_once_a_day() {
    let okite = due().await;
    suppress_at_ses(&okite, "Anna@example.net", "BOUNCE").await;
    suppress_at_ses(&okite, "bob@example.net", "COMPLAINT").await;
    suppress_at_ses(&okite, "bounce@simulator.amazonses.com", "BOUNCE").await;
    let report = reconciled(&okite).await;
    assert_eq!(found(&report), [3, 2, 0, 0], "{report}");
    assert_eq!(report["suppression_list"]["running"], false);
    let finished = &report["suppression_list"]["last_finished_at"];
    assert!(finished.is_string(), "{report}");
    let body = okite
        .send(&email(json!([
            "anna@EXAMPLE.net",
            "bob@example.net",
            "carl@example.net"
        ])))
        .await;
    assert_suppressed(&body, "anna@EXAMPLE.net", "bounce");
    assert_suppressed(&body, "bob@example.net", "complaint");
    assert_eq!(okite.registers("bounce@simulator.amazonses.com").await.bounce_at, None);

    suppress_at_ses(&okite, "dora@example.net", "BOUNCE").await;
    assert_eq!(
        &reconciled(&okite).await["suppression_list"]["last_finished_at"],
        finished
    );
    assert_eq!(pages_asked_for(&okite), 1);
    advance(&okite, DAY).await;
    assert_eq!(found(&reconciled(&okite).await), [4, 1, 0, 0]);
    okite
        .until_suppressed("dora@example.net", SuppressionReason::Bounce)
        .await;
}

#[tokio::test]
async fn a_lifted_address_is_removed_from_sess_list_and_not_added_again() {
    let okite = due().await;
    suppress_at_ses(&okite, "Lifted@example.net", "BOUNCE").await;
    suppress_at_ses(&okite, "blocked@example.net", "BOUNCE").await;
    suppress_at_ses(&okite, "stays@example.net", "BOUNCE").await;
    let at = milliseconds(&reconciled(&okite).await["at"]);
    // All three are on our list by now. One is lifted; another turns out to have been a block, which has ended
    // tomorrow.
    set_register(&okite, "lifted@example.net", "lifted_at", at + 1).await;
    let key = AttributeValue::S(suppression_key("blocked@example.net"));
    let table = okite.variable("SUPPRESSIONS_TABLE");
    let delete = okite.dynamodb.delete_item().table_name(table).key("address_hash", key);
    delete.send().await.unwrap();
    set_register(&okite, "blocked@example.net", "blocked_at", at).await;
    advance(&okite, DAY).await;
    let report = reconciled(&okite).await;
    assert_eq!(found(&report), [3, 1, 1, 0], "{report}");
    // That it was a block is our judgement alone: SES goes on dropping, so the address is suppressed here as well.
    assert_eq!(
        listed_at_ses(&okite).await,
        ["blocked@example.net", "stays@example.net"]
    );
    let body = okite
        .send(&email(json!([
            "lifted@example.net",
            "stays@example.net",
            "blocked@example.net"
        ])))
        .await;
    assert_suppressed(&body, "stays@example.net", "bounce");
    assert_suppressed(&body, "blocked@example.net", "bounce");
    assert_eq!(body["recipients"][0]["status"], "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_between_two_pages_is_gone_on_with_where_it_stopped() {
    let okite = due().await;
    stream::iter(0..1001)
        .for_each_concurrent(8, |number| {
            let okite = &okite;
            async move { suppress_at_ses(okite, &format!("user{number}@example.net"), "BOUNCE").await }
        })
        .await;
    okite
        .fault(json!({ "operation": "ListSuppressedDestinations", "kill": "before", "skip": 1 }))
        .await;
    assert!(okite.pass_over_ses_list().await.is_err());
    let stopped = state(&okite).await.unwrap();
    assert_eq!(stopped["pass"]["drift"]["listed"], 1000, "{stopped}");
    assert!(stopped["pass"]["next_token"].is_string(), "{stopped}");

    let report = reconciled(&okite).await;
    assert_eq!(found(&report), [1001, 1001, 0, 0], "{report}");
    assert_eq!(report["suppression_list"]["running"], false);
    // The first, the one that it died on, and that again.
    assert_eq!(pages_asked_for(&okite), 3);
    for address in ["user0@example.net", "user1000@example.net"] {
        assert!(okite.registers(address).await.bounce_at.is_some(), "{address}");
    }
}

#[tokio::test]
async fn a_run_that_dies_while_it_writes_or_lifts_is_repeated_and_nothing_is_lost() {
    let okite = due().await;
    suppress_at_ses(&okite, "anna@example.net", "BOUNCE").await;
    suppress_at_ses(&okite, "lifted@example.net", "BOUNCE").await;
    set_register(&okite, "lifted@example.net", "lifted_at", 4_000_000_000_000).await;
    for fault in [
        json!({ "operation": "BatchGetItem", "kill": "after" }),
        json!({ "operation": "UpdateItem", "table": "SuppressionsTable", "kill": "after" }),
        json!({ "operation": "DeleteSuppressedDestination", "kill": "after" }),
    ] {
        okite.fault(fault.clone()).await;
        assert!(okite.pass_over_ses_list().await.is_err(), "{fault}");
        assert!(state(&okite).await.unwrap()["pass"].is_object(), "{fault}");
    }
    let report = reconciled(&okite).await;
    assert_eq!(report["suppression_list"]["running"], false, "{report}");
    assert!(okite.registers("anna@example.net").await.bounce_at.is_some());
    assert_eq!(listed_at_ses(&okite).await, ["anna@example.net"]);
}

#[tokio::test]
async fn a_rejected_token_starts_the_pass_again() {
    let okite = due().await;
    suppress_at_ses(&okite, "anna@example.net", "BOUNCE").await;
    okite
        .fault(json!({ "operation": "ListSuppressedDestinations", "error": "InvalidNextTokenException", "message": "old" }))
        .await;
    let report = reconciled(&okite).await;
    assert_eq!(found(&report), [1, 1, 0, 0], "{report}");
    assert_eq!(pages_asked_for(&okite), 2);
}

#[tokio::test]
async fn trouble_with_the_list_is_reported_and_neither_report_nor_gate_suffers() {
    let okite = due().await;
    suppress_at_ses(&okite, "anna@example.net", "BOUNCE").await;
    okite
        .fault(json!({ "operation": "ListSuppressedDestinations", "error": "TooManyRequestsException", "message": "Rate" }))
        .await;
    let report = reconciled(&okite).await;
    assert_eq!(report["verdict"], "healthy");
    assert_eq!(report["suppression_list"]["trouble"], "TooManyRequestsException");
    assert_eq!(report["suppression_list"]["running"], true);
    let latest = [("pk", "report#us-east-1"), ("sk", "latest")];
    let kept = okite.item("USAGE_TABLE", &latest).await.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(kept["report"].as_s().unwrap()).unwrap(),
        report
    );
    let report = reconciled(&okite).await;
    assert_eq!(report["suppression_list"]["trouble"], Value::Null);
    assert_eq!(found(&report), [1, 1, 0, 0]);
}

#[tokio::test]
async fn neither_an_entry_that_cannot_be_read_nor_one_that_ses_keeps_holds_up_the_pass() {
    let okite = due().await;
    for address in ["anna@example.net", "bob@example.net", "carl@example.net"] {
        suppress_at_ses(&okite, address, "BOUNCE").await;
    }
    // 9999-12-30T22:00:00.001Z, which cannot be read.
    set_register(&okite, "anna@example.net", "manual_expires_at", 253_402_207_200_001).await;
    set_register(&okite, "bob@example.net", "lifted_at", 4_000_000_000_000).await;
    okite
        .fault(json!({ "operation": "DeleteSuppressedDestination", "error": "BadRequestException", "message": "no" }))
        .await;
    let report = reconciled(&okite).await;
    assert_eq!(found(&report), [3, 1, 0, 2], "{report}");
    assert_eq!(report["suppression_list"]["running"], false);
    let body = okite
        .send(&email(json!(["anna@example.net", "dora@example.net"])))
        .await;
    assert_suppressed(&body, "anna@example.net", "unreadable");
    assert_eq!(body["recipients"][1]["status"], "accepted");
    let shown = okite.get("/suppressions/anna@example.net").await;
    assert_eq!((shown.status, &shown.body["reason"]), (200, &json!("unreadable")));
    let lifted = okite.delete("/suppressions/anna@example.net").await;
    assert_eq!(lifted.status, 200, "{lifted:?}");
    let body = okite.send(&email("anna@example.net")).await;
    assert_eq!(body["recipients"][0]["status"], "accepted");
}

#[tokio::test]
async fn the_report_does_not_wait_for_the_pass() {
    let okite = due().await;
    suppress_at_ses(&okite, "anna@example.net", "BOUNCE").await;
    let report = okite.report().await;
    assert_eq!(report["suppression_list"]["last_finished_at"], Value::Null, "{report}");
    assert_eq!(pages_asked_for(&okite), 0);
    okite.pass_over_ses_list().await.unwrap();
    assert_eq!(found(&okite.report().await), [1, 1, 0, 0]);
}

#[tokio::test]
async fn the_sandbox_is_reported_and_tried_again_a_day_later() {
    let okite = due().await;
    suppress_at_ses(&okite, "anna@example.net", "BOUNCE").await;
    okite.account(json!({ "production_access": false })).await;
    for _ in 0..2 {
        let report = reconciled(&okite).await;
        assert_eq!(report["suppression_list"]["trouble"], "sandbox", "{report}");
        assert_eq!(report["suppression_list"]["running"], false);
    }
    assert_eq!(pages_asked_for(&okite), 1);
    okite.account(json!({ "production_access": true })).await;
    advance(&okite, DAY).await;
    let report = reconciled(&okite).await;
    assert_eq!(found(&report), [1, 1, 0, 0], "{report}");
    assert_eq!(report["suppression_list"]["trouble"], Value::Null);
}
