//! The operations of SQS: one module for each kind.

mod attributes;
mod batch;
mod move_task;
mod receive;
mod received;
mod send;

use axum::body::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Sqs;
use super::error::SqsError;
use crate::template::Queue;

pub(super) use move_task::MoveTask;

type Answer = Result<Value, SqsError>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfQueue {
    queue_url: String,
}

impl Sqs {
    /// Carries out an operation that a caller asks for. The last `undone` entries of a batch fail.
    pub(super) async fn carry_out(&self, operation: &str, body: &Bytes, undone: usize) -> Answer {
        match operation {
            "SendMessage" => self.send_message(body),
            "SendMessageBatch" => self.send_message_batch(body, undone),
            "ReceiveMessage" => self.receive_message(body).await,
            "DeleteMessage" => self.delete_message(body),
            "DeleteMessageBatch" => self.delete_message_batch(body, undone),
            "ChangeMessageVisibility" => self.change_message_visibility(body),
            "ChangeMessageVisibilityBatch" => self.change_message_visibility_batch(body, undone),
            "GetQueueAttributes" => self.get_queue_attributes(body),
            "StartMessageMoveTask" => self.start_message_move_task(body),
            "ListMessageMoveTasks" => self.list_message_move_tasks(body),
            "ListDeadLetterSourceQueues" => self.list_dead_letter_source_queues(body),
            other => Err(SqsError::new(
                "UnsupportedOperation",
                format!("SQS does not carry out {other:?} on this machine"),
            )),
        }
    }

    /// Finds the queue that a request names.
    fn named_queue(&self, body: &Bytes) -> Result<Queue, SqsError> {
        let OfQueue { queue_url } = read(body)?;
        let missing = || SqsError::new("QueueDoesNotExist", "The specified queue does not exist.");
        self.queue_of_url(&queue_url).ok_or_else(missing)
    }
}

/// Reads a request. A member that is `null` is left out, as the protocol has it.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, SqsError> {
    let invalid = |error: serde_json::Error| SqsError::invalid(error.to_string());
    let mut request: Map<String, Value> = serde_json::from_slice(body).map_err(invalid)?;
    request.retain(|_, value| !value.is_null());
    serde_json::from_value(Value::Object(request)).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::AwsService;
    use crate::clock::Clock;

    #[tokio::test]
    async fn carries_out_the_operations_of_the_catalogue_and_no_other() {
        let sqs = Sqs::open(Vec::new(), None, Clock::default()).unwrap();
        let kind = async |operation: &str| {
            let answer = sqs.carry_out(operation, &Bytes::from("{}"), 0).await;
            answer.unwrap_err().kind
        };
        for operation in AwsService::Sqs.operations() {
            assert_ne!(kind(operation).await, "UnsupportedOperation", "{operation}");
        }
        assert_eq!(kind("PurgeQueue").await, "UnsupportedOperation");
    }
}
