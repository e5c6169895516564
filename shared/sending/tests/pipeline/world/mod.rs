//! DynamoDB, SES and SQS in miniature, and requests to the pipeline, each in a process of its own.

mod gate;
mod processes;
mod tables;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws::{Evidence, Messages};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use domain::address::Mailbox;
use domain::retention::MessageRetention;
use local_aws::clock::Clock;
use local_aws::middleware::Middleware;
use local_aws::services::dynamodb::Dynamodb;
use local_aws::services::ses::{self, AccountPatch, PublishedEvent};
use local_aws::services::sqs::Sqs;
use local_aws::template::{Queue as SqsQueue, Stack, StackContext};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::heard::AllHeard;
use crate::network::{Accepted, Shared};

pub(crate) use processes::{Ended, unless_dead};

/// The template that is deployed.
const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"));
/// The time that an invocation has.
const TIMEOUT: Duration = Duration::from_secs(29);
/// How long a mail waits for its slot, and while SES throttles.
pub(crate) const WAIT: Duration = Duration::from_millis(100);
/// The queue of hints about transactional mail.
pub(crate) const HINTS: &str = "hints";
/// The queue of hints about bulk mail.
pub(crate) const BULK_HINTS: &str = "bulk-hints";
/// The queue of events.
pub(crate) const EVENTS: &str = "events";
/// The API key of all requests.
pub(crate) const KEY: &str = "k";
/// An address that is suppressed.
pub(crate) const SUPPRESSED: &str = "gone@example.net";

/// AWS in miniature.
pub(crate) struct World {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Clock,
    dynamodb_url: String,
    ses_url: String,
    queue_url: String,
    /// The queues of hints.
    pub(crate) sqs: Arc<Sqs>,
    /// Whether mail can wait.
    pub(crate) has_queue: Cell<bool>,
    tables: BTreeMap<String, String>,
    configuration_set: String,
    events: Mutex<UnboundedReceiver<PublishedEvent>>,
    ids: Cell<u128>,
    requests: Cell<u32>,
    gates: Cell<u32>,
    /// How long the records of messages are kept.
    pub(crate) retention: Cell<MessageRetention>,
    /// Whether the processes emit events.
    pub(crate) listens: Cell<bool>,
    /// The events that were emitted, as far as they were taken up.
    pub(crate) heard: RefCell<AllHeard>,
    _stop: DropGuard,
}
impl World {
    pub(crate) async fn start() -> Self {
        let context = StackContext {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            stack_name: "okite".to_owned(),
            parameters: BTreeMap::new(),
        };
        let stack = Stack::read(TEMPLATE, &context).unwrap();
        let (clock, stop) = (Clock::default(), CancellationToken::new());
        let listen = async || {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            (listener, url)
        };
        let (listener, dynamodb_url) = listen().await;
        let database = Dynamodb::open(None, &stack.tables).unwrap();
        tokio::spawn(database.serve(listener, Middleware::default(), stop.clone()));

        let (sender, events) = unbounded_channel();
        let set = &stack.configuration_sets[0];
        let configuration_set = set.name.clone();
        let set = ses::SesConfigurationSet {
            name: set.name.clone(),
            event_types: set.event_destinations[0].event_types.clone(),
            topic_arn: Some(set.event_destinations[0].topic_arn.clone()),
        };
        let settings = ses::SesSettings {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            configuration_sets: vec![set],
            production_access: true,
            verified: vec!["example.com".to_owned()],
            outbox_file: None,
            account_file: None,
            leniency: ses::SesLeniency::default(),
            id_tag: None,
        };
        let simulator = ses::Ses::new(settings, clock.clone(), sender).unwrap();
        simulator.update_account(&AccountPatch {
            max_24_hour_send: Some(-1),
            max_send_rate: Some(1e6),
            ..AccountPatch::default()
        });
        let (listener, ses_url) = listen().await;
        let router = simulator.router(&Middleware::default());
        tokio::spawn(local_aws::server::serve(listener, router, None, stop.clone()));

        let sqs = Sqs::open(queues(), None, clock.clone()).unwrap();
        let (listener, queue_url) = listen().await;
        let router = sqs.router(&Middleware::default());
        tokio::spawn(local_aws::server::serve(listener, router, None, stop.clone()));

        let tables: BTreeMap<String, String> = stack
            .tables
            .into_iter()
            .map(|table| (table.logical_id, table.name))
            .collect();
        let connector = aws::http_connector();
        let messages = Messages::new(
            dynamodb(&sdk(&dynamodb_url, connector.clone())),
            tables["MessagesTable"].clone(),
        );
        let world = Self {
            shared: Arc::new(Shared::new(connector, messages, clock.clone())),
            clock,
            dynamodb_url,
            ses_url,
            queue_url,
            sqs,
            has_queue: Cell::new(true),
            tables,
            configuration_set,
            events: Mutex::new(events),
            ids: Cell::new(0),
            requests: Cell::new(0),
            gates: Cell::new(0),
            retention: Cell::new(MessageRetention::from_days(30)),
            listens: Cell::new(false),
            heard: RefCell::default(),
            _stop: stop.drop_guard(),
        };
        world.new_gate().await;
        world.keys().put(&world.key()).await.unwrap();
        world.make_endpoint().await;
        let address = Mailbox::parse(SUPPRESSED).unwrap();
        let evidence = Evidence {
            subtype: "",
            diagnostic: None,
            bounce_reason: None,
            source: "a test",
        };
        let suppressions = &world.sending(&world.shared.connector).suppressions;
        let (at, id) = (world.clock.now(), world.new_id());
        suppressions
            .record_manual(address.address(), at, None, evidence, id)
            .await
            .unwrap();
        world
    }

