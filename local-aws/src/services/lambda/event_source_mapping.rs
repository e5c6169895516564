//! Event source mappings: Lambda receives messages from a queue, invokes the function with them, and deletes those that
//! it handled. The others come again when their visibility timeout ends.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{EVENT_MAX, Lambda};
use crate::catalogue::AwsService;
use crate::clock::Clock;
use crate::middleware::Middleware;
use crate::services::sqs::{Held, Message, MessageAttribute, Sqs};
use crate::template::Mapping;

/// The pause after a failed receive.
const REST: Duration = Duration::from_secs(1);
/// The most messages that SQS hands over at a time.
const RECEIVE_MAX: usize = 10;
/// The room in an event beside its records, in bytes.
const FRAME: usize = 16;

/// A mapping that polls its queue.
#[derive(Clone, Debug)]
pub(crate) struct Poller {
    pub(crate) mapping: Mapping,
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) middleware: Middleware,
    /// Measures the batching window.
    pub(crate) clock: Clock,
}

/// Messages for one invocation, and the environment of the function that is free for them.
struct Batch {
    messages: Vec<Message>,
    /// Keeps others from receiving the messages.
    held: Vec<Held>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Poller {
    /// Receives messages until `stop` is cancelled. Returns when the last batch has ended.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let batches = TaskTracker::new();
        let room = Arc::new(Semaphore::new(self.mapping.concurrency));
        let poll = async {
            // Lambda reads the queue's attributes once, and the role must allow it. Nothing here depends on them.
            let _ = self.act("GetQueueAttributes", || Ok(())).await;
            while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
                match self.receive().await {
                    Ok(batch) => {
                        let poller = self.clone();
                        batches.spawn(async move {
                            // An event has a largest size, and few large messages exceed it.
                            for (messages, event) in events(&batch.messages, &poller.mapping.queue_arn) {
                                poller.handle(messages, event).await;
                            }
                            drop((batch, permit));
                        });
                    }
                    Err(error) => {
                        tracing::error!("messages could not be received: {error}");
                        tokio::time::sleep(REST).await;
                    }
                }
            }
        };
        tokio::select! {
            () = poll => {}
            () = stop.cancelled() => {}
        }
        batches.close();
        batches.wait().await;
    }

    async fn handle(&self, messages: &[Message], event: Bytes) {
        let Mapping {
            function,
            queue_arn,
            reports_item_failures,
            ..
        } = &self.mapping;
        let ids: BTreeSet<String> = messages.iter().map(|message| message.message_id.to_string()).collect();
        let failed = match self.lambda.invoke(function, event).await {
            Ok(answer) if *reports_item_failures => failures(&answer, &ids),
            Ok(_) => BTreeSet::new(),
            Err(error) => {
                tracing::warn!(
                    function,
                    messages = ids.len(),
                    "the messages of a batch come again: {error}"
                );
                return;
            }
        };
        // Here each message is deleted by itself, and on AWS Lambda deletes ten at a time.
        let deleted = messages.len().saturating_sub(failed.len()).div_ceil(RECEIVE_MAX);
        for _ in 0..deleted {
            self.consume(0);
        }
        for message in messages {
            if failed.contains(&message.message_id.to_string()) {
                continue;
            }
            let delete = || self.sqs.delete(queue_arn, message.receipt());
            if let Err(error) = self.act("DeleteMessage", delete).await {
                tracing::error!("a message could not be deleted and comes again: {error}");
            }
        }
    }

    /// Waits for messages and receives a batch of them: those that are there, or as many as come within the batching
    /// window. Meanwhile they are in flight.
    async fn receive(&self) -> io::Result<Batch> {
        let Mapping {
            batch_size,
            batching_window,
            ..
        } = &self.mapping;
        let mut batch = self.receive_some((*batch_size).min(RECEIVE_MAX)).await?;
        let window = SignedDuration::try_from(*batching_window).unwrap_or_default();
        let end = self.clock.now().checked_add(window).unwrap_or(Timestamp::MAX);
        let bytes = |batch: &Batch| batch.messages.iter().map(|message| message.body.len()).sum::<usize>();
        while !window.is_zero() && batch.messages.len() < *batch_size && bytes(&batch) < EVENT_MAX {
            let room = batch_size - batch.messages.len();
            let more = tokio::select! {
                more = self.receive_available(room.min(RECEIVE_MAX)) => more,
                () = self.clock.reaches(end) => break,
            };
            match more {
                Ok((messages, held)) => {
                    batch.messages.extend(messages);
                    batch.held.push(held);
                }
                Err(error) => {
                    tracing::error!("more messages for a batch could not be received: {error}");
                    break;
                }
            }
        }
        Ok(batch)
    }

    /// Waits for messages and for a free environment of the function, and receives up to `max` messages. Several
    /// mappings share the environments of a function, and what no environment is free for stays in its queue.
    async fn receive_some(&self, max: usize) -> io::Result<Batch> {
        loop {
            self.sqs.wait_for_messages(&self.mapping.queue_arn).await;
            let slot = self.lambda.slot(&self.mapping.function).await;
            let (messages, held) = self.receive_now(max).await?;
            if !messages.is_empty() {
                return Ok(Batch {
                    messages,
                    held: vec![held],
                    _slot: slot,
                });
            }
        }
    }

    /// Waits for messages and receives up to `max` of them.
    async fn receive_available(&self, max: usize) -> io::Result<(Vec<Message>, Held)> {
        self.sqs.wait_for_messages(&self.mapping.queue_arn).await;
        self.receive_now(max).await
    }

    async fn receive_now(&self, max: usize) -> io::Result<(Vec<Message>, Held)> {
        let receive = || self.sqs.receive_and_hold(&self.mapping.queue_arn, max);
        let (messages, held) = self.act("ReceiveMessage", receive).await?;
        if !messages.is_empty() {
            self.consume(messages.iter().map(|message| message.body.len()).sum());
        }
        Ok((messages, held))
    }

    /// Counts a request of Lambda with messages of this size.
    fn consume(&self, bytes: usize) {
        let Mapping {
            function, queue_arn, ..
        } = &self.mapping;
        let consumption = &self.middleware.consumption;
        consumption.queue_request(Some(function), queue_arn, bytes);
    }

    /// Calls SQS with the role of the function, as Lambda does.
    async fn act<T>(&self, operation: &str, carry_out: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Mapping {
            function, queue_arn, ..
        } = &self.mapping;
        let call = (AwsService::Sqs, operation);
        self.middleware
            .carry_out_for(Some(function), call, queue_arn, carry_out)
            .await
    }
}

