//! The sender: it sends the mails that wait, and hands over those that are due.
//!
//! Lambda calls it with hints from two queues of SQS, one for each stream, and a schedule calls it every minute for a
//! sweep. The rules are those of [`sending::Worker`].
//!
//! | module | concept |
//! |---|---|
//! | `event` | the events that the function is called with |
//! | `deliveries` | the sweep of webhooks, beside that of mail |
//! | `metrics` | publishes the report of a sweep as metrics |
//! | `config`, `state` | the variables of the function, and its clients |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod config;
mod deliveries;
mod event;
mod metrics;
mod state;

use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use runtime::batch::BatchAnswer;
use runtime::function::{self, Invocation};
use sending::Deadlines;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

pub use config::Config;
pub use event::UnknownEvent;
pub use state::Sender;

use deliveries::WebhookReport;
use event::{Batch, Task};

/// The function's timeout in the template.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The answer of the function.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SenderAnswer {
    /// The answer to a queue.
    Batch(BatchAnswer),
    /// The figures of a sweep.
    Sweep(Value),
}

/// Runs the function until Lambda ends it.
///
/// # Errors
/// If a variable is missing or invalid, or the Runtime API is unreachable.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    function::run(
        env!("CARGO_CRATE_NAME"),
        TIMEOUT,
        Config::read,
        Sender::new,
        async |state: &Sender, call: Invocation<Value>| {
            let answer = handle(state, call.event, call.now, call.deadline, || call.ids.new_nonce()).await;
            answer.map_err(|error| Diagnostic {
                error_type: "UnknownEvent".to_owned(),
                error_message: error.to_string(),
            })
        },
    )
    .await
}

/// Works on a batch of hints, or sweeps, before Lambda ends the invocation at `deadline`. `new_id` makes random values
/// by which the writes of attempts are recognised.
///
/// # Errors
/// [`UnknownEvent`] if the event is neither.
pub async fn handle(
    state: &Sender,
    event: Value,
    now: Timestamp,
    deadline: Instant,
    new_id: impl Fn() -> Uuid,
) -> Result<SenderAnswer, UnknownEvent> {
    let deadlines = Deadlines::new(now, deadline);
    let stream_of = |arn: &str| state.worker.hints.stream_of(arn);
    match Task::of(event, stream_of).inspect_err(|error| tracing::error!("{error}"))? {
        Task::Work(batch) => Ok(SenderAnswer::Batch(work(state, batch, &deadlines, new_id).await)),
        Task::Sweep => {
            let (figures, ()) = tokio::join!(
                sweep(state, &deadlines, now),
                sweep_webhooks(state, &deadlines, deadline)
            );
            Ok(SenderAnswer::Sweep(figures))
        }
    }
}

/// Hands over the mail that is due. Returns the figures.
async fn sweep(state: &Sender, deadlines: &Deadlines, now: Timestamp) -> Value {
    let report = state.worker.sweep(deadlines).await;
    state.publish_metrics(&report, now);
    tracing::info!(
        transactional = report.transactional.handed_over,
        bulk = report.bulk.handed_over,
        expired = report.transactional.expired + report.bulk.expired,
        failed = report.transactional.failed + report.bulk.failed,
        "the sweep handed over what is due"
    );
    json!({
        "transactional": metrics::figures(&report.transactional),
        "bulk": metrics::figures(&report.bulk),
    })
}

/// Hands over the deliveries to webhooks that are due. The invocation does not wait for it to the last, so that it can
/// neither delay nor fail the sweep of mail.
async fn sweep_webhooks(state: &Sender, deadlines: &Deadlines, end: Instant) {
    const ANSWERING: Duration = Duration::from_secs(5);
    let swept = Box::pin(state.webhooks.sweep(deadlines, end));
    let end = end.checked_sub(ANSWERING).unwrap_or(end);
    match tokio::time::timeout_at(end, swept).await {
        Ok(report) if report == WebhookReport::default() => {}
        Ok(report) => tracing::info!(
            handed_over = report.handed_over,
            probes = report.probes,
            failed_deliveries = report.failed_deliveries,
            disabled = report.disabled,
            deleted = report.deleted,
            failed = report.failed,
            "the sweep looked after the endpoints of webhooks"
        ),
        Err(_) => tracing::error!(
            cause = "store",
            "no time was left for the sweep of webhooks: a store was slow"
        ),
    }
}

/// Works on the hints of a batch. What is no hint comes again until it is in the dead-letter queue, where a person
/// finds it.
async fn work(state: &Sender, batch: Batch, deadlines: &Deadlines, new_id: impl Fn() -> Uuid) -> BatchAnswer {
    for id in &batch.malformed {
        tracing::error!(cause = "malformed", record.id = id, "a message of the queue is no hint");
    }
    let again = if batch.hints.is_empty() {
        Vec::new()
    } else {
        // On the heap: the futures of the SDK nest deeper than the compiler likes to look.
        Box::pin(state.worker.work(&batch.hints, deadlines, new_id)).await
    };
    batch.malformed.into_iter().chain(again).collect()
}
