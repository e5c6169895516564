//! The sweep of webhooks, with the tables of the template and the simulated SQS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws::{Deliveries, DeliveryQueue, QueuedDelivery, Webhooks};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use domain::webhook::{
    AfterAttempt, Attempt, Delivery, DeliveryMessage, DisabledBecause, Endpoint, EndpointChange, EndpointHealth,
    EndpointState, EventDeliveryState, EventId, EventKind, FAILURES_TO_PARK, LastFailure, SigningSecret, Target,
};
use jiff::{SignedDuration, Timestamp};
use local_aws::clock::Clock;
use local_aws::middleware::Middleware;
use local_aws::services::dynamodb::Dynamodb;
use local_aws::services::sqs::Sqs;
use local_aws::template::{Queue, Stack, StackContext};
use sending::Deadlines;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{WebhookReport, WebhookSweep};

/// The template that is deployed.
const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"));
const QUEUE: &str = "webhooks";
const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/webhooks";
const DAY: i64 = 86_400;

/// A time, so many seconds after one that all tests share.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn endpoint(id: &str) -> Endpoint {
    Endpoint {
        id: id.to_owned(),
        target: Target::Url("https://example.com/hook".to_owned()),
        events: [EventKind::EmailSent].into(),
        state: EndpointState::Enabled,
        created_at: at(0),
    }
}

fn event(number: i64) -> EventId {
    EventId::of(at(number), &[])
}

fn delivery(endpoint: &str, number: i64) -> Delivery {
    Delivery {
        endpoint: endpoint.to_owned(),
        event: event(number),
        kind: EventKind::EmailSent,
        created_at: at(number),
        body: "{}".to_owned(),
        attempts: 0,
    }
}

/// The tables, the queue, and the sweep.
struct World {
    webhooks: Webhooks,
    deliveries: Deliveries,
    queue: DeliveryQueue,
    sweep: WebhookSweep,
    dynamodb: Middleware,
    sqs: Middleware,
    messages: Arc<Sqs>,
    _stop: DropGuard,
}

impl World {
    /// Starts with these endpoints.
    async fn with(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        let context = StackContext {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            stack_name: "okite".to_owned(),
            parameters: BTreeMap::new(),
        };
        let stack = Stack::read(TEMPLATE, &context).unwrap();
        let table = |id: &str| {
            stack
                .tables
                .iter()
                .find(|table| table.logical_id == id)
                .unwrap()
                .name
                .clone()
        };
        let stop = CancellationToken::new();
        let listen = async || {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            (listener, url)
        };
        let (listener, dynamodb_url) = listen().await;
        let dynamodb = Middleware::default();
        let database = Dynamodb::open(None, &stack.tables).unwrap();
        tokio::spawn(database.serve(listener, dynamodb.clone(), stop.clone()));
        let (listener, sqs_url) = listen().await;
        let sqs = Middleware::default();
        let queue = Queue {
            name: QUEUE.to_owned(),
            arn: format!("arn:aws:sqs:us-east-1:000000000000:{QUEUE}"),
            url: URL.to_owned(),
            ..Queue::default()
        };
        let messages = Sqs::open(vec![queue], None, Clock::default()).unwrap();
        let router = messages.router(&sqs);
        tokio::spawn(local_aws::server::serve(listener, router, None, stop.clone()));
        let client = aws::dynamodb(&config(&dynamodb_url));
        let webhooks = Webhooks::new(client.clone(), table("WebhooksTable"));
        let deliveries = Deliveries::new(client, table("DeliveriesTable"));
        let queue = DeliveryQueue::new(aws::sqs_for_worker(&config(&sqs_url)), URL.to_owned());
        for endpoint in endpoints {
            webhooks
                .create(&endpoint, &SigningSecret::from_random([1; 32]))
                .await
                .unwrap();
        }
        Self {
            sweep: WebhookSweep::new(webhooks.clone(), deliveries.clone(), queue.clone()),
            webhooks,
            deliveries,
            queue,
            dynamodb,
            sqs,
            messages,
            _stop: stop.drop_guard(),
        }
    }

    /// Sweeps at this second.
    async fn sweep(&self, second: i64) -> WebhookReport {
        let end = Instant::now() + Duration::from_hours(1);
        self.sweep.sweep(&Deadlines::new(at(second), end), end).await
    }

    /// Lets events with these numbers wait for the second `due`.
    async fn wait(&self, endpoint: &str, numbers: impl IntoIterator<Item = i64>, due: i64) {
        for number in numbers {
            let delivery = delivery(endpoint, number);
            assert!(self.deliveries.put_waiting(&delivery, at(due), at(0)).await.unwrap());
        }
    }

