//! Lambda: functions as processes of their own, driven over the Runtime API.
//!
//! Every execution environment is a process that handles one invocation at a time, as on AWS. An invocation goes to an
//! environment that waits for one. If none waits, another environment is started, up to [`ENVIRONMENTS_MAX`], and the
//! invocation goes to the first that is free. An environment that exits or exceeds its time limit fails its invocation
//! and is not used again. An environment gets the time once, when it starts, so advancing the clock replaces all
//! environments.
//!
//! | module | contents |
//! |---|---|
//! | `program` | the executables of functions |
//! | `function` | one function: its environments and the events on their way |
//! | `environment`, `output` | the process of an environment, and its output |
//! | `runtime_api` | the API that an environment calls |
//! | `asynchronous` | asynchronous invocations: retries, and the queue for failures |
//! | `event_source_mapping` | invocations with messages from a queue |

mod asynchronous;
mod environment;
mod event_source_mapping;
mod function;
mod output;
mod program;
mod runtime_api;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::clock::Clock;
use crate::consumption::{Consumption, Unit};
use crate::processes::Processes;
use crate::services::cloudwatch::PrintedMetrics;

pub use asynchronous::{Asynchronous, AsynchronousError, EventOutcome, RETRIES};
pub use environment::end_with_parent;
pub(crate) use event_source_mapping::Poller;
pub use function::{FunctionSettings, InvokeError};
pub use program::Program;

use function::{Environment, Event, Function, Invocation, fail_pending, fail_running, stopped};
use output::Outputs;

/// The most environments of one function at a time. A new AWS account may run this many of all its functions together.
pub const ENVIRONMENTS_MAX: usize = 10;
/// The largest event of a synchronous invocation, in bytes.
pub const EVENT_MAX: usize = 6 * 1024 * 1024;

/// The functions of a stack.
#[derive(Debug)]
pub struct Lambda {
    program: Program,
    /// The URL of the Runtime API. Each environment has a path of its own below it.
    runtime_api: String,
    functions: HashMap<String, Arc<Function>>,
    clock: Clock,
    processes: Processes,
    outputs: Outputs,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Lambda {
    /// Registers `functions` and starts none of them. `runtime_api` is the URL that serves [`Self::router`].
    #[must_use]
    pub fn new(
        program: Program,
        functions: Vec<FunctionSettings>,
        runtime_api: String,
        clock: Clock,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let function = |settings: FunctionSettings| (settings.name.clone(), Arc::new(Function::new(settings)));
        Arc::new(Self {
            program,
            runtime_api,
            functions: functions.into_iter().map(function).collect(),
            clock,
            processes: Processes::default(),
            outputs: Outputs::default(),
            stop,
            tasks: TaskTracker::new(),
        })
    }

    /// Returns the routes of the Runtime API, with one path for each environment.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        runtime_api::router(Arc::clone(self))
    }

    /// Returns the running processes of all functions.
    #[must_use]
    pub fn processes(&self) -> Processes {
        self.processes.clone()
    }

    /// Returns the record of consumption, to which invocations and printed lines are added.
    pub(crate) fn consumption(&self) -> &Consumption {
        self.outputs.consumption()
    }

    /// Returns the metrics that the functions printed.
    pub(crate) fn metrics(&self) -> &PrintedMetrics {
        self.outputs.metrics()
    }

    /// Returns the ARN of a function.
    fn arn(&self, name: &str) -> Option<&str> {
        Some(&self.functions.get(name)?.settings.arn)
    }

    /// Waits until an event source mapping may keep one more environment of a function busy. All mappings to a function
    /// share its environments.
    async fn slot(&self, name: &str) -> Option<OwnedSemaphorePermit> {
        let slots = Arc::clone(&self.functions.get(name)?.slots);
        slots.acquire_owned().await.ok()
    }

    /// Starts one environment of every function, so that the first invocation does not wait for a process.
    pub fn warm_up(self: &Arc<Self>) {
        for function in self.functions.values() {
            self.start_environment(function);
        }
    }

    /// Replaces the environments whose clock is out of date: idle ones at once, the others when they ask for the next
    /// event.
    pub(crate) fn renew(self: &Arc<Self>) {
        for function in self.functions.values() {
            let wanted = function.retire_idle();
            for _ in 0..wanted {
                self.start_environment(function);
            }
        }
    }

    /// Invokes a function and waits for its answer, as a synchronous caller does. The invocation goes on if the caller
    /// stops waiting.
    ///
    /// # Errors
    /// Returns an [`InvokeError`] if there is no answer.
    pub async fn invoke(self: &Arc<Self>, name: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        if event.len() > EVENT_MAX {
            return Err(InvokeError::TooLarge);
        }
        let function = self
            .functions
            .get(name)
            .ok_or_else(|| InvokeError::UnknownFunction(name.to_owned()))?;
        let (lambda, function) = (Arc::clone(self), Arc::clone(function));
        let call = tokio::spawn(async move { lambda.call(&function, event).await });
        call.await.unwrap_or_else(|_| Err(stopped()))
    }

