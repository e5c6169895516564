//! DynamoDB on the wire. Every request goes on to the database as it came, unless a batch is carried out in part or the
//! token of a transaction needs another name.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use uuid::Uuid;

use super::capacity::Question;
use super::table_identity::TableIdentity;
use super::transaction::{Tokens, steps};
use super::{answer, unprocessed};
use crate::calls::caller;
use crate::catalogue::AwsService;
use crate::clock::Clock;
use crate::consumption::Consumption;
use crate::fault::cut;
use crate::middleware::{Access, Operation, WireRequest, WireService};

/// The front of the database.
pub(super) struct DynamodbWire {
    /// The URL that the database itself listens on: `http://127.0.0.1:…`.
    database: String,
    /// The tables, by their names.
    tables: BTreeMap<String, TableIdentity>,
    client: Client<HttpConnector, Body>,
    tokens: Tokens,
    clock: Clock,
    consumption: Option<Consumption>,
}

impl DynamodbWire {
    pub(super) fn new(database: String, tables: BTreeMap<String, TableIdentity>, clock: Clock) -> Self {
        Self {
            database,
            tables,
            client: Client::builder(TokioExecutor::new()).build_http(),
            tokens: Tokens::default(),
            clock,
            consumption: None,
        }
    }

    /// Counts the units of requests, if there is a record for them.
    pub(super) fn with_consumption(self, consumption: Option<Consumption>) -> Self {
        Self { consumption, ..self }
    }

    /// Gives the token of a transaction the name by which the database knows it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the edge of the simulator, where its ids are made"
    )]
    fn rename_token(&self, mut request: WireRequest) -> WireRequest {
        if operation_name(&request.head).as_deref() != Some("TransactWriteItems") {
            return request;
        }
        let mut body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(token) = body["ClientRequestToken"].as_str() else {
            return request;
        };
        let name = self.tokens.name(token, self.clock.now(), || Uuid::new_v4().to_string());
        if name != token {
            body["ClientRequestToken"] = json!(name);
            request.head.headers.remove(header::CONTENT_LENGTH);
            request.body = Bytes::from(body.to_string());
        }
        request
    }

    /// Passes a request on to the database, and counts what it consumes.
    async fn pass_on(&self, mut request: WireRequest) -> Response {
        let Some(consumption) = &self.consumption else {
            return self.forward(request).await;
        };
        let operation = operation_name(&request.head).unwrap_or_default();
        let caller = caller(&request.head.headers).map(str::to_owned);
        let Some(question) = Question::ask(&operation, caller.as_deref(), &mut request) else {
            return self.forward(request).await;
        };
        let response = self.forward(request).await;
        question
            .count(response, &self.tables, consumption)
            .await
            .unwrap_or_else(|_| cut())
    }

    async fn forward(&self, WireRequest { mut head, body }: WireRequest) -> Response {
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
}

impl WireService for DynamodbWire {
    const SERVICE: AwsService = AwsService::Dynamodb;
    const BODY_MAX: usize = 16 * 1024 * 1024;

    fn operation(&self, request: &WireRequest) -> Option<Operation> {
        let name = operation_name(&request.head)?;
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let tables = table_names(&body);
        // A role names the index that is read, not its table.
        let index = body["IndexName"].as_str().map(|index| format!("/index/{index}"));
        let index = index.unwrap_or_default();
        let known = |table: &&str| self.tables.get(*table);
        let access = |action: &str, table: &str| {
            let arn = known(&table).map_or(table, |known| &known.arn);
            Access::new(action, format!("{arn}{index}"))
        };
        let steps = steps(&body);
        let allowed_by = if steps.is_empty() {
            tables.iter().map(|table| access(&name, table)).collect()
        } else {
            steps.iter().map(|step| access(step.action, step.table)).collect()
        };
        Some(Operation {
            name,
            allowed_by,
            leading_key: match tables.as_slice() {
                [table] if index.is_empty() => known(table).and_then(|table| leading_key(&body, &table.partition_key)),
                _ => None,
            },
            tables: tables
                .iter()
                .filter_map(known)
                .map(|known| known.logical_id.clone())
                .collect(),
        })
    }

    async fn carry_out(self: Arc<Self>, request: WireRequest) -> Response {
        self.pass_on(self.rename_token(request)).await
    }

    async fn carry_out_in_part(
        self: Arc<Self>,
        WireRequest { mut head, body }: WireRequest,
        undone: usize,
    ) -> Response {
        let operation = operation_name(&head).unwrap_or_default();
        let mut request: Value = serde_json::from_slice(&body).unwrap_or_default();
        let undone = unprocessed::take(&mut request, undone);
        let mut done = unprocessed::nothing_done(&operation);
        if !unprocessed::is_empty(&request) {
            // The body is shorter now.
            head.headers.remove(header::CONTENT_LENGTH);
            let body = Bytes::from(request.to_string());
            let response = self.pass_on(WireRequest { head, body }).await;
            if response.status() != StatusCode::OK {
                return response;
            }
            let Ok(body) = axum::body::to_bytes(response.into_body(), usize::MAX).await else {
                return cut();
            };
            done = serde_json::from_slice(&body).unwrap_or(done);
        }
        unprocessed::give_back(&operation, &mut done, undone);
        answer::answer(StatusCode::OK, &done)
    }

