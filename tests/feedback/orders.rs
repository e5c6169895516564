//! Events of SES in every order and in any number of copies lead to the same tables and the same state of each
//! recipient. The function's code runs in this process, over a DynamoDB with the template's tables.

use std::collections::BTreeMap;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::AttributeValue;
use feedback::{Config, State, handle};
use jiff::Timestamp;
use local_aws::middleware::Middleware;
use local_aws::services::dynamodb::Dynamodb;
use local_aws::template::{Stack, Table};
use okite::application::{APPLICATION, TEMPLATE};
use proptest::prelude::*;
use proptest::test_runner::{Config as Proptest, TestRunner};
use runtime::config::ProcessConfig;
use runtime::environment::Environment;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::support::Item;

const MESSAGE: Uuid = Uuid::from_u128(7);

/// DynamoDB, and the function.
pub(crate) struct World {
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    tables: Vec<Table>,
    messages_table: String,
    pub(crate) suppressions_table: String,
    pub(crate) config: Config,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) state: State,
    _stop: DropGuard,
}

impl World {
    pub(crate) async fn start() -> Self {
        let stack = Stack::read(TEMPLATE, &APPLICATION.stack_context(BTreeMap::new())).unwrap();
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let database = Dynamodb::open(None, &stack.tables).unwrap();
        tokio::spawn(database.serve(listener, Middleware::default(), stop.clone()));
        let credentials = Credentials::new("test", "local", None, None, "tests");
        let sdk = SdkConfig::builder()
            .behavior_version(aws::behavior_version())
            .region(Region::new("us-east-1"))
            .http_client(aws::http_client())
            .endpoint_url(url)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let dynamodb = aws::dynamodb(&sdk);
        // It has the address of DynamoDB, which knows no operation of SQS.
        let sqs = aws::sqs_for_worker(&sdk);
        let function = stack.functions.iter().find(|function| function.name == "feedback");
        let mut environment = function.unwrap().environment.clone();
        environment.insert("AWS_REGION".to_owned(), "us-east-1".to_owned());
        let environment = Environment::new(|name| environment.get(name).cloned());
        let config = Config::read(ProcessConfig::read(&environment).unwrap(), &environment).unwrap();
        Self {
            messages_table: config.messages_table.clone(),
            suppressions_table: config.suppressions_table.clone(),
            state: State::with_clients(config.clone(), dynamodb.clone(), sqs.clone()),
            config,
            sqs,
            dynamodb,
            tables: stack.tables,
            _stop: stop.drop_guard(),
        }
    }

    /// Hands events over, and returns all that is in the tables then, which are empty again afterwards. The row of the
    /// mail says that SES took it if it `is_settled`.
    async fn after(&self, events: &[Value], is_settled: bool) -> Vec<Item> {
        let id = AttributeValue::S(MESSAGE.to_string());
        let row = self.dynamodb.put_item().table_name(&self.messages_table);
        let partition = AttributeValue::S(format!("mail#{}", MESSAGE.as_bytes()[15] % 8));
        let mut row = row.item("pk", partition).item("sk", id.clone()).item("id", id);
        if is_settled {
            let ses_id = AttributeValue::S("m-1".to_owned());
            row = row
                .item("ses_id", ses_id)
                .item("sent_at", AttributeValue::N("7".to_owned()));
        }
        row.send().await.unwrap();
        for (number, event) in events.iter().enumerate() {
            let records = json!({ "Records": [{ "Sns": { "Message": event.to_string() } }] });
            // Far ahead: what has expired is swept away once a minute.
            let received = "2126-06-01T00:00:00Z".parse().unwrap();
            let new_id = || Uuid::from_u128(u128::try_from(number).unwrap());
            handle(&self.state, records, received, new_id).await.unwrap();
        }
        let mut items = Vec::new();
        for table in &self.tables {
            items.extend(self.take_all(table).await);
        }
        items
    }

