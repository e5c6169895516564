//! DynamoDB and SES in miniature, and requests to the pipeline, each in a process of its own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aws::{ApiKeys, Claims, Evidence, Hints, Marks, Messages, Outbox, PermitError, Permits, Ses, Suppressions, Usage};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector, http_client_fn};
use domain::address::Mailbox;
use domain::api_key::{ApiKeyRecord, KeyPermission};
use domain::brake::Brake;
use domain::feedback::{Feedback, read};
use domain::idempotency::{RequestBody, RequestKey};
use domain::message::RECIPIENTS_MAX;
use domain::pacing::{GateSettings, PacingPolicy, PermitRequest, Throttled, UNLIMITED};
use domain::queue::{DeadlineDefaults, WhenBusy};
use domain::retention::MessageRetention;
use domain::settlement::{SettleStep, Settlement};
use domain::stream::Stream;
use domain::suppression::SoftBounceTiers;
use futures_util::future::poll_fn;
use jiff::Timestamp;
use local_aws::clock::Clock;
use local_aws::middleware::Middleware;
use local_aws::services::dynamodb::Dynamodb;
use local_aws::services::ses::{self, AccountPatch, PublishedEvent};
use local_aws::services::sqs::Sqs;
use local_aws::template::{Queue as SqsQueue, Stack, StackContext};
use sending::{Deadlines, HintQueues, Ids, MailQueue, NotSent, Origin, Outcomes, Receipt, Rules, Sending, Worker};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::network::{Accepted, Call, Network, Shared};
use crate::request::Request;

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
/// The API key of all requests.
pub(crate) const KEY: &str = "k";
/// An address that is suppressed.
pub(crate) const SUPPRESSED: &str = "gone@example.net";

/// How a request ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// Its number.
    pub(crate) number: u32,
    /// When it came.
    pub(crate) at: Timestamp,
    /// The id of the email at place 0, if it has the key as the first.
    pub(crate) message: Uuid,
    /// One outcome for each email; `None` if the process ended first.
    pub(crate) outcomes: Option<Vec<Result<Receipt, NotSent>>>,
    pub(crate) calls: Vec<Call>,
}

impl Ended {
    pub(crate) fn only(&self) -> &Result<Receipt, NotSent> {
        &self.outcomes.as_ref().unwrap()[0]
    }

    pub(crate) fn each(&self) -> &[Result<Receipt, NotSent>] {
        self.outcomes.as_ref().unwrap()
    }

