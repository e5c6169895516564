//! The function that delivers events to the endpoints of webhooks.
//!
//! Lambda calls it with batches of a queue of SQS. A message holds a delivery, or names one in the table Deliveries.
//!
//! | module | concept |
//! |---|---|
//! | `event` | the batch that the function is called with |
//! | `endpoint_work` | the work on the messages of one endpoint |
//! | `attempt` | one attempt at a delivery, and what follows |
//! | `request` | one request to an endpoint: its addresses, its limits and its answer |
//! | `known` | the endpoints and their secrets, known for some seconds |
//! | `slow` | the slow endpoints that the process knows |
//! | `invocation` | the time of an invocation |
//! | `log` | the lines of the log |
//! | `config`, `state` | the variables of the function, and its clients |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod attempt;
mod config;
mod endpoint_work;
mod event;
mod invocation;
mod known;
mod log;
#[cfg(test)]
mod receiver;
mod request;
mod slow;
mod state;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use runtime::batch::BatchAnswer;
use runtime::function;
use serde_json::Value;
use tokio::time::Instant;

pub use config::Config;
pub use event::NotABatch;
pub use state::{Courier, NoTls};

use event::Batch;
use invocation::Invocation;

/// The function's timeout in the template.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Runs the function until Lambda ends it.
///
/// # Errors
/// If a variable is missing or invalid, or the Runtime API is unreachable.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    function::run(
        env!("CARGO_CRATE_NAME"),
        TIMEOUT,
        Config::read,
        Courier::new,
        async |state: &Courier, call: function::Invocation<Value>| {
            let answer = handle(state, call.event, call.now, call.deadline).await;
            answer.map_err(|error| Diagnostic {
                error_type: "NotABatch".to_owned(),
                error_message: error.to_string(),
            })
        },
    )
    .await
}

/// Delivers the events of a batch, before Lambda ends the invocation at `deadline`. The answer names the messages that
/// come again; the others are done, or a copy of them is in the queue.
///
/// # Errors
/// [`NotABatch`] if the event is no batch of SQS.
pub async fn handle(
    state: &Courier,
    event: Value,
    now: Timestamp,
    deadline: Instant,
) -> Result<BatchAnswer, NotABatch> {
    let batch = Batch::of(event).inspect_err(|error| tracing::error!("{error}"))?;
    // A message that is none comes again until it is in the dead-letter queue, where a person finds it.
    for id in &batch.malformed {
        tracing::error!(
            cause = "malformed",
            record.id = id,
            "a message of the queue is no delivery"
        );
    }
    let limits = state.limits;
    let client = state.requests.client();
    let invocation = &Invocation::new(client, now, deadline, limits.begin_within, limits.request);
    let work = batch.endpoints.into_iter().map(async |(endpoint, messages)| {
        // On the heap: the futures of the SDK nest deeper than the compiler likes to look.
        Box::pin(state.work(&endpoint, messages, invocation)).await
    });
    let again = join_all(work).await;
    Ok(batch.malformed.into_iter().chain(again.into_iter().flatten()).collect())
}
