//! The CloudWatch API as it is on the wire: the protocol rpc-v2-cbor, which the SDK speaks.
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>

use std::sync::Arc;

use aws_smithy_cbor::Encoder;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;

use super::{CloudWatch, cbor};
use crate::edge::Edge;

/// The operations that are served, by the names that faults give them.
pub(crate) const OPERATIONS: [&str; 2] = ["GetMetricStatistics", "DescribeAlarms"];

/// An error of CloudWatch: its type and its text.
pub(super) struct CloudWatchError {
    code: String,
    message: String,
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
        written(StatusCode::BAD_REQUEST, encoder.into_writer())
    }
}

struct Wire {
    cloudwatch: Arc<CloudWatch>,
    edge: Edge,
}

/// The wire.
pub(super) fn router(cloudwatch: Arc<CloudWatch>, edge: Edge) -> Router {
    Router::new()
        .route("/service/{service}/operation/{operation}", post(carry_out))
        .fallback(unknown)
        .with_state(Arc::new(Wire { cloudwatch, edge }))
}

async fn carry_out(
    State(wire): State<Arc<Wire>>,
    Path((_service, operation)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let carry_out = {
        let (cloudwatch, operation) = (Arc::clone(&wire.cloudwatch), operation.clone());
        async move {
            match answer(&cloudwatch, &operation, &body) {
                Ok(body) => written(StatusCode::OK, body),
                Err(error) => error.into_response(),
            }
        }
    };
    let refuse = |code, message| CloudWatchError { code, message }.into_response();
    // What functions do here, IAM knows no resource for.
    let (call, resource) = (("cloudwatch", operation.as_str()), "*".to_owned());
    wire.edge.carry_out(&headers, call, resource, carry_out, refuse).await
}

fn answer(cloudwatch: &CloudWatch, operation: &str, body: &Bytes) -> Result<Vec<u8>, CloudWatchError> {
    let request: Value = cbor::read(body)
        .map_err(|error| CloudWatchError::new("SerializationException", &format!("the body is no request: {error}")))?;
    match operation {
        "GetMetricStatistics" => cloudwatch.statistics(request),
        "DescribeAlarms" => cloudwatch.describe_alarms(request),
        other => Err(not_here(other)),
    }
}

async fn unknown() -> CloudWatchError {
    not_here("this protocol")
}

fn not_here(what: &str) -> CloudWatchError {
    let message = format!("CloudWatch does not carry out {what} on this machine");
    CloudWatchError::new("UnknownOperationException", &message)
}

fn written(status: StatusCode, body: Vec<u8>) -> Response {
    let headers = [("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")];
    (status, headers, body).into_response()
}
