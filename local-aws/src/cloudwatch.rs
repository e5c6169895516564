//! CloudWatch: an endpoint that refuses every call by name, so that no call of a function can leave the machine.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The wire.
pub(crate) fn router() -> Router {
    Router::new().fallback(refuse)
}

async fn refuse() -> Response {
    const ERROR: &str = "UnknownOperationException";
    let body = json!({ "__type": ERROR, "message": "CloudWatch is not simulated on this machine" });
    (
        StatusCode::NOT_IMPLEMENTED,
        [("x-amzn-errortype", ERROR)],
        axum::Json(body),
    )
        .into_response()
}
