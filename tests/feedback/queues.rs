//! Failed events are not lost: each record is retried through the retry queue, and at last reaches the dead-letter
//! queue.

use std::time::Duration;

use aws::Marks;
use domain::feedback::MarkKind;
use domain::suppression::{Registers, SuppressionReason};
use local_aws::data_dir::DataDir;
use reqwest::Method;
use serde_json::{Value, json};

use crate::alarms::{counted, log_lines};
use crate::feedback::events::{block, hard_bounce, just_now};
use crate::functions::processes::take_again;
use crate::support::{Okite, email, eventually, within};

const RETRIES: &str = "okite-FeedbackRetryQueue";
const DEAD_LETTERS: &str = "okite-FeedbackDeadLetterQueue";
/// The visibility timeout of the retry queue.
const SIX_MINUTES: Duration = Duration::from_mins(6);
/// How often a message is received before it is given up.
const TRIES: usize = 12;
const FOREIGN_TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:elsewhere";

/// An event of SQS with these bodies, each with its id.
fn batch(records: &[(Value, String)]) -> Value {
    let record = |(id, body): &(Value, String)| json!({ "messageId": id, "eventSource": "aws:sqs", "body": body });
    json!({ "Records": records.iter().map(record).collect::<Vec<_>>() })
}

fn foreign(address: &str) -> String {
    json!({ "TopicArn": FOREIGN_TOPIC, "Message": hard_bounce(address, 1).to_string() }).to_string()
}

#[tokio::test]
async fn a_record_that_cannot_be_handled_fails_by_itself() {
    let okite = Okite::start().await;
    let mut other_account = hard_bounce("other@example.net", 1);
    other_account["mail"]["sendingAccountId"] = json!("111111111111");
    let records = [
        (json!("first"), hard_bounce("first@example.net", 1).to_string()),
        (json!("poison"), "hello".to_owned()),
        (json!("foreign"), foreign("foreign@example.net")),
        (json!("other"), other_account.to_string()),
        (json!("last"), hard_bounce("last@example.net", 1).to_string()),
    ];
    let answer = okite.invoke("feedback", &batch(&records)).await.unwrap();
    let failure = |id: &str| json!({ "itemIdentifier": id });
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [failure("poison"), failure("foreign"), failure("other")] })
    );
    for address in ["first@example.net", "last@example.net"] {
        assert!(okite.registers(address).await.bounce_at.is_some(), "{address}");
    }
    for address in ["foreign@example.net", "other@example.net"] {
        assert_eq!(okite.registers(address).await, Registers::default(), "{address}");
    }
}

#[tokio::test]
async fn a_record_that_fails_and_has_no_id_fails_its_batch() {
    let okite = Okite::start().await;
    let good = hard_bounce("good@example.net", 1).to_string();
    let records = [(Value::Null, "hello".to_owned()), (Value::Null, good)];
    let answer = okite.invoke("feedback", &batch(&records)).await.unwrap();
    // Lambda takes a whole batch for failed when an id is empty.
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }));
}

impl Okite {
    /// How many messages of a queue can be received, and how many were and may come again.
    async fn queue(&self, name: &str) -> (u64, u64) {
        let queue = self.queue_state(name).await;
        let count = |field: &str| queue[field].as_u64().unwrap();
        (count("visible"), count("in_flight"))
    }

