//! The read and write units of requests. The database counts those of requests that it carries out, by DynamoDB's
//! rules. It counts nothing for a write whose condition fails, which DynamoDB bills as well: that is added here.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use bytes::Bytes;
use dynoxide::types::{Item, TRANSACTIONAL_CAPACITY_FACTOR, item_size, write_capacity_units};
use serde_json::{Value, json};

use super::answer;
use super::table_identity::TableIdentity;
use crate::consumption::{Consumption, Unit};
use crate::middleware::WireRequest;

/// The fields by which a request asks for its consumption, and for the item at which its condition failed.
const CAPACITY: &str = "ReturnConsumedCapacity";
const FAILED_ITEM: &str = "ReturnValuesOnConditionCheckFailure";

/// The operations that consume read units, and those that consume write units.
const READS: [&str; 5] = ["GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"];
const WRITES: [&str; 5] = [
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactWriteItems",
];

/// A request that was changed so that its answer tells what it consumed.
pub(super) struct Question {
    unit: Unit,
    operation: String,
    /// The request before the change.
    request: Value,
    caller: Option<String>,
}

impl Question {
    /// Changes a request so that its answer tells what it consumed. Returns nothing for a request that reads and writes
    /// no item.
    pub(super) fn ask(operation: &str, caller: Option<&str>, request: &mut WireRequest) -> Option<Self> {
        let unit = match operation {
            operation if READS.contains(&operation) => Unit::ReadUnit,
            operation if WRITES.contains(&operation) => Unit::WriteUnit,
            _ => return None,
        };
        let before: Value = serde_json::from_slice(&request.body).ok()?;
        let mut asking = before.clone();
        let fields = asking.as_object_mut()?;
        fields.insert(CAPACITY.to_owned(), json!("INDEXES"));
        if ["PutItem", "UpdateItem", "DeleteItem"].contains(&operation) {
            fields.insert(FAILED_ITEM.to_owned(), json!("ALL_OLD"));
        }
        // The body is longer now.
        request.head.headers.remove(header::CONTENT_LENGTH);
        request.body = Bytes::from(asking.to_string());
        Some(Self {
            unit,
            operation: operation.to_owned(),
            request: before,
            caller: caller.map(str::to_owned),
        })
    }

    /// Counts what a request consumed, and takes what its caller did not ask for out of the answer.
    pub(super) async fn count(
        self,
        response: Response,
        tables: &BTreeMap<String, TableIdentity>,
        consumption: &Consumption,
    ) -> Result<Response, axum::Error> {
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await?;
        let Ok(mut answered) = serde_json::from_slice::<Value>(&body) else {
            return Ok(Response::from_parts(head, Body::from(body)));
        };
        let consumed = if head.status.is_success() {
            reported(&answered["ConsumedCapacity"])
        } else {
            failed(&self.request, &answered)
        };
        for (table, index, units) in consumed {
            let table = tables.get(&table).map_or(table.as_str(), |known| &known.logical_id);
            let of = index.map_or_else(|| table.to_owned(), |index| format!("{table}/{index}"));
            consumption.add_for(self.caller.as_deref(), self.unit, (&self.operation, &of), units);
        }
        if let Some(fields) = answered.as_object_mut() {
            if self.request.get(CAPACITY).is_none() {
                fields.remove("ConsumedCapacity");
            }
            // In an answer that is no error, `Item` is what was read.
            if self.request.get(FAILED_ITEM).is_none() && !head.status.is_success() {
                fields.remove("Item");
            }
        }
        Ok(answer::answer(head.status, &answered))
    }
}

/// Units of a table, or of one of its indexes.
type Consumed = (String, Option<String>, f64);

/// Reads the units that an answer reports: for one table, or for each of a batch.
fn reported(capacity: &Value) -> Vec<Consumed> {
    let several = capacity.as_array().map(Vec::as_slice);
    let mut all = Vec::new();
    for of_table in several.unwrap_or(std::slice::from_ref(capacity)) {
        let Some(table) = of_table["TableName"].as_str() else {
            continue;
        };
        let mut add = |index: Option<&String>, detail: &Value| {
            if let Some(units) = detail["CapacityUnits"].as_f64().filter(|units| *units > 0.0) {
                all.push((table.to_owned(), index.cloned(), units));
            }
        };
        add(None, &of_table["Table"]);
        for indexes in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
            for (name, detail) in of_table[indexes].as_object().into_iter().flatten() {
                add(Some(name), detail);
            }
        }
    }
    all
}

