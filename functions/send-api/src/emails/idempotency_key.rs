//! Reads the header `Idempotency-Key` and makes the request's key from it.

use domain::api_key::ApiKeyRecord;
use domain::idempotency::{KEY_LENGTH, RequestBody, RequestKey};

use crate::error::{ApiError, Problem};
use crate::request::Request;

/// An endpoint. Each has idempotency keys of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint {
    /// `POST /emails`
    Email,
    /// `POST /emails/batch`
    Batch,
}

impl Endpoint {
    /// Makes the key of a request from the header's value and the hash of its emails.
    pub(super) fn key(self, api_key: &ApiKeyRecord, header: &str, body: RequestBody) -> RequestKey {
        let endpoint = match self {
            Self::Email => "POST /emails",
            Self::Batch => "POST /emails/batch",
        };
        RequestKey::new((&api_key.id, endpoint, header), body)
    }
}

/// Reads the header and checks its length.
pub(super) fn header(request: &Request) -> Result<Option<String>, ApiError> {
    match request.header("idempotency-key") {
        Some(key) if !KEY_LENGTH.contains(&key.chars().count()) => Err(Problem::InvalidIdempotencyKey.into()),
        key => Ok(key),
    }
}
