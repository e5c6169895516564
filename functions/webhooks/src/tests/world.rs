//! The tables of the template, a queue, and the function between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws::{Deliveries, DeliveryQueue, Webhooks};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use domain::webhook::guard::UrlRules;
use domain::webhook::{
    Delivery, DeliveryMessage, DeliveryRecord, Endpoint, EndpointState, EventId, EventKind, SigningSecret, Target,
};
use jiff::Timestamp;
use local_aws::clock::Clock;
use local_aws::fault::Faults;
use local_aws::middleware::Middleware;
use local_aws::services::dynamodb::Dynamodb;
use local_aws::services::sqs::Sqs;
use local_aws::template::{Queue, Stack, StackContext};
use rustls::RootCertStore;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::request::SystemNetwork;
use crate::state::{Courier, Limits};

/// The template that is deployed.
const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"));
const REGION: &str = "us-east-1";
const QUEUE: &str = "webhooks";
const QUEUE_URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/webhooks";
/// Where nothing listens.
const CLOSED: &str = "http://127.0.0.1:1";
/// Longer than any test takes.
const LONG: Duration = Duration::from_mins(2);

pub(super) const UNLIMITED: Limits = Limits {
    request: LONG,
    quick: LONG,
    begin_within: LONG,
};

/// A time, so many seconds after one that all tests share.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// The secret of all endpoints.
pub(super) fn secret() -> SigningSecret {
    SigningSecret::from_random([7; 32])
}

/// A delivery to an endpoint; the number tells its event from others.
pub(super) fn delivery(endpoint: &str, number: u32) -> Delivery {
    Delivery {
        endpoint: endpoint.to_owned(),
        event: EventId::of(at(0), &[&number.to_string()]),
        kind: EventKind::EmailSent,
        created_at: at(0),
        body: format!(r#"{{"type":"email.sent","data":{{"number":{number}}}}}"#),
        attempts: 0,
    }
}

pub(super) fn whole(delivery: &Delivery) -> DeliveryMessage {
    DeliveryMessage::Whole(Box::new(delivery.clone()))
}

pub(super) fn stored(delivery: &Delivery) -> DeliveryMessage {
    DeliveryMessage::Stored {
        endpoint: delivery.endpoint.clone(),
        event: delivery.event.clone(),
    }
}

/// A message that was queued, and its delay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Queued {
    pub(super) message: DeliveryMessage,
    pub(super) delay: Duration,
}

pub(super) struct World {
    pub(super) courier: Courier,
    pub(super) webhooks: Webhooks,
    pub(super) deliveries: Deliveries,
    pub(super) faults: Faults,
    sqs: Arc<Sqs>,
    sqs_url: String,
    dynamodb: aws_sdk_dynamodb::Client,
    webhooks_table: String,
    deliveries_table: String,
    _stop: DropGuard,
}

/// The parts of AWS that a function may not reach.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outage {
    pub(super) deliveries: bool,
    pub(super) queue: bool,
}

