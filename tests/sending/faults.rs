//! Faults of DynamoDB, and functions that die at any step. A failure before the call to SES sends nothing, and a
//! failure after it sends nothing twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, PutRequest, WriteRequest};
use local_aws::RunSettings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Okite, assert_suppressed, email, eventually, within};

const GOOD: &str = "success@simulator.amazonses.com";
const BOUNCE: &str = "bounce@simulator.amazonses.com";
/// Longer than any test.
const FOR_GOOD: u64 = 3_600_000;

/// A timeout of the function of which sending and settling may take 13 s, so that 1.5 s are left for the store.
const SHORT: Duration = Duration::from_millis(14_500);

/// The operations of a send before SES is called, with their tables. The API key is remembered after the first send.
const BEFORE_SES: [(&str, &str); 3] = [
    ("GetItem", "ApiKeysTable"),
    ("BatchGetItem", "SuppressionsTable"),
    ("PutItem", "MessagesTable"),
];

impl Okite {
    /// The faults in force.
    pub(crate) async fn faults(&self) -> Value {
        let answer = self.local(Method::GET, "faults", &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Checks that a fault has happened as often as it was to.
    async fn assert_no_fault_is_left(&self) {
        assert_eq!(self.faults().await, json!([]));
    }

    pub(crate) async fn clear_faults(&self) {
        let answer = self.local(Method::DELETE, "faults", &Value::Null).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

/// Checks that the answer names a short retry time, and that nothing was sent.
async fn assert_store_down(okite: &Okite, answer: &Answer) {
    answer.refused(503, "service_unavailable");
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

/// Keeps events but `Send` from making writes, where faults are for those of the sender.
fn without_deliveries(settings: &mut RunSettings) {
    settings.parameters = BTreeMap::from([("DeliveryEvents".to_owned(), "false".to_owned())]);
}

/// Checks what API Gateway answers when a function dies.
#[track_caller]
pub(crate) fn assert_died(answer: &Answer) {
    let died = json!({ "message": "Internal Server Error" });
    assert_eq!((answer.status, &answer.body), (500, &died));
}

#[tokio::test]
async fn a_throttled_call_is_repeated_without_an_error() {
    let okite = Okite::start().await;
    for (operation, table) in BEFORE_SES {
        let error = "ProvisionedThroughputExceededException";
        okite
            .fault(json!({ "operation": operation, "table": table, "times": 1, "error": error }))
            .await;
    }
    okite.send(&email(GOOD)).await;
    okite.assert_no_fault_is_left().await;
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_while_dynamodb_answers_with_errors() {
    let okite = Okite::start().await;
    for (operation, table) in BEFORE_SES {
        for error in [
            "ThrottlingException",
            "InternalServerError",
            "RequestLimitExceeded",
            "ServiceUnavailable",
        ] {
            okite
                .fault(json!({ "operation": operation, "table": table, "for_ms": FOR_GOOD, "error": error }))
                .await;
            let answer = okite.post(&email(GOOD)).await;
            assert_store_down(&okite, &answer).await;
            okite.clear_faults().await;
        }
    }
    okite.send(&email(GOOD)).await;
}

#[tokio::test]
async fn a_table_that_may_not_be_used_is_the_operators_to_mend() {
    let okite = Okite::start().await;
    for (operation, table) in BEFORE_SES {
        for error in [
            "AccessDeniedException",
            "ResourceNotFoundException",
            "UnrecognizedClientException",
        ] {
            okite
                .fault(json!({ "operation": operation, "table": table, "for_ms": FOR_GOOD, "error": error }))
                .await;
            let answer = okite.post(&email(GOOD)).await;
            answer.refused(503, "service_unavailable");
            assert_eq!(answer.header("retry-after"), Some("300"), "{operation} {error}");
            let message = answer.body["message"].as_str().unwrap();
            assert!(
                message.contains("an operator has mended") && !message.contains("shortly"),
                "{message}"
            );
            assert_eq!(okite.outbox().await, [] as [Value; 0]);
            okite.clear_faults().await;
        }
    }
    okite.send(&email(GOOD)).await;
}

#[tokio::test]
async fn keys_that_come_back_undone_are_asked_for_again() {
    let okite = Okite::start().await;
    okite.send(&email(BOUNCE)).await;
    okite
        .until_suppressed(BOUNCE, domain::suppression::SuppressionReason::Bounce)
        .await;
    for unprocessed in [json!(true), json!(1), json!(2)] {
        okite
            .fault(json!({ "operation": "BatchGetItem", "times": 2, "unprocessed": unprocessed }))
            .await;
        let body = okite.send(&email(json!([BOUNCE, GOOD, "anna@example.net"]))).await;
        assert_suppressed(&body, BOUNCE, "bounce");
        okite.assert_no_fault_is_left().await;
    }
}

#[tokio::test]
async fn nothing_is_sent_while_a_part_of_the_suppression_list_is_not_read() {
    let okite = Okite::start().await;
    for unprocessed in [json!(true), json!(1)] {
        okite
            .fault(json!({ "operation": "BatchGetItem", "for_ms": FOR_GOOD, "unprocessed": unprocessed }))
            .await;
        let answer = okite.post(&email(json!([GOOD, "anna@example.net"]))).await;
        assert_store_down(&okite, &answer).await;
        okite.clear_faults().await;
    }
}

#[tokio::test]
async fn writes_that_come_back_undone_are_named_and_the_others_are_done() {
    let okite = Okite::start().await;
    let row = |id: &str| {
        let put = PutRequest::builder()
            .item("pk", AttributeValue::S(id.to_owned()))
            .item("sk", AttributeValue::S("event".to_owned()));
        WriteRequest::builder().put_request(put.build().unwrap()).build()
    };
    let table = okite.variable("MESSAGES_TABLE");
    okite
        .fault(json!({ "operation": "BatchWriteItem", "unprocessed": 1 }))
        .await;
    let write = okite.dynamodb.batch_write_item();
    let write = write.request_items(table, vec![row("first"), row("second")]);
    let undone = within(write.send()).await.unwrap().unprocessed_items.unwrap();
    assert_eq!(undone[table], [row("second")]);
    assert!(
        okite
            .item("MESSAGES_TABLE", &[("pk", "first"), ("sk", "event")])
            .await
            .is_some()
    );
    assert!(
        okite
            .item("MESSAGES_TABLE", &[("pk", "second"), ("sk", "event")])
            .await
            .is_none()
    );

    okite
        .fault(json!({ "operation": "BatchGetItem", "unprocessed": true }))
        .await;
    let key = |id: &str| [("id".to_owned(), AttributeValue::S(id.to_owned()))].into();
    let keys = KeysAndAttributes::builder().keys(key("first")).keys(key("second"));
    let keys = keys.consistent_read(true).build().unwrap();
    let read = okite.dynamodb.batch_get_item().request_items(table, keys.clone());
    let answer = within(read.send()).await.unwrap();
    assert_eq!(answer.responses.unwrap().len(), 0);
    assert_eq!(answer.unprocessed_keys.unwrap()[table], keys);
}

#[tokio::test]
async fn a_row_with_a_lost_answer_is_recognised_and_the_mail_goes_out_once() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "PutItem", "table": "MessagesTable", "drop": "after" }))
        .await;
    let body = okite.send(&email(GOOD)).await;
    okite.assert_no_fault_is_left().await;
    assert_eq!(okite.outbox().await.len(), 1);
    assert_eq!(okite.messages().await.len(), 1);
    assert!(okite.message(&body["id"]).await.contains_key("ses_id"));
}

#[tokio::test]
async fn nothing_is_sent_when_the_answer_to_the_row_is_lost_every_time() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "PutItem", "table": "MessagesTable", "times": 3, "drop": "after" }))
        .await;
    let answer = okite.post(&email(GOOD)).await;
    assert_store_down(&okite, &answer).await;
    assert_eq!(okite.messages().await.len(), 1);
}

