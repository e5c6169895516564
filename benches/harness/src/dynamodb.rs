//! An emulated DynamoDB without faults: the caller's key exists, nobody is suppressed, and every write succeeds.

use std::thread;
use std::time::Duration;

use ring::digest;
use serde_json::{Value, json};

use crate::http::{Request, Response, Service};
use crate::table_names::{API_KEYS_TABLE, USAGE_TABLE};

/// The emulated tables. They store nothing.
#[derive(Debug)]
pub(crate) struct Dynamodb {
    key: Value,
    gate: Value,
    reconciliation: Value,
    latency: Duration,
}

impl Dynamodb {
    /// Makes tables that hold the API key `ok_<id>_<secret>` and answer after `latency`.
    pub(crate) fn new(id: &str, secret: &str, latency: Duration) -> Self {
        let hash = digest::digest(&digest::SHA256, secret.as_bytes());
        let hash = hash
            .as_ref()
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let key = json!({
            "id": { "S": id },
            "secret_sha256": { "S": hash },
            "name": { "S": "bench" },
            "permission": { "S": "sending" },
            "stream": { "S": "transactional" },
            "created_at": { "S": "2026-01-01T00:00:00Z" },
        });
        let gate = json!({
            "pk": { "S": "gate#us-east-1" },
            "sk": { "S": "gate" },
            "next_free_slot": { "N": "0" },
            "slot_interval": { "N": "71428" },
            "left_all": { "N": "50000" },
            "left_bulk": { "N": "40000" },
            "granted": { "N": "1000" },
            "brake": { "N": "0" },
            "account_read_at": { "N": "0" },
        });
        // The daily pass over SES's list is not due.
        let state = json!({ "due_at": "2100-01-01T00:00:00Z", "pass": null, "last": null, "trouble": null });
        let reconciliation = json!({
            "pk": { "S": "gate#us-east-1" },
            "sk": { "S": "reconciliation" },
            "state": { "S": state.to_string() },
            "revision": { "N": "1" },
        });
        Self {
            key,
            gate,
            reconciliation,
            latency,
        }
    }

    /// Returns the answer to an operation, or `None` if this emulation does not have it.
    fn operate(&self, operation: &str, input: &Value) -> Option<Value> {
        let table = input["TableName"].as_str().unwrap_or_default();
        Some(match operation {
            "GetItem" if table == API_KEYS_TABLE && input["Key"]["id"] == self.key["id"] => json!({ "Item": self.key }),
            "GetItem" if table == USAGE_TABLE => json!({ "Item": self.gate }),
            // The mail of an event is settled, as almost every mail is.
            "GetItem" if input["ProjectionExpression"] == "#ses_id, #sent_at" => {
                json!({ "Item": { "ses_id": { "S": "0100" }, "sent_at": { "N": "0" } } })
            }
            "BatchGetItem" => {
                let asked = input["RequestItems"].as_object()?;
                let none = asked.keys().map(|table| (table.clone(), json!([]))).collect();
                json!({ "Responses": Value::Object(none), "UnprocessedKeys": {} })
            }
            "Query" if table == USAGE_TABLE => {
                json!({ "Items": [self.gate, self.reconciliation], "Count": 2, "ScannedCount": 2 })
            }
            "Query" => json!({ "Items": [], "Count": 0, "ScannedCount": 0 }),
            "UpdateItem" if table == USAGE_TABLE && input["ReturnValues"].is_string() => {
                json!({ "Attributes": self.gate })
            }
            "GetItem" | "PutItem" | "UpdateItem" | "TransactWriteItems" => json!({}),
            _ => return None,
        })
    }
}

impl Service for Dynamodb {
    fn answer(&self, request: &Request) -> Option<Response> {
        if request.method == "GET" {
            // Load balancers send this request, and a function that opens its connection does.
            let text = "healthy: dynamodb.us-east-1.amazonaws.com ";
            return Some(Response::new(200, "text/plain", text));
        }
        let target = request.header("x-amz-target").unwrap_or_default();
        let answer = target.strip_prefix("DynamoDB_20120810.").and_then(|operation| {
            let input = serde_json::from_slice(&request.body).ok()?;
            self.operate(operation, &input)
        });
        let (status, body) = match answer {
            Some(output) => (200, output),
            None => (
                400,
                json!({ "__type": "com.amazon.coral.service#UnknownOperationException" }),
            ),
        };
        thread::sleep(self.latency);
        let response = Response::new(status, "application/x-amz-json-1.0", body.to_string());
        Some(response.with(
            "x-amzn-requestid",
            "4KAHBNMQ3MI8P0O1P3JJGJ3R3VVV4KQNSO5AEMVJF66Q9ASUAAJG",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(operation: &str, input: &Value) -> (u16, Value) {
        let request = Request {
            headers: vec![("x-amz-target".to_owned(), format!("DynamoDB_20120810.{operation}"))],
            body: input.to_string().into_bytes(),
            ..Request::default()
        };
        let answer = Dynamodb::new("k", "abc", Duration::ZERO).answer(&request).unwrap();
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    #[test]
    fn knows_the_callers_key_by_its_hash_and_no_other() {
        let key = |id: &str| json!({ "TableName": API_KEYS_TABLE, "Key": { "id": { "S": id } } });
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(ask("GetItem", &key("k")).1["Item"]["secret_sha256"]["S"], hash);
        assert_eq!(ask("GetItem", &key("l")), (200, json!({})));
    }

    #[test]
    fn an_unknown_address_is_not_suppressed() {
        let (status, output) = ask("BatchGetItem", &json!({ "RequestItems": { "t": { "Keys": [] } } }));
        assert_eq!((status, &output["Responses"]["t"]), (200, &json!([])));
    }

    #[test]
    fn refuses_unknown_values() {
        assert_eq!(ask("Scan", &json!({})).0, 400);
    }
}