fn sdk(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIDTEST", "test", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new(REGION))
        .http_client(aws::http_client())
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

impl World {
    pub(super) async fn start() -> Self {
        let context = StackContext {
            region: REGION.to_owned(),
            account_id: "000000000000".to_owned(),
            stack_name: "okite".to_owned(),
            parameters: BTreeMap::new(),
        };
        let stack = Stack::read(TEMPLATE, &context).unwrap();
        let stop = CancellationToken::new();
        let database = Dynamodb::open(None, &stack.tables).unwrap();
        let (listener, dynamodb_url) = listen().await;
        let middleware = Middleware::default();
        let faults = middleware.faults.clone();
        tokio::spawn(database.serve(listener, middleware, stop.clone()));
        let queue = Queue {
            name: QUEUE.to_owned(),
            url: QUEUE_URL.to_owned(),
            arn: QUEUE.to_owned(),
            ..Queue::default()
        };
        let sqs = Sqs::open(vec![queue], None, Clock::default()).unwrap();
        let (listener, sqs_url) = listen().await;
        let router = sqs.router(&Middleware::default());
        tokio::spawn(local_aws::server::serve(listener, router, None, stop.clone()));

        let table = |logical_id: &str| {
            let table = stack.tables.iter().find(|table| table.logical_id == logical_id);
            table.unwrap().name.clone()
        };
        let (webhooks_table, deliveries_table) = (table("WebhooksTable"), table("DeliveriesTable"));
        let dynamodb = aws::dynamodb(&sdk(&dynamodb_url));
        let webhooks = Webhooks::new(dynamodb.clone(), webhooks_table.clone());
        let deliveries = Deliveries::new(dynamodb.clone(), deliveries_table.clone());
        let courier = Courier::with(
            webhooks.clone(),
            deliveries.clone(),
            DeliveryQueue::new(aws::sqs_for_worker(&sdk(&sqs_url)), QUEUE_URL.to_owned()),
            UrlRules {
                loopback: true,
                ..UrlRules::default()
            },
            (RootCertStore::empty(), Arc::new(SystemNetwork)),
            UNLIMITED,
        );
        Self {
            courier: courier.unwrap(),
            webhooks,
            deliveries,
            faults,
            sqs,
            sqs_url,
            dynamodb,
            webhooks_table,
            deliveries_table,
            _stop: stop.drop_guard(),
        }
    }

    /// Replaces the function by a new process of it, which cannot reach some parts of AWS.
    pub(super) fn restart(&mut self, outage: Outage, limits: Limits) {
        let deliveries = if outage.deliveries {
            "missing"
        } else {
            &self.deliveries_table
        };
        let sqs = if outage.queue { CLOSED } else { &self.sqs_url };
        let courier = Courier::with(
            Webhooks::new(self.dynamodb.clone(), self.webhooks_table.clone()),
            Deliveries::new(self.dynamodb.clone(), deliveries.to_owned()),
            DeliveryQueue::new(aws::sqs_for_worker(&sdk(sqs)), QUEUE_URL.to_owned()),
            self.courier.url_rules.clone(),
            (RootCertStore::empty(), Arc::new(SystemNetwork)),
            limits,
        );
        self.courier = courier.unwrap();
    }

    pub(super) async fn endpoint(&self, id: &str, url: &str) {
        self.target(id, Target::Url(url.to_owned())).await;
    }

    pub(super) async fn target(&self, id: &str, target: Target) {
        let endpoint = Endpoint {
            id: id.to_owned(),
            target,
            events: EventKind::ALL.into(),
            state: EndpointState::Enabled,
            created_at: at(0),
        };
        self.webhooks.create(&endpoint, &secret()).await.unwrap();
    }

    /// Hands messages over in one batch, each received for the first time. Returns the numbers of those that come
    /// again.
    pub(super) async fn deliver(&self, messages: &[DeliveryMessage], now: Timestamp) -> Vec<usize> {
        self.deliver_received(messages, 1, now).await
    }

    /// Hands messages over that were received so often.
    pub(super) async fn deliver_received(
        &self,
        messages: &[DeliveryMessage],
        times: u32,
        now: Timestamp,
    ) -> Vec<usize> {
        let record = |(number, message): (usize, &DeliveryMessage)| {
            json!({
                "messageId": number.to_string(), "body": message.to_body(), "eventSource": "aws:sqs",
                "attributes": { "ApproximateReceiveCount": times.to_string() },
            })
        };
        let records: Vec<Value> = messages.iter().enumerate().map(record).collect();
        let event = json!({ "Records": records });
        let answer = crate::handle(&self.courier, event, now, Instant::now() + 2 * LONG)
            .await
            .unwrap();
        let failures = answer.batch_item_failures.into_iter();
        let mut again: Vec<usize> = failures
            .map(|failure| failure.item_identifier.parse().unwrap())
            .collect();
        again.sort_unstable();
        again
    }

    /// Returns the record of a delivery.
    pub(super) async fn record(&self, delivery: &Delivery) -> Option<DeliveryRecord> {
        self.deliveries.get(&delivery.endpoint, &delivery.event).await.unwrap()
    }

    /// Returns all messages that were ever queued, the oldest first.
    pub(super) fn queued(&self) -> Vec<Queued> {
        let messages = self.sqs.messages_of(QUEUE).unwrap();
        let queued = messages.into_iter().map(|message| Queued {
            message: DeliveryMessage::read(&message.body).unwrap(),
            delay: Duration::try_from(message.visible_at.duration_since(message.sent_at)).unwrap(),
        });
        queued.collect()
    }
}