#[tokio::test]
async fn a_connection_that_is_cut_before_the_row_is_written_is_opened_again() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "PutItem", "table": "MessagesTable", "times": 2, "drop": "before" }))
        .await;
    okite.send(&email(GOOD)).await;
    assert_eq!(okite.messages().await.len(), 1);
}

#[tokio::test]
async fn an_accepted_mail_is_a_200_though_its_row_cannot_be_settled() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "UpdateItem", "table": "MessagesTable", "for_ms": FOR_GOOD, "drop": "before" }))
        .await;
    let body = okite.send(&email(GOOD)).await;
    assert_eq!(okite.outbox().await.len(), 1);
    assert!(!okite.message(&body["id"]).await.contains_key("ses_id"));
}

#[tokio::test]
async fn nothing_is_sent_while_dynamodb_does_not_answer() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "BatchGetItem", "for_ms": FOR_GOOD, "delay_ms": 60_000 }))
        .await;
    let asked = Instant::now();
    let answer = okite.post(&email(GOOD)).await;
    assert_store_down(&okite, &answer).await;
    assert!(asked.elapsed() < Duration::from_secs(16), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn nothing_is_sent_when_the_time_that_sending_may_need_is_not_left() {
    let okite = Okite::start_with(|settings| settings.timeout = Some(SHORT)).await;
    okite.send(&email(GOOD)).await;
    let mails = okite.outbox().await.len();
    for (operation, table) in &BEFORE_SES[1..] {
        // Each answer comes before the SDK would give it up: it is the invocation's time that runs out.
        okite
            .fault(json!({ "operation": operation, "table": table, "delay_ms": 1_800 }))
            .await;
        okite.post(&email(GOOD)).await.refused(503, "service_unavailable");
    }
    okite.assert_no_fault_is_left().await;
    assert_eq!(okite.outbox().await.len(), mails);
}

#[tokio::test]
async fn a_row_without_an_answer_in_time_is_refused_before_its_late_write() {
    let okite = Okite::start_with(|settings| settings.timeout = Some(SHORT)).await;
    okite
        .fault(json!({ "operation": "PutItem", "table": "MessagesTable", "delay_ms": 1_800 }))
        .await;
    okite.post(&email(GOOD)).await.refused(503, "service_unavailable");
    // The late write finds this row, and cannot leave one of a mail that was never handed to SES.
    let rows = okite.messages().await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["state"].as_s().unwrap(), "refused");
}

