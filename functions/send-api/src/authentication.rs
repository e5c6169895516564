//! Authenticates requests by their API key.

use aws::{ApiKeys, KnownApiKeys};
use domain::api_key::{ApiKey, ApiKeyRecord, KeyPermission};
use front::bearer;
use jiff::Timestamp;

use crate::error::{ApiError, Problem};
use crate::request::Request;
use sending::Deadlines;

/// Checks keys.
#[derive(Debug)]
pub(crate) struct Authentication {
    keys: KnownApiKeys,
}

impl Authentication {
    pub(crate) fn new(keys: ApiKeys) -> Self {
        Self {
            keys: KnownApiKeys::new(keys),
        }
    }

    /// Returns the record of the API key in the request's `authorization` header.
    pub(crate) async fn authenticate(&self, request: &Request, now: Timestamp) -> Result<ApiKeyRecord, ApiError> {
        let header = request.header("authorization").ok_or(Problem::MissingApiKey)?;
        let key = bearer(&header).ok_or(Problem::MissingApiKey)?;
        let key = ApiKey::parse(key).map_err(|_| Problem::InvalidApiKey)?;
        let record = self.keys.find(key.id(), now).await?;
        let admitted = record.filter(|record| record.admits(&key));
        admitted.ok_or_else(|| Problem::InvalidApiKey.into())
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
}