    pub(crate) fn new_id(&self) -> Uuid {
        // A request counts its ids on from its first.
        self.ids.set(self.ids.get() + 256);
        Uuid::from_u128(self.ids.get())
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.clock.advance(time).unwrap();
    }

    /// Receives up to ten hints of each queue and deletes them, as a worker does that handles them.
    pub(crate) async fn take_hints(&self) -> usize {
        let client = aws::sqs(&sdk(&self.queue_url, self.shared.connector.clone()));
        let mut taken = 0;
        for queue in [HINTS, BULK_HINTS].map(queue_url_of) {
            let receive = client.receive_message().queue_url(&queue).max_number_of_messages(10);
            for message in receive.send().await.unwrap().messages.unwrap_or_default() {
                let delete = client.delete_message().queue_url(&queue);
                let delete = delete.set_receipt_handle(message.receipt_handle);
                delete.send().await.unwrap();
                taken += 1;
            }
        }
        taken
    }

    /// The mails with a subject that SES took.
    pub(crate) fn mails(&self, subject: &str) -> Vec<Accepted> {
        let accepted = self.shared.accepted.lock().unwrap();
        accepted
            .iter()
            .filter(|mail| mail.subject == subject)
            .cloned()
            .collect()
    }
}

/// The queues of hints, and that of events.
fn queues() -> Vec<SqsQueue> {
    let queue = |name: &str| SqsQueue {
        name: name.to_owned(),
        url: queue_url_of(name),
        arn: name.to_owned(),
        // Longer than a world lives: tests count the messages that were sent.
        retention: Duration::from_hours(24 * 1_000),
        ..SqsQueue::default()
    };
    let events = SqsQueue {
        // A history takes them up at once.
        retention: Duration::from_hours(1),
        ..queue(EVENTS)
    };
    vec![queue(HINTS), queue(BULK_HINTS), events]
}

fn queue_url_of(name: &str) -> String {
    format!("https://sqs.us-east-1.amazonaws.com/000000000000/{name}")
}

/// A client that repeats a call at once.
fn dynamodb(sdk: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(1));
    let config = aws::dynamodb(sdk).config().to_builder().retry_config(retries);
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

fn sdk(endpoint: &str, connector: SharedHttpConnector) -> SdkConfig {
    let credentials = Credentials::new("AKIDTEST", "test", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .endpoint_url(endpoint)
        .build()
}
