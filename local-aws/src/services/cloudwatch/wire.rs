//! The CloudWatch API on the wire, in the protocol rpc-v2-cbor, which the SDK speaks.
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::CloudWatch;
use super::cbor;
use super::error::{CloudWatchError, answer};
use crate::catalogue::AwsService;
use crate::middleware::{Operation, WireRequest, WireService};

/// CloudWatch as callers reach it.
pub(super) struct CloudWatchWire(pub(super) Arc<CloudWatch>);

impl WireService for CloudWatchWire {
    const SERVICE: AwsService = AwsService::CloudWatch;
    const BODY_MAX: usize = 2 * 1024 * 1024;

    fn operation(&self, request: &WireRequest) -> Option<Operation> {
        // To the actions that are used here, IAM gives no resource.
        Some(Operation::on(operation_name(&request.head)?, "*"))
    }

    async fn carry_out(self: Arc<Self>, WireRequest { head, body }: WireRequest) -> Response {
        let Some(operation) = operation_name(&head) else {
            return not_carried_out("this protocol").into_response();
        };
        let read = cbor::read(&body)
            .map_err(|error| CloudWatchError::new("SerializationException", &format!("The body is not CBOR: {error}")));
        let result = read.and_then(|request| match operation {
            "GetMetricStatistics" => self.0.get_metric_statistics(request),
            "DescribeAlarms" => self.0.describe_alarms(request),
            other => Err(not_carried_out(other)),
        });
        match result {
            Ok(body) => answer(StatusCode::OK, body),
            Err(error) => error.into_response(),
        }
    }

    fn refuse(&self, code: String, message: String) -> Response {
        CloudWatchError { code, message }.into_response()
    }
}

/// Reads the operation's name out of the path: `POST /service/GraniteServiceVersion20100801/operation/DescribeAlarms`.
fn operation_name(head: &Parts) -> Option<&str> {
    let (_, operation) = head.uri.path().strip_prefix("/service/")?.split_once("/operation/")?;
    (head.method == Method::POST && !operation.contains('/')).then_some(operation)
}

fn not_carried_out(what: &str) -> CloudWatchError {
    let message = format!("CloudWatch does not carry out {what} on this machine");
    CloudWatchError::new("UnknownOperationException", &message)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use tokio::sync::mpsc::unbounded_channel;
    use tower::ServiceExt;

    use super::*;
    use crate::clock::Clock;
    use crate::middleware::Middleware;
    use crate::services::ses::{Ses, SesLeniency, SesSettings};
    use crate::services::sqs::Sqs;

    #[tokio::test]
    async fn carries_out_every_operation_of_the_catalogue_and_no_other() {
        let settings = SesSettings {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            configuration_sets: Vec::new(),
            production_access: true,
            verified: Vec::new(),
            outbox_file: None,
            account_file: None,
            leniency: SesLeniency::default(),
            id_tag: None,
        };
        let ses = Ses::new(settings, Clock::default(), unbounded_channel().0).unwrap();
        let sqs = Sqs::open(Vec::new(), None, Clock::default()).unwrap();
        let cloudwatch = CloudWatch::new(ses, sqs, Vec::new(), Clock::default());
        let is_known = async |operation: &str| {
            let request = Request::post(format!("/service/x/operation/{operation}")).body(Body::from(vec![0xa0]));
            let router = Arc::clone(&cloudwatch).router(&Middleware::default());
            let answer = router.oneshot(request.unwrap()).await.unwrap();
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            !String::from_utf8_lossy(&body).contains("UnknownOperationException")
        };
        for operation in AwsService::CloudWatch.operations() {
            assert!(is_known(operation).await, "{operation}");
        }
        assert!(!is_known("PutMetricData").await);
    }
}