    /// Parks an endpoint at this second.
    async fn park(&self, endpoint: &str, second: i64) {
        let mut health = EndpointHealth::default();
        for _ in 0..FAILURES_TO_PARK {
            let failure = LastFailure {
                at: at(second),
                status: Some(500),
                error: None,
            };
            health = self
                .webhooks
                .failed(endpoint, &failure, FAILURES_TO_PARK, &health)
                .await
                .unwrap()
                .unwrap();
        }
        assert!(health.is_parked());
    }

    /// The messages in SQS: endpoint, event and delay in seconds.
    fn handed_over(&self) -> Vec<(String, EventId, i64)> {
        let messages = self.messages.messages_of(QUEUE).unwrap();
        let read = |message: local_aws::services::sqs::Message| {
            let delay = message.visible_at.duration_since(message.sent_at).as_secs();
            match DeliveryMessage::read(&message.body).unwrap() {
                DeliveryMessage::Stored { endpoint, event } => (endpoint, event, delay),
                DeliveryMessage::Whole(_) => panic!("the sweep hands over what is stored"),
            }
        };
        messages.into_iter().map(read).collect()
    }

    /// When the sweep looks at a delivery next, in seconds.
    async fn wakes(&self, endpoint: &str, number: i64) -> Option<i64> {
        let record = self.deliveries.get(endpoint, &event(number)).await.unwrap().unwrap();
        record.wake_at.map(|wake_at| wake_at.duration_since(at(0)).as_secs())
    }

    async fn state(&self, endpoint: &str, number: i64) -> EventDeliveryState {
        self.deliveries
            .get(endpoint, &event(number))
            .await
            .unwrap()
            .unwrap()
            .state
    }
}

fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIDTEST", "test", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new("us-east-1"))
        .http_client(aws::http_client())
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

fn fault(middleware: &Middleware, fault: Value) {
    middleware.faults.add(serde_json::from_value(fault).unwrap());
}

fn handed_over(count: u64) -> WebhookReport {
    WebhookReport {
        handed_over: count,
        ..WebhookReport::default()
    }
}

fn probes(count: u64) -> WebhookReport {
    WebhookReport {
        probes: count,
        ..handed_over(count)
    }
}

#[tokio::test]
async fn without_endpoints_only_their_list_is_read() {
    let world = World::with([]).await;
    world.wait("gone", [1], 0).await;
    let before = world.dynamodb.calls.seen();
    assert_eq!(world.sweep(0).await, WebhookReport::default());
    let calls: Vec<String> = world
        .dynamodb
        .calls
        .seen()
        .difference(&before)
        .map(|call| call.action.clone())
        .collect();
    assert_eq!(calls, ["dynamodb:Query"]);
    assert!(world.sqs.calls.seen().is_empty());
}

#[tokio::test]
async fn what_is_due_within_a_minute_is_handed_over_once() {
    let world = World::with([endpoint("a"), endpoint("b")]).await;
    world.wait("a", [1], 95).await;
    world.wait("a", [2], 130).await;
    world.wait("a", [3], 171).await;
    world.wait("b", [4], 0).await;
    assert_eq!(world.sweep(100).await, handed_over(3));
    let mut messages = world.handed_over();
    messages.sort();
    let message = |endpoint: &str, number, delay| (endpoint.to_owned(), event(number), delay);
    assert_eq!(messages, [message("a", 1, 0), message("a", 2, 30), message("b", 4, 0)]);
    let wakes = [
        world.wakes("a", 1).await,
        world.wakes("a", 2).await,
        world.wakes("a", 3).await,
        world.wakes("b", 4).await,
    ];
    // The call about b comes after the first ten places.
    assert_eq!(wakes, [Some(700), Some(730), Some(171), Some(720)]);
    assert_eq!(world.sweep(101).await, WebhookReport::default());
    // The messages are lost. Those of 730 and 171 are due by then too.
    assert_eq!(world.sweep(660).await, handed_over(3));
    assert_eq!(world.wakes("a", 2).await, Some(730));
}

#[tokio::test]
async fn a_delivery_that_ended_meanwhile_does_not_come_again() {
    let world = World::with([endpoint("a")]).await;
    world.wait("a", [1], 0).await;
    assert_eq!(world.sweep(0).await, handed_over(1));
    let attempt = Attempt {
        at: at(1),
        status: Some(200),
        error: None,
        duration: Duration::ZERO,
        answer: String::new(),
    };
    let ended = AfterAttempt::Delivered;
    world
        .deliveries
        .record_attempt(&delivery("a", 1), &attempt, ended)
        .await
        .unwrap();
    assert_eq!(world.sweep(DAY).await, WebhookReport::default());
}

