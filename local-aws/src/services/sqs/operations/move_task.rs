//! `StartMessageMoveTask`, `ListMessageMoveTasks` and `ListDeadLetterSourceQueues`: messages go out of a dead-letter
//! queue, back to where they came from.

use std::sync::PoisonError;

use axum::body::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::super::error::SqsError;
use super::super::messages::MovedBack;
use super::super::{Sqs, new_id};
use super::{Answer, read};
use crate::template::Queue;

/// A move of messages from a dead-letter queue back to the queues that they came from. Here it ends at once.
#[derive(Clone, Debug)]
pub(in super::super) struct MoveTask {
    source_arn: String,
    destination_arn: Option<String>,
    result: MovedBack,
    started_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfSource {
    source_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ToMove {
    source_arn: String,
    destination_arn: Option<String>,
}

impl Sqs {
    pub(super) fn start_message_move_task(&self, body: &Bytes) -> Answer {
        let ToMove {
            source_arn,
            destination_arn,
        } = read(body)?;
        let _ = self.dead_letter_queue(&source_arn)?;
        if let Some(arn) = &destination_arn
            && self.messages().queue(arn).is_none()
        {
            return Err(missing("DestinationArn"));
        }
        let now = self.clock.now();
        let result = self
            .messages()
            .move_back(&source_arn, destination_arn.as_deref(), new_id, now)?;
        self.changed.notify_waiters();
        let task = MoveTask {
            source_arn,
            destination_arn,
            result,
            started_at: now,
        };
        self.moves.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        Ok(json!({ "TaskHandle": new_id() }))
    }

    /// Lists the newest ten tasks, the newest first.
    pub(super) fn list_message_move_tasks(&self, body: &Bytes) -> Answer {
        let OfSource { source_arn } = read(body)?;
        let _ = self.dead_letter_queue(&source_arn)?;
        let moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = moves.iter().rev().filter(|task| task.source_arn == source_arn).take(10);
        let show = |task: &MoveTask| {
            let mut shown = json!({
                "Status": "COMPLETED",
                "SourceArn": task.source_arn,
                "ApproximateNumberOfMessagesMoved": task.result.moved,
                "ApproximateNumberOfMessagesToMove": task.result.to_move,
                "StartedTimestamp": task.started_at.as_millisecond(),
            });
            if let Some(arn) = &task.destination_arn {
                shown["DestinationArn"] = json!(arn);
            }
            if task.result.source_is_unknown {
                shown["Status"] = json!("FAILED");
                shown["FailureReason"] = json!("CouldNotDetermineMessageSource");
            }
            shown
        };
        Ok(json!({ "Results": of_source.map(show).collect::<Vec<_>>() }))
    }

    /// Lists the URLs of the queues whose failed messages go to a queue.
    pub(super) fn list_dead_letter_source_queues(&self, body: &Bytes) -> Answer {
        let arn = self.named_queue(body)?.arn;
        let leads_here = |queue: &&Queue| queue.redrive.as_ref().is_some_and(|redrive| redrive.queue_arn == arn);
        let messages = self.messages();
        let urls = messages.queues().iter().filter(leads_here).map(|queue| &queue.url);
        // This member alone begins with a small letter on AWS.
        Ok(json!({ "queueUrls": urls.collect::<Vec<_>>() }))
    }

    /// Finds the dead-letter queue of an ARN. SQS moves messages out of no other queue.
    fn dead_letter_queue(&self, arn: &str) -> Result<Queue, SqsError> {
        let messages = self.messages();
        let queue = messages.queue(arn).ok_or_else(|| missing("SourceArn"))?;
        let leads_here = |queue: &Queue| queue.redrive.as_ref().is_some_and(|redrive| redrive.queue_arn == arn);
        if !messages.queues().iter().any(leads_here) {
            let why = "Source queue must be configured as a Dead Letter Queue.";
            return Err(SqsError::new("InvalidParameterValueException", why));
        }
        Ok(queue.clone())
    }
}

fn missing(parameter: &str) -> SqsError {
    let why = format!("The resource that you specified for the {parameter} parameter doesn't exist.");
    SqsError::new("ResourceNotFoundException", why)
}
