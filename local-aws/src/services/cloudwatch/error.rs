//! The errors of CloudWatch, and its answers in CBOR.

use aws_smithy_cbor::Encoder;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// An error of CloudWatch.
#[derive(Debug)]
pub(super) struct CloudWatchError {
    /// The type of the error: `InvalidParameterValue`.
    pub(super) code: String,
    pub(super) message: String,
}

impl CloudWatchError {
    pub(super) fn new(code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl IntoResponse for CloudWatchError {
    fn into_response(self) -> Response {
        let Self { code, message } = self;
        let mut encoder = Encoder::new(Vec::new());
        let kind = format!("com.amazonaws.cloudwatch#{code}");
        encoder.map(2).str("__type").str(&kind).str("message").str(&message);
        answer(StatusCode::BAD_REQUEST, encoder.into_writer())
    }
}

/// Writes an answer whose body is CBOR.
pub(super) fn answer(status: StatusCode, body: Vec<u8>) -> Response {
    let headers = [("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")];
    (status, headers, body).into_response()
}