#[tokio::test]
async fn no_more_is_handed_over_than_sqs_works_off_in_a_minute() {
    let world = World::with([endpoint("a"), endpoint("b")]).await;
    world.wait("a", 1..=25, 0).await;
    world.wait("b", 1..=5, 0).await;
    let other = |number: i64| QueuedDelivery {
        message: DeliveryMessage::Whole(Box::new(delivery("c", number))),
        delay: Duration::ZERO,
    };
    let others: Vec<_> = (0..587).map(other).collect();
    assert!(world.queue.send_all(&others).await.iter().all(Result::is_ok));
    // 13 of each.
    assert_eq!(world.sweep(0).await, handed_over(13 + 5));
    assert_eq!(world.sweep(60).await, WebhookReport::default());
    let due = world.deliveries.due("a", at(60), 100).await.unwrap();
    assert_eq!(due.len(), 12);
}

#[tokio::test]
async fn a_parked_endpoint_gets_one_probe_a_minute() {
    let world = World::with([endpoint("a"), endpoint("b")]).await;
    world.park("a", 0).await;
    world.wait("a", [1, 2, 3], 50).await;
    world.wait("b", [4], 50).await;
    assert_eq!(
        world.sweep(60).await,
        WebhookReport {
            probes: 1,
            ..handed_over(2)
        }
    );
    assert_eq!(world.sweep(120).await, probes(1));
    // The next of the three, because the first comes again only if its message is lost.
    let messages = world.handed_over();
    let mut of_a: Vec<_> = messages.iter().filter(|(endpoint, ..)| endpoint == "a").collect();
    of_a.dedup();
    assert_eq!(of_a.len(), 2);
    // After a success everything is handed over.
    let health = world.webhooks.health("a").await.unwrap().unwrap();
    world.webhooks.succeeded("a", &health).await.unwrap();
    assert_eq!(world.sweep(180).await, handed_over(1));
}

#[tokio::test]
async fn a_probe_that_is_not_due_keeps_its_time() {
    let world = World::with([endpoint("a")]).await;
    world.park("a", 0).await;
    world.wait("a", [1], 30_000).await;
    for second in [60, 120] {
        assert_eq!(world.sweep(second).await, probes(1));
        assert_eq!(world.wakes("a", 1).await, Some(30_000));
    }
    let probe = ("a".to_owned(), event(1), 0);
    assert_eq!(world.handed_over(), [probe.clone(), probe]);
}

#[tokio::test]
async fn an_endpoint_that_was_parked_for_five_days_is_disabled() {
    let world = World::with([endpoint("a"), endpoint("b")]).await;
    world.park("a", 0).await;
    world.park("b", 0).await;
    world.wait("a", 1..=3, 9 * DAY).await;
    assert_eq!(world.sweep(5 * DAY - 1).await, probes(1));
    let report = world.sweep(5 * DAY).await;
    let disabled = WebhookReport {
        disabled: 2,
        failed_deliveries: 3,
        ..WebhookReport::default()
    };
    assert_eq!(report, disabled);
    for id in ["a", "b"] {
        assert_eq!(
            world.webhooks.get(id).await.unwrap().unwrap().state,
            EndpointState::Disabled
        );
        let health = world.webhooks.health(id).await.unwrap().unwrap();
        assert_eq!(health.disabled_because, Some(DisabledBecause::Parked));
    }
    for number in 1..=3 {
        assert_eq!(world.state("a", number).await, EventDeliveryState::Failed);
    }
    assert_eq!(world.sweep(5 * DAY + 60).await, WebhookReport::default());
}

#[tokio::test]
async fn what_waits_for_a_disabled_endpoint_fails_within_bounds() {
    let world = World::with([endpoint("a")]).await;
    world.wait("a", 1..=1_005, 0).await;
    let state = |state| EndpointChange {
        state: Some(state),
        ..EndpointChange::default()
    };
    let disabled = state(EndpointState::Disabled);
    world.webhooks.update("a", &disabled).await.unwrap();
    let failed = |failed_deliveries| WebhookReport {
        failed_deliveries,
        ..WebhookReport::default()
    };
    assert_eq!(world.sweep(0).await, failed(1_000));
    // The list of the sweep is older than the owner's change.
    world
        .webhooks
        .update("a", &state(EndpointState::Enabled))
        .await
        .unwrap();
    assert_eq!(world.sweep(29).await, WebhookReport::default());
    world.webhooks.update("a", &disabled).await.unwrap();
    assert_eq!(world.sweep(60).await, failed(5));
    assert!(world.handed_over().is_empty());
}

