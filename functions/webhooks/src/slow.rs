//! The endpoints that are slow, as far as the process knows.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::webhook::Slowness;
use jiff::Timestamp;
use uuid::Uuid;

/// How many are known at most. More than a deployment has; messages may name endpoints that are deleted.
const KNOWN_MAX: usize = 100;

/// The endpoints with late answers that the process knows.
#[derive(Debug)]
pub(crate) struct SlowEndpoints {
    /// A name that distinguishes the process from every other.
    pub(crate) worker: String,
    known: Mutex<HashMap<String, Slowness>>,
}

impl SlowEndpoints {
    #[expect(clippy::disallowed_methods, reason = "a process draws its name once, when it starts")]
    pub(crate) fn new() -> Self {
        Self {
            worker: Uuid::new_v4().to_string(),
            known: Mutex::default(),
        }
    }

    pub(crate) fn is_slow(&self, endpoint: &str, now: Timestamp) -> bool {
        self.lock().get(endpoint).is_some_and(|known| known.is_slow(now))
    }

    /// Notes an answer within the time that every worker waits.
    pub(crate) fn quick(&self, endpoint: &str) {
        self.lock().remove(endpoint);
    }

    /// Notes that no answer came within that time.
    pub(crate) fn late(&self, endpoint: &str, now: Timestamp) {
        let mut all = self.lock();
        if all.len() >= KNOWN_MAX && !all.contains_key(endpoint) {
            all.clear();
        }
        let before = all.get(endpoint).copied();
        all.insert(endpoint.to_owned(), Slowness::after_late(before, now));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Slowness>> {
        // A panic while the lock was held leaves a map that is still a map.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
