//! Event source mappings: messages become invocations of the function.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::run::{Run, data_dir, within};
use crate::worker::Invocation;

const FIRST: &str = "First";
const SECOND: &str = "Second";

/// An answer that lists these messages as failed.
fn failed(invocation: &Invocation, bodies: &[&str]) -> Value {
    let records = invocation.event["Records"].as_array().unwrap();
    let records = records
        .iter()
        .filter(|record| bodies.contains(&record["body"].as_str().unwrap()));
    let failures: Vec<Value> = records
        .map(|record| json!({ "itemIdentifier": record["messageId"] }))
        .collect();
    json!({ "batchItemFailures": failures })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_gone_once_it_was_handled_and_one_that_failed_comes_again() {
    let mut run = Run::start().await;
    let mut failing = None;
    for body in ["good", "bad"] {
        run.send(FIRST, body).await;
    }
    // One invocation or two, as the messages came.
    let mut seen = BTreeSet::new();
    while seen.len() < 2 {
        let invocation = run.invoked().await;
        seen.extend(invocation.bodies().into_iter().map(str::to_owned));
        failing = failing.or_else(|| {
            invocation
                .bodies()
                .contains(&"bad")
                .then(|| invocation.event["Records"].clone())
        });
        let answer = failed(&invocation, &["bad"]);
        invocation.answer(answer);
    }
    run.until(FIRST, [0, 1, 0]).await;
    run.advance(Duration::from_mins(6)).await;
    let again = run.invoked().await;
    assert_eq!(again.bodies(), ["bad"]);
    let record = &again.event["Records"][0];
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(
        record["eventSourceARN"],
        "arn:aws:sqs:us-east-1:000000000000:shop-First"
    );
    again.answer(Value::Null);
    run.until(FIRST, [0, 0, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_messages_of_an_invocation_that_fails_come_again() {
    let mut run = Run::start().await;
    run.send(FIRST, "x").await;
    drop(run.invoked().await);
    run.until(FIRST, [0, 1, 0]).await;
    run.advance(Duration::from_mins(6)).await;
    run.invoked().await.answer(json!({ "batchItemFailures": [] }));
    run.until(FIRST, [0, 0, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_the_clock_forward_does_not_take_a_message_from_the_invocation_that_handles_it() {
    let mut run = Run::start().await;
    run.send(FIRST, "x").await;
    let slow = run.invoked().await;
    run.advance(Duration::from_hours(1)).await;
    assert_eq!(run.counts(FIRST).await, [0, 1, 0]);
    slow.answer(Value::Null);
    run.until(FIRST, [0, 0, 0]).await;
    assert!(!run.is_invoked());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_mappings_have_two_invocations_each_and_no_more() {
    let mut run = Run::start().await;
    // One message for each invocation: a batch is at most ten, and the second queue's window ends with the clock.
    let mut running: Vec<Invocation> = Vec::new();
    for body in ["1", "2"] {
        run.send(FIRST, body).await;
        running.push(run.invoked().await);
    }
    for body in ["3", "4"] {
        run.send(SECOND, body).await;
        run.until(SECOND, [0, if body == "3" { 1 } else { 2 }, 0]).await;
        run.advance(Duration::from_mins(1)).await;
        running.push(run.invoked().await);
    }
    assert_eq!(
        running.iter().map(Invocation::bodies).collect::<Vec<_>>(),
        [["1"], ["2"], ["3"], ["4"]]
    );
    run.send(FIRST, "5").await;
    run.send(SECOND, "6").await;
    assert_eq!(
        (run.counts(FIRST).await, run.counts(SECOND).await),
        ([1, 2, 0], [1, 2, 0])
    );
    assert!(!run.is_invoked());
    running.remove(0).answer(Value::Null);
    assert_eq!(run.invoked().await.bodies(), ["5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batching_window_ends_when_the_batch_is_full_or_its_time_is_over() {
    let mut run = Run::start().await;
    for body in 0..100 {
        run.send(SECOND, &body.to_string()).await;
    }
    let full = run.invoked().await;
    assert_eq!(full.bodies().len(), 100);
    full.answer(Value::Null);
    for body in 0..25 {
        run.send(SECOND, &body.to_string()).await;
    }
    run.until(SECOND, [0, 25, 0]).await;
    assert!(!run.is_invoked());
    run.advance(Duration::from_mins(1)).await;
    let rest = run.invoked().await;
    assert_eq!(rest.bodies().len(), 25);
    rest.answer(Value::Null);
    run.until(SECOND, [0, 0, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_message_invokes_the_function_when_the_clock_is_set_forward() {
    let mut run = Run::start().await;
    let send = run.sqs.send_message().queue_url(run.url(FIRST)).message_body("later");
    send.delay_seconds(900).message_group_id("tenant").send().await.unwrap();
    run.until(FIRST, [0, 0, 1]).await;
    assert!(!run.is_invoked());
    run.advance(Duration::from_mins(15)).await;
    let invocation = run.invoked().await;
    assert_eq!(invocation.bodies(), ["later"]);
    let attributes = &invocation.event["Records"][0]["attributes"];
    assert_eq!(attributes["MessageGroupId"], "tenant");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_being_handled_when_all_ended_comes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let first_dir = data_dir(folder.path()).await;
    let mut run = Run::start_with(|settings| settings.data_dir = Some(first_dir)).await;
    run.send(FIRST, "x").await;
    let _unanswered = run.invoked().await;
    within(run.local.stop()).await;
    let second_dir = data_dir(folder.path()).await;
    let mut run = Run::start_with(|settings| settings.data_dir = Some(second_dir)).await;
    let again = run.invoked().await;
    assert_eq!(again.bodies(), ["x"]);
    assert_eq!(again.event["Records"][0]["attributes"]["ApproximateReceiveCount"], "2");
    again.answer(Value::Null);
    run.until(FIRST, [0, 0, 0]).await;
}
