//! The start of a run, in the order in which the services need each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::LocalAws;
use super::error::StartError;
use super::event_pipeline::{EventPipeline, EventPipelineSettings, deliver};
use super::functions::function_settings;
use super::listeners::Listeners;
use super::settings::RunSettings;
use crate::application::{ACCOUNT_ID, Application, REGION};
use crate::calls::Calls;
use crate::clock::Clock;
use crate::data_dir::DataDir;
use crate::fault::Faults;
use crate::local_api::{Hosts, LocalApi, guard};
use crate::middleware::Middleware;
use crate::server::SilentClients;
use crate::service_metrics::ServiceMetrics;
use crate::services::cloudwatch::CloudWatch;
use crate::services::dynamodb::Dynamodb;
use crate::services::gateway::Gateway;
use crate::services::lambda::{FunctionSettings, Lambda};
use crate::services::scheduler::Scheduler;
use crate::services::ses::{Ses, SesConfigurationSet, SesSettings};
use crate::template::{ConfigurationSet, HttpApi, Queue, Schedule, Stack, Table};
use crate::{page, server};

/// The time after which SES closes an idle connection. An assumption: AWS documents none.
const SES_IDLE: Duration = Duration::from_mins(1);

/// The time after which a client that says nothing is told that the HTTP API does not speak SMTP. Clients of SMTP wait
/// 30 seconds or longer for the greeting, and browsers close a connection that they opened in advance after 10.
const SMTP_PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn start(settings: RunSettings) -> Result<LocalAws, StartError> {
    let application = settings.application;
    let context = application.stack_context(settings.parameters.clone());
    let mut stack = Stack::read(application.template, &context)?;
    let (http_api, watched_schedule) = (http_api(&mut stack)?, watched_schedule(&application, &stack)?);
    let at = Listeners::bind(settings.address, settings.port).await?;

    let data_dir = settings.data_dir.as_ref();
    let clock = open_clock(data_dir)?;
    let [stop, stop_front, stop_events] = [(); 3].map(|()| CancellationToken::new());
    let tasks = TaskTracker::new();

    let ses_settings = ses_settings(&settings, &stack);
    let functions = function_settings(std::mem::take(&mut stack.functions), &at.endpoints(), &settings);
    let environments = environments(&functions);
    let (program, url) = (settings.program, at.runtime.url);
    let lambda = Lambda::new(program, functions, url, clock.clone(), stop.child_token());

    let middleware = middleware(&clock, &lambda);
    let dynamodb = Dynamodb::open(data_dir.map(DataDir::database).as_deref(), &stack.tables)?
        .with_clock(clock.clone())
        .with_consumption(settings.counts_units.then(|| middleware.consumption.clone()));
    let (events, published) = mpsc::unbounded_channel();
    let ses = Ses::new(ses_settings, clock.clone(), events).map_err(StartError::Ses)?;
    let pipeline = EventPipelineSettings {
        operator_topic: application.operator_topic_in(&context),
        queues: data_dir.map(DataDir::queues),
        lambda: &lambda,
        middleware: &middleware,
        clock: &clock,
        feed: ses.feed(),
        retries: settings.retries,
    };
    let EventPipeline { sns, sqs, pollers } = EventPipeline::open(&stack, pipeline)?;
    let tables = table_names(stack.tables);
    let local_api = LocalApi {
        ses: Arc::clone(&ses),
        sns: Arc::clone(&sns),
        sqs: Arc::clone(&sqs),
        lambda: Arc::clone(&lambda),
        clock: clock.clone(),
        faults: middleware.faults.clone(),
        feed: ses.feed().clone(),
        tables: tables.keys().cloned().collect(),
        functions: environments.keys().cloned().collect(),
        event_topic: event_topic(&stack.configuration_sets),
        watched_schedule,
        schedules: stack.schedules.clone(),
        stop: stop_front.clone(),
    };
    let cloudwatch = CloudWatch::new(ses.clone(), sqs.clone(), stack.alarms, clock.clone());
    let gateway = Gateway::new(&at.front.url, lambda.clone(), http_api, &clock, &middleware.metrics);

    let hosts = Hosts::new(settings.address, settings.allowed_hosts);
    let router = front_router(local_api, application.page, &gateway, hosts);
    let front = serve_front(at.front.socket, router, settings.smtp_port, stop_front.clone());
    let front = tokio::spawn(front);
    let serve = |listener, router, idle| tasks.spawn(server::serve(listener, router, idle, stop.clone()));
    serve(at.ses.socket, ses.router(&middleware), Some(SES_IDLE));
    serve(at.sqs.socket, sqs.router(&middleware), None);
    serve(at.sns.socket, sns.router(), None);
    serve(at.cloudwatch.socket, cloudwatch.router(&middleware), None);
    serve(at.runtime.socket, lambda.router(), None);
    let dynamodb = serve_dynamodb(dynamodb, at.dynamodb.socket, middleware.clone(), stop.clone());
    tasks.spawn(dynamodb);
    let (hold_events, held) = watch::channel(false);
    let events = tokio::spawn(deliver(published, Arc::clone(&ses), sns, held, stop_events.clone()));
    lambda.warm_up();
    for poller in pollers {
        tasks.spawn(poller.run(stop_events.clone()));
    }
    let scheduler = scheduler(&lambda, clock, settings.repeats_schedules, &stop);
    Ok(LocalAws {
        url: at.front.url,
        dynamodb_url: at.dynamodb.url,
        ses_url: at.ses.url,
        sqs_url: at.sqs.url,
        sns_url: at.sns.url,
        cloudwatch_url: at.cloudwatch.url,
        queues: queue_urls(stack.queues),
        tables,
        environments,
        calls: middleware.calls,
        faults: middleware.faults,
        metrics: middleware.metrics,
        consumption: middleware.consumption,
        feed: ses.feed().clone(),
        readiness_path: application.readiness_path,
        data_dir: settings.data_dir,
        gateway,
        lambda,
        stop_front,
        front,
        hold_events,
        stop_events,
        events,
        stop,
        first_runs: scheduler.run_all(stack.schedules, &tasks),
        tasks,
    })
}

