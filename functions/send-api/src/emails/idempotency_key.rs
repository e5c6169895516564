//! Reads the header `Idempotency-Key` and makes the request's claim from it.

use domain::api_key::ApiKeyRecord;
use domain::idempotency::{Claim, KEY_LENGTH, RequestBody};
use jiff::Timestamp;
use sending::Ids;
use serde_json::Value;

use super::body::Object;
use crate::error::{ApiError, Problem};
use crate::request::Request;

/// An endpoint with the body of the request. Each endpoint has idempotency keys of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint<'a> {
    /// `POST /emails`
    Email(&'a Object),
    /// `POST /emails/batch`
    Batch(&'a [Value]),
}

impl Endpoint<'_> {
    /// Makes the claim of a request on its idempotency key.
    pub(super) fn claim(self, api_key: &ApiKeyRecord, key: &str, ids: Ids, now: Timestamp) -> Claim {
        let (endpoint, body) = match self {
            Self::Email(object) => ("POST /emails", RequestBody::One(object)),
            Self::Batch(values) => ("POST /emails/batch", RequestBody::Many(values)),
        };
        Claim::new((&api_key.id, endpoint, key), body, (ids.message, ids.nonce), now)
    }
}

/// Reads the header and checks its length.
pub(super) fn key(request: &Request) -> Result<Option<String>, ApiError> {
    match request.header("idempotency-key") {
        Some(key) if !KEY_LENGTH.contains(&key.chars().count()) => Err(Problem::InvalidIdempotencyKey.into()),
        key => Ok(key),
    }
}
