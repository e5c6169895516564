//! API Gateway: an HTTP API whose routes invoke functions, with payload format 2.0.
//!
//! | module | contents |
//! |---|---|
//! | `routing` | the route of a request |
//! | `event` | the event that a function receives |
//!
//! The gateway's own errors are `{"message": …}`, as on AWS.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

mod event;
mod routing;

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clock::Clock;
use crate::service_metrics::ServiceMetrics;
use crate::services::lambda::{InvokeError, Lambda};
use crate::template::HttpApi;

/// The largest body that an HTTP API accepts, in bytes.
const BODY_MAX: usize = 10 * 1024 * 1024;

/// An HTTP API in front of functions.
#[derive(Debug)]
pub struct Gateway {
    domain: String,
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
    /// Routes every request of the API at `url` to its function, and counts the requests.
    #[must_use]
    pub fn new(url: &str, lambda: Arc<Lambda>, api: HttpApi, clock: &Clock, metrics: &ServiceMetrics) -> Arc<Self> {
        Arc::new(Self {
            domain: url.trim_start_matches("http://").to_owned(),
            lambda,
            api,
            clock: clock.clone(),
            metrics: metrics.clone(),
        })
    }

    /// Returns the routes: every path that has no other route.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(handle).with_state(Arc::clone(self))
    }

    /// Invokes the function of a request's route and turns its answer into a response.
    pub async fn call(&self, head: &Parts, body: &Bytes) -> Response {
        let path = event::decoded_path(head.uri.path());
        let Some(found) = routing::find(&self.api.routes, head.method.as_str(), &path) else {
            return own(StatusCode::NOT_FOUND);
        };
        let (api, domain, now) = (&self.api.name, &self.domain, self.clock.now());
        let event = Bytes::from(event::event(api, domain, &found, &path, now, head, body).to_string());
        let function = &found.route.function;
        match self.lambda.invoke(function, event).await {
            Ok(answer) => response(&answer).unwrap_or_else(|| own(StatusCode::INTERNAL_SERVER_ERROR)),
            Err(InvokeError::TooLarge) => own(StatusCode::PAYLOAD_TOO_LARGE),
            Err(InvokeError::TimedOut) => own(StatusCode::SERVICE_UNAVAILABLE),
            Err(error) => {
                tracing::error!(function, "an invocation for a request failed: {error}");
                own(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

async fn handle(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response {
    gateway.metrics.request(&gateway.api.name);
    let (head, body) = request.into_parts();
    match axum::body::to_bytes(body, BODY_MAX).await {
        Ok(body) => {
            gateway.lambda.consumption().http_request(&gateway.api.name, body.len());
            gateway.call(&head, &body).await
        }
        Err(error) => own(unreadable(&error)),
    }
}

/// Returns the status for a body that could not be read: it is too large, or the client ended it early.
fn unreadable(error: &axum::Error) -> StatusCode {
    let is_too_large = error.source().is_some_and(<dyn Error>::is::<LengthLimitError>);
    if is_too_large {
        StatusCode::PAYLOAD_TOO_LARGE
    } else {
        StatusCode::BAD_REQUEST
    }
}

/// Writes an answer of the gateway itself.
fn own(status: StatusCode) -> Response {
    let message = match status {
        StatusCode::BAD_REQUEST => "Bad Request",
        StatusCode::NOT_FOUND => "Not Found",
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        StatusCode::SERVICE_UNAVAILABLE => "Service Unavailable",
        _ => "Internal Server Error",
    };
    (status, axum::Json(json!({ "message": message }))).into_response()
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
mod testing;

#[cfg(test)]
mod tests {
    use super::*;

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

    #[tokio::test]
    async fn a_body_that_ends_early_is_not_called_too_large() {
        let too_large = axum::body::to_bytes(Body::from("ab"), 1).await.unwrap_err();
        assert_eq!(unreadable(&too_large), StatusCode::PAYLOAD_TOO_LARGE);
        let cut =
            futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))]);
        let cut = axum::body::to_bytes(Body::from_stream(cut), 1).await.unwrap_err();
        assert_eq!(unreadable(&cut), StatusCode::BAD_REQUEST);
    }
}
