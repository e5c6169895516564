//! API keys: who calls, and what the key allows.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use shared::api_key::{ApiKey, ApiKeyRecord, Permission};
use shared::aws::ApiKeys;

use crate::error::ApiError;
use crate::request::Request;
use crate::time::Time;

/// How long a key that was read is believed: a key that is revoked stops working within this time.
const REMEMBERED: SignedDuration = SignedDuration::from_secs(30);

/// Checks keys, and remembers those it read lately.
#[derive(Debug)]
pub(crate) struct Authentication {
    keys: ApiKeys,
    remembered: Mutex<HashMap<String, (ApiKeyRecord, Timestamp)>>,
}

impl Authentication {
    pub(crate) fn new(keys: ApiKeys) -> Self {
        Self {
            keys,
            remembered: Mutex::default(),
        }
    }

    /// Finds out which key a request came with.
    pub(crate) async fn authenticate(&self, request: &Request, now: Timestamp) -> Result<ApiKeyRecord, ApiError> {
        let header = request.header("authorization").ok_or_else(ApiError::missing_api_key)?;
        let key = bearer(&header).ok_or_else(ApiError::missing_api_key)?;
        let key = ApiKey::parse(key).map_err(|_| ApiError::invalid_api_key())?;
        let record = match self.remembered(&key, now) {
            Some(record) => record,
            None => self.read(&key, now).await?,
        };
        if record.admits(&key) {
            Ok(record)
        } else {
            Err(ApiError::invalid_api_key())
        }
    }

    /// Finds out which key a request came with that reads or changes something, which a key for sending may not.
    pub(crate) async fn authenticate_full(&self, request: &Request, time: &Time) -> Result<ApiKeyRecord, ApiError> {
        let authenticated = self.authenticate(request, time.arrived);
        let record = time.before_answering(authenticated).await??;
        match record.permission {
            Permission::Full => Ok(record),
            Permission::Sending => Err(ApiError::restricted_api_key()),
        }
    }

    fn remembered(&self, key: &ApiKey, now: Timestamp) -> Option<ApiKeyRecord> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let (record, read_at) = remembered.get(key.id())?;
        (now.duration_since(*read_at) < REMEMBERED).then(|| record.clone())
    }

    async fn read(&self, key: &ApiKey, now: Timestamp) -> Result<ApiKeyRecord, ApiError> {
        let record = self.keys.get(key.id()).await?.ok_or_else(ApiError::invalid_api_key)?;
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.insert(key.id().to_owned(), (record.clone(), now));
        Ok(record)
    }
}

/// Takes the key out of `Bearer <key>`.
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