    fn refuse(&self, code: String, message: String) -> Response {
        answer::error(&code, &message)
    }
}

/// Reads the operation's name: `x-amz-target: DynamoDB_20120810.GetItem`. A request that only opens a connection has
/// none.
fn operation_name(head: &Parts) -> Option<String> {
    let headers: &HeaderMap = &head.headers;
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    target.rsplit_once('.').map(|(_, operation)| operation.to_owned())
}

/// Lists the tables that a request names: one, those of a batch, or those of a transaction.
fn table_names(request: &Value) -> Vec<&str> {
    let batch = request["RequestItems"].as_object().into_iter().flatten();
    let steps = steps(request).into_iter().map(|step| step.table);
    let own = request["TableName"].as_str().into_iter();
    own.chain(steps).chain(batch.map(|(table, _)| table.as_str())).collect()
}

/// Returns the partition key that a request on a table names: in its key or item, or in the first condition of a
/// query.
fn leading_key(request: &Value, attribute: &str) -> Option<String> {
    let written = [&request["Key"][attribute]["S"], &request["Item"][attribute]["S"]];
    let queried = || {
        let condition = request["KeyConditionExpression"].as_str()?;
        let (_, value) = condition.split_once('=')?;
        let name = value.split_whitespace().next()?;
        request["ExpressionAttributeValues"][name]["S"].as_str()
    };
    let key = written.into_iter().find_map(Value::as_str).or_else(queried);
    key.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(name: &str, body: &Value) -> Operation {
        let table = |logical_id: &str| {
            let name = format!("s-{logical_id}");
            let arn = format!("arn:table/{name}");
            let logical_id = logical_id.to_owned();
            let partition_key = "pk".to_owned();
            (
                name,
                TableIdentity {
                    logical_id,
                    arn,
                    partition_key,
                },
            )
        };
        let wire = DynamodbWire::new(String::new(), ["A", "B"].map(table).into(), Clock::default());
        let target = format!("DynamoDB_20120810.{name}");
        let (head, ()) = Request::post("/")
            .header("x-amz-target", target)
            .body(())
            .unwrap()
            .into_parts();
        let body = Bytes::from(body.to_string());
        wire.operation(&WireRequest { head, body }).unwrap()
    }

    #[test]
    fn names_the_tables_of_every_kind_of_request() {
        let both = ["A", "B"].map(str::to_owned);
        for (name, body, tables) in [
            ("GetItem", json!({"TableName": "s-A"}), &both[..1]),
            ("BatchGetItem", json!({"RequestItems": {"s-A": {}, "s-B": {}}}), &both),
            (
                "TransactWriteItems",
                json!({"TransactItems": [{"Put": {"TableName": "s-A"}}, {"Update": {"TableName": "s-B"}}]}),
                &both,
            ),
        ] {
            let operation = operation(name, &body);
            assert_eq!(operation.name, name);
            assert_eq!(operation.tables, tables);
            let arns: Vec<_> = tables.iter().map(|table| format!("arn:table/s-{table}")).collect();
            assert_eq!(operation.resources(), arns);
        }
    }

    #[test]
    fn names_the_partition_key_of_items_keys_and_queries() {
        let table = "s-A";
        let values = json!({ ":pk": {"S": "order#1"}, ":from": {"S": "a"} });
        let condition = "#pk = :pk AND #sk >= :from";
        for (name, body, key) in [
            (
                "GetItem",
                json!({"TableName": table, "Key": {"pk": {"S": "gate#a"}}}),
                Some("gate#a"),
            ),
            (
                "PutItem",
                json!({"TableName": table, "Item": {"pk": {"S": "mark#a"}}}),
                Some("mark#a"),
            ),
            (
                "Query",
                json!({"TableName": table, "KeyConditionExpression": condition, "ExpressionAttributeValues": values}),
                Some("order#1"),
            ),
            ("Scan", json!({"TableName": table}), None),
        ] {
            assert_eq!(operation(name, &body).leading_key.as_deref(), key, "{name}");
        }
    }

    #[test]
    fn a_transaction_is_allowed_by_the_actions_of_its_steps() {
        let body = json!({"TransactItems": [{"Put": {"TableName": "s-A"}}, {"Delete": {"TableName": "s-B"}}]});
        let access = |action: &str, table: &str| Access::new(action, format!("arn:table/s-{table}"));
        assert_eq!(
            operation("TransactWriteItems", &body).allowed_by,
            [access("PutItem", "A"), access("DeleteItem", "B")]
        );
    }

    #[test]
    fn names_the_index_that_is_read() {
        let operation = operation("Query", &json!({"TableName": "s-A", "IndexName": "newest"}));
        assert_eq!(operation.resources(), ["arn:table/s-A/index/newest"]);
        assert_eq!(operation.tables, ["A"]);
    }
}