#[tokio::test]
async fn a_function_that_dies_before_ses_is_called_sends_nothing() {
    let okite = Okite::start().await;
    for (operation, table) in BEFORE_SES {
        for moment in ["before", "after"] {
            okite
                .fault(json!({ "operation": operation, "table": table, "kill": moment }))
                .await;
            assert_died(&okite.post(&email(GOOD)).await);
            okite.assert_no_fault_is_left().await;
        }
    }
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
    // Of the two that died around the write of their rows, one had written it.
    assert_eq!(okite.messages().await.len(), 1);
    okite.send(&email(GOOD)).await;
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn a_function_that_dies_at_ses_or_later_sends_once_and_an_event_settles_it() {
    let okite = Okite::start_with(without_deliveries).await;
    let mut settled = 0;
    for (fault, sent) in [
        (json!({ "operation": "SendEmail", "kill": "before" }), 0),
        (json!({ "operation": "SendEmail", "kill": "after" }), 1),
        (
            json!({ "operation": "UpdateItem", "table": "MessagesTable", "kill": "before" }),
            1,
        ),
    ] {
        okite.fault(fault.clone()).await;
        assert_died(&okite.post(&email(GOOD)).await);
        settled += sent;
        assert_eq!(okite.outbox().await.len(), settled, "{fault}");
        // SES's event names those that it took.
        eventually("the mails that were sent are settled", async || {
            let rows = okite.messages().await;
            assert!(rows.iter().all(|row| row["state"].as_s().unwrap() == "sending"));
            rows.iter().filter(|row| row.contains_key("ses_id")).count() == settled
        })
        .await;
    }
    okite.send(&email(GOOD)).await;
    assert_eq!(okite.outbox().await.len(), settled + 1);
}

#[tokio::test]
async fn the_nth_call_is_the_one_that_fails() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "SendEmail", "skip": 2, "kill": "after" }))
        .await;
    for _ in 0..2 {
        okite.send(&email(GOOD)).await;
    }
    assert_died(&okite.post(&email(GOOD)).await);
    okite.send(&email(GOOD)).await;
    assert_eq!(okite.outbox().await.len(), 4);
}