    async fn queue_state(&self, name: &str) -> Value {
        let answer = self.local(Method::GET, "queues", &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let queues = answer.body.as_array().unwrap();
        queues.iter().find(|queue| queue["name"] == name).unwrap().clone()
    }

    /// Whether no message of a queue can be received or is being handled.
    async fn is_idle(&self, name: &str) -> bool {
        let queue = self.queue_state(name).await;
        queue["visible"] == 0 && queue["being_handled"] == 0
    }

    /// The bodies of a queue's messages.
    async fn bodies(&self, name: &str) -> Vec<String> {
        let answer = self.local(Method::GET, &format!("queues/{name}"), &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let messages = answer.body.as_array().unwrap();
        messages
            .iter()
            .map(|message| message["body"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Lets six minutes pass at a time, in each of which Lambda takes out what is in the retry queue, until that is
    /// empty.
    async fn until_nothing_is_to_be_retried(&self) {
        for _ in 0..=TRIES {
            eventually("all was received and handled", async || self.is_idle(RETRIES).await).await;
            if self.queue(RETRIES).await == (0, 0) {
                return;
            }
            self.advance(SIX_MINUTES).await;
        }
        eventually("nothing is to be retried", async || self.queue(RETRIES).await == (0, 0)).await;
    }

    /// DynamoDB refuses every write, for so long.
    async fn no_write_for(&self, time: Duration) {
        for operation in ["UpdateItem", "PutItem"] {
            let for_ms = u64::try_from(time.as_millis()).unwrap();
            self.fault(json!({ "operation": operation, "for_ms": for_ms, "error": "InternalServerError" }))
                .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_store_of_ten_minutes_loses_nothing() {
    let okite = Okite::start().await;
    okite.no_write_for(Duration::from_mins(10)).await;
    let addresses: Vec<String> = (0..15).map(|n| format!("gone{n}@example.net")).collect();
    for address in &addresses {
        assert_eq!(okite.publish(&hard_bounce(address, 1)).await, (0, 1));
    }
    okite.until_nothing_is_to_be_retried().await;
    for address in &addresses {
        assert!(okite.registers(address).await.bounce_at.is_some(), "{address}");
    }
    assert_eq!(okite.queue(DEAD_LETTERS).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_at_which_the_function_dies_again_and_again_is_not_lost() {
    let okite = Okite::start().await;
    // At the three tries of Lambda, and once more as a record of the queue.
    okite
        .fault(json!({ "operation": "UpdateItem", "kill": "before", "times": 4 }))
        .await;
    assert_eq!(okite.publish(&hard_bounce("gone@example.net", 1)).await, (0, 1));
    okite.until_nothing_is_to_be_retried().await;
    assert!(okite.registers("gone@example.net").await.bounce_at.is_some());
    assert_eq!(okite.local(Method::GET, "faults", &Value::Null).await.body, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_holds_nothing_up_and_ends_in_the_dead_letter_queue() {
    let okite = Okite::start().await;
    okite.no_write_for(Duration::from_mins(1)).await;
    for n in 0..3 {
        let address = format!("gone{n}@example.net");
        assert_eq!(okite.publish(&hard_bounce(&address, 1)).await, (0, 1));
    }
    assert_eq!(
        okite.publish(&json!({ "eventType": "Bounce", "mail": {} })).await,
        (0, 1)
    );
    eventually("all failed at the first try", async || okite.is_idle(RETRIES).await).await;
    okite.advance(SIX_MINUTES).await;
    for n in 0..3 {
        okite
            .until_suppressed(&format!("gone{n}@example.net"), SuppressionReason::Bounce)
            .await;
    }
    assert_eq!(okite.queue(DEAD_LETTERS).await, (0, 0));
    okite.until_nothing_is_to_be_retried().await;
    let given_up = okite.bodies(DEAD_LETTERS).await;
    assert_eq!((okite.queue(DEAD_LETTERS).await, given_up.len()), ((1, 0), 1));
    let record: Value = serde_json::from_str(&given_up[0]).unwrap();
    assert_eq!(
        (
            &record["requestContext"]["condition"],
            &record["requestContext"]["approximateInvokeCount"]
        ),
        (&json!("RetriesExhausted"), &json!(3))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_put_back_after_an_outage_of_hours_is_handled() {
    let okite = Okite::start().await;
    okite.no_write_for(Duration::from_hours(3)).await;
    assert_eq!(okite.publish(&hard_bounce("gone@example.net", 1)).await, (0, 1));
    okite.until_nothing_is_to_be_retried().await;
    assert_eq!(okite.queue(DEAD_LETTERS).await, (1, 0));
    okite.advance(Duration::from_hours(2)).await;
    let task = json!({ "SourceArn": format!("arn:aws:sqs:us-east-1:000000000000:{DEAD_LETTERS}") });
    let started = reqwest::Client::new()
        .post(&okite.local.sqs_url)
        .header("x-amz-target", "AmazonSQS.StartMessageMoveTask")
        .body(task.to_string());
    assert_eq!(started.send().await.unwrap().status(), 200);
    okite
        .until_suppressed("gone@example.net", SuppressionReason::Bounce)
        .await;
    eventually("both queues are empty", async || {
        okite.queue(RETRIES).await == (0, 0) && okite.queue(DEAD_LETTERS).await == (0, 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_deletion_fails_is_handled_again_and_deleted_then() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "UpdateItem", "table": "SuppressionsTable", "times": 3, "error": "ValidationException" }))
        .await;
    okite
        .fault(json!({ "operation": "DeleteMessage", "error": "RequestThrottled" }))
        .await;
    assert_eq!(okite.publish(&hard_bounce("gone@example.net", 1)).await, (0, 1));
    okite
        .until_suppressed("gone@example.net", SuppressionReason::Bounce)
        .await;
    eventually("the deletion failed", async || {
        okite.local(Method::GET, "faults", &Value::Null).await.body == json!([])
    })
    .await;
    eventually("the invocation has ended", async || okite.is_idle(RETRIES).await).await;
    assert_eq!(okite.queue(RETRIES).await, (0, 1));
    okite.advance(SIX_MINUTES).await;
    eventually("the queue is empty", async || okite.queue(RETRIES).await == (0, 0)).await;
    assert_eq!(okite.queue(DEAD_LETTERS).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_queue_accepts_is_reported_as_lost() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "UpdateItem", "table": "SuppressionsTable", "times": 3, "error": "ValidationException" }))
        .await;
    okite
        .fault(json!({ "operation": "SendMessage", "error": "InternalError" }))
        .await;
    assert_eq!(okite.publish(&hard_bounce("gone@example.net", 1)).await, (0, 1));
    assert_eq!(okite.queue(RETRIES).await, (0, 0));
    assert_eq!(okite.registers("gone@example.net").await.bounce_at, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_event_is_refused_and_matches_the_alarms_filter() {
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_with(|settings| {
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "error".to_owned());
    })
    .await;
    let mut foreign = hard_bounce("gone@example.net", 1);
    foreign["mail"]["sendingAccountId"] = json!("111111111111");
    assert_eq!(okite.publish(&foreign).await, (0, 1));
    // Not foreign, and no less a failure.
    assert_eq!(okite.publish(&json!({ "eventType": "Bounce" })).await, (0, 1));
    okite.until_nothing_is_to_be_retried().await;
    assert_eq!(okite.queue(DEAD_LETTERS).await, (2, 0));
    assert_eq!(okite.registers("gone@example.net").await, Registers::default());

    let lines = log_lines(folder.path(), "feedback");
    let found = counted(folder.path(), "FeedbackForeignAlarm");
    assert!(found >= 3 && found < lines.len(), "{found} of {}", lines.len());
    assert!(lines.iter().all(|line| !line.to_string().contains("gone")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_blocks_matches_the_alarms_filter() {
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_with(|settings| {
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "error".to_owned());
    })
    .await;
    for number in 0..20 {
        let told = counted(folder.path(), "FeedbackBlockedAlarm");
        assert_eq!(told, 0, "{number} blocks are no storm");
        let blocked = just_now(block(&format!("anna{number}@example.net"), number));
        assert_eq!(okite.publish(&blocked).await, (1, 0));
    }
    let lines = log_lines(folder.path(), "feedback");
    let told = counted(folder.path(), "FeedbackBlockedAlarm");
    assert_eq!((lines.len(), told, &lines[0]["domain"]), (1, 1, &json!("example.net")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_under_way_at_the_stop_is_in_the_queue_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = DataDir::take(folder.path()).unwrap();
    let okite = Okite::start_with(|settings| {
        settings.data_dir = Some(data_dir);
        settings.retries = vec![Duration::from_hours(1); 2];
    })
    .await;
    okite.no_write_for(Duration::from_hours(1)).await;
    let gone = hard_bounce("gone@example.net", 1);
    // Its caller goes away; the event does not.
    let published = okite.request(Method::POST, "/_local/sns").body(gone.to_string());
    let published = tokio::spawn(published.send());
    let tried = |okite: &Okite| {
        let update =
            |call: &&local_aws::calls::Call| call.function == "feedback" && call.action == "dynamodb:UpdateItem";
        okite.local.calls.seen().iter().any(|call| update(&call))
    };
    eventually("it was tried", async || tried(&okite)).await;
    published.abort();
    within(okite.local.stop()).await;
    let data_dir = take_again(folder.path()).await;
    let okite = Okite::start_with(|settings| settings.data_dir = Some(data_dir)).await;
    okite
        .until_suppressed("gone@example.net", SuppressionReason::Bounce)
        .await;
}

/// An Okite whose events come through a queue.
async fn through_the_queue() -> Okite {
    Okite::start_with(|settings| {
        settings.parameters.insert("FeedbackVia".to_owned(), "sqs".to_owned());
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_through_the_queue_suppress_and_settle_as_others_do() {
    let okite = through_the_queue().await;
    let sent = okite.send(&email("bounce@simulator.amazonses.com")).await;
    okite
        .until_suppressed("bounce@simulator.amazonses.com", SuppressionReason::Bounce)
        .await;
    eventually("the event is on record", async || {
        okite.count_events("Bounce").await == 1
    })
    .await;
    let shown = okite.get(&format!("/emails/{}", sent["id"].as_str().unwrap())).await;
    assert_eq!(shown.body["last_event"], "bounced", "{shown:?}");
    eventually("the queue is empty", async || okite.queue(RETRIES).await == (0, 0)).await;
    // Nobody but Lambda's poller calls the function.
    let invoked =
        |call: &local_aws::calls::Call| call.action == "sqs:ReceiveMessage" && call.resource.ends_with(RETRIES);
    assert!(okite.local.calls.seen().iter().any(invoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn through_the_queue_an_outage_loses_nothing_and_a_poison_event_ends_in_the_dead_letter_queue() {
    let okite = through_the_queue().await;
    okite.no_write_for(Duration::from_mins(10)).await;
    let addresses: Vec<String> = (0..15).map(|n| format!("gone{n}@example.net")).collect();
    for address in &addresses {
        okite.publish(&hard_bounce(address, 1)).await;
    }
    okite.publish(&json!({ "eventType": "Bounce", "mail": {} })).await;
    okite.until_nothing_is_to_be_retried().await;
    for address in &addresses {
        assert!(okite.registers(address).await.bounce_at.is_some(), "{address}");
    }
    assert_eq!(okite.queue(DEAD_LETTERS).await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_queue_does_not_take_goes_to_the_dead_letter_queue() {
    let okite = through_the_queue().await;
    okite
        .fault(json!({ "operation": "SendMessage", "times": 1, "error": "InternalError" }))
        .await;
    okite.publish(&hard_bounce("gone@example.net", 1)).await;
    assert_eq!(
        (okite.queue(RETRIES).await, okite.queue(DEAD_LETTERS).await),
        ((0, 0), (1, 0))
    );
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_refused() {
    let okite = Okite::start().await;
    let answer = okite.local(Method::GET, "queues/other", &Value::Null).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    let mail = email("success@simulator.amazonses.com");
    okite.send(&mail).await;
    assert_eq!(okite.queue(RETRIES).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_and_a_complaint_that_list_nobody_are_recorded_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_with(|settings| {
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "error".to_owned());
    })
    .await;
    let id = okite.send(&email("anna@example.net")).await["id"].clone();
    for (number, kind, contents) in [
        (
            1,
            "Bounce",
            json!({ "bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [] }),
        ),
        (
            2,
            "Complaint",
            json!({ "complaintFeedbackType": "abuse", "complainedRecipients": [] }),
        ),
    ] {
        let mut contents = contents;
        contents["feedbackId"] = json!(format!("f-{number}"));
        contents["timestamp"] = json!("2026-01-01T12:00:00Z");
        let event = json!({
            "eventType": kind,
            "mail": {
                "messageId": "m-1", "timestamp": "2026-01-01T11:00:00Z", "destination": ["anna@example.net"],
                "tags": { "okite_id": [id] },
            },
            kind.to_lowercase(): contents,
        });
        assert_eq!(okite.publish_copies(&event, 2).await, (2, 0));
    }
    okite.until_nothing_is_to_be_retried().await;
    assert_eq!(okite.queue(DEAD_LETTERS).await, (0, 0));
    assert_eq!(okite.registers("anna@example.net").await, Registers::default());

    let marks = Marks::new(okite.dynamodb.clone(), okite.variable("USAGE_TABLE").to_owned());
    for kind in [MarkKind::Bounce, MarkKind::Complaint] {
        let counted = within(marks.by_domain(jiff::civil::date(2026, 1, 1), kind, None, 100))
            .await
            .unwrap();
        assert_eq!(
            Vec::from_iter(counted.by_domain),
            [("example.net".to_owned(), 1)],
            "{kind:?}"
        );
    }
    let shown = okite.get(&format!("/emails/{}", id.as_str().unwrap())).await.body;
    for (kind, subtype) in [("bounced", "Permanent/General"), ("complained", "abuse")] {
        let events = shown["events"].as_array().unwrap().iter();
        let found: Vec<_> = events.filter(|event| event["type"] == kind).collect();
        assert_eq!(
            (found.len(), &found[0]["subtype"], &found[0]["email"]),
            (1, &json!(subtype), &Value::Null)
        );
    }

    let lines = log_lines(folder.path(), "feedback");
    let told = lines
        .iter()
        .filter(|line| line["cause"] == "no_recipients" && line["ses.id"] == "m-1");
    assert_eq!(told.count(), 4, "{lines:?}");
    assert!(lines.iter().all(|line| !line.to_string().contains("anna")), "{lines:?}");
}
