//! Requests that are carried out in this process, without the database's own HTTP server: those of the functions, by
//! which a send costs a third less.
//!
//! The server words errors, and its words for an error depend on checks that it alone makes. So an operation that fails
//! here goes on to the server, which carries it out again: one that failed has changed nothing.

use axum::http::{StatusCode, header};
use axum::response::Response;
use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer;
use crate::middleware::WireRequest;

/// Carries a request out, and returns nothing if it must go to the server.
pub(super) fn carry_out(database: &Database, operation: &str, request: &WireRequest) -> Option<Response> {
    let headers = &request.head.headers;
    let content_type = headers.get(header::CONTENT_TYPE)?;
    if content_type != answer::CONTENT_TYPE || !headers.contains_key(header::AUTHORIZATION) {
        return None;
    }
    let body = &request.body;
    let done = match operation {
        "GetItem" => run(body, |request| database.get_item(request)),
        "PutItem" => run(body, |request| database.put_item(request)),
        "UpdateItem" => run(body, |request| database.update_item(request)),
        "DeleteItem" => run(body, |request| database.delete_item(request)),
        "Query" => run(body, |request| database.query(request)),
        "BatchGetItem" => run(body, |request| database.batch_get_item(request)),
        "TransactWriteItems" => run(body, |request| database.transact_write_items(request)),
        _ => None,
    };
    Some(match done? {
        Ok(body) => answer::written(StatusCode::OK, body),
        // It is carried out, so it must not be carried out again.
        Err(error) => answer::error("InternalServerError", &error.to_string()),
    })
}

/// Returns the answer of an operation; nothing if it failed and changed nothing.
fn run<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    operation: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Option<serde_json::Result<String>> {
    let answer = operation(serde_json::from_slice(body).ok()?).ok()?;
    Some(serde_json::to_string(&answer))
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;

    fn database() -> Database {
        let database = Database::memory().unwrap();
        let table = json!({
            "TableName": "things", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        });
        database.create_table(serde_json::from_value(table).unwrap()).unwrap();
        database
    }

    async fn done(database: &Database, operation: &str, body: &Value, headers: &[(&str, &str)]) -> Option<Value> {
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let body = Bytes::from(body.to_string());
        let answer = carry_out(database, operation, &WireRequest { head, body })?;
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("x-amz-crc32"));
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        Some(serde_json::from_slice(&body).unwrap())
    }

    const SIGNED: [(&str, &str); 2] = [
        ("content-type", "application/x-amz-json-1.0"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=a"),
    ];

    #[tokio::test]
    async fn carries_out_what_succeeds_and_leaves_the_rest_to_the_server() {
        let database = database();
        let put = |value: &str| json!({"TableName": "things", "Item": {"id": {"S": "a"}, "value": {"S": value}}});
        let get = json!({"TableName": "things", "Key": {"id": {"S": "a"}}});
        assert!(done(&database, "PutItem", &put("one"), &SIGNED).await.is_some());
        let mut conditional = put("two");
        conditional["ConditionExpression"] = "attribute_not_exists(id)".into();
        for (operation, body) in [
            ("PutItem", &conditional),
            ("PutItem", &json!({"TableName": "other", "Item": {"id": {"S": "a"}}})),
            ("PutItem", &json!({"TableName": 1})),
            ("Scan", &json!({"TableName": "things"})),
        ] {
            assert!(
                done(&database, operation, body, &SIGNED).await.is_none(),
                "{operation} {body}"
            );
        }
        let found = done(&database, "GetItem", &get, &SIGNED).await.unwrap();
        assert_eq!(found["Item"]["value"]["S"], "one");
        // The server checks what a request must carry.
        for only in SIGNED {
            assert!(done(&database, "GetItem", &get, &[only]).await.is_none());
        }
    }
}
