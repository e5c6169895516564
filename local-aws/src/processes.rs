//! The processes that run now, so that whoever sees a call of one can kill it.
//!
//! Every environment is given its id as its session token, which the SDK sends along with each call: that is how a
//! service knows whom to kill. Only processes that Lambda started are here, and each is killed by its handle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The processes of Lambda, by their environments; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    running: Arc<Mutex<HashMap<Uuid, Process>>>,
}

#[derive(Clone, Debug)]
struct Process {
    /// Kills it.
    end: CancellationToken,
    /// Cancelled when it is gone and its invocation has failed.
    gone: CancellationToken,
}

impl Processes {
    /// Says that an environment has a process now, which `end` kills.
    pub(super) fn started(&self, environment: Uuid, end: CancellationToken) {
        let gone = CancellationToken::new();
        self.running().insert(environment, Process { end, gone });
    }

    /// Says that the process of an environment is gone.
    pub(super) fn ended(&self, environment: Uuid) {
        let process = self.running().remove(&environment);
        if let Some(process) = process {
            process.gone.cancel();
        }
    }

    /// Kills the process of an environment, if it has one, and waits until it is gone.
    pub(crate) async fn kill(&self, environment: Uuid) {
        if let Some(process) = self.running().get(&environment) {
            process.end.cancel();
        }
        self.gone(environment).await;
    }

    /// Waits until the process of an environment is gone, or not at all if there is none.
    pub(super) async fn gone(&self, environment: Uuid) {
        let process = self.running().get(&environment).cloned();
        if let Some(process) = process {
            process.gone.cancelled().await;
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Uuid, Process>> {
        // A panic while the lock was held leaves a map that is still a map.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The environment that a signed request comes from, if it comes from one.
pub(crate) fn environment_of(headers: &HeaderMap) -> Option<Uuid> {
    headers.get("x-amz-security-token")?.to_str().ok()?.parse().ok()
}
