//! The Runtime API: an environment fetches its events from it and sends its answers to it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use uuid::Uuid;

use super::function::{Function, InvokeError};
use super::{EVENT_MAX, Lambda};

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");

/// The body of an error report.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ErrorReport {
    error_type: String,
    error_message: String,
}

pub(super) fn router(lambda: Arc<Lambda>) -> Router {
    const BASE: &str = "/{function}/{environment}/2018-06-01/runtime";
    Router::new()
        .route(&format!("{BASE}/invocation/next"), get(next))
        .route(&format!("{BASE}/invocation/{{id}}/response"), post(response))
        .route(&format!("{BASE}/invocation/{{id}}/error"), post(error))
        .route(&format!("{BASE}/init/error"), post(init_error))
        // An answer may be as large as an event, plus the JSON around it.
        .layer(DefaultBodyLimit::max(EVENT_MAX + 64 * 1024))
        .with_state(lambda)
}

fn function<'a>(lambda: &'a Lambda, name: &str) -> Result<&'a Arc<Function>, StatusCode> {
    lambda.functions.get(name).ok_or(StatusCode::NOT_FOUND)
}

async fn next(
    State(lambda): State<Arc<Lambda>>,
    Path((name, environment)): Path<(String, Uuid)>,
) -> Result<Response, StatusCode> {
    let function = function(&lambda, &name)?;
    let Some((id, event)) = lambda.next(function, environment).await else {
        // The process is being ended, and gets no answer that could make it fail.
        lambda.processes.gone(environment).await;
        return Err(StatusCode::GONE);
    };
    let timeout = i64::try_from(function.settings.timeout.as_millis()).unwrap_or(i64::MAX);
    let deadline = lambda.clock.now().as_millisecond().saturating_add(timeout);
    let header = |text: String| HeaderValue::from_str(&text).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
    let headers = HeaderMap::from_iter([
        (REQUEST_ID, header(id.to_string())?),
        (DEADLINE, header(deadline.to_string())?),
        (FUNCTION_ARN, header(function.settings.arn.clone())?),
    ]);
    Ok((headers, event).into_response())
}

async fn response(
    State(lambda): State<Arc<Lambda>>,
    Path((name, environment, id)): Path<(String, Uuid, Uuid)>,
    answer: Bytes,
) -> Result<StatusCode, StatusCode> {
    lambda.outputs.settle(environment);
    function(&lambda, &name)?.finish(id, Ok(answer));
    Ok(StatusCode::ACCEPTED)
}

async fn error(
    State(lambda): State<Arc<Lambda>>,
    Path((name, environment, id)): Path<(String, Uuid, Uuid)>,
    report: Bytes,
) -> Result<StatusCode, StatusCode> {
    lambda.outputs.settle(environment);
    let ErrorReport {
        error_type,
        error_message,
    } = serde_json::from_slice(&report).unwrap_or_default();
    function(&lambda, &name)?.finish(
        id,
        Err(InvokeError::Function {
            kind: error_type,
            message: error_message,
        }),
    );
    Ok(StatusCode::ACCEPTED)
}

async fn init_error(
    State(lambda): State<Arc<Lambda>>,
    Path((name, _)): Path<(String, Uuid)>,
    report: Bytes,
) -> Result<StatusCode, StatusCode> {
    function(&lambda, &name)?;
    let ErrorReport {
        error_type,
        error_message,
    } = serde_json::from_slice(&report).unwrap_or_default();
    tracing::error!(function = name, "init failed: {error_type}: {error_message}");
    Ok(StatusCode::ACCEPTED)
}
