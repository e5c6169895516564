//! The queue of deliveries to webhooks.

use std::time::Duration;

use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures_util::{StreamExt, stream};

use super::client::SqsClient;
use super::{DepthUnknown, batch, depth, needs_operator, seconds};
use domain::queue::QueueDepth;
use domain::webhook::DeliveryMessage;

/// The most bytes of the messages of one call, and so of one message.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const BYTES_MAX: usize = 1024 * 1024;
/// How many calls are under way at a time.
const CALLS_AT_ONCE: usize = 4;

/// SQS may not have taken a delivery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SendMessageBatch failed: {code}")]
pub struct DeliveryNotQueued {
    /// SQS's error code, or the kind of failure if there was no answer with one.
    pub code: String,
}

impl DeliveryNotQueued {
    /// Returns the cause as the field `cause` of a log line, by which alarms of the template count lines.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        if needs_operator(&self.code) {
            "deployment"
        } else {
            "not_queued"
        }
    }
}

/// A message that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedDelivery {
    /// The message.
    pub message: DeliveryMessage,
    /// The time after which it is to be received: whole seconds, at most a quarter of an hour.
    pub delay: Duration,
}

/// The queue of deliveries.
#[derive(Clone, Debug)]
pub struct DeliveryQueue {
    client: SqsClient,
    queue_url: String,
}

impl DeliveryQueue {
    /// The environment variable of a function that holds the URL of the queue.
    pub const URL_VARIABLE: &str = "WEBHOOK_QUEUE_URL";

    /// Sends to the queue with this URL, with the patience of the client: [`sqs`](crate::sqs()) or
    /// [`sqs_for_worker`](crate::sqs_for_worker).
    #[must_use]
    pub fn new(client: impl Into<SqsClient>, queue_url: String) -> Self {
        Self {
            client: client.into(),
            queue_url,
        }
    }

    /// Sends messages, in as many calls as they need. Returns the outcome of each, in their order: SQS may take some
    /// and not the others. The deliveries of an endpoint are a message group, so that SQS shares the queue out fairly
    /// among endpoints.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>
    pub async fn send_all(&self, deliveries: &[QueuedDelivery]) -> Vec<Result<(), DeliveryNotQueued>> {
        let bodies: Vec<String> = deliveries.iter().map(|delivery| delivery.message.to_body()).collect();
        let entry =
            |(index, (delivery, body)): (usize, (&QueuedDelivery, &String))| entry(index, delivery, body.clone());
        let mut rest = (deliveries, bodies.as_slice());
        let mut calls = Vec::new();
        while !rest.0.is_empty() {
            let (call, deliveries) = rest.0.split_at(fitting(rest.1));
            let (bodies_of_call, bodies) = rest.1.split_at(call.len());
            rest = (deliveries, bodies);
            calls.push(
                call.iter()
                    .zip(bodies_of_call)
                    .enumerate()
                    .map(entry)
                    .collect::<Vec<_>>(),
            );
        }
        stream::iter(calls)
            .map(|entries| batch::send(self.client.get(), &self.queue_url, entries))
            .buffered(CALLS_AT_ONCE)
            .map(stream::iter)
            .flatten()
            .map(|taken| taken.map_err(|code| DeliveryNotQueued { code }))
            .collect()
            .await
    }

    /// Asks how many messages are to be worked off: those that can be received, and those in flight. Delayed ones do
    /// not count. SQS's figures are approximate.
    ///
    /// # Errors
    /// [`DepthUnknown`] if there is no answer, or one without a figure. The queue must then count as full.
    pub async fn depth(&self) -> Result<QueueDepth, DepthUnknown> {
        depth::of(self.client.get(), &self.queue_url).await
    }
}

/// Returns how many of the first bodies go in one call: at least one, which SQS refuses if it is too large.
fn fitting(bodies: &[String]) -> usize {
    let mut bytes: usize = 0;
    let fits = |body: &&String| {
        bytes = bytes.saturating_add(body.len());
        bytes <= BYTES_MAX
    };
    let count = bodies.iter().take(batch::MESSAGES_MAX).take_while(fits).count();
    count.max(1).min(bodies.len())
}

/// Makes the entry of a message in a batch. Its id is its place.
fn entry(index: usize, delivery: &QueuedDelivery, body: String) -> Result<SendMessageBatchRequestEntry, BuildError> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_group_id(delivery.message.endpoint())
        .delay_seconds(seconds(delivery.delay))
        .message_body(body)
        .build()
}
