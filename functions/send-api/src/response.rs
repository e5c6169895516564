//! An HTTP response as the gateway wants it: JSON always.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::error::ApiError;

/// A status and a JSON body.
#[derive(Debug)]
pub(crate) struct Response {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Response {
    /// Answers 200 with `body`.
    pub(crate) fn ok(body: Value) -> Self {
        Self {
            status: 200,
            headers: HeaderMap::new(),
            body,
        }
    }
}

impl From<ApiError> for Response {
    fn from(error: ApiError) -> Self {
        let mut body = json!({ "statusCode": error.status, "name": error.name, "message": error.message });
        if let Some(id) = error.id {
            body["id"] = json!(id);
        }
        let mut headers = HeaderMap::new();
        if let Some(retry_after) = error.retry_after {
            headers.insert(RETRY_AFTER, retry_after.into());
        }
        if let Some(allow) = error.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        Self {
            status: error.status,
            headers,
            body,
        }
    }
}

impl From<Response> for ApiGatewayV2httpResponse {
    fn from(response: Response) -> Self {
        let mut answer = Self::default();
        answer.status_code = response.status.into();
        answer.headers = response.headers;
        answer
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer.body = Some(Body::Text(response.body.to_string()));
        answer
    }
}
