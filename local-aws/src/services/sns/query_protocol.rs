//! The AWS query protocol: a form in the request and XML in the answer.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::new_id;

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// The parameters of a request, by name.
pub(super) type Form = BTreeMap<String, String>;

/// An error of SNS.
#[derive(Debug)]
pub(super) struct SnsError {
    pub(super) status: StatusCode,
    /// The type of the error: `InvalidParameter`.
    pub(super) code: String,
    pub(super) message: String,
}

impl SnsError {
    pub(super) fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl IntoResponse for SnsError {
    fn into_response(self) -> Response {
        let Self { status, code, message } = self;
        let sender = if status.is_server_error() { "Receiver" } else { "Sender" };
        let (code, message) = (escaped(&code), escaped(&message));
        let body = format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{sender}</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
            new_id()
        );
        xml(status, body)
    }
}

/// Writes the answer to an operation, given its result in XML.
pub(super) fn answer(operation: &str, result: &str) -> Response {
    let body = format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{operation}Response>",
        new_id()
    );
    xml(StatusCode::OK, body)
}

fn xml(status: StatusCode, body: String) -> Response {
    (status, [("content-type", "text/xml")], body).into_response()
}

/// Escapes text for XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
