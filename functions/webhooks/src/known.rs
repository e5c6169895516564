//! The endpoints with their secrets, each read when it is first needed and known for some seconds: one that was
//! changed, disabled or deleted is called for that time at most. One that is disabled is read each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws::{StoreError, Webhooks};
use domain::webhook::{Endpoint, EndpointState, Secrets};
use jiff::{SignedDuration, Timestamp};

/// How long an endpoint is known.
const REMEMBERED: SignedDuration = SignedDuration::from_secs(10);
/// How many are known at most. Messages may name many endpoints that are deleted.
const KNOWN_MAX: usize = 100;

/// An endpoint and its secrets.
#[derive(Clone, Debug)]
pub(crate) struct KnownEndpoint {
    pub(crate) endpoint: Endpoint,
    pub(crate) secrets: Secrets,
}

/// The endpoints that the process knows.
#[derive(Debug, Default)]
pub(crate) struct KnownByUse {
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    read_at: Timestamp,
    /// `None` if there is no such endpoint.
    endpoint: Option<Arc<KnownEndpoint>>,
}

impl KnownByUse {
    /// Returns an endpoint; `None` if there is none with this id.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub(crate) async fn get(
        &self,
        webhooks: &Webhooks,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<KnownEndpoint>>, StoreError> {
        if let Some(known) = self.lock().get(id)
            // A time in the future is none: the clock was set back.
            && (SignedDuration::ZERO..REMEMBERED).contains(&now.duration_since(known.read_at))
        {
            return Ok(known.endpoint.clone());
        }
        let (endpoint, secrets) = tokio::join!(webhooks.get(id), webhooks.secrets(id));
        let endpoint = endpoint?
            .zip(secrets?)
            .map(|(endpoint, secrets)| Arc::new(KnownEndpoint { endpoint, secrets }));
        let known = Known {
            read_at: now,
            endpoint: endpoint.clone(),
        };
        let mut all = self.lock();
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        // A disabled endpoint is read each time. Once its owner enables it, no delivery fails without an attempt.
        if endpoint
            .as_ref()
            .is_some_and(|known| known.endpoint.state == EndpointState::Disabled)
        {
            all.remove(id);
        } else {
            all.insert(id.to_owned(), known);
        }
        Ok(endpoint)
    }

    /// Forgets an endpoint that has just been changed.
    pub(crate) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        // A panic while the lock was held leaves a map that is still a map.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
