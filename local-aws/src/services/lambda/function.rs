//! One function: its settings, its environments, and the events on their way through it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{ENVIRONMENTS_MAX, EVENT_MAX};

/// The settings of a function.
#[derive(Clone, Debug)]
pub struct FunctionSettings {
    /// The name of its binary, by which it is called here.
    pub name: String,
    /// The ARN of the function.
    pub arn: String,
    /// Its environment variables, without those of the Runtime API.
    pub environment: BTreeMap<String, String>,
    /// The time limit of one invocation.
    pub timeout: Duration,
    /// Its memory in MB. It is passed to the function in a variable, and not enforced.
    pub memory_mb: u32,
    /// The file of its standard output and error. Without one, they go to our own.
    pub log_file: Option<PathBuf>,
}

/// Why an invocation has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// No function has this name.
    #[error("there is no function {0}")]
    UnknownFunction(String),
    /// The event is larger than Lambda accepts.
    #[error("the event is larger than {EVENT_MAX} bytes")]
    TooLarge,
    /// The function answered with an error.
    #[error("the function failed: {kind}: {message}")]
    Function {
        /// The type of the error.
        kind: String,
        /// The text of the error.
        message: String,
    },
    /// The process ended before it answered, or did not start.
    #[error("the function's process ended: {0}")]
    Exited(String),
    /// The function exceeded its time limit.
    #[error("the function exceeded its time limit")]
    TimedOut,
}

/// An event on its way through a function.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) id: Uuid,
    pub(super) event: Bytes,
    pub(super) reply: oneshot::Sender<Result<Bytes, InvokeError>>,
}

/// An invocation for an environment: its id and its event.
pub(super) type Event = (Uuid, Bytes);

/// The invocations and environments of one function.
#[derive(Debug, Default)]
pub(super) struct FunctionState {
    /// Events that no environment has fetched.
    pub(super) pending: VecDeque<Invocation>,
    /// Environments that wait for an event, the longest-waiting first.
    pub(super) waiting: VecDeque<(Uuid, oneshot::Sender<Event>)>,
    /// Events that an environment is handling, by invocation, with the environment.
    pub(super) running: HashMap<Uuid, (Uuid, oneshot::Sender<Result<Bytes, InvokeError>>)>,
    /// The environments that may get events.
    pub(super) environments: HashMap<Uuid, Environment>,
}

impl FunctionState {
    /// Returns whether more events wait than environments are about to ask for one.
    pub(super) fn wants_environment(&self) -> bool {
        let asking = self.environments.len().saturating_sub(self.running.len());
        self.pending.len() > asking && self.environments.len() < ENVIRONMENTS_MAX
    }
}

/// The process of an environment.
#[derive(Debug)]
pub(super) struct Environment {
    /// Ends the process.
    pub(super) end: CancellationToken,
    /// Whether its init has ended, after which it asks for events.
    pub(super) ready: bool,
    /// The time by which its clock is ahead of the machine's.
    pub(super) ahead: Duration,
}

/// A function at work.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) settings: FunctionSettings,
    pub(super) state: Mutex<FunctionState>,
    /// One permit for each environment that event source mappings may keep busy.
    pub(super) slots: Arc<Semaphore>,
}

impl Function {
    pub(super) fn new(settings: FunctionSettings) -> Self {
        Self {
            settings,
            state: Mutex::default(),
            slots: Arc::new(Semaphore::new(ENVIRONMENTS_MAX)),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, FunctionState> {
        // A panic while the lock was held leaves the lists usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends an invocation, if it has not ended yet.
    pub(super) fn finish(&self, invocation: Uuid, result: Result<Bytes, InvokeError>) {
        if let Some((_, reply)) = self.state().running.remove(&invocation) {
            // The caller may have stopped waiting. The function has done its work nevertheless.
            let _ = reply.send(result);
        }
    }

    /// Ends every environment that handles no event. Returns the number of environments to start instead.
    pub(super) fn retire_idle(&self) -> usize {
        let mut state = self.state();
        state.waiting.clear();
        let FunctionState {
            environments, running, ..
        } = &mut *state;
        environments.retain(|id, environment| {
            let is_busy = running.values().any(|(running_in, _)| running_in == id);
            if !is_busy {
                environment.end.cancel();
            }
            is_busy
        });
        let room = ENVIRONMENTS_MAX.saturating_sub(state.environments.len());
        state.pending.len().max(1).min(room)
    }

    /// Gives up an invocation that ran out of time and ends the environment that handles it, as Lambda does. If none
    /// fetched it, it waited for an init that does not end, and the environments in their init are ended.
    pub(super) fn time_out(&self, invocation: Uuid) {
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

/// Returns the error of an invocation that the shutdown ended.
pub(super) fn stopped() -> InvokeError {
    InvokeError::Exited("it was stopped".to_owned())
}

/// Fails the invocations that an environment was handling.
pub(super) fn fail_running(state: &mut FunctionState, environment: Uuid, why: &str) {
    let (of_it, others) = std::mem::take(&mut state.running)
        .into_iter()
        .partition(|(_, (running_in, _))| *running_in == environment);
    state.running = others;
    for (_, reply) in HashMap::into_values(of_it) {
        let _ = reply.send(Err(InvokeError::Exited(why.to_owned())));
    }
}

/// Fails the invocations that no environment has fetched.
pub(super) fn fail_pending(state: &mut FunctionState, why: &str) {
    for invocation in state.pending.drain(..) {
        let _ = invocation.reply.send(Err(InvokeError::Exited(why.to_owned())));
    }
}
