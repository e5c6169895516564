//! The front of `DynamoDB`: it remembers who calls what, and passes every request on to the database as it came, unless a
//! fault befalls it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::{answer, batch};
use crate::calls::Calls;
use crate::fault::{Call, Effect, Faults, cut};
use crate::lambda::environment_of;

/// What DynamoDB takes in one request, in bytes.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// What the front knows beside the database itself.
#[derive(Debug, Default)]
pub struct FrontSettings {
    /// What comes before a table's name in its ARN.
    pub table_arn: String,
    /// Remembers who called what.
    pub calls: Calls,
    /// What goes wrong.
    pub faults: Faults,
}

struct Front {
    /// Where the database itself listens: `http://127.0.0.1:…`.
    database: String,
    /// The logical ids of the tables, by their names.
    logical_ids: BTreeMap<String, String>,
    client: Client<HttpConnector, Body>,
    settings: FrontSettings,
}

/// Passes requests on to `database`.
pub(super) fn router(database: String, logical_ids: BTreeMap<String, String>, settings: FrontSettings) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let front = Front {
        database,
        logical_ids,
        client,
        settings,
    };
    Router::new().fallback(handle).with_state(Arc::new(front))
}

async fn handle(State(front): State<Arc<Front>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // A client that only warms its connection up asks for no operation.
    let Some(operation) = operation(&head.headers) else {
        return front.pass_on(head, body).await;
    };
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let tables = tables(&request);
    let FrontSettings {
        table_arn,
        calls,
        faults,
    } = &front.settings;
    // A role names the index that is read, not its table.
    let index = request["IndexName"].as_str().map(|index| format!("/index/{index}"));
    let index = index.unwrap_or_default();
    let arns = tables.iter().map(|table| format!("{table_arn}{table}{index}"));
    calls.record(&head.headers, &format!("dynamodb:{operation}"), arns);

    let logical_id = |table: &&str| front.logical_ids.get(*table).map(String::as_str);
    let environment = environment_of(&head.headers);
    let call = Call {
        operation: &operation,
        tables: tables.iter().filter_map(logical_id).collect(),
        environment,
    };
    match faults.take(&call) {
        None => front.pass_on(head, body).await,
        Some(Effect::Unprocessed(count)) => front.pass_on_in_part(head, request, &operation, count).await,
        Some(effect) => {
            let refuse = |code: String, message: String| answer::error(&code, &message);
            let carry_out = {
                let front = Arc::clone(&front);
                async move { front.pass_on(head, body).await }
            };
            faults.befall(effect, environment, carry_out, refuse).await
        }
    }
}

impl Front {
    async fn pass_on(&self, mut head: Parts, body: Bytes) -> Response {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let Ok(uri) = format!("{}{path}", self.database).parse::<Uri>() else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        head.uri = uri;
        match self.client.request(Request::from_parts(head, Body::from(body))).await {
            Ok(answer) => answer.map(Body::new).into_response(),
            Err(error) => {
                tracing::error!(%error, "the database did not answer");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        }
    }

    /// Passes a batch on without so many of its keys or items, which the answer gives back.
    async fn pass_on_in_part(&self, mut head: Parts, mut request: Value, operation: &str, count: usize) -> Response {
        let undone = batch::take(&mut request, count);
        let mut done = batch::nothing_done(operation);
        if !batch::is_empty(&request) {
            // The body is shorter now.
            head.headers.remove(header::CONTENT_LENGTH);
            let response = self.pass_on(head, Bytes::from(request.to_string())).await;
            if response.status() != StatusCode::OK {
                return response;
            }
            let Ok(body) = axum::body::to_bytes(response.into_body(), usize::MAX).await else {
                return cut();
            };
            done = serde_json::from_slice(&body).unwrap_or(done);
        }
        batch::give_back(operation, &mut done, undone);
        answer::answer(StatusCode::OK, &done)
    }
}

/// The operation: `x-amz-target: DynamoDB_20120810.GetItem`.
fn operation(headers: &HeaderMap) -> Option<String> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    target.rsplit_once('.').map(|(_, operation)| operation.to_owned())
}

/// The tables that a request names: one, those of a batch, or those of a transaction.
fn tables(request: &Value) -> Vec<&str> {
    let batch = request["RequestItems"].as_object().into_iter().flatten();
    let steps = request["TransactItems"].as_array().into_iter().flatten();
    // Each step is one action by its name: `{"Put": {…}}`.
    let actions = steps.filter_map(Value::as_object).flat_map(|step| step.values());
    let named = std::iter::once(request).chain(actions);
    named
        .filter_map(|action| action["TableName"].as_str())
        .chain(batch.map(|(table, _)| table.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_the_tables_of_single_and_batch_requests_and_of_transactions() {
        assert_eq!(tables(&json!({"TableName": "a"})), ["a"]);
        assert_eq!(tables(&json!({"RequestItems": {"a": {}, "b": {}}})), ["a", "b"]);
        let transaction = json!({"TransactItems": [{"Put": {"TableName": "a"}}, {"Update": {"TableName": "b"}}]});
        assert_eq!(tables(&transaction), ["a", "b"]);
        assert!(tables(&Value::Null).is_empty());
    }
}
