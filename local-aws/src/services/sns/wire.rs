//! The SNS API on the wire, in the AWS query protocol.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::query_protocol::{Form, SnsError, answer};
use super::{Sns, operations};
use crate::catalogue::AwsService;
use crate::middleware::{Operation, WireRequest, WireService};

/// SNS as callers reach it.
pub(super) struct SnsWire(pub(super) Arc<Sns>);

impl WireService for SnsWire {
    const SERVICE: AwsService = AwsService::Sns;
    const BODY_MAX: usize = 4 * operations::MESSAGE_MAX;

    fn operation(&self, request: &WireRequest) -> Option<Operation> {
        let form = form(request);
        let name = form.get("Action")?;
        Some(Operation::on(name, form.get("TopicArn").cloned().unwrap_or_default()))
    }

    async fn carry_out(self: Arc<Self>, request: WireRequest) -> Response {
        let form = form(&request);
        let operation = form.get("Action").map(String::as_str).unwrap_or_default();
        match operations::carry_out(&self.0, operation, &form) {
            Ok(result) => answer(operation, &result),
            Err(error) => error.into_response(),
        }
    }

    fn refuse(&self, code: String, message: String) -> Response {
        // The SDK reads the type of an injected error, not its status.
        let status = StatusCode::BAD_REQUEST;
        SnsError { status, code, message }.into_response()
    }
}

fn form(request: &WireRequest) -> Form {
    form_urlencoded::parse(&request.body).into_owned().collect()
}
