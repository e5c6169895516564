//! Events from their bytes to the items in the tables: no event makes the function panic, none makes DynamoDB refuse a
//! write, and none leaves an item that cannot be read.

use std::cell::Cell;

use aws::Suppressions;
use feedback::{Answer, FeedbackError, handle};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config as Proptest, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::feedback::orders::World;

const SAMPLES: [&str; 5] = [
    include_str!("../../events/feedback/bounce-event.json"),
    include_str!("../../events/feedback/bounce-classic.json"),
    include_str!("../../events/feedback/complaint-event.json"),
    include_str!("../../events/feedback/complaint-classic.json"),
    include_str!("../../events/feedback/subscription-event.json"),
];
/// The account and the times of the samples are left as they are; all are received here.
const RECEIVED: &str = "2126-06-01T00:00:00Z";

fn message(sample: usize) -> Value {
    let event: Value = serde_json::from_str(SAMPLES[sample]).unwrap();
    let message = event["Records"][0]["Sns"]["Message"].as_str().unwrap();
    let mut message: Value = serde_json::from_str(message).unwrap();
    message["mail"].as_object_mut().unwrap().remove("sendingAccountId");
    message
}

/// What stands in the place of a value of an event.
fn odd_value() -> impl Strategy<Value = Value> {
    const TIMES: [&str; 6] = [
        "-009999-01-02T01:59:59Z",
        "1969-12-31T23:59:59Z",
        "9999-12-30T22:00:00.001Z",
        "9999-12-30T22:00:00.999999999Z",
        "2200-01-01T00:00:00.001Z",
        "2126-06-01T00:00:01Z",
    ];
    prop_oneof![
        4 => prop::sample::select(&TIMES[..]).prop_map(Value::from),
        2 => (0_usize..40_000).prop_map(|length| Value::from("x#ü".repeat(length / 4))),
        2 => "\\PC{0,30}".prop_map(Value::from),
        1 => prop::sample::select(&["550 5.7.1 blocked", "5.1.1", "Permanent", "Transient", "", "\u{0}"][..]).prop_map(Value::from),
        1 => (1_usize..300).prop_map(|count| (0..count).map(|n| json!({ "emailAddress": format!("r{n}@example.org") })).collect()),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!({})),
    ]
}

/// Replaces the value at a place among all values of an event.
fn replace(event: &mut Value, place: usize, by: &Value) {
    fn paths(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        match value {
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, value)| paths(value, &format!("{at}/{name}"), all)),
            Value::Array(values) => {
                let numbered = values.iter().enumerate();
                numbered.for_each(|(index, value)| paths(value, &format!("{at}/{index}"), all));
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    paths(event, "", &mut all);
    // Not the event as a whole.
    let path = &all[1 + place % (all.len() - 1)];
    *event.pointer_mut(path).unwrap() = by.clone();
}

#[test]
fn whatever_an_event_holds_is_written_and_can_be_read() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::start());
    let received: Timestamp = RECEIVED.parse().unwrap();
    let list = Suppressions::new(world.dynamodb.clone(), world.suppressions_table.clone());
    let written = Cell::new(0_u32);
    let config = Proptest {
        cases: 400,
        failure_persistence: None,
        ..Proptest::default()
    };
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let damages = prop::collection::vec((any::<usize>(), odd_value()), 1..4);
    let outcome = TestRunner::new_with_rng(config, seed).run(&(0..SAMPLES.len(), damages), |(sample, damages)| {
        let mut event = message(sample);
        for (place, by) in &damages {
            replace(&mut event, *place, by);
        }
        let call = json!({ "Records": [{ "Sns": { "Message": event.to_string() } }] });
        let handled = runtime.block_on(handle(&world.state, call, received, || Uuid::from_u128(9)));
        match handled {
            Ok(_) => written.set(written.get() + 1),
            Err(error @ (FeedbackError::Panicked | FeedbackError::Store(_))) => {
                return Err(TestCaseError::fail(format!("{error}: {event}")));
            }
            // The event is for a person to look at.
            Err(_) => {}
        }
        let page = runtime.block_on(list.page(None, 1_000)).unwrap();
        prop_assert_eq!(page.unreadable, 0, "{}", event);
        Ok(())
    });
    outcome.unwrap();
    assert!(written.get() > 100, "{} were handled", written.get());
}

#[tokio::test]
async fn a_panic_fails_its_own_record_and_no_other() {
    let world = World::start().await;
    let record = |number: usize| {
        let mut event = message(0);
        event["bounce"]["bouncedRecipients"] = json!([{ "emailAddress": format!("r{number}@example.org") }]);
        json!({ "messageId": format!("id-{number}"), "eventSource": "aws:sqs", "body": event.to_string() })
    };
    let calls = Cell::new(0);
    let new_id = || {
        calls.set(calls.get() + 1);
        assert_ne!(calls.get(), 2, "the second record makes the code panic");
        Uuid::from_u128(calls.get())
    };
    let batch: Vec<Value> = (1..=9).map(record).collect();
    let received = RECEIVED.parse().unwrap();
    let answer = handle(&world.state, json!({ "Records": batch }), received, new_id).await;
    let Ok(Answer::Batch(answer)) = answer else {
        panic!("{answer:?}");
    };
    let failed: Vec<_> = answer
        .batch_item_failures
        .iter()
        .map(|failure| failure.item_identifier.as_str())
        .collect();
    assert_eq!(failed, ["id-2"]);
    let list = Suppressions::new(world.dynamodb.clone(), world.suppressions_table.clone());
    assert_eq!(list.page(None, 100).await.unwrap().entries.len(), 8);
}

#[tokio::test]
async fn a_panic_fails_its_own_message_and_the_call() {
    let world = World::start().await;
    let message = |number: usize| {
        let mut event = message(0);
        event["bounce"]["bouncedRecipients"] = json!([{ "emailAddress": format!("r{number}@example.org") }]);
        json!({ "Sns": { "Message": event.to_string() } })
    };
    let calls = Cell::new(0);
    let new_id = || {
        calls.set(calls.get() + 1);
        assert_ne!(calls.get(), 1, "the first message makes the code panic");
        Uuid::from_u128(calls.get())
    };
    let call = json!({ "Records": [message(1), message(2)] });
    let handled = handle(&world.state, call, RECEIVED.parse().unwrap(), new_id).await;
    assert!(matches!(handled, Err(FeedbackError::Panicked)), "{handled:?}");
    let list = Suppressions::new(world.dynamodb.clone(), world.suppressions_table.clone());
    assert_eq!(list.page(None, 100).await.unwrap().entries.len(), 1);
}
