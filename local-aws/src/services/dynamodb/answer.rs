//! Answers that do not come from the database, in DynamoDB's shape on the wire.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::transaction;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// The header with the checksum of the body, which some SDKs verify.
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-crc32");

/// Writes an error of a type such as `ThrottlingException`.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
pub(super) fn error(code: &str, message: &str) -> Response {
    let mut body = json!({ "__type": format!("{}#{code}", namespace(code)), "message": message });
    if code == "TransactionCanceledException"
        && let Some(reasons) = transaction::cancellation_reasons(message)
    {
        body["CancellationReasons"] = reasons;
    }
    answer(status(code), &body)
}

/// Returns the namespace of an error's type. It depends on whether DynamoDB itself refused or a layer before it.
fn namespace(code: &str) -> &'static str {
    match code {
        "ThrottlingException" => "com.amazon.coral.availability",
        "AccessDeniedException"
        | "IncompleteSignatureException"
        | "InternalFailure"
        | "MissingAuthenticationTokenException"
        | "SerializationException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "UnrecognizedClientException" => "com.amazon.coral.service",
        "ValidationException" => "com.amazon.coral.validate",
        _ => "com.amazonaws.dynamodb.v20120810",
    }
}

/// Returns the status of an error's type. DynamoDB answers 400 unless the failure is its own.
fn status(code: &str) -> StatusCode {
    match code {
        code if code.contains("Unavailable") => StatusCode::SERVICE_UNAVAILABLE,
        code if code.starts_with("Internal") => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Writes an answer with the headers that DynamoDB sends.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge of the simulator, where its ids are made"
)]
pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    let body = body.to_string();
    let checksum = HeaderValue::from(crc32fast::hash(body.as_bytes()));
    let content_type = HeaderValue::from_static("application/x-amz-json-1.0");
    let mut response = (
        status,
        [(header::CONTENT_TYPE, content_type), (CHECKSUM, checksum)],
        body,
    )
        .into_response();
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_status_of_its_type() {
        for (code, expected) in [
            ("ProvisionedThroughputExceededException", 400),
            ("ThrottlingException", 400),
            ("RequestLimitExceeded", 400),
            ("TransactionConflictException", 400),
            ("InternalServerError", 500),
            ("InternalFailure", 500),
            ("ServiceUnavailable", 503),
        ] {
            assert_eq!(status(code).as_u16(), expected, "{code}");
        }
    }

    #[tokio::test]
    async fn an_error_is_in_dynamodbs_shape() {
        let response = error("RequestLimitExceeded", "Too much.");
        let checksum = response.headers()[CHECKSUM].clone();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(checksum, crc32fast::hash(&body).to_string());
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({ "__type": "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded", "message": "Too much." })
        );
    }
}
