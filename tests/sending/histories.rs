//! Histories: requests that are repeated, run side by side, die at any await and lose answers, with events of SES in
//! between. Whatever happens, what callers were told must agree with the mails that SES accepted: none is lost without
//! an error, and none goes out twice.
//!
//! The functions' code runs in this process, each request as an execution environment of its own, so that one can die
//! by having its future dropped. proptest makes the histories, prints one that fails as short as it can, and keeps its
//! seed beside this file, in `histories.proptest-regressions`, from where the next run replays it first.
//! `PROPTEST_CASES` says how many there are.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aws::{ApiKeys, Usage};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use domain::api_key::{ApiKey, ApiKeyRecord, KeyPermission};
use domain::brake::Brake;
use domain::pacing::GateSettings;
use domain::queue::WhenBusy;
use domain::stream::Stream;
use futures_util::future::{join_all, poll_fn};
use jiff::Timestamp;
use local_aws::clock::Clock;
use local_aws::fault::Faults;
use local_aws::middleware::Middleware;
use local_aws::services::dynamodb::Dynamodb;
use local_aws::services::ses::{self, AccountPatch, PublishedEvent};
use local_aws::template::Stack;
use okite::application::{APPLICATION, TEMPLATE};
use proptest::prelude::*;
use proptest::test_runner::{Config as Proptest, FileFailurePersistence, TestRunner};
use runtime::config::ProcessConfig;
use runtime::environment::Environment;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::support::{CLOSED, KEY};

/// How many histories there are where `PROPTEST_CASES` does not say.
const HISTORIES: u32 = 75;
/// The time that an invocation has.
const TIMEOUT: Duration = Duration::from_secs(29);

/// One intent to send, and what befalls it.
#[derive(Clone, Debug)]
struct History {
    /// Whether the caller sends an idempotency key. One that does not never repeats a request.
    has_key: bool,
    rounds: Vec<Round>,
}

/// Requests side by side, and what comes after them.
#[derive(Clone, Debug)]
struct Round {
    faults: Vec<Value>,
    /// One request each: after how many polls it dies, if it does.
    requests: Vec<Option<u32>>,
    then: Then,
}

#[derive(Clone, Debug)]
enum Then {
    Nothing,
    /// Time passes.
    Pass(Duration),
    /// Events of SES arrive, so many copies of each.
    Deliver(usize),
}

/// What a caller was told.
#[derive(Clone, Debug)]
enum Told {
    /// Nothing: the function died.
    Nothing,
    Answer {
        status: u16,
        body: Value,
    },
}

impl Told {
    fn id_of_success(&self) -> Option<String> {
        match self {
            Self::Answer { status: 200, body } => Some(body["id"].to_string()),
            Self::Answer { .. } | Self::Nothing => None,
        }
    }

    /// Tells whether the caller must take it that the mail may have been sent.
    fn may_be_sent(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Answer { status, body } => *status == 200 || body.get("id").is_some(),
        }
    }
}

/// DynamoDB and SES, and what has come of them.
struct World {
    dynamodb: aws_sdk_dynamodb::Client,
    ses: aws_sdk_sesv2::Client,
    sqs: aws_sdk_sqs::Client,
    simulator: Arc<ses::Ses>,
    faults: Faults,
    clock: Clock,
    config: send_api::SendApiConfig,
    feedback_config: feedback::Config,
    events: Mutex<UnboundedReceiver<PublishedEvent>>,
    intents: Cell<u32>,
    ids: Cell<u128>,
    _stop: DropGuard,
}

impl World {
    async fn start() -> Self {
        let stack = Stack::read(TEMPLATE, &APPLICATION.stack_context(BTreeMap::new())).unwrap();
        let (clock, faults, stop) = (Clock::default(), Faults::default(), CancellationToken::new());
        let listen = async || {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            (listener, url)
        };
        let (listener, dynamodb_url) = listen().await;
        let middleware = Middleware {
            faults: faults.clone(),
            ..Middleware::default()
        };
        let database = Dynamodb::open(None, &stack.tables).unwrap();
        tokio::spawn(database.serve(listener, middleware.clone(), stop.clone()));

        let (sender, events) = unbounded_channel();
        let set = &stack.configuration_sets[0];
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
        tokio::spawn(local_aws::server::serve(
            listener,
            simulator.router(&middleware),
            None,
            stop.clone(),
        ));

        let environments = stack.functions.iter().flat_map(|function| function.environment.clone());
        let mut environment: BTreeMap<_, _> = environments.collect();
        environment.insert("AWS_REGION".to_owned(), "us-east-1".to_owned());
        // A throttled mail is tried again for so long, and no longer.
        environment.insert("PERMIT_WAIT_SECONDS".to_owned(), "0.2".to_owned());
        let environment = Environment::new(|name| environment.get(name).cloned());
        let process = ProcessConfig::read(&environment).unwrap();
        let config = send_api::SendApiConfig::read(process.clone(), &environment).unwrap();
        let feedback_config = feedback::Config::read(process, &environment).unwrap();
        let world = Self {
            dynamodb: aws::dynamodb(&sdk(&dynamodb_url)),
            ses: aws::sesv2(&sdk(&ses_url)),
            sqs: aws::sqs(&sdk(CLOSED)),
            simulator,
            faults,
            clock,
            config,
            feedback_config,
            events: Mutex::new(events),
            intents: Cell::new(0),
            ids: Cell::new(0),
            _stop: stop.drop_guard(),
        };
        world.prepare().await;
        world
    }

