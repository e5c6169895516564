//! The errors of the SES API, as they appear on the wire.
//!
//! One enum for all operations: a variant is a modelled exception, its text what SES says. The
//! status of each comes from the service's model; nothing else in the simulator knows HTTP statuses.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The header in which REST-JSON services name the error.
pub(super) const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Why an operation was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SesError {
    /// The request breaks a documented limit or format.
    #[error("{0}")]
    BadRequest(String),
    /// The body is no JSON of the operation's shape.
    #[error("{0}")]
    Serialization(String),
    /// Something that the request names does not exist.
    #[error("{0}")]
    NotFound(String),
    /// What the request would create is there already.
    #[error("{0}")]
    AlreadyExists(String),
    /// The mail itself is refused: an unverified identity, as a rule.
    #[error("{0}")]
    MessageRejected(String),
    /// The sending rate or the 24 h quota is used up.
    #[error("{0}")]
    TooManyRequests(String),
    /// Sending is switched off, for the account or for the configuration set.
    #[error("{0}")]
    SendingPaused(String),
    /// AWS has shut sending down.
    #[error("{0}")]
    AccountSuspended(String),
    /// The page token was not made by this operation.
    #[error("The specified next token is not valid.")]
    InvalidNextToken,
    /// The request carries no signature.
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    /// SES has no such operation, or the simulator does not serve it.
    #[error("{0}")]
    UnknownOperation(String),
    /// The simulator itself failed.
    #[error("{0}")]
    Internal(String),
    /// An error that a fault asked for, by its type.
    #[error("{message}")]
    Injected {
        /// The error's type, such as `TooManyRequestsException`.
        code: String,
        /// Its text.
        message: String,
    },
}

impl SesError {
    /// Names the error as SES does.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::BadRequest(_) => "BadRequestException",
            Self::Serialization(_) => "SerializationException",
            Self::NotFound(_) => "NotFoundException",
            Self::AlreadyExists(_) => "AlreadyExistsException",
            Self::MessageRejected(_) => "MessageRejected",
            Self::TooManyRequests(_) => "TooManyRequestsException",
            Self::SendingPaused(_) => "SendingPausedException",
            Self::AccountSuspended(_) => "AccountSuspendedException",
            Self::InvalidNextToken => "InvalidNextTokenException",
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::Internal(_) => "InternalServiceErrorException",
            Self::Injected { code, .. } => code,
        }
    }

    /// Tells the HTTP status that goes with the error's type.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        status_of(self.code())
    }
}

impl IntoResponse for SesError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), axum::Json(json!({ "message": self.to_string() }))).into_response();
        let code =
            HeaderValue::from_str(self.code()).unwrap_or(HeaderValue::from_static("InternalServiceErrorException"));
        response.headers_mut().insert(ERROR_TYPE, code);
        response
    }
}

/// Finds the status of an error type: the model's where it is modelled, the usual one of AWS's
/// common errors otherwise, and 400 for types that nobody knows.
fn status_of(code: &str) -> StatusCode {
    match code {
        "NotFoundException" | "UnknownOperationException" => StatusCode::NOT_FOUND,
        "ConflictException" => StatusCode::CONFLICT,
        "TooManyRequestsException" => StatusCode::TOO_MANY_REQUESTS,
        "ConcurrentModificationException" => StatusCode::INTERNAL_SERVER_ERROR,
        "MissingAuthenticationTokenException"
        | "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException"
        | "OptInRequired"
        | "SubscriptionRequiredException" => StatusCode::FORBIDDEN,
        "RequestTimeoutException" => StatusCode::REQUEST_TIMEOUT,
        code if code.contains("Unavailable") || code == "SlowDown" => StatusCode::SERVICE_UNAVAILABLE,
        code if code.starts_with("Internal") => StatusCode::INTERNAL_SERVER_ERROR,
        code if code.contains("GatewayTimeout") => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: &str) -> u16 {
        status_of(code).as_u16()
    }

    #[test]
    fn gives_each_type_the_status_of_the_model() {
        assert_eq!(status("MessageRejected"), 400);
        assert_eq!(status("LimitExceededException"), 400);
        assert_eq!(status("AccountSuspendedException"), 400);
        assert_eq!(status("NotFoundException"), 404);
        assert_eq!(status("TooManyRequestsException"), 429);
        assert_eq!(status("ConcurrentModificationException"), 500);
        assert_eq!(status("InternalServiceErrorException"), 500);
    }

    #[test]
    fn gives_common_aws_errors_their_status_and_unknown_ones_400() {
        assert_eq!(status("AccessDeniedException"), 403);
        assert_eq!(status("ServiceUnavailable"), 503);
        assert_eq!(status("ServiceUnavailableException"), 503);
        assert_eq!(status("InternalFailure"), 500);
        assert_eq!(status("ThrottlingException"), 400);
        assert_eq!(status("NobodyKnowsThisException"), 400);
    }

    #[test]
    fn names_the_error_in_the_header() {
        let response = SesError::SendingPaused("paused".to_owned()).into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()[ERROR_TYPE], "SendingPausedException");
    }
}
