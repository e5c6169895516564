//! Asynchronous invocations: a caller hands an event over, Lambda retries it when the function fails, and in the end
//! sends it to the queue for failures.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{InvokeError, Lambda, new_id};
use crate::catalogue::AwsService;
use crate::clock::Clock;
use crate::middleware::Middleware;
use crate::services::sqs::Sqs;
use crate::template::AsynchronousEvents;

/// The pauses before Lambda retries a failed asynchronous event. AWS waits one minute and then two; here a minute is a
/// second, so that a person can watch a failure.
pub const RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// The result of an asynchronous event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOutcome {
    /// The function handled it.
    Handled,
    /// Every try failed, and the event is in a queue.
    Queued,
}

/// Why an event is neither handled nor in a queue.
#[derive(Debug, thiserror::Error)]
pub enum AsynchronousError {
    /// Lambda did not accept the event.
    #[error(transparent)]
    NotTaken(InvokeError),
    /// Every try failed, and the function has no queue for failures.
    #[error("{function} failed {tries} times and has no queue for failures: {reason}")]
    Lost {
        /// The name of the function.
        function: String,
        /// The number of tries.
        tries: usize,
        /// The error of the last try.
        reason: InvokeError,
    },
    /// The queue for failures did not accept the event.
    #[error("the queue for failures did not accept an event: {0}")]
    NotKept(#[from] io::Error),
}

/// Lambda's asynchronous invocations.
#[derive(Debug)]
pub struct Asynchronous {
    lambda: Arc<Lambda>,
    sqs: Arc<Sqs>,
    middleware: Middleware,
    clock: Clock,
    configs: Vec<AsynchronousEvents>,
    waits: Vec<Duration>,
    /// Cancelled at shutdown: events that are still being tried go to the queue at once.
    end: CancellationToken,
}

impl Asynchronous {
    /// Retries after each of `waits`, as often as `configs` allow.
    #[must_use]
    pub fn new(
        lambda: Arc<Lambda>,
        sqs: Arc<Sqs>,
        middleware: Middleware,
        clock: Clock,
        configs: Vec<AsynchronousEvents>,
        waits: Vec<Duration>,
    ) -> Self {
        Self {
            lambda,
            sqs,
            middleware,
            clock,
            configs,
            waits,
            end: CancellationToken::new(),
        }
    }

    /// Invokes a function and waits for the result, retries included.
    ///
    /// # Errors
    /// Returns an [`AsynchronousError`] if the event is neither handled nor in a queue.
    pub async fn invoke(&self, function: &str, event: &Bytes) -> Result<EventOutcome, AsynchronousError> {
        let config = self.configs.iter().find(|config| config.function == function);
        let mut waits = self
            .waits
            .iter()
            .take(config.map_or(usize::MAX, |config| config.retries));
        let mut tries = 0;
        let reason = loop {
            let invoked = tokio::select! {
                invoked = self.lambda.invoke(function, event.clone()) => invoked,
                () = self.end.cancelled() => Err(super::function::stopped()),
            };
            tries += 1;
            let error = match invoked {
                Ok(_) => return Ok(EventOutcome::Handled),
                Err(error @ (InvokeError::UnknownFunction(_) | InvokeError::TooLarge)) => {
                    return Err(AsynchronousError::NotTaken(error));
                }
                Err(error) => error,
            };
            let Some(wait) = waits.next() else { break error };
            tokio::select! {
                () = tokio::time::sleep(*wait) => {}
                () = self.end.cancelled() => break error,
            }
        };
        let Some(queue_arn) = config.and_then(|config| config.on_failure.as_deref()) else {
            tracing::error!(function, tries, "an event was given up: {reason}");
            return Err(AsynchronousError::Lost {
                function: function.to_owned(),
                tries,
                reason,
            });
        };
        tracing::warn!(function, tries, "an event goes to the queue for failures: {reason}");
        let failure = self.failure(function, event, tries, &reason);
        let consumption = &self.middleware.consumption;
        consumption.queue_request(Some(function), queue_arn, failure.len());
        let send = || self.sqs.send(queue_arn, failure);
        let call = (AwsService::Sqs, "SendMessage");
        self.middleware
            .carry_out_for(Some(function), call, queue_arn, send)
            .await?;
        Ok(EventOutcome::Queued)
    }

    /// Returns the ARN of a function.
    pub(crate) fn arn(&self, function: &str) -> Option<&str> {
        self.lambda.arn(function)
    }

    /// Ends all tries: an event that is not handled by now goes to the queue.
    pub(crate) fn end(&self) {
        self.end.cancel();
    }

    /// Writes the record of a failed event.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
    fn failure(&self, function: &str, event: &Bytes, tries: usize, reason: &InvokeError) -> String {
        let (kind, message) = match reason {
            InvokeError::Function { kind, message } => (kind.as_str(), message.clone()),
            InvokeError::TimedOut => ("Sandbox.Timedout", reason.to_string()),
            _ => ("Runtime.ExitError", reason.to_string()),
        };
        let arn = self.lambda.arn(function).unwrap_or_default();
        json!({
            "version": "1.0",
            "timestamp": self.clock.now().to_string(),
            "requestContext": {
                "requestId": new_id(),
                "functionArn": format!("{arn}:$LATEST"),
                "condition": "RetriesExhausted",
                "approximateInvokeCount": tries,
            },
            "requestPayload": serde_json::from_slice::<Value>(event).unwrap_or_default(),
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": { "errorType": kind, "errorMessage": message },
        })
        .to_string()
    }
}