#[tokio::test]
async fn a_listener_fetches_its_deliveries_and_goes_when_its_time_is_over() {
    let listener = |id: &str, until| Endpoint {
        target: Target::Listener { until: at(until) },
        ..endpoint(id)
    };
    let world = World::with([listener("a", 100), listener("b", 100)]).await;
    world.wait("a", [1], 0).await;
    assert_eq!(world.sweep(99).await, WebhookReport::default());
    // The list of the sweep does not have it yet.
    assert!(world.webhooks.listen("b", at(200)).await.unwrap());
    let deleted = WebhookReport {
        deleted: 1,
        ..WebhookReport::default()
    };
    assert_eq!(world.sweep(100).await, deleted);
    assert_eq!(world.webhooks.list().await.unwrap(), [listener("b", 200)]);
    assert_eq!(world.state("a", 1).await, EventDeliveryState::Waiting);
    assert_eq!(world.sweep(199).await, WebhookReport::default());
    assert_eq!(world.sweep(230).await, deleted);
    assert_eq!(world.webhooks.list().await.unwrap(), []);
}

#[tokio::test]
async fn what_sqs_does_not_take_stays_due() {
    let world = World::with([endpoint("a")]).await;
    world.wait("a", 1..=5, 0).await;
    fault(
        &world.sqs,
        json!({ "operation": "SendMessageBatch", "unprocessed": 2, "times": 1 }),
    );
    assert_eq!(
        world.sweep(0).await,
        WebhookReport {
            failed: 2,
            ..handed_over(3)
        }
    );
    assert_eq!(world.sweep(60).await, handed_over(2));
}

#[tokio::test]
async fn while_sqs_does_not_tell_how_full_it_is_only_probes_go() {
    let world = World::with([endpoint("a"), endpoint("b")]).await;
    world.park("a", 0).await;
    world.wait("a", [1], 0).await;
    world.wait("b", [2], 0).await;
    fault(
        &world.sqs,
        json!({ "operation": "GetQueueAttributes", "error": "AccessDenied" }),
    );
    assert_eq!(world.sweep(0).await, WebhookReport { failed: 1, ..probes(1) });
    assert_eq!(world.wakes("b", 2).await, Some(0));
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_looked_after_keeps_no_other_waiting() {
    let world = World::with([endpoint("a"), endpoint("b")]).await;
    world.wait("a", [1], 0).await;
    world.wait("b", [2], 0).await;
    let refused = json!({
        "operation": "GetItem", "table": "WebhooksTable", "error": "AccessDeniedException", "times": 1,
    });
    fault(&world.dynamodb, refused);
    assert_eq!(
        world.sweep(0).await,
        WebhookReport {
            failed: 1,
            ..handed_over(1)
        }
    );
    fault(
        &world.dynamodb,
        json!({ "operation": "Query", "table": "WebhooksTable", "error": "AccessDeniedException", "times": 2 }),
    );
    // The list of a minute ago still serves.
    assert_eq!(world.sweep(60).await, handed_over(1));
    let report = world.sweep(60 + 300).await;
    assert_eq!(
        report,
        WebhookReport {
            failed: 1,
            ..WebhookReport::default()
        }
    );
}

#[tokio::test]
async fn nothing_is_begun_when_no_time_is_left() {
    let world = World::with([endpoint("a")]).await;
    world.wait("a", [1], 0).await;
    let end = Instant::now() + super::RESERVE;
    let report = world.sweep.sweep(&Deadlines::new(at(0), end), end).await;
    assert_eq!(report, WebhookReport::default());
    assert!(world.handed_over().is_empty());
}

#[test]
fn the_first_calls_of_all_endpoints_come_first() {
    let due = |endpoint: &str, count: i64| -> Vec<_> {
        let due = |number| aws::DueDelivery {
            endpoint: endpoint.to_owned(),
            event: event(number),
            due_at: at(number),
            wake_at: at(number),
        };
        (0..count).map(due).collect()
    };
    let calls = super::hand_over::calls_in_turn(vec![due("a", 45), due("b", 0), due("c", 12)], 25);
    let calls: Vec<_> = calls
        .iter()
        .map(|call| (call[0].endpoint.as_str(), call.len()))
        .collect();
    assert_eq!(calls, [("a", 10), ("c", 10), ("a", 10), ("c", 2), ("a", 5)]);
    // So that a delivery is not handed over again while it waits.
    let again = domain::webhook::delivery_wakes_again_at(at(0), at(0), 0);
    assert_eq!(again.duration_since(at(0)), SignedDuration::from_mins(10));
}
