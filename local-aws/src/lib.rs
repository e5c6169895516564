//! AWS in one process, for running Okite on one machine.
//!
//! [`LocalAws`] reads the template that is deployed and stands up what it declares: DynamoDB on a file, the SES
//! simulator, SNS, the schedule, Lambda with every function as a process of its own, and the HTTP API in front. It knows
//! AWS and not Okite: the functions are the ones that ship, and reach it by their SDK's endpoint variables. Everything
//! listens on 127.0.0.1 only.
//!
//! | module | plays the part of |
//! |---|---|
//! | [`template`] | CloudFormation: which resources there are |
//! | [`dynamodb`] | DynamoDB |
//! | [`ses`] | Amazon SES: its rules, its mailbox simulator, its events |
//! | [`sns`] | SNS |
//! | [`sqs`] | SQS, and what takes messages out of its queues |
//! | [`cloudwatch`] | CloudWatch, as far as an account here has a reputation |
//! | [`lambda`] | Lambda: environments, the Runtime API, asynchronous events |
//! | [`gateway`] | API Gateway's HTTP API |
//! | [`schedule`] | EventBridge Scheduler |
//! | [`feed`], `page` | nobody: what happens, and the page that shows it to people |
//! | `local_api`, `guard` | nobody: `/_local/`, and what keeps other web sites away from it |
//! | [`calls`] | CloudTrail: which function called what |
//! | [`edge`] | what surrounds a call of any service |
//! | [`fault`], [`clock`] | bad days, and the time: what a test may ask for |
//! | [`data_dir`] | the files of a run |

pub mod calls;
pub mod clock;
pub mod cloudwatch;
pub mod data_dir;
pub mod dynamodb;
pub mod edge;
pub mod fault;
pub mod feed;
pub mod gateway;
mod guard;
mod json_lines;
pub mod lambda;
mod local_api;
mod page;
pub mod schedule;
pub mod server;
pub mod ses;
pub mod sns;
pub mod sqs;
pub mod template;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use calls::Calls;
use clock::Clock;
use cloudwatch::CloudWatch;
use data_dir::DataDir;
use dynamodb::{Dynamodb, DynamodbError};
use edge::Edge;
use fault::Faults;
use feed::Feed;
use gateway::Gateway;
use lambda::{Asynchronous, FunctionSettings, InvokeError, Lambda, Outcome, Program};
use local_api::LocalApi;
use ses::{Published, Ses};
use sns::Sns;
use sqs::{Poller, Sqs};
use template::{Function, Stack, Surroundings, TemplateError};

/// The template that is deployed, which is also what this crate runs.
pub const TEMPLATE: &str = include_str!("../../template.yaml");
/// The region that everything is in.
pub const REGION: &str = "us-east-1";
/// The account that everything belongs to.
pub const ACCOUNT_ID: &str = "000000000000";
/// The topic that alarms and the reporter's messages go to: the template's parameter `AlarmTopicArn`, unless a run wants
/// it otherwise. What is published to it is kept for `/_local/notifications`.
pub const ALARM_TOPIC_ARN: &str = "arn:aws:sns:us-east-1:000000000000:okite-alarms";
const ALARM_TOPIC_PARAMETER: &str = "AlarmTopicArn";
/// The name of the stack.
pub const STACK_NAME: &str = "okite";

/// SES closes a connection that was idle for so long. An assumption: AWS documents no figure.
const SES_IDLE: Duration = Duration::from_mins(1);

/// How long the last events may take to be handed over when everything ends.
const LAST_EVENTS: Duration = Duration::from_secs(3);

/// Where the stack is, with values of template parameters that differ from their defaults, as the topic of alarms does.
#[must_use]
pub fn surroundings(mut parameters: BTreeMap<String, String>) -> Surroundings {
    parameters
        .entry(ALARM_TOPIC_PARAMETER.to_owned())
        .or_insert_with(|| ALARM_TOPIC_ARN.to_owned());
    Surroundings {
        region: REGION.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
        stack_name: STACK_NAME.to_owned(),
        parameters,
    }
}

