//! Reads the endpoints, and caches them for some seconds: every function that emits events asks for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::webhook::Endpoint;
use jiff::{SignedDuration, Timestamp};

use super::Webhooks;
use crate::StoreError;

/// How long a list is used while the table cannot be read.
const REMEMBERED_IN_NEED: SignedDuration = SignedDuration::from_mins(5);
/// How long a list is used after a read failed, before the next one: a failing read takes seconds.
const NOT_ASKED_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// The endpoints that a process knows.
#[derive(Debug)]
pub struct KnownEndpoints {
    webhooks: Webhooks,
    /// How long a list is used without another read.
    age_max: SignedDuration,
    remembered: Mutex<Option<Remembered>>,
}

#[derive(Clone, Debug)]
struct Remembered {
    endpoints: Arc<[Endpoint]>,
    read_at: Timestamp,
    /// When a read failed since.
    failed_at: Option<Timestamp>,
}

impl KnownEndpoints {
    /// Reads from `webhooks` and knows no endpoint yet. A list is used for `age_max` without another read.
    #[must_use]
    pub fn new(webhooks: Webhooks, age_max: SignedDuration) -> Self {
        Self {
            webhooks,
            age_max,
            remembered: Mutex::default(),
        }
    }

    /// Returns all endpoints, as they are or were within the time of the cache; within the last five minutes if the
    /// table cannot be read.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, and the process knows no list that is young enough.
    pub async fn all(&self, now: Timestamp) -> Result<Arc<[Endpoint]>, StoreError> {
        let remembered = self.lock().clone();
        if let Some(remembered) = &remembered
            && remembered.is_fresh(self.age_max, now)
        {
            return Ok(Arc::clone(&remembered.endpoints));
        }
        match self.webhooks.list().await {
            Ok(endpoints) => {
                let endpoints: Arc<[Endpoint]> = endpoints.into();
                *self.lock() = Some(Remembered {
                    endpoints: Arc::clone(&endpoints),
                    read_at: now,
                    failed_at: None,
                });
                Ok(endpoints)
            }
            Err(error) => {
                let old = remembered.filter(|remembered| is_within(REMEMBERED_IN_NEED, remembered.read_at, now));
                let Some(old) = old else { return Err(error) };
                tracing::warn!(
                    cause = error.cause(),
                    code = error.code,
                    "the endpoints of webhooks cannot be read; those of some minutes ago are used"
                );
                if let Some(remembered) = self.lock().as_mut() {
                    remembered.failed_at = Some(now);
                }
                Ok(old.endpoints)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn is_fresh(&self, age_max: SignedDuration, now: Timestamp) -> bool {
        let failed_just_now = self
            .failed_at
            .is_some_and(|failed_at| is_within(NOT_ASKED_AGAIN, failed_at, now));
        let in_need = failed_just_now && is_within(REMEMBERED_IN_NEED, self.read_at, now);
        in_need || is_within(age_max, self.read_at, now)
    }
}

/// Returns whether `at` is so recent. A time in the future is not: the clock was set back.
fn is_within(time: SignedDuration, at: Timestamp, now: Timestamp) -> bool {
    (SignedDuration::ZERO..time).contains(&now.duration_since(at))
}
