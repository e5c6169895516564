//! `/_local/`: reads and changes the simulated account. AWS has nothing like it.

mod body;
mod events;
mod guard;
mod hosts;
mod outbox;
mod visits;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::fault::{Fault, Faults};
use crate::feed::Feed;
use crate::services::lambda::{EventOutcome, Lambda};
use crate::services::ses::{AccountPatch, IdentityPatch, Ses};
use crate::services::sns::Sns;
use crate::services::sqs::Sqs;
use crate::template::Schedule;

pub(crate) use guard::guard;
pub(crate) use hosts::Hosts;

/// The largest body of a request, in bytes.
const BODY_MAX: usize = 10 * 1024 * 1024;
/// The largest number of copies of one event.
const COPIES_MAX: usize = 1_000;

/// The services that `/_local/` reads and changes.
#[derive(Debug)]
pub(crate) struct LocalApi {
    pub(crate) ses: Arc<Ses>,
    pub(crate) sns: Arc<Sns>,
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) feed: Feed,
    /// The logical ids of the tables, which faults may name.
    pub(crate) tables: Vec<String>,
    /// The names of the functions, which faults may name too.
    pub(crate) functions: Vec<String>,
    /// The topic of SES's events.
    pub(crate) event_topic: Option<String>,
    /// The schedule that is run by hand without its name.
    pub(crate) watched_schedule: Option<Schedule>,
    /// All schedules.
    pub(crate) schedules: Vec<Schedule>,
    /// Cancelled at shutdown.
    pub(crate) stop: CancellationToken,
}

/// The answer to a request that is invalid or failed.
struct LocalApiError(StatusCode, String);

impl IntoResponse for LocalApiError {
    fn into_response(self) -> Response {
        (self.0, axum::Json(json!({ "message": self.1 }))).into_response()
    }
}

impl LocalApiError {
    fn bad_request(message: impl std::fmt::Display) -> Self {
        Self(StatusCode::BAD_REQUEST, message.to_string())
    }
}

impl From<QueryRejection> for LocalApiError {
    fn from(error: QueryRejection) -> Self {
        Self::bad_request(body::unreadable_query(&error))
    }
}

type ChangeResult = Result<StatusCode, LocalApiError>;

impl LocalApi {
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/_local/outbox", get(outbox::list::list).delete(clear_outbox))
            .route("/_local/outbox/mark", post(outbox::list::mark))
            .route("/_local/outbox/delete", post(outbox::list::delete_chosen))
            .route("/_local/outbox/{id}", get(outbox::one).delete(outbox::list::delete_one))
            .route("/_local/outbox/{id}/checks", get(outbox::checks))
            .route("/_local/outbox/{id}/html", get(outbox::html))
            .route("/_local/outbox/{id}/source", get(outbox::source))
            .route("/_local/outbox/{id}/message.eml", get(outbox::message))
            .route("/_local/outbox/{id}/attachments/{index}", get(outbox::attachment))
            .route("/_local/outbox/{id}/open", post(visits::open))
            .route("/_local/outbox/{id}/click", post(visits::click))
            .route("/_local/events", get(events::follow))
            .route("/_local/account", get(account).put(update_account))
            .route("/_local/identities/{identity}", put(update_identity))
            .route("/_local/faults", get(faults).post(add_fault).delete(clear_faults))
            .route("/_local/held", get(held).delete(release))
            .route("/_local/clock", post(advance_clock))
            .route("/_local/sns", post(publish))
            .route("/_local/metrics", get(metrics))
            .route("/_local/notifications", get(notifications))
            .route("/_local/queues", get(queues))
            .route("/_local/queues/{name}", get(messages))
            .route("/_local/schedule", post(run_watched_schedule))
            .route("/_local/schedules/{logical_id}", post(run_schedule))
            .route("/_local", any(unknown))
            .route("/_local/", any(unknown))
            .route("/_local/{*rest}", any(unknown))
            .method_not_allowed_fallback(wrong_method)
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .with_state(Arc::new(self))
    }
}

/// Reads a JSON body of any content type.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, LocalApiError> {
    serde_json::from_slice(body).map_err(|error| LocalApiError::bad_request(body::unreadable(&error)))
}

async fn unknown() -> LocalApiError {
    LocalApiError(
        StatusCode::NOT_FOUND,
        "/_local/ has outbox, events, account, identities, faults, held, clock, sns, metrics, notifications, queues, \
         schedule and schedules"
            .to_owned(),
    )
}

async fn wrong_method() -> LocalApiError {
    LocalApiError(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path of /_local/ does not accept this method".to_owned(),
    )
}