/// How to run.
#[derive(Debug)]
pub struct Settings {
    /// The port of the HTTP API; 0 picks a free one.
    pub port: u16,
    /// Where the data is kept; in memory without one.
    pub data_dir: Option<DataDir>,
    /// Whether the SES account is in the sandbox.
    pub sandbox: bool,
    /// Identities that are verified in SES: addresses and domains.
    pub verified: Vec<String>,
    /// How a function's process is started.
    pub program: Program,
    /// When Lambda tries a failed asynchronous event again; see [`lambda::RETRIES`].
    pub retries: Vec<Duration>,
    /// Values of template parameters that differ from their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Variables that every function is given in the place of what it would be given otherwise: the endpoint of a
    /// service that is down, say.
    pub environment: BTreeMap<String, String>,
    /// How long an invocation of any function may take, in the place of what the template says.
    pub timeout: Option<Duration>,
}

impl Settings {
    /// An account with production access and two verified domains, in memory, on a free port.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self {
            port: 0,
            data_dir: None,
            sandbox: false,
            verified: vec!["example.com".to_owned(), "example.org".to_owned()],
            program,
            retries: lambda::RETRIES.to_vec(),
            parameters: BTreeMap::new(),
            environment: BTreeMap::new(),
            timeout: None,
        }
    }
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something else listens there.
    #[error("port {0} is taken: stop what listens there, or choose another with --port (0 picks a free one)")]
    PortTaken(u16),
    /// A port cannot be listened on, or a file cannot be used.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The template cannot be run here.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The template lacks a part without which nothing runs.
    #[error("the template has no {0}")]
    Incomplete(&'static str),
    /// DynamoDB does not start.
    #[error(transparent)]
    Dynamodb(#[from] DynamodbError),
    /// How far the clock is ahead cannot be read.
    #[error("the file clock_ahead_ms of the data directory cannot be read; delete the directory to begin anew: {0}")]
    Clock(#[source] io::Error),
    /// The outbox of SES cannot be read.
    #[error("the SES simulator cannot start: {0}")]
    Ses(#[source] io::Error),
    /// The messages in queues cannot be read.
    #[error("the file of the queues in the data directory cannot be read; delete it to lose what is in them: {0}")]
    Queues(#[source] io::Error),
    /// The send API does not answer.
    #[error("the send API did not answer GET /health (it said {0}); its log says why")]
    Unhealthy(StatusCode),
}

/// AWS, running.
#[derive(Debug)]
pub struct LocalAws {
    /// Where the HTTP API is.
    pub url: String,
    /// Where DynamoDB is.
    pub dynamodb_url: String,
    /// Where SES is.
    pub ses_url: String,
    /// Where SQS is.
    pub sqs_url: String,
    /// Where SNS is.
    pub sns_url: String,
    /// Where CloudWatch is.
    pub cloudwatch_url: String,
    /// The URLs of the queues, by which the API of SQS calls them, by the logical ids of the template.
    pub queues: BTreeMap<String, String>,
    /// What each function is given, by its name.
    pub environments: BTreeMap<String, BTreeMap<String, String>>,
    /// What was called so far, and by whom.
    pub calls: Calls,
    data_dir: Option<DataDir>,
    gateway: Arc<Gateway>,
    lambda: Arc<Lambda>,
    /// Ends the HTTP API.
    stop_front: CancellationToken,
    front: JoinHandle<()>,
    /// Ends the hand-over of events.
    stop_events: CancellationToken,
    events: JoinHandle<()>,
    /// Ends the rest.
    stop: CancellationToken,
    tasks: TaskTracker,
    /// The first runs of the schedules.
    first_runs: TaskTracker,
}

impl LocalAws {
    /// Starts everything; the functions' processes are started and may still be in their init.
    ///
    /// # Errors
    /// [`StartError`] says what to do. Nothing is left running then.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings {
            port,
            data_dir,
            sandbox,
            verified,
            program,
            retries,
            parameters,
            environment,
            timeout,
        } = settings;
        let surroundings = surroundings(parameters);
        let mut stack = Stack::read(TEMPLATE, &surroundings)?;
        let http_api = stack.http_api.take().ok_or(StartError::Incomplete("HTTP API"))?;
        let at = Listeners::bind(port).await?;

        let clock = open_clock(data_dir.as_ref())?;
        let stop = CancellationToken::new();
        let (stop_front, stop_events) = (CancellationToken::new(), CancellationToken::new());
        let tasks = TaskTracker::new();
        let serve = |listener, router, idle| tasks.spawn(server::serve(listener, router, idle, stop.clone()));

        let endpoints = at.endpoints();
        let functions: Vec<FunctionSettings> = std::mem::take(&mut stack.functions)
            .into_iter()
            .map(|function| function_settings(function, &endpoints, &environment, timeout, data_dir.as_ref()))
            .collect();
        let environments = environments(&functions);
        let lambda = Lambda::new(program, functions, at.runtime.url, clock.clone(), stop.child_token());

        let edge = Edge {
            calls: Calls::default(),
            faults: Faults::new(clock.clone(), lambda.processes()),
        };
        let dynamodb = Dynamodb::open(data_dir.as_ref().map(DataDir::database).as_deref(), &stack.tables)?;
        let (events, published) = mpsc::unbounded_channel();
        let settings = ses_settings(&stack.configuration_sets, sandbox, verified, data_dir.as_ref());
        let ses = Ses::new(settings, clock.clone(), edge.faults.clone(), events).map_err(StartError::Ses)?;
        let queues = data_dir.as_ref().map(DataDir::queues);
        let topic = alarm_topic(&surroundings);
        let EventPath { sns, sqs, pollers } = EventPath::new(
            &stack,
            topic,
            queues,
            &lambda,
            &edge.calls,
            (&clock, ses.feed()),
            retries,
        )?;
        let local_api = LocalApi {
            ses: Arc::clone(&ses),
            sns: Arc::clone(&sns),
            sqs: Arc::clone(&sqs),
            lambda: Arc::clone(&lambda),
            clock: clock.clone(),
            faults: edge.faults.clone(),
            feed: ses.feed().clone(),
            tables: stack.tables.into_iter().map(|table| table.logical_id).collect(),
            feedback_topic: feedback_topic(&stack.configuration_sets),
            schedule: stack.schedules.first().cloned(),
            stop: stop_front.clone(),
        };
        let cloudwatch = Arc::new(CloudWatch::new(ses.clone(), stack.alarms, clock.clone()));
        let gateway = Gateway::new(Arc::clone(&lambda), http_api.function, ACCOUNT_ID.to_owned(), clock);

        let ses_arn = format!("arn:aws:ses:{REGION}:{ACCOUNT_ID}:");
        let ses_router = ses::seen::remember(ses.router(), edge.calls.clone(), ses_arn);
        serve(at.ses.socket, ses_router, Some(SES_IDLE));
        serve(at.sqs.socket, sqs.router(), None);
        serve(at.sns.socket, sns.router(edge.clone()), None);
        serve(at.cloudwatch.socket, cloudwatch.router(edge.clone()), None);
        serve(at.runtime.socket, lambda.router(), None);
        let router = front_router(local_api, &gateway);
        let front = tokio::spawn(server::serve(at.front.socket, router, None, stop_front.clone()));
        tasks.spawn(serve_dynamodb(dynamodb, at.dynamodb.socket, edge.clone(), stop.clone()));
        let events = tokio::spawn(deliver(published, sns, stop_events.clone()));
        lambda.warm_up();
        for poller in pollers {
            tasks.spawn(poller.run(stop_events.clone()));
        }
        let first_runs = run_schedules(stack.schedules, &lambda, &tasks, &stop);
        Ok(Self {
            url: at.front.url,
            dynamodb_url: at.dynamodb.url,
            ses_url: at.ses.url,
            sqs_url: at.sqs.url,
            sns_url: at.sns.url,
            cloudwatch_url: at.cloudwatch.url,
            queues: urls(stack.queues),
            environments,
            calls: edge.calls,
            data_dir,
            gateway,
            lambda,
            stop_front,
            front,
            stop_events,
            events,
            stop,
            tasks,
            first_runs,
        })
    }

    /// Waits until the send API answers `GET /health` through its function, and every schedule has fired once, however
    /// that went: what is true some seconds after a deployment is true at once here.
    ///
    /// # Errors
    /// [`StartError::Unhealthy`] if it answers anything but 200.
    pub async fn healthy(&self) -> Result<(), StartError> {
        let (head, ()) = Request::get("/health").body(()).unwrap_or_default().into_parts();
        let answer = self.gateway.call(&head, &Bytes::new()).await;
        if answer.status() != StatusCode::OK {
            return Err(StartError::Unhealthy(answer.status()));
        }
        self.first_runs.wait().await;
        Ok(())
    }

    /// Calls a function by its name with an event, as a synchronous caller does, and returns its answer.
    ///
    /// # Errors
    /// [`InvokeError`] says why there is none.
    pub async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        self.lambda.invoke(function, event).await
    }

    /// The directory that the data is kept in.
    #[must_use]
    pub fn data_dir(&self) -> Option<&DataDir> {
        self.data_dir.as_ref()
    }

    /// Ends everything, in the order that loses nothing: no new requests, what SES has published is handed over, and
    /// only then the functions and the services behind them.
    pub async fn stop(self) {
        if let Some(Err(error)) = self.data_dir.as_ref().map(DataDir::withdraw) {
            tracing::warn!(%error, "local.json could not be removed");
        }
        self.stop_front.cancel();
        let _ = self.front.await;
        self.stop_events.cancel();
        let _ = self.events.await;
        self.lambda.stop().await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The topic that alarms go to, if there is one.
fn alarm_topic(surroundings: &Surroundings) -> Option<String> {
    let topic = surroundings.parameters.get(ALARM_TOPIC_PARAMETER)?;
    (!topic.is_empty()).then(|| topic.clone())
}

/// The URLs of queues, by their logical ids.
fn urls(queues: Vec<template::Queue>) -> BTreeMap<String, String> {
    let url = |queue: template::Queue| (queue.logical_id, queue.url);
    queues.into_iter().map(url).collect()
}

/// Runs schedules until all is stopped, and returns what waits for the first run of each.
fn run_schedules(
    schedules: Vec<template::Schedule>,
    lambda: &Arc<Lambda>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> TaskTracker {
    let first_runs = TaskTracker::new();
    for schedule in schedules {
        let first = first_runs.token();
        tasks.spawn(schedule::run(schedule, Arc::clone(lambda), first, stop.clone()));
    }
    first_runs.close();
    first_runs
}

/// What each function is given, by its name.
fn environments(functions: &[FunctionSettings]) -> BTreeMap<String, BTreeMap<String, String>> {
    let environment = |function: &FunctionSettings| (function.name.clone(), function.environment.clone());
    functions.iter().map(environment).collect()
}

/// Where SES's events go: the topic of the first configuration set that has one.
fn feedback_topic(sets: &[template::ConfigurationSet]) -> Option<String> {
    let mut destinations = sets.iter().flat_map(|set| &set.event_destinations);
    destinations.next().map(|destination| destination.topic_arn.clone())
}

/// Serves DynamoDB, which ends before it is told to if it fails.
async fn serve_dynamodb(dynamodb: Dynamodb, socket: TcpListener, edge: Edge, stop: CancellationToken) {
    let settings = dynamodb::FrontSettings {
        table_arn: format!("arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/"),
        calls: edge.calls,
        faults: edge.faults,
    };
    if let Err(error) = dynamodb.serve(socket, settings, stop).await {
        tracing::error!("DynamoDB ended: {error}");
    }
}

/// What is behind the port of the HTTP API: the page and `/_local/`, which this machine alone has, and the API.
fn front_router(local_api: LocalApi, gateway: &Arc<Gateway>) -> Router {
    local_api
        .router()
        .merge(page::router(gateway.router()))
        .layer(axum::middleware::from_fn(guard::guard))
        .merge(gateway.router())
}

/// A service's port, and its URL.
struct Listener {
    socket: TcpListener,
    url: String,
}

/// The ports of everything.
struct Listeners {
    front: Listener,
    dynamodb: Listener,
    ses: Listener,
    sqs: Listener,
    sns: Listener,
    cloudwatch: Listener,
    runtime: Listener,
}

impl Listeners {
    async fn bind(port: u16) -> Result<Self, StartError> {
        Ok(Self {
            front: listen(port).await?,
            dynamodb: listen(0).await?,
            ses: listen(0).await?,
            sqs: listen(0).await?,
            sns: listen(0).await?,
            cloudwatch: listen(0).await?,
            runtime: listen(0).await?,
        })
    }

    /// What tells a function's clients where the services are.
    fn endpoints(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.url.clone()),
            ("AWS_ENDPOINT_URL_SESV2", self.ses.url.clone()),
            ("AWS_ENDPOINT_URL_SNS", self.sns.url.clone()),
            ("AWS_ENDPOINT_URL_CLOUDWATCH", self.cloudwatch.url.clone()),
        ]
    }
}

/// The way of an event: from a topic to its function, and if that fails, into a queue and out of it again.
struct EventPath {
    sns: Arc<Sns>,
    sqs: Arc<Sqs>,
    pollers: Vec<Poller>,
}

impl EventPath {
    fn new(
        stack: &Stack,
        alarm_topic: Option<String>,
        queues: Option<PathBuf>,
        lambda: &Arc<Lambda>,
        calls: &Calls,
        (clock, feed): (&Clock, &Feed),
        retries: Vec<Duration>,
    ) -> Result<Self, StartError> {
        let sqs = Sqs::open(stack.queues.clone(), queues, clock.clone()).map_err(StartError::Queues)?;
        let asynchronous = Asynchronous::new(
            Arc::clone(lambda),
            Arc::clone(&sqs),
            calls.clone(),
            clock.clone(),
            stack.asynchronous_events.clone(),
            retries,
        );
        let poller = |mapping: &template::Mapping| Poller {
            mapping: mapping.clone(),
            sqs: Arc::clone(&sqs),
            lambda: Arc::clone(lambda),
            calls: calls.clone(),
        };
        Ok(Self {
            pollers: stack.mappings.iter().map(poller).collect(),
            sns: Arc::new(Sns::new(
                stack.topics.clone(),
                alarm_topic,
                asynchronous,
                Arc::clone(&sqs),
                clock.clone(),
                feed.clone(),
            )),
            sqs,
        })
    }
}

async fn listen(port: u16) -> Result<Listener, StartError> {
    let error = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortTaken(port),
        _ => StartError::Io {
            what: format!("port {port} of 127.0.0.1 cannot be listened on"),
            source,
        },
    };
    let socket = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
        .map_err(error)?;
    let url = format!("http://{}", socket.local_addr().map_err(error)?);
    Ok(Listener { socket, url })
}

/// The clock, which goes on from where it was when the data was written.
fn open_clock(data_dir: Option<&DataDir>) -> Result<Clock, StartError> {
    match data_dir {
        Some(data_dir) => Clock::kept_in(data_dir.clock()).map_err(StartError::Clock),
        None => Ok(Clock::default()),
    }
}

fn ses_settings(
    sets: &[template::ConfigurationSet],
    sandbox: bool,
    verified: Vec<String>,
    data_dir: Option<&DataDir>,
) -> ses::Settings {
    let configuration_sets = sets
        .iter()
        .map(|set| {
            let destination = set.event_destinations.first();
            ses::ConfigurationSet {
                name: set.name.clone(),
                event_types: destination
                    .map(|destination| destination.event_types.clone())
                    .unwrap_or_default(),
                topic_arn: destination.map(|destination| destination.topic_arn.clone()),
            }
        })
        .collect();
    ses::Settings {
        region: REGION.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
        configuration_sets,
        production_access: !sandbox,
        verified,
        outbox_file: data_dir.map(DataDir::outbox),
    }
}

/// What a function is given: the template's environment, what Lambda adds, where AWS is, and what a run wants otherwise.
fn function_settings(
    function: Function,
    endpoints: &[(&str, String)],
    overrides: &BTreeMap<String, String>,
    timeout: Option<Duration>,
    data_dir: Option<&DataDir>,
) -> FunctionSettings {
    let mut environment = function.environment;
    let lambdas = [
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        // The name of the function as its key says who called, in every request to a service.
        ("AWS_ACCESS_KEY_ID", function.name.as_str()),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    environment.extend(lambdas.map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment.extend(endpoints.iter().map(|(name, url)| ((*name).to_owned(), (*url).clone())));
    environment.extend(overrides.clone());
    FunctionSettings {
        log_file: data_dir.map(|directory| directory.logs().join(format!("{}.log", function.name))),
        name: function.name,
        arn: function.arn,
        environment,
        timeout: timeout.unwrap_or(function.timeout),
        memory_mb: function.memory_mb,
    }
}

/// Publishes what SES says, each when SES would; told to stop, it hands over what there is, or puts it into the queue of
/// what failed, and ends.
async fn deliver(mut published: mpsc::UnboundedReceiver<Published>, sns: Arc<Sns>, stop: CancellationToken) {
    let deliver = |Published {
                       topic_arn,
                       event,
                       after,
                   }| {
        let task = Arc::clone(&sns);
        sns.publications.spawn(async move {
            tokio::time::sleep(after).await;
            match task.publish(&topic_arn, &event.to_string()).await {
                Ok(Outcome::Handled | Outcome::Queued) => {}
                Err(error) => tracing::error!("an event of SES was lost: {error}"),
            }
        });
    };
    loop {
        tokio::select! {
            event = published.recv() => match event {
                Some(event) => deliver(event),
                None => break,
            },
            () = stop.cancelled() => break,
        }
    }
    while let Ok(event) = published.try_recv() {
        deliver(event);
    }
    sns.publications.close();
    if tokio::time::timeout(LAST_EVENTS, sns.publications.wait())
        .await
        .is_err()
    {
        sns.end();
        sns.publications.wait().await;
    }
}
