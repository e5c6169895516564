//! How every function starts and runs: its configuration, its log, its state, and then one event after the other.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::ProcessConfig;
use crate::environment::{ConfigError, Environment};
use crate::telemetry;

/// One call of a function.
#[derive(Debug)]
pub struct Invocation<E> {
    /// The event that Lambda hands over.
    pub event: E,
    /// When the invocation began.
    pub now: Timestamp,
    /// When Lambda ends it.
    pub deadline: Instant,
    /// Makes the ids of this invocation.
    pub ids: IdSource,
}

/// Makes new ids.
#[derive(Clone, Copy, Debug)]
pub struct IdSource {
    clock: Clock,
}

#[expect(clippy::disallowed_methods, reason = "the ids of an invocation are made here")]
impl IdSource {
    /// Makes an id that sorts by time (`UUIDv7`).
    #[must_use]
    pub fn new_id(self) -> Uuid {
        self.clock.new_id()
    }

    /// Makes a random value by which the writes of this invocation are recognised.
    #[must_use]
    pub fn new_nonce(self) -> Uuid {
        Uuid::new_v4()
    }
}

/// Runs a function until Lambda ends the process: reads its configuration, sets the log up, makes its state, and hands
/// every event to `handle`. `own_crate` is the name of the function's crate, `env!("CARGO_CRATE_NAME")`, whose records
/// are logged. `timeout` is the function's timeout in the template, for callers that name no deadline.
///
/// # Errors
/// When a variable is missing or wrong, the state cannot be made, or the Runtime API is gone.
pub async fn run<C, S, E, A, F>(
    own_crate: &'static str,
    timeout: Duration,
    read: impl FnOnce(ProcessConfig, &Environment<'_>) -> Result<C, ConfigError>,
    start: impl AsyncFnOnce(C) -> Result<S, F>,
    handle: impl AsyncFn(&S, Invocation<E>) -> Result<A, Diagnostic>,
) -> Result<(), lambda_runtime::Error>
where
    E: for<'de> Deserialize<'de>,
    A: Serialize,
    F: Error + Send + Sync + 'static,
{
    let environment = Environment::of_process();
    let process = ProcessConfig::read(&environment);
    // An error is logged in the same form as everything else.
    let level = process.as_ref().map_or(LevelFilter::INFO, |process| process.log_level);
    telemetry::init(own_crate, level);
    let process = process.inspect_err(log_init_error)?;
    let clock = process.clock;
    let config = read(process, &environment).inspect_err(log_init_error)?;
    drop(environment);
    let state = start(config).await.inspect_err(log_init_error)?;
    let (state, handle) = (&state, &handle);
    // On the heap, once: the futures of the SDK and the runtime nest deeper than the compiler likes to look.
    Box::pin(lambda_runtime::run(service_fn(move |event: LambdaEvent<E>| {
        let invocation = begin(event, clock, timeout);
        // On the heap for the same reason.
        Box::pin(async move { handle(state, invocation).await })
    })))
    .await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the outermost function reads the clock, once an invocation"
)]
fn begin<E>(event: LambdaEvent<E>, clock: Clock, timeout: Duration) -> Invocation<E> {
    let now = clock.now();
    Invocation {
        deadline: Instant::now() + time_left(event.context.deadline, now).unwrap_or(timeout),
        event: event.payload,
        now,
        ids: IdSource { clock },
    }
}

/// Returns how long Lambda lets an invocation run; `deadline` is in milliseconds since the epoch. A deadline that
/// passed before the invocation began is none: `cargo lambda watch` names such a time.
fn time_left(deadline: u64, now: Timestamp) -> Option<Duration> {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let left = Duration::from_millis(deadline.saturating_sub(now));
    (!left.is_zero()).then_some(left)
}

fn log_init_error(error: &impl Error) {
    tracing::error!("init failed: {error}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_in_the_past_is_no_deadline() {
        let now = Timestamp::from_millisecond(1_800_000_000_000).unwrap();
        assert_eq!(time_left(1_800_000_005_000, now), Some(Duration::from_secs(5)));
        for deadline in [0, 600_000, 1_800_000_000_000] {
            assert_eq!(time_left(deadline, now), None, "{deadline}");
        }
    }
}
