//! Reads the header `Idempotency-Key` and makes the request's key from it.

use domain::api_key::ApiKeyRecord;
use domain::idempotency::{KEY_LENGTH, RequestBody, RequestKey};
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
    /// Makes the key of a request from the header's value.
    pub(super) fn key(self, api_key: &ApiKeyRecord, header: &str) -> RequestKey {
        let (endpoint, body) = match self {
            Self::Email(object) => ("POST /emails", RequestBody::One(object)),
            Self::Batch(values) => ("POST /emails/batch", RequestBody::Many(values)),
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
