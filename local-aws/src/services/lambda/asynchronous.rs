//! Lambda's queue of asynchronous events: a caller hands one over and is done; one that the function fails at is tried
//! again, and goes to the queue of failures in the end.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{InvokeError, Lambda, new_id};
use crate::calls::Calls;
use crate::clock::Clock;
use crate::sqs::Sqs;
use crate::template::AsynchronousEvents;

/// When Lambda tries an asynchronous event again that failed. On AWS it waits one minute and then two; here a minute is
/// a second, so that a failure can be watched.
pub const RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// What became of an event that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function handled it.
    Handled,
    /// It failed for good, and is in a queue.
    Queued,
}

/// Why an event is neither handled nor in a queue.
#[derive(Debug, thiserror::Error)]
pub enum AsynchronousError {
    /// Lambda does not take it: it was not handed over.
    #[error(transparent)]
    NotTaken(InvokeError),
    /// The function failed at every try, and has no queue of failures.
    #[error("{function} failed {tries} times, and has no queue of failures: {reason}")]
    Lost {
        /// The function.
        function: String,
        /// How often.
        tries: usize,
        /// What it said last.
        reason: InvokeError,
    },
    /// The queue of failures could not be written.
    #[error("an event that failed could not be kept: {0}")]
    NotKept(#[from] io::Error),
}

/// The asynchronous side of Lambda.
#[derive(Debug)]
pub struct Asynchronous {
    lambda: Arc<Lambda>,
    sqs: Arc<Sqs>,
    calls: Calls,
    clock: Clock,
    configs: Vec<AsynchronousEvents>,
    waits: Vec<Duration>,
    /// Cancelled when all ends: what is tried goes to the queue at once.
    end: CancellationToken,
}

impl Asynchronous {
    /// Tries again after each of `waits`, as often as `configs` say.
    #[must_use]
    pub fn new(
        lambda: Arc<Lambda>,
        sqs: Arc<Sqs>,
        calls: Calls,
        clock: Clock,
        configs: Vec<AsynchronousEvents>,
        waits: Vec<Duration>,
    ) -> Self {
        Self {
            lambda,
            sqs,
            calls,
            clock,
            configs,
            waits,
            end: CancellationToken::new(),
        }
    }

    /// Hands an event over, and waits to see what becomes of it.
    ///
    /// # Errors
    /// [`AsynchronousError`] when it is neither handled nor in a queue.
    pub async fn invoke(&self, function: &str, event: &Bytes) -> Result<Outcome, AsynchronousError> {
        let config = self.configs.iter().find(|config| config.function == function);
        let mut waits = self
            .waits
            .iter()
            .take(config.map_or(usize::MAX, |config| config.retries));
        let mut tries = 0;
        let reason = loop {
            let invoked = tokio::select! {
                invoked = self.lambda.invoke(function, event.clone()) => invoked,
                () = self.end.cancelled() => Err(super::stopped()),
            };
            tries += 1;
            let error = match invoked {
                Ok(_) => return Ok(Outcome::Handled),
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
        tracing::warn!(function, tries, "an event was put into a queue: {reason}");
        self.calls.record_of_role(function, "sqs:SendMessage", queue_arn);
        self.sqs
            .send(queue_arn, self.failure(function, event, tries, &reason))?;
        Ok(Outcome::Queued)
    }

    /// The ARN of a function, by its name.
    pub(crate) fn arn(&self, function: &str) -> Option<&str> {
        self.lambda.arn(function)
    }

    /// Ends the tries: what is not handled by now goes to the queue.
    pub(crate) fn end(&self) {
        self.end.cancel();
    }

    /// The record of an event that failed.
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
