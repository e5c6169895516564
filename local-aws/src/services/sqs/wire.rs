//! The SQS API on the wire: the AWS JSON protocol, one operation a request.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html>

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Sqs;
use super::error::{SqsError, code};
use crate::catalogue::AwsService;
use crate::middleware::{Access, Operation, WireRequest, WireService};

/// SQS as callers reach it.
pub(super) struct SqsWire(pub(super) Arc<Sqs>);

impl WireService for SqsWire {
    const SERVICE: AwsService = AwsService::Sqs;
    const BODY_MAX: usize = 4 * 1024 * 1024;

    fn operation(&self, request: &WireRequest) -> Option<Operation> {
        let name = operation_name(&request.head)?;
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let of_url = || self.0.queue_of_url(body["QueueUrl"].as_str()?).map(|queue| queue.arn);
        let arn = body["SourceArn"].as_str().map(str::to_owned).or_else(of_url);
        // A role has no action for a batch: it needs that of the single message.
        let action = name.strip_suffix("Batch").unwrap_or(name);
        let access = Access::new(action, arn.unwrap_or_else(|| "*".to_owned()));
        Some(Operation::allowed_by(name, vec![access]))
    }

    async fn carry_out(self: Arc<Self>, request: WireRequest) -> Response {
        self.carry_out_in_part(request, 0).await
    }

    async fn carry_out_in_part(self: Arc<Self>, request: WireRequest, undone: usize) -> Response {
        let operation = operation_name(&request.head).unwrap_or_default();
        match self.0.carry_out(operation, &request.body, undone).await {
            Ok(answer) => ([("content-type", "application/x-amz-json-1.0")], answer.to_string()).into_response(),
            Err(SqsError { kind, message }) => self.refuse(kind.to_owned(), message),
        }
    }

    fn refuse(&self, kind: String, message: String) -> Response {
        let body = json!({ "__type": format!("com.amazonaws.sqs#{kind}"), "message": message });
        let (status, blame) = match kind.as_str() {
            kind if kind.starts_with("Internal") => (StatusCode::INTERNAL_SERVER_ERROR, "Receiver"),
            "ServiceUnavailable" => (StatusCode::SERVICE_UNAVAILABLE, "Receiver"),
            _ => (StatusCode::BAD_REQUEST, "Sender"),
        };
        let headers = [
            ("content-type", "application/x-amz-json-1.0".to_owned()),
            ("x-amzn-query-error", format!("{};{blame}", code(&kind))),
        ];
        (status, headers, body.to_string()).into_response()
    }
}

/// Reads the operation's name: `x-amz-target: AmazonSQS.SendMessage`. A request that only opens a connection has none.
fn operation_name(head: &Parts) -> Option<&str> {
    let target = head.headers.get("x-amz-target")?.to_str().ok()?;
    Some(target.strip_prefix("AmazonSQS.").unwrap_or(target))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::extract::Request;
    use tower::ServiceExt;

    use super::*;
    use crate::calls::Call;
    use crate::clock::Clock;
    use crate::middleware::Middleware;
    use crate::server::CutConnection;
    use crate::template::Queue;

    const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:q";
    const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/q";

    fn sqs() -> Arc<Sqs> {
        let queue = Queue {
            logical_id: "Q".to_owned(),
            name: "q".to_owned(),
            arn: ARN.to_owned(),
            url: URL.to_owned(),
            visibility_timeout: Duration::from_mins(1),
            retention: Duration::from_hours(1),
            ..Queue::default()
        };
        Sqs::open(vec![queue], None, Clock::default()).unwrap()
    }

    async fn attributes(middleware: &Middleware, sqs: &Arc<Sqs>) -> Response {
        let signature = "AWS4-HMAC-SHA256 Credential=worker/20261122/us-east-1/sqs/aws4_request, Signature=0";
        let request = Request::post("/")
            .header("authorization", signature)
            .header("x-amz-target", "AmazonSQS.GetQueueAttributes")
            .body(Body::from(
                json!({ "QueueUrl": URL, "AttributeNames": ["All"] }).to_string(),
            ))
            .unwrap();
        sqs.router(middleware).oneshot(request).await.unwrap()
    }

    async fn text(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn records_a_call_on_the_queue_that_the_request_names() {
        let (middleware, sqs) = (Middleware::default(), sqs());
        let answer = text(attributes(&middleware, &sqs).await).await;
        assert!(answer.contains(ARN), "{answer}");
        let call = Call {
            function: "worker".to_owned(),
            action: "sqs:GetQueueAttributes".to_owned(),
            resource: ARN.to_owned(),
        };
        assert_eq!(middleware.calls.count(&call), 1);
    }

    #[tokio::test]
    async fn faults_refuse_a_call_in_the_shape_of_sqs_or_cut_it() {
        let (middleware, sqs) = (Middleware::default(), sqs());
        for fault in [
            json!({"operation": "GetQueueAttributes", "error": "RequestThrottled", "message": "slow down"}),
            json!({"operation": "GetQueueAttributes", "drop": "before"}),
        ] {
            middleware.faults.add(serde_json::from_value(fault).unwrap());
        }
        let refused = attributes(&middleware, &sqs).await;
        assert_eq!(refused.status(), 400);
        let refused: Value = serde_json::from_str(&text(refused).await).unwrap();
        assert_eq!(
            refused,
            json!({ "__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow down" })
        );
        let cut = attributes(&middleware, &sqs).await;
        assert!(cut.extensions().get::<CutConnection>().is_some());
        assert_eq!(attributes(&middleware, &sqs).await.status(), 200);
    }
}
