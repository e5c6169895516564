//! How many messages a second pass through a queue and a mapping, and how many calls of DynamoDB are answered. Run by
//! hand: `cargo test -p local-aws --test queues throughput -- --ignored --nocapture`, and with `--release` for what a
//! released command does.

use std::time::{Duration, Instant};

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde_json::{Value, json};

use crate::run::{Run, data_dir};
use crate::worker;

const MESSAGES: usize = 2_000;
const BATCH: usize = 10;
/// The clients of DynamoDB side by side.
const CLIENTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures"]
async fn throughput() {
    let folder = tempfile::tempdir().unwrap();
    let dir = data_dir(folder.path()).await;
    let run = Run::start_with(|settings| {
        settings.environment.remove(worker::DIRECTOR);
        settings.data_dir = Some(dir);
    })
    .await;
    // Two kilobytes each, as a hint or a small piece of work is; the delay keeps the function out of the first figure.
    let entry = |id: usize| {
        let entry = SendMessageBatchRequestEntry::builder().id(id.to_string());
        entry
            .message_body("x".repeat(2_048))
            .delay_seconds(900)
            .build()
            .unwrap()
    };
    let began = Instant::now();
    for _ in 0..MESSAGES / BATCH {
        let send = run.sqs.send_message_batch().queue_url(run.url("First"));
        let entries = (0..BATCH).map(entry).collect();
        let answer = send.set_entries(Some(entries)).send().await.unwrap();
        assert_eq!(answer.successful.len(), BATCH);
    }
    report("messages sent", began.elapsed());
    let began = Instant::now();
    run.advance(Duration::from_mins(15)).await;
    run.until("First", [0, 0, 0]).await;
    report("messages handled", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures"]
async fn throughput_of_dynamodb() {
    let folder = tempfile::tempdir().unwrap();
    let dir = data_dir(folder.path()).await;
    let run = Run::start_with(|settings| settings.data_dir = Some(dir)).await;
    for operation in ["PutItem", "GetItem", "TransactWriteItems"] {
        let began = Instant::now();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let ids = (0..MESSAGES / CLIENTS).map(|id| request(operation, &format!("{client}-{id}")).to_string());
                tokio::spawn(call_all(
                    run.local.dynamodb_url.clone(),
                    operation.to_owned(),
                    ids.collect(),
                ))
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        report(operation, began.elapsed());
    }
}

/// A request of DynamoDB for an item, or for two in a transaction.
fn request(operation: &str, id: &str) -> Value {
    let key = json!({ "id": { "S": id } });
    let put = |id: &str| {
        let item = json!({ "id": { "S": id }, "body": { "S": "x".repeat(2_048) } });
        json!({ "TableName": "shop-Items", "Item": item })
    };
    match operation {
        "PutItem" => put(id),
        "GetItem" => json!({ "TableName": "shop-Items", "Key": key }),
        _ => json!({ "TransactItems": [{ "Put": put(&format!("{id}-a")) }, { "Put": put(&format!("{id}-b")) }] }),
    }
}

/// Calls an operation of DynamoDB again and again.
async fn call_all(url: String, operation: String, bodies: Vec<String>) {
    const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=caller/20261122/us-east-1/dynamodb/aws4_request, \
                             SignedHeaders=host;x-amz-date, Signature=0";
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for body in bodies {
        let request = http
            .post(&url)
            .header("content-type", "application/x-amz-json-1.0")
            .body(body);
        let request = request.header("x-amz-target", format!("DynamoDB_20120810.{operation}"));
        let request = request
            .header("authorization", SIGNATURE)
            .header("x-amz-date", "20261122T000000Z");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
}

#[expect(clippy::print_stdout, reason = "the figures are for the person who runs it")]
#[expect(clippy::cast_precision_loss, reason = "two thousand")]
fn report(what: &str, took: Duration) {
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!(
        "{build} build: {:.0} a second: {what}",
        MESSAGES as f64 / took.as_secs_f64()
    );
}
