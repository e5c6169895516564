//! Authenticates requests by their API key.
//!
//! A process caches a key's record for a while, and the absence of a key for a shorter while. A rejection is answered
//! at once: a Lambda environment serves one request at a time, so a pause would delay other callers.

mod unknown_ids;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws::ApiKeys;
use domain::api_key::{ApiKey, ApiKeyRecord, KeyPermission, REMEMBERED};
use jiff::{SignedDuration, Timestamp};

use crate::error::{ApiError, Problem};
use crate::request::Request;
use sending::Deadlines;
use unknown_ids::UnknownIds;

/// Checks keys, and caches the records that it read.
#[derive(Debug)]
pub(crate) struct Authentication {
    keys: ApiKeys,
    remembered: Mutex<HashMap<String, (ApiKeyRecord, Timestamp)>>,
    unknown: Mutex<UnknownIds>,
}

impl Authentication {
    pub(crate) fn new(keys: ApiKeys) -> Self {
        Self {
            keys,
            remembered: Mutex::default(),
            unknown: Mutex::default(),
        }
    }

    /// Returns the record of the API key in the request's `authorization` header.
    pub(crate) async fn authenticate(&self, request: &Request, now: Timestamp) -> Result<ApiKeyRecord, ApiError> {
        let header = request.header("authorization").ok_or(Problem::MissingApiKey)?;
        let key = bearer(&header).ok_or(Problem::MissingApiKey)?;
        let key = ApiKey::parse(key).map_err(|_| Problem::InvalidApiKey)?;
        let record = match self.remembered(&key, now) {
            Some(record) => record,
            None => self.read(&key, now).await?,
        };
        if record.admits(&key) {
            Ok(record)
        } else {
            Err(Problem::InvalidApiKey.into())
        }
    }

    /// Authenticates a request that needs a key with full permission; a key for sending is rejected.
    pub(crate) async fn authenticate_full(
        &self,
        request: &Request,
        deadlines: &Deadlines,
    ) -> Result<ApiKeyRecord, ApiError> {
        let authenticated = self.authenticate(request, deadlines.arrived);
        let record = deadlines.before_answering(authenticated).await??;
        match record.permission {
            KeyPermission::Full => Ok(record),
            KeyPermission::Sending => Err(Problem::RestrictedApiKey.into()),
        }
    }

    fn remembered(&self, key: &ApiKey, now: Timestamp) -> Option<ApiKeyRecord> {
        let remembered = lock(&self.remembered);
        let (record, read_at) = remembered.get(key.id())?;
        let age = now.duration_since(*read_at);
        (SignedDuration::ZERO..REMEMBERED)
            .contains(&age)
            .then(|| record.clone())
    }

    async fn read(&self, key: &ApiKey, now: Timestamp) -> Result<ApiKeyRecord, ApiError> {
        if lock(&self.unknown).refuses(key.id(), now) {
            return Err(Problem::InvalidApiKey.into());
        }
        if let Some(record) = self.keys.get(key.id()).await? {
            lock(&self.remembered).insert(key.id().to_owned(), (record.clone(), now));
            return Ok(record);
        }
        lock(&self.remembered).remove(key.id());
        let many = lock(&self.unknown).remember(key.id(), now);
        // Only the request with the unknown key waits for this.
        if many {
            self.learn_all_ids().await;
        }
        Err(Problem::InvalidApiKey.into())
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

/// Returns the key in `Bearer <key>`.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.trim().split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_key_out_of_the_header() {
        assert_eq!(bearer("Bearer ok_1_s"), Some("ok_1_s"));
        assert_eq!(bearer("bearer   ok_1_s "), Some("ok_1_s"));
        for header in ["", "Bearer", "Bearer ", "Basic ok_1_s", "ok_1_s"] {
            assert_eq!(bearer(header), None, "{header}");
        }
    }
}