    async fn call(self: &Arc<Self>, function: &Arc<Function>, event: Bytes) -> Result<Bytes, InvokeError> {
        let id = new_id();
        let (reply, answer) = oneshot::channel();
        self.enqueue(function, Invocation { id, event, reply });
        let answered = tokio::time::timeout(function.settings.timeout, answer).await;
        let name = &function.settings.name;
        self.consumption().add(Some(name), Unit::Invocation, name, 1.0);
        let Ok(answer) = answered else {
            function.time_out(id);
            return Err(InvokeError::TimedOut);
        };
        answer.unwrap_or_else(|_| Err(stopped()))
    }

    /// Ends all processes and waits until they are gone.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn enqueue(self: &Arc<Self>, function: &Arc<Function>, invocation: Invocation) {
        let mut state = function.state();
        let Invocation { id, event, mut reply } = invocation;
        if self.stop.is_cancelled() {
            let _ = reply.send(Err(stopped()));
            return;
        }
        let ahead = self.clock.ahead();
        while let Some((environment, waiting)) = state.waiting.pop_front() {
            let listed = state.environments.get(&environment);
            if listed.is_some_and(|listed| listed.ahead != ahead) {
                // The clock was set forward, and this environment has not been replaced yet.
                state
                    .environments
                    .remove(&environment)
                    .inspect(|outdated| outdated.end.cancel());
                continue;
            }
            // It is registered first, so that it fails with its environment from the first moment.
            state.running.insert(id, (environment, reply));
            match waiting.send((id, event.clone())) {
                Ok(()) => return,
                // That environment is gone.
                Err(_) => match state.running.remove(&id) {
                    Some((_, returned)) => reply = returned,
                    None => return,
                },
            }
        }
        state.pending.push_back(Invocation { id, event, reply });
        let wanted = state.wants_environment();
        drop(state);
        if wanted {
            self.start_environment(function);
        }
    }

    fn start_environment(self: &Arc<Self>, function: &Arc<Function>) {
        let id = new_id();
        let end = self.stop.child_token();
        let ahead = self.clock.ahead();
        let environment = Environment {
            end: end.clone(),
            ready: false,
            ahead,
        };
        function.state().environments.insert(id, environment);
        let lambda = Arc::clone(self);
        let function = Arc::clone(function);
        self.processes.started(id, end.clone());
        self.tasks.spawn(async move {
            let reached_by = (lambda.runtime_api.as_str(), &lambda.outputs);
            let ended = environment::run(&lambda.program, &function.settings, reached_by, id, ahead, end).await;
            lambda.environment_ended(&function, id, &ended);
            lambda.processes.ended(id);
        });
    }

    /// Fails the invocation of an environment that ended, and starts another environment if events wait.
    fn environment_ended(self: &Arc<Self>, function: &Arc<Function>, id: Uuid, ended: &str) {
        let mut state = function.state();
        // An environment that was given up is no longer listed.
        let environment = state.environments.remove(&id);
        state.waiting.retain(|(environment, _)| *environment != id);
        fail_running(&mut state, id, ended);
        let stopping = self.stop.is_cancelled();
        if let Some(environment) = &environment
            && !stopping
        {
            tracing::warn!(function = function.settings.name, "an environment ended: {ended}");
            // A process that dies in its init would die again and again, so the waiting events fail.
            if !environment.ready && state.environments.is_empty() {
                fail_pending(&mut state, ended);
            }
        }
        if stopping {
            fail_pending(&mut state, ended);
        }
        // One that died in its init would die again and again beside the others.
        let died_in_init = environment.is_some_and(|environment| !environment.ready);
        let wanted = !died_in_init && state.wants_environment();
        drop(state);
        if wanted {
            self.start_environment(function);
        }
    }

    /// Waits for the next event of one of a function's environments. Returns nothing if the environment is to end.
    async fn next(&self, function: &Function, environment: Uuid) -> Option<Event> {
        let waiting = {
            let mut state = function.state();
            let asking = state.environments.get_mut(&environment)?;
            asking.ready = true;
            let outdated = asking.ahead != self.clock.ahead();
            // It handles one event at a time, so an event without an answer by now will never have one.
            fail_running(&mut state, environment, "it asked for the next event without an answer");
            if outdated {
                state.environments.remove(&environment)?.end.cancel();
                return None;
            }
            if let Some(Invocation { id, event, reply }) = state.pending.pop_front() {
                state.running.insert(id, (environment, reply));
                return Some((id, event));
            }
            let (wake, waiting) = oneshot::channel();
            state.waiting.push_back((environment, wake));
            waiting
        };
        tokio::select! {
            event = waiting => event.ok(),
            () = self.stop.cancelled() => None,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the ids of invocations and environments are made here and nowhere else"
)]
fn new_id() -> Uuid {
    Uuid::new_v4()
}
