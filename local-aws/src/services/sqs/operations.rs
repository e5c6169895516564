//! The operations of SQS that operators use: the state of a queue, and moving messages out of a dead-letter queue.

use std::sync::PoisonError;

use axum::body::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{QueueState, Sqs, new_id};
use crate::template::Queue;

/// A move of messages from a dead-letter queue back to the queues that they came from. Here it ends at once.
#[derive(Clone, Debug)]
pub(super) struct MoveTask {
    source_arn: String,
    moved: usize,
    started_at: Timestamp,
}

/// An error of SQS.
#[derive(Debug)]
pub(super) struct SqsError {
    /// The type of the error: `QueueDoesNotExist`.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl SqsError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message }
    }
}

type Answer = Result<Value, SqsError>;

impl From<std::io::Error> for SqsError {
    fn from(error: std::io::Error) -> Self {
        Self::new("InternalError", error.to_string())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfQueue {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfSource {
    source_arn: String,
}

impl Sqs {
    /// Carries out an operation that a caller asks for.
    pub(super) fn carry_out(&self, operation: &str, body: &Bytes) -> Answer {
        match operation {
            "GetQueueAttributes" => self.get_queue_attributes(body),
            "StartMessageMoveTask" => self.start_message_move_task(body),
            "ListMessageMoveTasks" => self.list_message_move_tasks(body),
            other => Err(SqsError::new(
                "UnsupportedOperation",
                format!("SQS does not carry out {other:?} on this machine"),
            )),
        }
    }

    fn queue(&self, is: impl Fn(&QueueState) -> bool) -> Result<QueueState, SqsError> {
        let queue = self.queues()?.into_iter().find(is);
        queue.ok_or_else(|| SqsError::new("QueueDoesNotExist", "The specified queue does not exist."))
    }

    fn get_queue_attributes(&self, body: &Bytes) -> Answer {
        let OfQueue { queue_url } = read(body)?;
        let queue = self.queue(|queue| queue.url == queue_url)?;
        Ok(json!({ "Attributes": {
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": queue.visible.to_string(),
            "ApproximateNumberOfMessagesNotVisible": queue.in_flight.to_string(),
        }}))
    }

    fn start_message_move_task(&self, body: &Bytes) -> Answer {
        let OfSource { source_arn } = read(body)?;
        let _ = self.dead_letter_queue(&source_arn)?;
        let now = self.clock.now();
        let moved = self.messages().move_back(&source_arn, new_id, now)?;
        self.changed.notify_waiters();
        let task = MoveTask {
            source_arn,
            moved,
            started_at: now,
        };
        self.moves.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        Ok(json!({ "TaskHandle": new_id() }))
    }

    /// Lists the newest ten tasks, the newest first.
    fn list_message_move_tasks(&self, body: &Bytes) -> Answer {
        let OfSource { source_arn } = read(body)?;
        let _ = self.dead_letter_queue(&source_arn)?;
        let moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = moves.iter().rev().filter(|task| task.source_arn == source_arn).take(10);
        let show = |task: &MoveTask| {
            json!({
                "Status": "COMPLETED",
                "SourceArn": task.source_arn,
                "ApproximateNumberOfMessagesMoved": task.moved,
                "ApproximateNumberOfMessagesToMove": task.moved,
                "StartedTimestamp": task.started_at.as_millisecond(),
            })
        };
        Ok(json!({ "Results": of_source.map(show).collect::<Vec<_>>() }))
    }

    /// Finds the dead-letter queue of an ARN. SQS moves messages out of no other queue.
    fn dead_letter_queue(&self, arn: &str) -> Result<QueueState, SqsError> {
        let missing = || {
            SqsError::new(
                "ResourceNotFoundException",
                "The resource that you specified for the SourceArn parameter doesn't exist.",
            )
        };
        let queue = self.queue(|queue| queue.arn == arn).map_err(|_| missing())?;
        let leads_here = |queue: &Queue| queue.redrive.as_ref().is_some_and(|redrive| redrive.queue_arn == arn);
        if !self.messages().queues().iter().any(leads_here) {
            let why = "Source queue must be configured as a Dead Letter Queue.";
            return Err(SqsError::new("InvalidParameterValueException", why));
        }
        Ok(queue)
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, SqsError> {
    serde_json::from_slice(body).map_err(|error| SqsError::new("InvalidParameterValueException", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::AwsService;
    use crate::clock::Clock;

    #[test]
    fn carries_out_operations_of_the_catalogue_only() {
        let sqs = Sqs::open(Vec::new(), None, Clock::default()).unwrap();
        let code = |operation: &str| sqs.carry_out(operation, &Bytes::from("{}")).unwrap_err().code;
        // Lambda and SNS carry these out in this process.
        let inside = ["SendMessage", "ReceiveMessage", "DeleteMessage"];
        for operation in AwsService::Sqs.operations() {
            let is_served = code(operation) != "UnsupportedOperation";
            assert_eq!(is_served, !inside.contains(operation), "{operation}");
        }
        assert_eq!(code("PurgeQueue"), "UnsupportedOperation");
    }
}