/// Reads which messages failed out of the function's answer. If the answer has another shape, all of them failed.
fn failures(answer: &[u8], ids: &BTreeSet<String>) -> BTreeSet<String> {
    let mut answer: Value = match serde_json::from_slice(answer) {
        Ok(Value::Null) => return BTreeSet::new(),
        Ok(answer @ Value::Object(_)) => answer,
        _ => return ids.clone(),
    };
    let failures = match answer["batchItemFailures"].take() {
        Value::Null => return BTreeSet::new(),
        Value::Array(failures) => failures,
        _ => return ids.clone(),
    };
    let identified = |failure: &Value| {
        let id = failure["itemIdentifier"].as_str()?;
        ids.get(id).cloned()
    };
    let failed: Option<BTreeSet<String>> = failures.iter().map(identified).collect();
    failed.unwrap_or_else(|| ids.clone())
}

/// Writes the events that the function gets: one, unless it would be larger than an event may be. Each comes with its
/// messages.
fn events<'a>(messages: &'a [Message], queue_arn: &str) -> Vec<(&'a [Message], Bytes)> {
    let records: Vec<String> = messages
        .iter()
        .map(|message| record(message, queue_arn).to_string())
        .collect();
    let mut events = Vec::new();
    let mut begin = 0;
    while begin < messages.len() {
        let mut end = begin + 1;
        let mut size = FRAME + records[begin].len();
        while end < messages.len() && size + 1 + records[end].len() <= EVENT_MAX {
            size += 1 + records[end].len();
            end += 1;
        }
        let event = format!(r#"{{"Records":[{}]}}"#, records[begin..end].join(","));
        events.push((&messages[begin..end], Bytes::from(event)));
        begin = end;
    }
    events
}

fn record(message: &Message, queue_arn: &str) -> Value {
    let attributes = message.attributes.iter();
    let attributes: Map<String, Value> = attributes
        .map(|(name, value)| (name.clone(), attribute(value)))
        .collect();
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle(),
        "body": message.body,
        "attributes": message.system_attributes(),
        "messageAttributes": attributes,
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(':').nth(3),
    })
}

fn attribute(attribute: &MessageAttribute) -> Value {
    let mut shown = json!({
        "dataType": attribute.data_type,
        "stringListValues": [],
        "binaryListValues": [],
    });
    if let Some(text) = &attribute.string_value {
        shown["stringValue"] = json!(text);
    }
    if let Some(bytes) = &attribute.binary_value {
        shown["binaryValue"] = json!(bytes);
    }
    shown
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn message(id: u128, length: usize) -> Message {
        Message {
            message_id: Uuid::from_u128(id),
            queue_arn: String::new(),
            source_arn: None,
            body: "x".repeat(length),
            group_id: None,
            attributes: std::collections::BTreeMap::new(),
            sent_at: Timestamp::UNIX_EPOCH,
            moved_at: None,
            first_received_at: None,
            receive_count: 1,
            visible_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn messages_that_are_too_large_for_one_event_come_in_several() {
        let messages: Vec<Message> = (0..10).map(|id| message(id, 1024 * 1024)).collect();
        let events = events(&messages, "arn:aws:sqs:us-east-1:0:q");
        let sizes: Vec<usize> = events.iter().map(|(messages, _)| messages.len()).collect();
        assert_eq!(sizes, [5, 5]);
        for (messages, event) in events {
            assert!(event.len() <= EVENT_MAX);
            let event: Value = serde_json::from_slice(&event).unwrap();
            assert_eq!(event["Records"].as_array().unwrap().len(), messages.len());
        }
    }

    #[test]
    fn an_answer_names_the_failed_records_and_an_unreadable_one_fails_all() {
        let ids: BTreeSet<String> = ["a", "b"].map(str::to_owned).into();
        for (answer, failed) in [
            ("null", vec![]),
            ("{}", vec![]),
            (r#"{"batchItemFailures":null}"#, vec![]),
            (r#"{"batchItemFailures":[]}"#, vec![]),
            (r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#, vec!["b"]),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, vec!["a", "b"]),
            (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, vec!["a", "b"]),
            (r#"{"batchItemFailures":[{"id":"b"}]}"#, vec!["a", "b"]),
            (r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#, vec!["a", "b"]),
            (r#"{"batchItemFailures":"b"}"#, vec!["a", "b"]),
            (r#""b""#, vec!["a", "b"]),
            ("oops", vec!["a", "b"]),
        ] {
            assert_eq!(Vec::from_iter(failures(answer.as_bytes(), &ids)), failed, "{answer}");
        }
    }
}
