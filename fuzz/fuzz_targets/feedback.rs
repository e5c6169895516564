//! Every message is read without a panic, its result keeps its invariants, and all that follows from it is written to
//! tables that take it: DynamoDB as `okite up` has it, with the template's tables. The seeds are the messages in
//! events/feedback; `fuzz/run` extracts them and starts.

#![no_main]

use std::sync::LazyLock;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use domain::feedback::{self, Feedback};
use domain::time::possible;
use feedback_function::{Config, FeedbackError, State, handle};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use local_aws::middleware::Middleware;
use local_aws::services::dynamodb::Dynamodb;
use local_aws::template::{Stack, StackContext};
use runtime::config::ProcessConfig;
use runtime::environment::Environment;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const REGION: &str = "us-east-1";
const TEMPLATE: &str = include_str!("../../template.yaml");

static WORLD: LazyLock<World> = LazyLock::new(World::start);

/// The function, and a DynamoDB with the template's tables.
struct World {
    runtime: tokio::runtime::Runtime,
    state: State,
    suppressions: aws::Suppressions,
}

impl World {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let context = StackContext {
            region: REGION.to_owned(),
            account_id: "000000000000".to_owned(),
            stack_name: "okite".to_owned(),
            parameters: [].into(),
        };
        let stack = Stack::read(TEMPLATE, &context).expect("the template");
        let database = Dynamodb::open(None, &stack.tables).expect("a database");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(database.serve(listener, Middleware::default(), CancellationToken::new()));
        let credentials = Credentials::new("test", "local", None, None, "fuzzing");
        let sdk = SdkConfig::builder()
            .behavior_version(aws::behavior_version())
            .region(Region::new(REGION))
            .http_client(aws::http_client())
            .endpoint_url(url)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let dynamodb = aws::dynamodb(&sdk);
        let function = stack.functions.iter().find(|function| function.name == "feedback");
        let mut environment = function.expect("the function").environment.clone();
        environment.insert("AWS_REGION".to_owned(), REGION.to_owned());
        let environment = Environment::new(|name| environment.get(name).cloned());
        let process = ProcessConfig::read(&environment).expect("the environment");
        let config = Config::read(process, &environment).expect("the environment");
        Self {
            suppressions: aws::Suppressions::new(dynamodb.clone(), config.suppressions_table.clone()),
            state: State::with_client(config, dynamodb),
            runtime,
        }
    }
}

fuzz_target!(|message: &str| {
    let received = Timestamp::from_second(1_800_000_000).expect("a time");
    let Ok(Feedback::Event(event)) = feedback::read(message, received) else {
        return;
    };
    for fact in &event.facts {
        assert!(
            fact.at <= received && possible(fact.at).is_some(),
            "a register in the future could not be lifted"
        );
        let diagnostic = fact.diagnostic.as_deref().unwrap_or_default();
        assert!(diagnostic.chars().count() <= 1_000);
    }
    for mark in &event.marks {
        assert!(!mark.domain.is_empty() && mark.at <= received);
    }
    if let Some(message) = &event.message {
        assert!(!message.ses_id.is_empty(), "DynamoDB has no empty keys");
        assert!(possible(message.at).is_some());
    }
    let call = json!({ "Records": [{ "Sns": { "Message": message } }] });
    let handled = handle(&WORLD.state, call, received, || Uuid::from_u128(7));
    let handled = WORLD.runtime.block_on(handled);
    assert!(
        !matches!(handled, Err(FeedbackError::Panicked | FeedbackError::Store(_))),
        "{handled:?}"
    );
    let addresses: Vec<_> = event.facts.iter().map(|fact| &fact.address).take(50).collect();
    let found = WORLD.runtime.block_on(WORLD.suppressions.lookup(addresses));
    assert!(found.expect("a lookup").values().all(|registers| !registers.unreadable));
});
