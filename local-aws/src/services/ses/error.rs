//! The errors of the SES API on the wire.
//!
//! One enum serves all operations. A variant is a modelled exception, and its text is the one that SES returns. The
//! status of each comes from the service's model. No other module of the simulator deals with HTTP statuses.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The header with the type of an error in REST-JSON services.
pub(super) const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Why SES refused an operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SesError {
    /// The request breaks a documented limit or format.
    #[error("{0}")]
    BadRequest(String),
    /// The body is not JSON of the operation's shape.
    #[error("{0}")]
    Serialization(String),
    /// The request names something that does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The request would create something that exists.
    #[error("{0}")]
    AlreadyExists(String),
    /// SES refuses the mail itself, mostly because an identity is not verified.
    #[error("{0}")]
    MessageRejected(String),
    /// The sending rate or the 24-hour quota is used up.
    #[error("{0}")]
    TooManyRequests(String),
    /// Sending is switched off for the account or the configuration set.
    #[error("{0}")]
    SendingPaused(String),
    /// AWS has shut sending down.
    #[error("{0}")]
    AccountSuspended(String),
    /// The page token does not come from this operation.
    #[error("The specified next token is not valid.")]
    InvalidNextToken,
    /// The request has no signature.
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    /// SES has no such operation, or the simulator does not carry it out.
    #[error("{0}")]
    UnknownOperation(String),
    /// The simulator itself failed.
    #[error("{0}")]
    Internal(String),
    /// An injected error.
    #[error("{message}")]
    Injected {
        /// The type of the error, such as `TooManyRequestsException`.
        code: String,
        /// The text of the error.
        message: String,
    },
}

/// The error of a request that breaks a limit or a format.
pub(super) fn bad(why: &str) -> SesError {
    SesError::BadRequest(why.to_owned())
}

impl SesError {
    /// Returns the type of the error in SES.
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

    /// Returns the HTTP status of the error's type.
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

/// Returns the status of an error type: that of the service's model, or of AWS's common errors, or 400 for any other
/// type.
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
