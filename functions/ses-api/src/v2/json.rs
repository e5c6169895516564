//! Reads the JSON body of a request, and writes the one of an answer.

use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::answer::{ApiAnswer, Protocol};
use crate::fault::{ApiFault, FaultKind};

/// Reads a body. An empty one counts as an object without members, as SDKs may send it.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiFault> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        // The whole text of the error would repeat values of the mail.
        let (line, column) = (error.line(), error.column());
        let problem = match error.classify() {
            serde_json::error::Category::Data => "has a value of another type than the API's",
            _ => "is not valid JSON",
        };
        ApiFault::new(
            FaultKind::Malformed,
            format!("The body {problem} at line {line}, column {column}."),
        )
    })
}

/// Answers 200 with a body.
pub(super) fn answer(request_id: Uuid, body: &Value) -> ApiAnswer {
    ApiAnswer::new(Protocol::V2, 200, request_id, body.to_string())
}
