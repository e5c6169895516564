//! Lambda: functions as processes of their own, driven over the Runtime API.
//!
//! Every execution environment is a process that handles one invocation at a time, as on AWS. An invocation goes to an
//! environment that is waiting for one; when none is, another environment is started, up to [`ENVIRONMENTS_MAX`], and
//! the invocation goes to whichever is free first. An environment that exits or runs out of time fails its invocation
//! and is not used again. An environment is told the time once, when it starts; when the clock is advanced, others take
//! the places of all.

mod asynchronous;
mod environment;
mod output;
mod processes;
mod runtime_api;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::clock::Clock;
use crate::cloudwatch::Metrics;

pub use asynchronous::{Asynchronous, AsynchronousError, Outcome, RETRIES};
pub use environment::end_with_parent;
pub use processes::Processes;
pub(crate) use processes::environment_of;

use output::Outputs;

/// The most environments of one function at a time: what a new AWS account may run of all its functions together.
pub const ENVIRONMENTS_MAX: usize = 10;
/// The largest event that Lambda takes in a synchronous call, in bytes.
pub const EVENT_MAX: usize = 6 * 1024 * 1024;

/// How a function's process is started.
#[derive(Clone, Debug)]
pub enum Program {
    /// One executable runs every function; the function's name is its last argument.
    ByName {
        /// The executable.
        path: PathBuf,
        /// What comes before the function's name.
        arguments: Vec<String>,
    },
    /// Each function is an executable of its own, `<folder>/<function>/bootstrap`, as cargo-lambda builds them.
    Bootstraps(PathBuf),
}

impl Program {
    /// The executable of a function, and its arguments.
    fn command(&self, function: &str) -> (PathBuf, Vec<String>) {
        match self {
            Self::ByName { path, arguments } => {
                let name = std::iter::once(function.to_owned());
                (path.clone(), arguments.iter().cloned().chain(name).collect())
            }
            Self::Bootstraps(folder) => (folder.join(function).join("bootstrap"), Vec::new()),
        }
    }
}

/// One function and what it is given.
#[derive(Clone, Debug)]
pub struct FunctionSettings {
    /// Its name, which is that of its binary.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its whole environment but for what the Runtime API adds.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Its memory, which it is told and not held to.
    pub memory_mb: u32,
    /// Where its standard output and error go; `None` lets them go where ours go.
    pub log_file: Option<PathBuf>,
}

/// Why an invocation has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// There is no such function.
    #[error("there is no function {0}")]
    UnknownFunction(String),
    /// The event is larger than Lambda takes.
    #[error("the event is larger than {EVENT_MAX} bytes")]
    TooLarge,
    /// The function answered with an error.
    #[error("the function failed: {kind}: {message}")]
    Function {
        /// The error's type.
        kind: String,
        /// The error's text.
        message: String,
    },
    /// The process ended before it answered, or could not be started.
    #[error("the function's process ended: {0}")]
    Exited(String),
    /// The function took longer than it may.
    #[error("the function ran out of time")]
    TimedOut,
}

/// An event on its way through a function.
#[derive(Debug)]
struct Invocation {
    id: Uuid,
    event: Bytes,
    reply: oneshot::Sender<Result<Bytes, InvokeError>>,
}

/// What an environment gets: the invocation's id and its event.
type Event = (Uuid, Bytes);

/// What is going on in one function.
#[derive(Debug, Default)]
struct State {
    /// Events that no environment has taken yet.
    pending: VecDeque<Invocation>,
    /// Environments that wait for an event, longest first.
    waiting: VecDeque<(Uuid, oneshot::Sender<Event>)>,
    /// Events that an environment works on, by invocation, with the environment.
    running: HashMap<Uuid, (Uuid, oneshot::Sender<Result<Bytes, InvokeError>>)>,
    /// The environments that events may go to.
    environments: HashMap<Uuid, Environment>,
}

/// A process, as far as events are concerned.
#[derive(Debug)]
struct Environment {
    /// Ends it.
    end: CancellationToken,
    /// Whether its init has ended: it has asked for an event.
    ready: bool,
    /// How far ahead of the machine's clock it believes to be.
    ahead: Duration,
}

#[derive(Debug)]
struct Function {
    settings: FunctionSettings,
    state: Mutex<State>,
}

impl Function {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held leaves lists that are still lists.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends an invocation, if it has not ended yet.
    fn finish(&self, invocation: Uuid, result: Result<Bytes, InvokeError>) {
        if let Some((_, reply)) = self.state().running.remove(&invocation) {
            // Who asked may have gone away; the function has done its work all the same.
            let _ = reply.send(result);
        }
    }

    /// Gives up every environment that is not at work, and tells how many to start in their place.
    fn retire_idle(&self) -> usize {
        let mut state = self.state();
        state.waiting.clear();
        let State {
            environments, running, ..
        } = &mut *state;
        environments.retain(|id, environment| {
            let at_work = running.values().any(|(running_in, _)| running_in == id);
            if !at_work {
                environment.end.cancel();
            }
            at_work
        });
        let room = ENVIRONMENTS_MAX.saturating_sub(state.environments.len());
        state.pending.len().max(1).min(room)
    }

