//! The SQS API as it is on the wire, as far as `okite feedback redrive` needs it: the JSON protocol, one operation a request.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html>

use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{QueueState, Sqs, new_id};

/// A move of messages from a dead-letter queue to where they came from; here it is over at once.
#[derive(Clone, Debug)]
pub(super) struct MoveTask {
    source_arn: String,
    moved: usize,
    started_at: Timestamp,
}

/// An error of SQS: its type and its text.
struct SqsError(&'static str, String);

type Answer = Result<Value, SqsError>;

impl IntoResponse for SqsError {
    fn into_response(self) -> Response {
        let Self(kind, message) = self;
        let body = json!({ "__type": format!("com.amazonaws.sqs#{kind}"), "message": message });
        (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
    }
}

impl From<std::io::Error> for SqsError {
    fn from(error: std::io::Error) -> Self {
        Self("InternalError", error.to_string())
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
    /// The wire.
    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new().route("/", post(carry_out)).with_state(Arc::clone(self))
    }

    fn queue(&self, is: impl Fn(&QueueState) -> bool) -> Result<QueueState, SqsError> {
        let queue = self.queues()?.into_iter().find(is);
        queue.ok_or_else(|| SqsError("QueueDoesNotExist", "The specified queue does not exist.".to_owned()))
    }

    fn attributes(&self, body: &Bytes) -> Answer {
        let OfQueue { queue_url } = read(body)?;
        let queue = self.queue(|queue| queue.url == queue_url)?;
        Ok(json!({ "Attributes": {
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": queue.visible.to_string(),
            "ApproximateNumberOfMessagesNotVisible": queue.in_flight.to_string(),
        }}))
    }

    fn start_move(&self, body: &Bytes) -> Answer {
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

    /// The newest task first; AWS lists ten at most.
    fn moves(&self, body: &Bytes) -> Answer {
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

    /// SQS moves messages out of a dead-letter queue only.
    fn dead_letter_queue(&self, arn: &str) -> Result<QueueState, SqsError> {
        let missing = || {
            SqsError(
                "ResourceNotFoundException",
                "The resource that you specified for the SourceArn parameter doesn't exist.".to_owned(),
            )
        };
        let queue = self.queue(|queue| queue.arn == arn).map_err(|_| missing())?;
        let leads_here =
            |queue: &crate::template::Queue| queue.redrive.as_ref().is_some_and(|redrive| redrive.queue_arn == arn);
        if !self.messages().queues().iter().any(leads_here) {
            let why = "Source queue must be configured as a Dead Letter Queue.".to_owned();
            return Err(SqsError("InvalidParameterValueException", why));
        }
        Ok(queue)
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, SqsError> {
    serde_json::from_slice(body).map_err(|error| SqsError("InvalidParameterValueException", error.to_string()))
}

async fn carry_out(State(sqs): State<Arc<Sqs>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let answer = match target.unwrap_or_default() {
        "AmazonSQS.GetQueueAttributes" => sqs.attributes(&body),
        "AmazonSQS.StartMessageMoveTask" => sqs.start_move(&body),
        "AmazonSQS.ListMessageMoveTasks" => sqs.moves(&body),
        other => Err(SqsError(
            "UnsupportedOperation",
            format!("{other:?} is not carried out on this machine"),
        )),
    };
    match answer {
        Ok(answer) => ([("content-type", "application/x-amz-json-1.0")], answer.to_string()).into_response(),
        Err(error) => error.into_response(),
    }
}