    async fn take_all(&self, table: &Table) -> Vec<Item> {
        let scan = self.dynamodb.scan().table_name(&table.name).consistent_read(true);
        let mut items = scan.send().await.unwrap().items.unwrap();
        for item in &mut items {
            let is_key = |name: &str| match table.logical_id.as_str() {
                "SuppressionsTable" => name == "address_hash",
                "UsageTable" | "MessagesTable" => name == "pk" || name == "sk",
                "OutboxTable" => name == "id" || name == "part",
                _ => name == "id",
            };
            let key: Item = item
                .iter()
                .filter(|(name, _)| is_key(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let delete = self.dynamodb.delete_item().table_name(&table.name);
            delete.set_key(Some(key)).send().await.unwrap();
            if item.contains_key("address_hash") {
                // Those of whichever came first.
                item.retain(|name, _| name != "id" && !name.ends_with("_since"));
            }
            for value in item.values_mut() {
                if let AttributeValue::Ss(set) = value {
                    set.sort_unstable();
                }
            }
        }
        items.sort_by_cached_key(|item| {
            ["address_hash", "id", "pk", "sk"].map(|name| item.get(name).map(|key| format!("{key:?}")))
        });
        items
    }
}

/// An event about Anna or Bob, in one of the two formats; `number` tells it from the others.
fn event(what: usize, number: usize, hour: u8, who: bool) -> Value {
    let address = if who { "Anna@example.org" } else { "bob@example.net" };
    let at: Timestamp = format!("2126-05-01T{hour:02}:00:00Z").parse().unwrap();
    let bounce = |bounce_type: &str, recipient: Value| {
        json!({ "bounceType": bounce_type, "bounceSubType": "General", "feedbackId": format!("f-{number}"),
                "timestamp": at.to_string(), "bouncedRecipients": [recipient] })
    };
    let (kind, name, object) = match what {
        0 => {
            let recipient = json!({ "emailAddress": address, "status": "5.1.1" });
            ("Bounce", "bounce", bounce("Permanent", recipient))
        }
        1 => {
            let recipient =
                json!({ "emailAddress": address, "status": "5.7.1", "diagnosticCode": format!("550 {number}") });
            ("Bounce", "bounce", bounce("Permanent", recipient))
        }
        2 => (
            "Bounce",
            "bounce",
            bounce("Transient", json!({ "emailAddress": address })),
        ),
        3 => {
            let object = json!({ "feedbackId": format!("f-{number}"), "timestamp": at.to_string(),
                                 "complainedRecipients": [{ "emailAddress": address }] });
            ("Complaint", "complaint", object)
        }
        4 => {
            // A mail is delivered to a recipient once.
            let object = json!({ "timestamp": "2126-05-01T00:00:00Z", "recipients": [address] });
            ("Delivery", "delivery", object)
        }
        5 => {
            // An echo of the account's list.
            let object = json!({ "bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList",
                                 "feedbackId": format!("f-{number}"), "timestamp": at.to_string(),
                                 "bouncedRecipients": [{ "emailAddress": address, "status": "5.1.1" }] });
            ("Bounce", "bounce", object)
        }
        6 => {
            let object = json!({ "feedbackId": format!("f-{number}"), "timestamp": at.to_string(),
                                 "complaintSubType": "OnAccountSuppressionList",
                                 "complainedRecipients": [{ "emailAddress": address }] });
            ("Complaint", "complaint", object)
        }
        7 | 8 => ("Send", "send", json!({})),
        _ => {
            let recipient = json!({ "emailAddress": address, "status": "4.2.2" });
            ("Bounce", "bounce", bounce("Transient", recipient))
        }
    };
    // No classic notification tells of a sending.
    let mut event = if number.is_multiple_of(3) && kind != "Send" {
        json!({ "notificationType": kind, "mail": { "messageId": "m-1" } })
    } else {
        let tags = json!({ "okite_id": [MESSAGE.to_string()], "okite_stream": ["bulk"], "campaign": ["a", "b"] });
        json!({ "eventType": kind, "mail": { "messageId": "m-1", "tags": tags } })
    };
    event[name] = object;
    event
}

#[test]
fn events_in_any_order_and_number_of_copies_end_in_the_same_tables() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::start());
    let events = proptest::collection::vec((0_usize..12, 0_u8..4, any::<bool>()), 1..10).prop_map(|events| {
        let numbered = events.into_iter().enumerate();
        let events = numbered.map(|(number, (what, hour, who))| event(what, number, hour, who));
        events.collect::<Vec<_>>()
    });
    let histories = events.prop_flat_map(|events| {
        let copies: Vec<Value> = events.iter().chain(events.iter().step_by(2)).cloned().collect();
        (Just(events), Just(copies).prop_shuffle(), any::<bool>())
    });
    let mut runner = TestRunner::new(Proptest {
        cases: 40,
        failure_persistence: None,
        ..Proptest::default()
    });
    let checked = runner.run(&histories, |(events, shuffled, is_settled)| {
        let ends = async {
            (
                world.after(&events, is_settled).await,
                world.after(&shuffled, is_settled).await,
            )
        };
        let (expected, found) = runtime.block_on(ends);
        let is_send = |item: &Item| item.get("sk").is_some_and(|sk| format!("{sk:?}").contains("#Send#"));
        prop_assert!(!(is_settled && found.iter().any(is_send)));
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!(found, expected);
        }
        prop_assert_eq!(found.len(), expected.len());
        Ok(())
    });
    checked.unwrap();
}
