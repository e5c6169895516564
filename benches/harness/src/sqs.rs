//! An emulated SQS without faults: its queues are empty.

use serde_json::json;

use crate::http::{Request, Response, Service};

/// The emulated SQS. It stores nothing.
#[derive(Debug)]
pub(crate) struct Sqs;

impl Service for Sqs {
    fn answer(&self, request: &Request) -> Option<Response> {
        let (status, body) = match request.header("x-amz-target") {
            Some("AmazonSQS.GetQueueAttributes") => {
                let empty = json!({ "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0" });
                (200, json!({ "Attributes": empty }))
            }
            _ => (400, json!({ "__type": "com.amazonaws.sqs#UnsupportedOperation" })),
        };
        Some(Response::new(status, "application/x-amz-json-1.0", body.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_empty_queues_and_nothing_else() {
        let ask = |operation: &str| {
            let request = Request {
                headers: vec![("x-amz-target".to_owned(), format!("AmazonSQS.{operation}"))],
                ..Request::default()
            };
            Sqs.answer(&request).unwrap().status
        };
        assert_eq!(ask("GetQueueAttributes"), 200);
        assert_eq!(ask("ReceiveMessage"), 400);
    }
}
