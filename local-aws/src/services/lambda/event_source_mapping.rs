//! Event source mappings: Lambda receives messages from a queue, invokes the function with them, and deletes those that
//! it handled. The others come again when their visibility timeout ends.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Lambda;
use crate::catalogue::AwsService;
use crate::middleware::Middleware;
use crate::services::sqs::{Message, Sqs};
use crate::template::Mapping;

/// The pause after a failed receive.
const REST: Duration = Duration::from_secs(1);

/// A mapping that polls its queue.
#[derive(Clone, Debug)]
pub(crate) struct Poller {
    pub(crate) mapping: Mapping,
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) middleware: Middleware,
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
                    Ok(messages) => {
                        let poller = self.clone();
                        batches.spawn(async move {
                            poller.handle(messages).await;
                            drop(permit);
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

    async fn handle(&self, messages: Vec<Message>) {
        let Mapping {
            function,
            queue_arn,
            reports_item_failures,
            ..
        } = &self.mapping;
        let ids: BTreeSet<String> = messages.iter().map(|message| message.message_id.to_string()).collect();
        let failed = match self.lambda.invoke(function, event(&messages, queue_arn)).await {
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
        for message in messages {
            if failed.contains(&message.message_id.to_string()) {
                continue;
            }
            let delete = || self.sqs.delete(queue_arn, message.message_id);
            if let Err(error) = self.act("DeleteMessage", delete).await {
                tracing::error!("a message could not be deleted and comes again: {error}");
            }
        }
    }

    /// Waits for messages and receives a batch of them.
    async fn receive(&self) -> io::Result<Vec<Message>> {
        let Mapping {
            queue_arn, batch_size, ..
        } = &self.mapping;
        loop {
            self.sqs.wait_for_messages(queue_arn).await;
            let receive = || self.sqs.receive(queue_arn, *batch_size);
            let messages = self.act("ReceiveMessage", receive).await?;
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
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

/// Writes the event that the function gets.
fn event(messages: &[Message], queue_arn: &str) -> Bytes {
    let record = |message: &Message| {
        json!({
            "messageId": message.message_id,
            "receiptHandle": format!("{}#{}", message.message_id, message.receive_count),
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": message.receive_count.to_string(),
                "SentTimestamp": message.sent_at.as_millisecond().to_string(),
                "ApproximateFirstReceiveTimestamp": message
                    .first_received_at
                    .unwrap_or(message.sent_at)
                    .as_millisecond()
                    .to_string(),
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": queue_arn,
            "awsRegion": queue_arn.split(':').nth(3),
        })
    };
    let records: Vec<Value> = messages.iter().map(record).collect();
    Bytes::from(json!({ "Records": records }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_what_failed_and_one_that_makes_no_sense_means_all() {
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