    /// How many calls an operation had.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.calls.iter().filter(|call| call.operation == operation).count()
    }
}

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

        let queue = |name: &str| SqsQueue {
            name: name.to_owned(),
            url: queue_url_of(name),
            arn: name.to_owned(),
            ..SqsQueue::default()
        };
        let sqs = Sqs::open(vec![queue(HINTS), queue(BULK_HINTS)], None, clock.clone()).unwrap();
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
            _stop: stop.drop_guard(),
        };
        world.new_gate().await;
        world.keys().put(&world.key()).await.unwrap();
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

    /// The gate has the region in its key, so each region has a gate of its own.
    fn region(&self) -> String {
        format!("region-{}", self.gates.get())
    }

    /// Makes a new gate that lets everything through, which all requests pass from now on.
    pub(crate) async fn new_gate(&self) {
        self.gates.set(self.gates.get() + 1);
        self.set_gate(1, UNLIMITED, Brake::None).await;
    }

    /// From now on there is no gate.
    pub(crate) fn forget_gate(&self) {
        self.gates.set(self.gates.get() + 1);
    }

    /// How many items the table of waiting mails has.
    pub(crate) async fn outbox_items(&self) -> i32 {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let scan = client
            .scan()
            .table_name(&self.tables["OutboxTable"])
            .consistent_read(true);
        scan.send().await.unwrap().count()
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

    /// Sets the gate: microseconds between recipients, how many may still be granted, and the brake.
    pub(crate) async fn set_gate(&self, interval: i64, left: i64, brake: Brake) {
        // A report of the same moment does not count.
        self.advance(Duration::from_millis(2));
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let usage = Usage::new(client, self.tables["UsageTable"].clone(), self.region());
        let granted = usage.gate_state().await.unwrap().granted;
        let ceiling = left.saturating_add(granted);
        let settings = GateSettings {
            slot_interval: interval,
            ceiling_all: ceiling,
            ceiling_bulk: ceiling,
        };
        usage.set_gate(settings, brake, None, self.clock.now()).await.unwrap();
    }

    /// Takes the slots of so long a time at the gate.
    pub(crate) async fn fill_gate(&self, time: Duration) {
        // One email to as many recipients as an email may have: more would take slots too far ahead.
        let recipients = i64::try_from(RECIPIENTS_MAX).unwrap();
        let interval = i64::try_from(time.as_micros()).unwrap() / recipients;
        self.set_gate(interval, UNLIMITED, Brake::None).await;
        let ask = PermitRequest {
            recipients,
            stream: Stream::Transactional,
            now: self.clock.now(),
            patience: Duration::ZERO,
            holds_bulk_back: false,
        };
        let permits = self.sending(&self.shared.connector).permits;
        match permits.take(ask).await {
            // Refused for the rate, it is full already.
            Ok(_) | Err(PermitError::Refused(Throttled::Rate { .. })) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// The pipeline over `connector`, in a process of its own.
    pub(crate) fn sending(&self, connector: &(impl HttpConnector + Clone + 'static)) -> Sending {
        let connector = SharedHttpConnector::new(connector.clone());
        let dynamodb = dynamodb(&sdk(&self.dynamodb_url, connector.clone()));
        let ses = aws::sesv2(&sdk(&self.ses_url, connector.clone()));
        let hints = Hints::new(
            aws::sqs_for_worker(&sdk(&self.queue_url, connector)),
            queue_url_of(HINTS),
        );
        let table = |name: &str| self.tables[name].clone();
        let policy = PacingPolicy {
            account_share: 1.0,
            burst: Duration::ZERO,
            wait: WAIT,
            bulk_reserve: 0.0,
        };
        let queue = MailQueue {
            outbox: Outbox::new(dynamodb.clone(), table("OutboxTable")),
            hints,
            deadlines: DeadlineDefaults::default(),
        };
        Sending {
            queue: self.has_queue.get().then_some(queue),
            emitter: None,
            rules: Rules {
                wait: WAIT,
                soft_bounce_tiers: SoftBounceTiers::default(),
                message_retention: self.retention.get(),
            },
            suppressions: Suppressions::new(dynamodb.clone(), table("SuppressionsTable")),
            claims: Claims::new(dynamodb.clone(), table("MessagesTable")),
            messages: Messages::new(dynamodb.clone(), table("MessagesTable")),
            marks: Marks::new(dynamodb.clone(), table("UsageTable")),
            permits: Permits::new(dynamodb, table("UsageTable"), &self.region(), policy),
            ses: Ses::new(ses, self.configuration_set.clone()),
        }
    }

    /// The API keys, over a network without faults.
    pub(crate) fn keys(&self) -> ApiKeys {
        self.keys_over(self.shared.connector.clone())
    }

    fn keys_over(&self, connector: SharedHttpConnector) -> ApiKeys {
        let dynamodb = dynamodb(&sdk(&self.dynamodb_url, connector));
        ApiKeys::new(dynamodb, self.tables["ApiKeysTable"].clone())
    }

    /// The API key of all requests, as it is when a world begins.
    pub(crate) fn key(&self) -> ApiKeyRecord {
        ApiKeyRecord {
            id: KEY.to_owned(),
            secret_sha256: String::new(),
            secret_access_key: None,
            name: "tests".to_owned(),
            permission: KeyPermission::Sending,
            stream: Stream::Transactional,
            when_busy: WhenBusy::default(),
            from_domains: Vec::new(),
            created_at: self.clock.now(),
        }
    }

    /// The queue's worker over `connector`, in a process of its own.
    pub(crate) fn worker(&self, connector: &(impl HttpConnector + Clone + 'static)) -> Worker {
        let shared = SharedHttpConnector::new(connector.clone());
        let hints = |name| {
            Hints::new(
                aws::sqs_for_worker(&sdk(&self.queue_url, shared.clone())),
                queue_url_of(name),
            )
        };
        Worker {
            outbox: Outbox::new(
                dynamodb(&sdk(&self.dynamodb_url, shared.clone())),
                self.tables["OutboxTable"].clone(),
            ),
            hints: HintQueues {
                transactional: hints(HINTS),
                bulk: hints(BULK_HINTS),
            },
            keys: self.keys_over(shared.clone()),
            sending: Sending {
                queue: None,
                ..self.sending(connector)
            },
        }
    }

    /// Carries out a request.
    pub(crate) async fn submit(&self, request: &Request) -> Ended {
        self.requests.set(self.requests.get() + 1);
        let number = self.requests.get();
        let network = Network::new(Arc::clone(&self.shared), number, request.faults.clone());
        let sending = self.sending(&network);
        if request.is_warm {
            network.open();
            sending.warm_up().await;
            network.close();
        }
        let ids = Ids {
            message: self.new_id(),
            nonce: self.new_id(),
        };
        let now = self.clock.now();
        let body = json!({ "subject": request.body, "mails": request.mails.len() });
        let key = request.key.as_deref().map(|key| {
            let mut hash = RequestBody::default();
            hash.add_invalid(&body);
            RequestKey::new(("k", "POST /emails", key), hash)
        });
        let origin = Origin {
            key_id: KEY,
            stream: request.stream,
            key,
            emails: request.mails.len(),
            patience: request.patience,
            ids,
        };
        let submissions = request.submissions();
        let deadlines = Deadlines::new(now, Instant::now() + TIMEOUT);
        // The future is too large for the stack of a test.
        let submitted = Box::pin(sending.submit_all(&submissions, &origin, &deadlines));
        let submitted = unless_dead(submitted, request.dies_after);
        let ended: Option<Result<Outcomes, NotSent>> = tokio::select! {
            ended = submitted => ended,
            () = network.is_dead.cancelled() => None,
        };
        let outcomes = ended.map(|ended| match ended {
            Ok(outcomes) => outcomes.each,
            Err(error) => vec![Err(error); submissions.len()],
        });
        Ended {
            number,
            at: now,
            message: ids.message,
            outcomes,
            calls: network.calls(),
        }
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

    /// Deletes the items of the table of messages whose time is over, as DynamoDB does some time or other.
    pub(crate) async fn expire(&self) {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let table = &self.tables["MessagesTable"];
        let now = self.clock.now().as_second().to_string();
        let scan = client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .filter_expression("expires_at <= :now")
            .projection_expression("id, sk")
            .expression_attribute_values(":now", AttributeValue::N(now));
        let expired = scan.into_paginator().items().send().try_collect().await.unwrap();
        for key in expired {
            let delete = client.delete_item().table_name(table).set_key(Some(key));
            delete.send().await.unwrap();
        }
    }

    /// Replaces the content of a mail that waits by these bytes.
    pub(crate) async fn overwrite_content(&self, id: Uuid, content: Vec<u8>) {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let entry = self.entry(id).await.unwrap();
        let key = |part: &str| {
            let key = [("id", id.to_string()), ("part", part.to_owned())];
            key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)))
        };
        let update = |part: &str| {
            let update = client.update_item().table_name(&self.tables["OutboxTable"]);
            update.set_key(Some(key(part).into()))
        };
        let size = AttributeValue::N(content.len().to_string());
        let of_entry = update("entry").update_expression("SET #size = :size");
        let of_entry = of_entry.expression_attribute_names("#size", "size");
        of_entry
            .expression_attribute_values(":size", size)
            .send()
            .await
            .unwrap();
        let part = update(&format!("{}#1", entry.content.nonce)).update_expression("SET content = :content");
        let content = AttributeValue::B(Blob::new(content));
        part.expression_attribute_values(":content", content)
            .send()
            .await
            .unwrap();
    }

    /// How many items the table of the mails that wait has, of one mail or of all.
    pub(crate) async fn waiting_items(&self, id: Option<Uuid>) -> usize {
        let items = self.waiting_keys().await;
        let is_of = |(of, _): &&(String, String)| id.is_none_or(|id| id.to_string() == *of);
        items.iter().filter(is_of).count()
    }

    /// How many mails wait.
    pub(crate) async fn entries(&self) -> usize {
        let items = self.waiting_keys().await;
        items.iter().filter(|(_, part)| part == "entry").count()
    }

    /// How many parts there are of a content.
    pub(crate) async fn parts(&self, id: Uuid, content_nonce: Uuid) -> usize {
        let (id, begins) = (id.to_string(), content_nonce.to_string());
        let items = self.waiting_keys().await;
        let is_part = |(of, part): &&(String, String)| *of == id && part.starts_with(&begins);
        items.iter().filter(is_part).count()
    }

    /// The keys of the table of the mails that wait.
    async fn waiting_keys(&self) -> Vec<(String, String)> {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let scan = client
            .scan()
            .table_name(&self.tables["OutboxTable"])
            .consistent_read(true)
            .projection_expression("id, part");
        let items = scan.into_paginator().items().send().try_collect().await.unwrap();
        let text = |value: &AttributeValue| value.as_s().unwrap().clone();
        items
            .iter()
            .map(|item| (text(&item["id"]), text(&item["part"])))
            .collect()
    }

    /// Deletes the row of a mail, as DynamoDB does when its time is over.
    pub(crate) async fn expire_row(&self, id: Uuid) {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let delete = client.delete_item().table_name(&self.tables["MessagesTable"]);
        let key = [("id", id.to_string()), ("sk", "mail".to_owned())];
        let key = key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
        delete.set_key(Some(key.into())).send().await.unwrap();
    }

    /// Has an operator settle a mail of which it is not known whether SES took it, by what is true.
    pub(crate) async fn settle_as_it_is(&self, id: Uuid) {
        let now = self.clock.now();
        let Some(record) = self.shared.messages.read(id).await.unwrap() else {
            return;
        };
        let is_sent = self.shared.accepted.lock().unwrap().iter().any(|mail| mail.id == id);
        let word = if is_sent { Settlement::Sent } else { Settlement::NotSent };
        if SettleStep::of(&record, word, now) == SettleStep::Write {
            assert!(self.shared.messages.settle(&record, word, now).await.unwrap());
        }
    }

    /// Writes the `Send` events that SES has published since, so many copies of each, as the feedback function does.
    pub(crate) async fn deliver(&self, copies: usize) {
        let mut events = self.events.lock().await;
        while let Ok(published) = events.try_recv() {
            let now = self.clock.now();
            let text = match &published.event {
                Value::String(text) => text.clone(),
                event => event.to_string(),
            };
            let Feedback::Event(event) = read(&text, now).unwrap() else {
                continue;
            };
            let Some(message) = event.message.filter(|message| message.kind == "Send") else {
                continue;
            };
            for _ in 0..copies {
                let expires = now + Duration::from_hours(24 * 30);
                self.shared.messages.add_event(&message, expires).await.unwrap();
            }
        }
    }
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

/// Drops a future after so many polls.
pub(crate) async fn unless_dead<T>(mut future: Pin<Box<impl Future<Output = T>>>, mut polls: Option<u32>) -> Option<T> {
    poll_fn(|context| {
        if let Some(left) = &mut polls {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => return Poll::Ready(None),
            }
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
}