#[tokio::test]
async fn only_the_process_that_made_the_call_dies() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "SendEmail", "delay_ms": 1_000 }))
        .await;
    let (slow_mail, mail) = (email("success+slow@simulator.amazonses.com"), email(GOOD));
    let slow = okite.send(&slow_mail);
    let other = async {
        eventually("the first mail is on its way", async || {
            okite.faults().await == json!([])
        })
        .await;
        okite.fault(json!({ "operation": "SendEmail", "kill": "before" })).await;
        assert_died(&okite.post(&mail).await);
    };
    tokio::join!(slow, other);
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn an_event_whose_function_dies_comes_again() {
    let okite = Okite::start().await;
    for moment in ["before", "after"] {
        let address = format!("bounce+{moment}@simulator.amazonses.com");
        okite
            .fault(json!({ "operation": "UpdateItem", "table": "SuppressionsTable", "times": 2, "kill": moment }))
            .await;
        okite.send(&email(address.clone())).await;
        okite
            .until_suppressed(&address, domain::suppression::SuppressionReason::Bounce)
            .await;
        eventually("it was tried again", async || okite.faults().await == json!([])).await;
    }
}

#[tokio::test]
async fn the_faults_in_force_are_shown_with_their_remaining_calls() {
    let okite = Okite::start().await;
    okite.assert_no_fault_is_left().await;
    let throttled = json!({
        "operation": "PutItem", "table": "MessagesTable", "skip": 1, "times": 2,
        "error": "ThrottlingException", "message": "Slow down.",
    });
    let cut = json!({ "operation": "SendEmail", "for_ms": FOR_GOOD, "drop": "after" });
    okite.fault(throttled.clone()).await;
    okite.fault(cut).await;
    let shown = okite.faults().await;
    assert_eq!(shown[0], throttled);
    let left = shown[1]["for_ms"].as_u64().unwrap();
    assert!((FOR_GOOD - 60_000..=FOR_GOOD).contains(&left), "{left}");
}

#[tokio::test]
async fn a_function_killed_at_any_call_with_a_key_sends_at_most_once() {
    let okite = Okite::start_with(without_deliveries).await;
    okite.account(json!({ "max_send_rate": 1000 })).await;
    okite.report().await;
    let calls = [
        ("BatchGetItem", "SuppressionsTable", 0),
        ("PutItem", "MessagesTable", 0),
        ("PutItem", "MessagesTable", 1),
        ("UpdateItem", "UsageTable", 0),
        ("UpdateItem", "MessagesTable", 0),
    ];
    let at_store =
        calls.map(|(operation, table, skip)| json!({ "operation": operation, "table": table, "skip": skip }));
    let at_ses = json!({ "operation": "SendEmail" });
    for (n, mut fault) in at_store.into_iter().chain([at_ses]).enumerate() {
        for moment in ["before", "after"] {
            fault["kill"] = json!(moment);
            let key = format!("{n}-{moment}");
            let mut mail = email(GOOD);
            mail["subject"] = json!(key);
            // No event may be under way, whose write would take the fault.
            okite.until_sends_are_handled().await;
            okite.fault(fault.clone()).await;
            assert_died(&okite.post_keyed(&key, &mail).await);
            okite.assert_no_fault_is_left().await;
            let sent = async || {
                let outbox = okite.outbox().await;
                outbox.iter().filter(|sent| sent["subject"] == key.as_str()).count()
            };
            let sent_by_the_dead = sent().await;
            if sent_by_the_dead == 1 {
                let settled = async || okite.post_keyed(&key, &mail).await.status == 200;
                eventually("SES's event settles it", settled).await;
            } else {
                okite.advance(Duration::from_secs(36)).await;
                let status = okite.post_keyed(&key, &mail).await.status;
                assert_eq!(sent().await, usize::from(status == 200), "{fault}");
                assert!(matches!(status, 200 | 409), "{fault}: {status}");
            }
            assert!(sent().await <= 1, "{fault}");
        }
    }
}
