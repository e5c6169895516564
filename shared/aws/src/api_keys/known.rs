//! Reads keys by their id, and caches them: a key for a while, and the absence of a key for a shorter while.
//!
//! An unknown id is answered at once: a Lambda environment serves one request at a time, so a pause would delay other
//! callers.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::api_key::{ApiKeyRecord, REMEMBERED};
use jiff::{SignedDuration, Timestamp};

use super::ApiKeys;
use super::unknown_ids::UnknownIds;
use crate::StoreError;

/// The keys that a process knows, and those of the table that it has yet to read.
#[derive(Debug)]
pub struct KnownApiKeys {
    keys: ApiKeys,
    remembered: Mutex<HashMap<String, (ApiKeyRecord, Timestamp)>>,
    unknown: Mutex<UnknownIds>,
}

impl KnownApiKeys {
    /// Reads from `keys` and knows none of them yet.
    #[must_use]
    pub fn new(keys: ApiKeys) -> Self {
        Self {
            keys,
            remembered: Mutex::default(),
            unknown: Mutex::default(),
        }
    }

    /// Returns the key with this id, as it is or was within the last [`REMEMBERED`].
    ///
    /// The caller must still check that the request knows the key's secret.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or the item is no key.
    pub async fn find(&self, id: &str, now: Timestamp) -> Result<Option<ApiKeyRecord>, StoreError> {
        match self.remembered(id, now) {
            Some(record) => Ok(Some(record)),
            None => self.read(id, now).await,
        }
    }

    fn remembered(&self, id: &str, now: Timestamp) -> Option<ApiKeyRecord> {
        let remembered = lock(&self.remembered);
        let (record, read_at) = remembered.get(id)?;
        let age = now.duration_since(*read_at);
        (SignedDuration::ZERO..REMEMBERED)
            .contains(&age)
            .then(|| record.clone())
    }

    async fn read(&self, id: &str, now: Timestamp) -> Result<Option<ApiKeyRecord>, StoreError> {
        if lock(&self.unknown).refuses(id, now) {
            return Ok(None);
        }
        if let Some(record) = self.keys.get(id).await? {
            lock(&self.remembered).insert(id.to_owned(), (record.clone(), now));
            return Ok(Some(record));
        }
        lock(&self.remembered).remove(id);
        let many = lock(&self.unknown).remember(id, now);
        // Only the request with the unknown key waits for this.
        if many {
            self.learn_all_ids().await;
        }
        Ok(None)
    }

    async fn learn_all_ids(&self) {
        let all = self.keys.all_ids().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the ids of all API keys cannot be read; unknown keys are looked up one by one");
            None
        });
        tracing::warn!(
            refused_at_once = all.is_some(),
            "callers use many API keys that do not exist"
        );
        lock(&self.unknown).learn(all);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
