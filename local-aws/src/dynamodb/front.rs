//! The front of DynamoDB: it remembers who calls what, and passes every request on to the database as it came.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::calls::Calls;

/// What DynamoDB takes in one request, in bytes.
const BODY_MAX: usize = 16 * 1024 * 1024;

struct Front {
    /// Where the database itself listens: `http://127.0.0.1:…`.
    database: String,
    /// What comes before a table's name in its ARN.
    table_arn: String,
    client: Client<HttpConnector, Body>,
    calls: Calls,
}

/// Passes requests on to `database`, and remembers in `calls` what they were for.
pub(super) fn router(database: String, table_arn: String, calls: Calls) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let front = Front {
        database,
        table_arn,
        client,
        calls,
    };
    Router::new().fallback(pass_on).with_state(Arc::new(front))
}

async fn pass_on(State(front): State<Arc<Front>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if let Some(operation) = operation(&head.headers) {
        let tables = tables(&body)
            .into_iter()
            .map(|table| format!("{}{table}", front.table_arn));
        front
            .calls
            .record(&head.headers, &format!("dynamodb:{operation}"), tables);
    }
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let Ok(uri) = format!("{}{path}", front.database).parse::<Uri>() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    head.uri = uri;
    match front.client.request(Request::from_parts(head, Body::from(body))).await {
        Ok(answer) => answer.map(Body::new).into_response(),
        Err(error) => {
            tracing::error!(%error, "the database did not answer");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// The operation: `x-amz-target: DynamoDB_20120810.GetItem`.
fn operation(headers: &HeaderMap) -> Option<String> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    target.rsplit_once('.').map(|(_, operation)| operation.to_owned())
}

/// The tables that a request names.
fn tables(body: &Bytes) -> Vec<String> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let one = request["TableName"].as_str().map(str::to_owned);
    let batch = request["RequestItems"]
        .as_object()
        .into_iter()
        .flat_map(|items| items.keys().cloned());
    one.into_iter().chain(batch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_tables_of_single_and_batch_requests() {
        assert_eq!(tables(&Bytes::from(r#"{"TableName":"a"}"#)), ["a"]);
        assert_eq!(tables(&Bytes::from(r#"{"RequestItems":{"a":{},"b":{}}}"#)), ["a", "b"]);
        assert!(tables(&Bytes::from("nonsense")).is_empty());
    }
}
