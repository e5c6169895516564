//! API Gateway: an HTTP API whose `$default` route invokes one function, with payload format 2.0.
//!
//! The gateway's own errors are `{"message": …}`, as on AWS.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::application::ACCOUNT_ID;
use crate::clock::Clock;
use crate::service_metrics::ServiceMetrics;
use crate::services::lambda::{InvokeError, Lambda};
use crate::template::HttpApi;

/// The largest body that an HTTP API accepts, in bytes.
const BODY_MAX: usize = 10 * 1024 * 1024;

/// An HTTP API in front of one function.
#[derive(Debug)]
pub struct Gateway {
    lambda: Arc<Lambda>,
    api: HttpApi,
    clock: Clock,
    metrics: ServiceMetrics,
}

/// The answer of a function in payload format 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionAnswer {
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    #[serde(default)]
    cookies: Vec<String>,
}

impl Gateway {
    /// Routes every request of the API to its function, and counts the requests.
    #[must_use]
    pub fn new(lambda: Arc<Lambda>, api: HttpApi, clock: Clock, metrics: ServiceMetrics) -> Arc<Self> {
        Arc::new(Self {
            lambda,
            api,
            clock,
            metrics,
        })
    }

    /// Returns the routes: every path that has no other route.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(handle).with_state(Arc::clone(self))
    }

    /// Invokes the function with a request and turns its answer into a response.
    pub async fn call(&self, head: &Parts, body: &Bytes) -> Response {
        let event = Bytes::from(self.event(head, body).to_string());
        match self.lambda.invoke(&self.api.function, event).await {
            Ok(answer) => response(&answer).unwrap_or_else(|| own(StatusCode::INTERNAL_SERVER_ERROR)),
            Err(InvokeError::TooLarge) => own(StatusCode::PAYLOAD_TOO_LARGE),
            Err(InvokeError::TimedOut) => own(StatusCode::SERVICE_UNAVAILABLE),
            Err(error) => {
                tracing::error!(
                    function = self.api.function,
                    "an invocation for a request failed: {error}"
                );
                own(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the ids of requests are made here and nowhere else"
    )]
    fn event(&self, head: &Parts, body: &Bytes) -> Value {
        let now = self.clock.now();
        let (body, is_base64_encoded) = encode(&head.headers, body);
        let host = head.headers.get("host").map_or_else(String::new, text);
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": head.uri.path(),
            "rawQueryString": head.uri.query().unwrap_or_default(),
            "headers": headers(&head.headers),
            "requestContext": {
                "accountId": ACCOUNT_ID,
                "apiId": self.api.name,
                "domainName": host,
                "domainPrefix": host.split('.').next().unwrap_or_default(),
                "http": {
                    "method": head.method.as_str(),
                    "path": head.uri.path(),
                    "protocol": if head.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
                    "sourceIp": "127.0.0.1",
                    "userAgent": head.headers.get(USER_AGENT).map_or_else(String::new, text),
                },
                "requestId": Uuid::new_v4(),
                "routeKey": "$default",
                "stage": "$default",
                "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
                "timeEpoch": now.as_millisecond(),
            },
            "isBase64Encoded": is_base64_encoded,
        });
        if !body.is_empty() {
            event["body"] = Value::String(body);
        }
        let cookies: Vec<String> = head.headers.get_all(COOKIE).iter().map(text).collect();
        if !cookies.is_empty() {
            event["cookies"] = json!(cookies);
        }
        event
    }
}

async fn handle(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response {
    gateway.metrics.request(&gateway.api.name);
    let (head, body) = request.into_parts();
    match axum::body::to_bytes(body, BODY_MAX).await {
        Ok(body) => gateway.call(&head, &body).await,
        Err(_) => own(StatusCode::PAYLOAD_TOO_LARGE),
    }
}

/// Writes an answer of the gateway itself.
fn own(status: StatusCode) -> Response {
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        StatusCode::SERVICE_UNAVAILABLE => "Service Unavailable",
        _ => "Internal Server Error",
    };
    (status, axum::Json(json!({ "message": message }))).into_response()
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Lists the headers in lower case. The values of a repeated one are joined by commas. Cookies have a list of their
/// own.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .keys()
        .filter(|name| *name != COOKIE)
        .map(|name| {
            let values: Vec<String> = headers.get_all(name).iter().map(text).collect();
            (name.as_str().to_owned(), Value::String(values.join(",")))
        })
        .collect()
}

/// Encodes a body: as text if its type is textual, and in base64 otherwise. Returns whether it is base64.
fn encode(headers: &HeaderMap, body: &Bytes) -> (String, bool) {
    let content_type = headers
        .get(CONTENT_TYPE)
        .map_or_else(String::new, text)
        .to_ascii_lowercase();
    let is_text = content_type.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"]
            .iter()
            .any(|known| content_type.starts_with(known));
    match std::str::from_utf8(body) {
        Ok(text) if is_text => (text.to_owned(), false),
        _ => (STANDARD.encode(body), !body.is_empty()),
    }
}

/// Turns a function's answer into a response. Returns nothing if it has another shape.
fn response(answer: &Bytes) -> Option<Response> {
    let answer: FunctionAnswer = serde_json::from_slice(answer).ok()?;
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        STANDARD.decode(body).ok()?
    } else {
        body.into_bytes()
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    for (name, value) in answer.headers {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        response.headers_mut().insert(
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_str(&value).ok()?,
        );
    }
    for cookie in answer.cookies {
        response
            .headers_mut()
            .append("set-cookie", HeaderValue::from_str(&cookie).ok()?);
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_repeated_headers_and_leaves_cookies_out() {
        let mut map = HeaderMap::new();
        map.append("x-a", HeaderValue::from_static("1"));
        map.append("X-A", HeaderValue::from_static("2"));
        map.append("cookie", HeaderValue::from_static("c=1"));
        assert_eq!(Value::Object(headers(&map)), json!({ "x-a": "1,2" }));
    }

    #[test]
    fn sends_json_as_text_and_everything_else_in_base64() {
        let with = |content_type: &'static str, body: &'static [u8]| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            encode(&headers, &Bytes::from_static(body))
        };
        assert_eq!(with("application/json; charset=utf-8", b"{}"), ("{}".to_owned(), false));
        assert_eq!(with("application/octet-stream", b"{}"), ("e30=".to_owned(), true));
        assert_eq!(with("application/json", b"\xff"), ("/w==".to_owned(), true));
        assert_eq!(encode(&HeaderMap::new(), &Bytes::new()), (String::new(), false));
    }

    #[test]
    fn passes_the_answer_of_the_function_on() {
        let answer = json!({"statusCode": 201, "headers": {"x-a": "1"}, "body": "e30=", "isBase64Encoded": true});
        let response = response(&Bytes::from(answer.to_string())).unwrap();
        assert_eq!(
            (response.status(), response.headers()["x-a"].to_str().unwrap()),
            (StatusCode::CREATED, "1")
        );
    }

    #[test]
    fn rejects_an_answer_of_another_shape() {
        for answer in ["", "{}", "null", r#"{"statusCode": 9999}"#] {
            assert!(response(&Bytes::from(answer)).is_none(), "{answer}");
        }
    }
}
