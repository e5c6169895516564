//! EventBridge Scheduler: invokes functions at a rate, the first time at once.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::services::lambda::Lambda;
use crate::template::Schedule;

/// Runs a schedule until `stop` is cancelled. As on AWS, a rate without a start date fires at once. `first` is dropped
/// when that run has ended, successfully or not.
pub(crate) async fn run(schedule: Schedule, lambda: Arc<Lambda>, first: TaskTrackerToken, stop: CancellationToken) {
    let mut first = Some(first);
    let input = Bytes::from(schedule.input.to_string());
    loop {
        let result = tokio::select! {
            result = lambda.invoke(&schedule.function, input.clone()) => result,
            () = stop.cancelled() => return,
        };
        if let Err(error) = result {
            tracing::error!(function = schedule.function, "a scheduled run failed: {error}");
        }
        drop(first.take());
        tokio::select! {
            () = tokio::time::sleep(schedule.every) => {}
            () = stop.cancelled() => return,
        }
    }
}