    /// Gives an invocation up that ran out of time, and with it the environment that works on it, as Lambda does. One
    /// that no environment took has waited for an init that does not end: those environments are given up.
    fn time_out(&self, invocation: Uuid) {
        let mut state = self.state();
        let pending = state.pending.len();
        state.pending.retain(|waiting| waiting.id != invocation);
        let never_taken = state.pending.len() < pending;
        let busy_with_it = state.running.remove(&invocation).map(|(environment, _)| environment);
        state.environments.retain(|id, environment| {
            let give_up = busy_with_it == Some(*id) || (never_taken && !environment.ready);
            if give_up {
                environment.end.cancel();
            }
            !give_up
        });
    }
}

/// The functions of a stack.
#[derive(Debug)]
pub struct Lambda {
    program: Program,
    /// Where the Runtime API is: a URL, so that each environment can have a path of its own below it.
    runtime_api: String,
    functions: HashMap<String, Arc<Function>>,
    clock: Clock,
    processes: Processes,
    outputs: Outputs,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Lambda {
    /// Knows `functions` and starts none of them yet. `runtime_api` is the URL that [`Self::router`] is served on.
    #[must_use]
    pub fn new(
        program: Program,
        functions: Vec<FunctionSettings>,
        runtime_api: String,
        clock: Clock,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let function = |settings: FunctionSettings| {
            (
                settings.name.clone(),
                Arc::new(Function {
                    settings,
                    state: Mutex::default(),
                }),
            )
        };
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

    /// The Runtime API, one path below it for each environment.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        runtime_api::router(Arc::clone(self))
    }

    /// The processes of all functions.
    #[must_use]
    pub fn processes(&self) -> Processes {
        self.processes.clone()
    }

    /// The metrics that the functions printed.
    pub(crate) fn metrics(&self) -> &Metrics {
        self.outputs.metrics()
    }

    /// The ARN of a function, by its name.
    fn arn(&self, name: &str) -> Option<&str> {
        Some(&self.functions.get(name)?.settings.arn)
    }

    /// Starts one environment of every function, so that the first call does not wait for a process.
    pub fn warm_up(self: &Arc<Self>) {
        for function in self.functions.values() {
            self.start_environment(function);
        }
    }

    /// Has the functions go by the clock as it is now: environments that are not at work are replaced at once, the others
    /// when they ask for the next event.
    pub(crate) fn renew(self: &Arc<Self>) {
        for function in self.functions.values() {
            let wanted = function.retire_idle();
            for _ in 0..wanted {
                self.start_environment(function);
            }
        }
    }

    /// Calls a function and waits for its answer, as a synchronous caller does. The call goes on when nobody waits for
    /// it any more.
    ///
    /// # Errors
    /// [`InvokeError`] says why there is none.
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
        let Ok(answer) = tokio::time::timeout(function.settings.timeout, answer).await else {
            function.time_out(id);
            return Err(InvokeError::TimedOut);
        };
        answer.unwrap_or_else(|_| Err(stopped()))
    }

    /// Ends every process and waits until they are gone.
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
        while let Some((environment, waiting)) = state.waiting.pop_front() {
            // It is registered before it is handed over, so that it fails with its environment from the first moment.
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
        let starting = state.environments.len().saturating_sub(state.running.len());
        let wanted = state.pending.len() > starting && state.environments.len() < ENVIRONMENTS_MAX;
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

    /// Fails what an environment was working on, and starts another one if events wait for it.
    fn environment_ended(self: &Arc<Self>, function: &Arc<Function>, id: Uuid, ended: &str) {
        let mut state = function.state();
        // One that was given up is not there any more.
        let environment = state.environments.remove(&id);
        state.waiting.retain(|(environment, _)| *environment != id);
        fail_running(&mut state, id, ended);
        let stopping = self.stop.is_cancelled();
        if let Some(environment) = &environment
            && !stopping
        {
            tracing::warn!(function = function.settings.name, "an environment ended: {ended}");
            // A process that dies in its init would die again and again: what waits for it fails.
            if !environment.ready && state.environments.is_empty() {
                fail_pending(&mut state, ended);
            }
        }
        if stopping {
            fail_pending(&mut state, ended);
        }
        let wanted = !state.pending.is_empty() && state.environments.is_empty();
        drop(state);
        if wanted {
            self.start_environment(function);
        }
    }

    /// Waits for the next event of a function, on behalf of one of its environments; `None` if that is to end.
    async fn next(&self, function: &Function, environment: Uuid) -> Option<Event> {
        let waiting = {
            let mut state = function.state();
            let asking = state.environments.get_mut(&environment)?;
            asking.ready = true;
            let outdated = asking.ahead != self.clock.ahead();
            // It handles one event at a time: what it has not answered by now it never will.
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

fn stopped() -> InvokeError {
    InvokeError::Exited("it was stopped".to_owned())
}

fn fail_running(state: &mut State, environment: Uuid, why: &str) {
    let (of_it, others) = std::mem::take(&mut state.running)
        .into_iter()
        .partition(|(_, (running_in, _))| *running_in == environment);
    state.running = others;
    for (_, reply) in HashMap::into_values(of_it) {
        let _ = reply.send(Err(InvokeError::Exited(why.to_owned())));
    }
}

fn fail_pending(state: &mut State, why: &str) {
    for invocation in state.pending.drain(..) {
        let _ = invocation.reply.send(Err(InvokeError::Exited(why.to_owned())));
    }
}
