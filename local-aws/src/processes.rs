//! The running processes of Lambda, so that a fault can kill the process that made a call.
//!
//! Lambda gives every environment its id as the session token, which the SDK sends with each call. A service reads it
//! to find the process. Only processes that Lambda started are registered, and each is killed by its handle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The running processes, by the ids of their environments. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    running: Arc<Mutex<HashMap<Uuid, Process>>>,
}

#[derive(Clone, Debug)]
struct Process {
    /// Kills the process.
    end: CancellationToken,
    /// Cancelled when the process is gone and its invocation has failed.
    gone: CancellationToken,
}

impl Processes {
    /// Registers the process of an environment, which `end` kills.
    pub(crate) fn started(&self, environment: Uuid, end: CancellationToken) {
        let gone = CancellationToken::new();
        self.running().insert(environment, Process { end, gone });
    }

    /// Removes the process of an environment, which has ended.
    pub(crate) fn ended(&self, environment: Uuid) {
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

    /// Waits until the process of an environment is gone. Returns at once if it has none.
    pub(crate) async fn gone(&self, environment: Uuid) {
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

/// Returns the environment that a signed request comes from, if it comes from one.
pub(crate) fn environment_of(headers: &HeaderMap) -> Option<Uuid> {
    headers.get("x-amz-security-token")?.to_str().ok()?.parse().ok()
}