    /// Makes an API key, and a gate that lets everything through.
    async fn prepare(&self) {
        let key = ApiKey::parse(KEY).unwrap();
        let record = ApiKeyRecord {
            id: key.id().to_owned(),
            secret_sha256: key.secret_hash(),
            secret_access_key: None,
            name: "test".to_owned(),
            permission: KeyPermission::Full,
            stream: Stream::Transactional,
            from_domains: Vec::new(),
            when_busy: WhenBusy::Refuse,
            topic: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let keys = ApiKeys::new(self.dynamodb.clone(), self.config.front.api_keys_table.clone());
        keys.put(&record).await.unwrap();
        let usage = Usage::new(
            self.dynamodb.clone(),
            self.config.front.usage_table.clone(),
            self.config.front.process.region.clone(),
        );
        let settings = GateSettings {
            slot_interval: 1,
            ceiling_all: domain::pacing::UNLIMITED,
            ceiling_bulk: domain::pacing::UNLIMITED,
        };
        usage
            .set_gate(settings, Brake::None, None, self.clock.now())
            .await
            .unwrap();
    }

    fn new_id(&self) -> Uuid {
        self.ids.set(self.ids.get() + 1);
        Uuid::from_u128(self.ids.get())
    }

    /// Posts an email in an execution environment of its own, which dies after so many polls.
    async fn post(&self, subject: &str, key: Option<&str>, dies_after: Option<u32>) -> Told {
        let clients = front::Clients {
            dynamodb: self.dynamodb.clone(),
            ses: self.ses.clone(),
            sqs: self.sqs.clone().into(),
        };
        let state = send_api::SendApiState::with_clients(self.config.clone(), clients);
        let mut headers = json!({ "authorization": format!("Bearer {KEY}") });
        if let Some(key) = key {
            headers["idempotency-key"] = json!(key);
        }
        let mail = json!({"from": "acme@example.com", "to": ["anna@example.net"], "subject": subject, "text": "Hello"});
        let event = json!({
            "version": "2.0", "rawPath": "/emails", "headers": headers, "body": mail.to_string(), "isBase64Encoded": false,
            "requestContext": {"http": {"method": "POST", "path": "/emails"}, "timeEpoch": 0},
        });
        let ids = send_api::Ids {
            message: self.new_id(),
            nonce: self.new_id(),
        };
        let event = serde_json::from_value(event).unwrap();
        let handled = Box::pin(send_api::handle(
            &state,
            event,
            self.clock.now(),
            Instant::now() + TIMEOUT,
            ids,
        ));
        let Some(answer) = unless_dead(handled, dies_after).await else {
            return Told::Nothing;
        };
        let body = answer
            .body
            .map_or(Value::Null, |body| serde_json::from_slice(&body).unwrap());
        Told::Answer {
            status: u16::try_from(answer.status_code).unwrap(),
            body,
        }
    }

    /// Hands what SES has published to the feedback function, so many copies of each.
    async fn deliver(&self, copies: usize) {
        let state =
            feedback::State::with_clients(self.feedback_config.clone(), self.dynamodb.clone(), self.sqs.clone());
        let mut events = self.events.lock().await;
        while let Ok(published) = events.try_recv() {
            let sns = json!({"TopicArn": published.topic_arn, "Message": published.event.to_string()});
            let event = json!({ "Records": [{ "Sns": sns }] });
            for _ in 0..copies {
                // A fault may fail it; SNS and Lambda would try again.
                while Box::pin(feedback::handle(&state, event.clone(), self.clock.now(), || {
                    self.new_id()
                }))
                .await
                .is_err()
                {}
            }
        }
    }

    /// Runs a history and returns what is wrong with how it ended.
    async fn run(&self, history: &History) -> Result<(), String> {
        self.intents.set(self.intents.get() + 1);
        let subject = format!("intent {}", self.intents.get());
        let key = history.has_key.then_some(subject.as_str());
        let mut told = Vec::new();
        for round in &history.rounds {
            for fault in &round.faults {
                self.faults.add(serde_json::from_value(fault.clone()).unwrap());
            }
            let requests = round
                .requests
                .iter()
                .map(|&dies_after| self.post(&subject, key, dies_after));
            told.extend(join_all(requests).await);
            match round.then {
                Then::Nothing => {}
                Then::Pass(time) => self.clock.advance(time).unwrap(),
                Then::Deliver(copies) => self.deliver(copies).await,
            }
        }
        self.faults.clear();
        let sent = || {
            let outbox = self.simulator.outbox();
            outbox.iter().filter(|mail| mail.subject == subject).count()
        };
        let fail =
            |what: &str, told: &[Told]| Err(format!("{what}: {} mails, and callers were told {told:#?}", sent()));

        if sent() == 1 && !told.iter().any(Told::may_be_sent) {
            return fail("a mail went out and every caller was told that none did", &told);
        }
        if key.is_some() {
            // After all is over and quiet, the caller asks once more, and again when SES's events have come.
            self.clock
                .advance(domain::idempotency::LEASE + Duration::from_secs(1))
                .unwrap();
            told.push(self.post(&subject, key, None).await);
            self.deliver(1).await;
            told.push(self.post(&subject, key, None).await);
            let last = told.last().unwrap();
            if sent() == 1 && last.id_of_success().is_none() {
                return fail("a mail went out and its key does not say so in the end", &told);
            }
            if sent() == 0 && !last.may_be_sent() {
                return fail("no mail went out and its key is stuck", &told);
            }
        }
        let ids: BTreeSet<String> = told.iter().filter_map(Told::id_of_success).collect();
        let end = match sent() {
            0 if !ids.is_empty() => fail("a caller was told of a mail that never went out", &told),
            0 | 1 if ids.len() > 1 => fail("one mail has two ids", &told),
            0 | 1 => Ok(()),
            _ => fail("a mail went out twice", &told),
        };
        self.simulator.clear_outbox().unwrap();
        end
    }
}

fn sdk(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIDTEST", "test", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws::http_client())
        .endpoint_url(endpoint)
        .build()
}

/// Drops a future after so many polls.
async fn unless_dead<T>(future: impl Future<Output = T>, mut polls: Option<u32>) -> Option<T> {
    let mut future = pin!(future);
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

fn fault() -> impl Strategy<Value = Value> {
    const STORE: [(&str, &str); 7] = [
        ("BatchGetItem", "SuppressionsTable"),
        ("PutItem", "MessagesTable"),
        ("GetItem", "MessagesTable"),
        ("Query", "MessagesTable"),
        ("UpdateItem", "MessagesTable"),
        ("DeleteItem", "MessagesTable"),
        ("UpdateItem", "UsageTable"),
    ];
    let at_store = prop_oneof![
        3 => Just(json!({"drop": "after"})),
        1 => Just(json!({"drop": "before"})),
        1 => Just(json!({"error": "InternalServerError", "message": "x"})),
        1 => Just(json!({"error": "ProvisionedThroughputExceededException", "message": "x"})),
    ];
    let at_ses = prop_oneof![
        3 => Just(json!({"drop": "after"})),
        2 => Just(json!({"drop": "before"})),
        2 => Just(json!({"error": "TooManyRequestsException", "message": "Maximum sending rate exceeded."})),
        2 => Just(json!({"error": "MessageRejected", "message": "No"})),
        1 => Just(json!({"error": "InternalServiceErrorException", "message": "x"})),
    ];
    let whose = prop_oneof![
        2 => (prop::sample::select(&STORE[..]), at_store).prop_map(|((operation, table), mut fault)| {
            fault["operation"] = json!(operation);
            fault["table"] = json!(table);
            fault
        }),
        1 => at_ses.prop_map(|mut fault| {
            fault["operation"] = json!("SendEmail");
            fault
        }),
    ];
    (whose, 1..=4_u32, 0..=2_u32).prop_map(|(mut fault, times, skip)| {
        fault["times"] = json!(times);
        fault["skip"] = json!(skip);
        fault
    })
}

fn round(requests: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Round> {
    let dies_after = prop_oneof![3 => Just(None), 2 => (0..60_u32).prop_map(Some)];
    let then = prop_oneof![
        Just(Then::Nothing),
        (0..60_u64).prop_map(|seconds| Then::Pass(Duration::from_secs(seconds))),
        (1..=2_usize).prop_map(Then::Deliver),
    ];
    (
        prop::collection::vec(fault(), 0..=2),
        prop::collection::vec(dies_after, requests),
        then,
    )
        .prop_map(|(faults, requests, then)| Round { faults, requests, then })
}

fn history() -> impl Strategy<Value = History> {
    prop_oneof![
        1 => round(1..=1).prop_map(|round| History { has_key: false, rounds: vec![round] }),
        4 => prop::collection::vec(round(1..=3), 1..=3).prop_map(|rounds| History { has_key: true, rounds }),
    ]
}

#[test]
fn the_answers_agree_with_the_mails_in_the_outbox() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::start());
    let cases = std::env::var("PROPTEST_CASES").map_or(HISTORIES, |cases| cases.parse().unwrap());
    let config = Proptest {
        cases,
        source_file: Some(file!()),
        max_shrink_iters: 300,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..Proptest::default()
    };
    let ended = TestRunner::new(config).run(&history(), |history| {
        runtime.block_on(world.run(&history)).map_err(TestCaseError::fail)
    });
    if let Err(failure) = ended {
        panic!("{failure}");
    }
}