async fn clear_outbox(State(api): State<Arc<LocalApi>>) -> ChangeResult {
    api.ses
        .clear_outbox()
        .map_err(|error| LocalApiError(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn account(State(api): State<Arc<LocalApi>>) -> Response {
    axum::Json(api.ses.account()).into_response()
}

async fn update_account(State(api): State<Arc<LocalApi>>, body: Bytes) -> ChangeResult {
    let patch: AccountPatch = read(&body)?;
    api.ses.update_account(&patch);
    Ok(StatusCode::NO_CONTENT)
}

async fn update_identity(State(api): State<Arc<LocalApi>>, Path(identity): Path<String>, body: Bytes) -> ChangeResult {
    let patch: IdentityPatch = read(&body)?;
    api.ses
        .update_identity(&identity, patch)
        .map_err(LocalApiError::bad_request)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_fault(State(api): State<Arc<LocalApi>>, body: Bytes) -> ChangeResult {
    let fault: Fault = read(&body)?;
    if let Some(table) = &fault.table
        && !api.tables.contains(table)
    {
        let tables = api.tables.join(", ");
        return Err(LocalApiError::bad_request(format_args!(
            "the template has no table {table:?}; it has {tables}"
        )));
    }
    if let Some(function) = &fault.function
        && !api.functions.contains(function)
    {
        let functions = api.functions.join(", ");
        return Err(LocalApiError::bad_request(format_args!(
            "the template has no function {function:?}; it has {functions}"
        )));
    }
    api.faults.add(fault);
    Ok(StatusCode::NO_CONTENT)
}

async fn faults(State(api): State<Arc<LocalApi>>) -> Response {
    axum::Json(api.faults.list()).into_response()
}

async fn clear_faults(State(api): State<Arc<LocalApi>>) -> StatusCode {
    api.faults.clear();
    StatusCode::NO_CONTENT
}

async fn held(State(api): State<Arc<LocalApi>>) -> Response {
    axum::Json(api.faults.held()).into_response()
}

/// Lets the held calls go on. It answers when the services have carried them out.
async fn release(State(api): State<Arc<LocalApi>>) -> StatusCode {
    api.faults.release().await;
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceClock {
    advance_ms: u64,
}

/// Sets the clock forward for the services and the functions.
async fn advance_clock(State(api): State<Arc<LocalApi>>, body: Bytes) -> ChangeResult {
    let AdvanceClock { advance_ms } = read(&body)?;
    api.clock
        .advance(Duration::from_millis(advance_ms))
        .map_err(LocalApiError::bad_request)?;
    api.lambda.renew();
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishQuery {
    #[serde(default = "one")]
    copies: usize,
}

fn one() -> usize {
    1
}

/// Publishes the body as a message of SES on the topic of its events, in parallel copies. It answers when every copy is
/// handled or has failed; a failed copy is in its queue by then.
async fn publish(
    State(api): State<Arc<LocalApi>>,
    copies: Result<Query<PublishQuery>, QueryRejection>,
    body: Bytes,
) -> Result<axum::Json<Value>, LocalApiError> {
    let Query(PublishQuery { copies }) = copies?;
    if !(1..=COPIES_MAX).contains(&copies) {
        return Err(LocalApiError::bad_request(format_args!(
            "`copies` must be 1 to {COPIES_MAX}"
        )));
    }
    let message = String::from_utf8(body.into());
    let message = message.map_err(|_| LocalApiError::bad_request("the body is not text in UTF-8"))?;
    let topic = api
        .event_topic
        .clone()
        .ok_or_else(|| LocalApiError::bad_request("the template has no topic for the events of SES"))?;
    let publish = |_| {
        let (sns, topic, message) = (Arc::clone(&api.sns), topic.clone(), message.clone());
        // They go on if the caller stops waiting for the answer.
        api.sns
            .publications
            .spawn(async move { matches!(sns.publish(&topic, &message).await, Ok(EventOutcome::Handled)) })
    };
    if let Ok(event) = serde_json::from_str(&message) {
        api.ses.note(&event);
    }
    let published: Vec<_> = (0..copies).map(publish).collect();
    let mut delivered = 0;
    for copy in published {
        delivered += usize::from(copy.await.unwrap_or(false));
    }
    Ok(axum::Json(
        json!({ "delivered": delivered, "failed": copies - delivered }),
    ))
}

async fn metrics(State(api): State<Arc<LocalApi>>) -> Response {
    axum::Json(api.lambda.metrics().list()).into_response()
}

async fn notifications(State(api): State<Arc<LocalApi>>) -> Response {
    axum::Json(api.sns.notifications()).into_response()
}

async fn queues(State(api): State<Arc<LocalApi>>) -> Result<Response, LocalApiError> {
    let queues = api
        .sqs
        .queues()
        .map_err(|error| LocalApiError(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(axum::Json(queues).into_response())
}

async fn messages(State(api): State<Arc<LocalApi>>, Path(name): Path<String>) -> Result<Response, LocalApiError> {
    let messages = api.sqs.messages_of(&name).ok_or_else(|| {
        LocalApiError(
            StatusCode::NOT_FOUND,
            format!("there is no queue {name:?}; /_local/queues lists the queues"),
        )
    })?;
    Ok(axum::Json(messages).into_response())
}

async fn run_watched_schedule(State(api): State<Arc<LocalApi>>) -> Result<Response, LocalApiError> {
    let schedule = api.watched_schedule.as_ref().ok_or_else(|| {
        LocalApiError::bad_request("the application has no schedule that can be run without its name")
    })?;
    api.run(schedule).await
}

async fn run_schedule(
    State(api): State<Arc<LocalApi>>,
    Path(logical_id): Path<String>,
) -> Result<Response, LocalApiError> {
    let schedule = api.schedules.iter().find(|schedule| schedule.logical_id == logical_id);
    let missing = || {
        let names: Vec<&str> = api
            .schedules
            .iter()
            .map(|schedule| schedule.logical_id.as_str())
            .collect();
        let message = format!(
            "the template has no schedule {logical_id:?}; it has {}",
            names.join(", ")
        );
        LocalApiError(StatusCode::NOT_FOUND, message)
    };
    api.run(schedule.ok_or_else(missing)?).await
}

impl LocalApi {
    /// Runs the function of a schedule and returns its answer.
    async fn run(&self, schedule: &Schedule) -> Result<Response, LocalApiError> {
        let input = Bytes::from(schedule.input.to_string());
        let report = self
            .lambda
            .invoke(&schedule.function, input)
            .await
            .map_err(|error| LocalApiError(StatusCode::BAD_GATEWAY, error.to_string()))?;
        Ok(([("content-type", "application/json")], report).into_response())
    }
}