/// Takes the HTTP API out of a stack.
fn http_api(stack: &mut Stack) -> Result<HttpApi, StartError> {
    let incomplete = || StartError::Incomplete("HTTP API".to_owned());
    stack.http_api.take().ok_or_else(incomplete)
}

/// Makes the caller of the functions that run on a schedule.
fn scheduler(lambda: &Arc<Lambda>, clock: Clock, repeats: bool, stop: &CancellationToken) -> Scheduler {
    Scheduler {
        lambda: Arc::clone(lambda),
        clock,
        repeats,
        stop: stop.clone(),
    }
}

/// Makes the layer around every operation.
fn middleware(clock: &Clock, lambda: &Lambda) -> Middleware {
    Middleware {
        calls: Calls::default(),
        faults: Faults::new(clock.clone(), lambda.processes()),
        metrics: ServiceMetrics::new(clock.clone()),
        consumption: lambda.consumption().clone(),
    }
}

/// Finds the schedule that `/_local/schedule` runs.
fn watched_schedule(application: &Application, stack: &Stack) -> Result<Option<Schedule>, StartError> {
    let Some(logical_id) = application.watched_schedule else {
        return Ok(None);
    };
    let schedule = stack
        .schedules
        .iter()
        .find(|schedule| schedule.logical_id == logical_id);
    let incomplete = || StartError::Incomplete(format!("schedule {logical_id}"));
    schedule.cloned().map(Some).ok_or_else(incomplete)
}

/// Returns the URLs of the queues, by their logical ids.
fn queue_urls(queues: Vec<Queue>) -> BTreeMap<String, String> {
    queues.into_iter().map(|queue| (queue.logical_id, queue.url)).collect()
}

fn table_names(tables: Vec<Table>) -> BTreeMap<String, String> {
    tables.into_iter().map(|table| (table.logical_id, table.name)).collect()
}

/// Returns the variables of each function, by its name.
fn environments(functions: &[FunctionSettings]) -> BTreeMap<String, BTreeMap<String, String>> {
    let environment = |function: &FunctionSettings| (function.name.clone(), function.environment.clone());
    functions.iter().map(environment).collect()
}

/// Returns the topic of SES's events: that of the first configuration set that has one.
fn event_topic(sets: &[ConfigurationSet]) -> Option<String> {
    let mut destinations = sets.iter().flat_map(|set| &set.event_destinations);
    destinations.next().map(|destination| destination.topic_arn.clone())
}

/// Returns the settings of the SES account of a run.
fn ses_settings(run: &RunSettings, stack: &Stack) -> SesSettings {
    SesSettings {
        region: REGION.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
        configuration_sets: stack.configuration_sets.iter().map(configuration_set).collect(),
        production_access: !run.sandbox,
        verified: run.verified.clone(),
        outbox_file: run.data_dir.as_ref().map(DataDir::outbox),
        account_file: run.data_dir.as_ref().map(DataDir::account),
        leniency: run.leniency.clone(),
        id_tag: run.application.mail_id_tag.map(str::to_owned),
    }
}

fn configuration_set(set: &ConfigurationSet) -> SesConfigurationSet {
    let destination = set.event_destinations.first();
    SesConfigurationSet {
        name: set.name.clone(),
        event_types: destination
            .map(|destination| destination.event_types.clone())
            .unwrap_or_default(),
        topic_arn: destination.map(|destination| destination.topic_arn.clone()),
    }
}

/// Serves DynamoDB until `stop` is cancelled, and logs an error if it ends before that.
async fn serve_dynamodb(dynamodb: Dynamodb, socket: TcpListener, middleware: Middleware, stop: CancellationToken) {
    if let Err(error) = dynamodb.serve(socket, middleware, stop).await {
        tracing::error!("DynamoDB ended: {error}");
    }
}

/// Returns the routes behind the port of the HTTP API: the API itself, and what no other site may reach, the page and
/// `/_local/`.
fn front_router(local_api: LocalApi, page: Option<&'static str>, gateway: &Arc<Gateway>, hosts: Hosts) -> Router {
    let mut local = local_api.router();
    if let Some(page) = page {
        local = local.merge(page::router(page, gateway.router()));
    }
    local
        .layer(axum::middleware::from_fn_with_state(hosts, guard))
        .merge(gateway.router())
}

/// Serves these routes until `stop` is cancelled, and tells clients of SMTP which port is theirs.
async fn serve_front(socket: TcpListener, router: Router, smtp_port: Option<u16>, stop: CancellationToken) {
    let silent = SilentClients::GoAfter {
        silence: SMTP_PATIENCE,
        smtp_port,
    };
    server::serve_with(socket, router, None, silent, stop).await;
}

/// Opens the clock, which goes on from its setting in the data directory.
fn open_clock(data_dir: Option<&DataDir>) -> Result<Clock, StartError> {
    match data_dir {
        Some(data_dir) => Clock::kept_in(data_dir.clock()).map_err(StartError::Clock),
        None => Ok(Clock::default()),
    }
}
