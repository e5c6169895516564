//! The codes by which every adapter names a failed call, in errors and logs.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The code of a call for which no connection could be opened.
pub(crate) const CONNECTION_FAILED: &str = "ConnectionFailed";

/// Returns AWS's error code, or the kind of failure where there was no answer to carry one.
pub(crate) fn error_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    let code = match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("UnknownError"),
        SdkError::TimeoutError(_) => "Timeout",
        SdkError::DispatchFailure(_) => CONNECTION_FAILED,
        SdkError::ResponseError(_) => "UnreadableAnswer",
        _ => "NotSent",
    };
    code.to_owned()
}