/// Computes the units of a write that failed. One whose condition failed costs the units of the item that is there, one
/// at least. A cancelled transaction is taken to cost each step twice its units: those of the item that it would have
/// put, or one. Any other failure costs nothing.
fn failed(request: &Value, answer: &Value) -> Vec<Consumed> {
    let kind = answer["__type"].as_str().unwrap_or_default();
    if kind.ends_with("#ConditionalCheckFailedException") {
        let table = request["TableName"].as_str().unwrap_or_default();
        return vec![(table.to_owned(), None, units(&answer["Item"]))];
    }
    if !kind.ends_with("#TransactionCanceledException") {
        return Vec::new();
    }
    let steps = request["TransactItems"].as_array().into_iter().flatten();
    let steps = steps.filter_map(Value::as_object).flat_map(|step| step.values());
    steps
        .filter_map(|step| {
            let table = step["TableName"].as_str()?.to_owned();
            Some((table, None, TRANSACTIONAL_CAPACITY_FACTOR * units(&step["Item"])))
        })
        .collect()
}

/// Returns the write units of an item; one if there is none.
fn units(item: &Value) -> f64 {
    let item: Option<Item> = serde_json::from_value(item.clone()).ok();
    write_capacity_units(item.map_or(0, |item| item_size(&item)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::extract::Request;
    use dynoxide::Database;
    use tokio::net::TcpListener;

    use super::super::wire::DynamodbWire;
    use super::*;
    use crate::clock::Clock;
    use crate::middleware::WireService;

    /// A database with one table, which has an index of keys alone.
    struct World {
        wire: Arc<DynamodbWire>,
        consumption: Consumption,
    }

    impl World {
        async fn start() -> Self {
            let database = Database::memory().unwrap();
            let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
            let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
            let create = json!({
                "TableName": "items", "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [key("id", "HASH"), key("sk", "RANGE")],
                "AttributeDefinitions": [text("id"), text("sk"), text("key")],
                "GlobalSecondaryIndexes": [{
                    "IndexName": "by-key", "Projection": { "ProjectionType": "KEYS_ONLY" },
                    "KeySchema": [key("key", "HASH")],
                }],
            });
            database.create_table(serde_json::from_value(create).unwrap()).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let serve = dynoxide::server::serve_with_shutdown(listener, database, std::future::pending());
            tokio::spawn(serve);
            let table = TableIdentity {
                logical_id: "Items".to_owned(),
                arn: String::new(),
                partition_key: "id".to_owned(),
            };
            let consumption = Consumption::default();
            let wire = DynamodbWire::new(url, [("items".to_owned(), table)].into(), Clock::default());
            Self {
                wire: Arc::new(wire.with_consumption(Some(consumption.clone()))),
                consumption,
            }
        }

        /// Makes a request. Returns its answer, and what it consumed: `W Items 2, W Items/by-key 1`.
        async fn call(&self, operation: &str, mut body: Value) -> (Value, String) {
            if body.get("TransactItems").is_none() && body.get("RequestItems").is_none() {
                body["TableName"] = json!("items");
            }
            let before = self.consumption.so_far();
            let signature = "AWS4-HMAC-SHA256 Credential=worker/20261122/us-east-1/dynamodb/aws4_request, \
                             SignedHeaders=host, Signature=0";
            let head = Request::post("/")
                .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
                .header("authorization", signature)
                .header("x-amz-date", "20261122T000000Z")
                .header("content-type", "application/x-amz-json-1.0");
            let (head, ()) = head.body(()).unwrap().into_parts();
            let body = Bytes::from(body.to_string());
            let response = Arc::clone(&self.wire).carry_out(WireRequest { head, body }).await;
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let mut consumed = Vec::new();
            for (used, amount) in self.consumption.so_far() {
                assert_eq!(used.by, "worker");
                if used.operation != operation {
                    continue;
                }
                let amount = amount - before.get(&used).copied().unwrap_or_default();
                let letter = if used.unit == Unit::WriteUnit { "W" } else { "R" };
                if amount > 0.0 {
                    consumed.push(format!("{letter} {} {amount}", used.of));
                }
            }
            (serde_json::from_slice(&body).unwrap(), consumed.join(", "))
        }

        async fn consumed(&self, operation: &str, body: Value) -> String {
            self.call(operation, body).await.1
        }
    }

    /// An item with an attribute of so many bytes, and the key of the index.
    fn item(id: &str, bytes: usize, key: Option<&str>) -> Value {
        let mut item = json!({ "id": { "S": id }, "sk": { "S": "a" }, "text": { "S": "x".repeat(bytes) } });
        if let Some(key) = key {
            item["key"] = json!({ "S": key });
        }
        item
    }

    fn key(id: &str) -> Value {
        json!({ "id": { "S": id }, "sk": { "S": "a" } })
    }

    /// A request that sets an attribute of an item.
    fn set(id: &str, attribute: &str, value: &str) -> Value {
        json!({
            "Key": key(id), "UpdateExpression": "SET #a = :v", "ExpressionAttributeNames": { "#a": attribute },
            "ExpressionAttributeValues": { ":v": { "S": value } },
        })
    }

    #[tokio::test]
    async fn a_write_costs_by_the_larger_item_and_in_an_index_by_the_change() {
        let world = World::start().await;
        let put = async |item| world.consumed("PutItem", json!({ "Item": item })).await;
        assert_eq!(put(item("a", 1_500, None)).await, "W Items 2");
        assert_eq!(put(item("a", 10, None)).await, "W Items 2");
        assert_eq!(put(item("b", 10, Some("k"))).await, "W Items 1, W Items/by-key 1");
        // Neither a key of the index nor projected.
        let other = set("b", "other", "v");
        assert_eq!(world.consumed("UpdateItem", other).await, "W Items 1");
        let moved = set("b", "key", "k2");
        assert_eq!(world.consumed("UpdateItem", moved).await, "W Items 1, W Items/by-key 2");
        assert_eq!(
            world.consumed("DeleteItem", json!({ "Key": key("b") })).await,
            "W Items 1, W Items/by-key 1"
        );
        let put = json!({ "PutRequest": { "Item": item("c", 10, None) } });
        let writes = json!({ "items": [put, { "DeleteRequest": { "Key": key("a") } }] });
        assert_eq!(
            world
                .consumed("BatchWriteItem", json!({ "RequestItems": writes }))
                .await,
            "W Items 2"
        );
    }

    #[tokio::test]
    async fn a_write_whose_condition_fails_costs_by_the_item_that_is_there() {
        let world = World::start().await;
        world
            .call("PutItem", json!({ "Item": item("a", 2_500, Some("k")) }))
            .await;
        let mut put = json!({ "Item": item("a", 10, None), "ConditionExpression": "attribute_not_exists(id)" });
        let (answer, consumed) = world.call("PutItem", put.clone()).await;
        assert_eq!(consumed, "W Items 3");
        assert_eq!(
            answer["__type"],
            "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
        );
        assert_eq!(answer.get("Item"), None);
        put[FAILED_ITEM] = json!("ALL_OLD");
        assert_eq!(world.call("PutItem", put).await.0["Item"]["key"]["S"], "k");
        let absent = json!({ "Key": key("b"), "ConditionExpression": "attribute_exists(id)" });
        assert_eq!(world.consumed("DeleteItem", absent).await, "W Items 1");
        assert_eq!(world.consumed("DeleteItem", json!({ "Key": {} })).await, "");
    }

    #[tokio::test]
    async fn a_read_costs_by_size_and_consistency() {
        let world = World::start().await;
        for (id, bytes) in [("a", 4_500), ("b", 10)] {
            world
                .call("PutItem", json!({ "Item": item(id, bytes, Some("k")) }))
                .await;
        }
        let get = |id: &str, consistent: bool| json!({ "Key": key(id), "ConsistentRead": consistent });
        for (id, consistent, expected) in [
            ("a", true, "R Items 2"),
            ("a", false, "R Items 1"),
            ("b", false, "R Items 0.5"),
            ("none", false, "R Items 0.5"),
        ] {
            assert_eq!(world.consumed("GetItem", get(id, consistent)).await, expected, "{id}");
        }
        let keys = ["a", "b", "none"].map(key);
        let batch = json!({ "RequestItems": { "items": { "Keys": keys, "ConsistentRead": true } } });
        let (answer, consumed) = world.call("BatchGetItem", batch).await;
        assert_eq!((consumed.as_str(), answer.get("ConsumedCapacity")), ("R Items 4", None));
        let query = json!({
            "IndexName": "by-key", "KeyConditionExpression": "#k = :k", "ExpressionAttributeNames": { "#k": "key" },
            "ExpressionAttributeValues": { ":k": { "S": "k" } },
        });
        assert_eq!(world.consumed("Query", query).await, "R Items/by-key 0.5");
        let mut query =
            json!({ "KeyConditionExpression": "id = :i", "ExpressionAttributeValues": { ":i": { "S": "a" } } });
        assert_eq!(world.consumed("Query", query.clone()).await, "R Items 1");
        query[CAPACITY] = json!("TOTAL");
        assert_eq!(
            world.call("Query", query).await.0["ConsumedCapacity"]["TableName"],
            "items"
        );
    }

    #[tokio::test]
    async fn a_transaction_costs_twice_in_its_table_and_once_in_an_index() {
        let world = World::start().await;
        let is_new = "attribute_not_exists(id)";
        let item = item("a", 1_500, Some("k"));
        let put = json!({ "Put": { "TableName": "items", "Item": item, "ConditionExpression": is_new } });
        let check = json!({ "TableName": "items", "Key": key("b"), "ConditionExpression": is_new });
        let check = json!({ "ConditionCheck": check });
        let transaction = json!({ "TransactItems": [put, check] });
        assert_eq!(
            world.consumed("TransactWriteItems", transaction.clone()).await,
            "W Items 6, W Items/by-key 1"
        );
        let (answer, consumed) = world.call("TransactWriteItems", transaction).await;
        assert_eq!(
            (answer["CancellationReasons"][0]["Code"].as_str(), consumed.as_str()),
            (Some("ConditionalCheckFailed"), "W Items 6")
        );
    }
}
