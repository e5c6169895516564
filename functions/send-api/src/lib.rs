//! The send API: API Gateway calls it with an HTTP request, and it answers by the HTTP contract.
//!
//! | module | concept |
//! |---|---|
//! | `request`, `response` | HTTP in and out of the gateway's events |
//! | `json` | bodies into values, each field once |
//! | `route` | which path and method is which operation |
//! | `authentication` | API keys |
//! | `error` | every error a caller can get |
//! | `time` | how much of it an invocation has |
//! | `health`, `openapi`, `emails`, `suppressions`, `quota` | the operations, by noun and verb |
//!
//! The order of the checks is part of the contract: size, route, key, idempotency key, JSON, fields.

mod authentication;
mod config;
mod emails;
mod error;
mod health;
mod json;
mod openapi;
mod quota;
mod request;
mod response;
mod route;
mod suppressions;
mod time;

use std::time::Duration;

use aws::{
    ApiKeys, Claims, FunctionConfig, Marks, Messages, Permits, Ses, SesSuppressionList, Suppressions, TrustError, Usage,
};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use jiff::Timestamp;
use runtime::function::{self, Invocation};
use tokio::time::Instant;
use uuid::Uuid;

pub use config::Config;

use authentication::Authentication;
use error::ApiError;
use request::Request;
use response::Response;
use route::Route;
use time::Time;

/// The function's timeout in the template.
const TIMEOUT: Duration = Duration::from_secs(29);

/// How long init waits for the gate: what it does not learn, the first permit does.
const INIT_PATIENCE: Duration = Duration::from_secs(1);

/// What the function keeps between invocations.
#[derive(Debug)]
pub struct State {
    config: Config,
    authentication: Authentication,
    suppressions: Suppressions,
    claims: Claims,
    messages: Messages,
    marks: Marks,
    permits: Permits,
    ses: Ses,
    ses_list: SesSuppressionList,
    usage: Usage,
}

/// The random values of one invocation.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    /// The id of the message that may be made (`UUIDv7`).
    pub message: Uuid,
    /// By which a write of this invocation is known again, and from which its delays are drawn.
    pub nonce: Uuid,
}

impl State {
    /// Makes the clients for what the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if they cannot speak TLS.
    pub async fn new(config: Config) -> Result<Self, TrustError> {
        let aws = FunctionConfig::from_env(&config.process.region)?;
        let state = Self::with_clients(config, aws.dynamodb(), aws.sesv2());
        // Two connections to DynamoDB, for two requests at a time. One is opened by a request that is of use: it also brings
        // the code of the SDK into memory while there is a whole core to do it.
        let gate = tokio::time::timeout(INIT_PATIENCE, state.permits.look());
        let (..) = tokio::join!(gate, aws.open_dynamodb(), aws.open_sesv2());
        Ok(state)
    }

    /// Works with these clients: see [`aws::dynamodb`] and [`aws::sesv2`].
    #[must_use]
    pub fn with_clients(config: Config, dynamodb: aws_sdk_dynamodb::Client, ses: aws_sdk_sesv2::Client) -> Self {
        Self {
            authentication: Authentication::new(ApiKeys::new(dynamodb.clone(), config.api_keys_table.clone())),
            suppressions: Suppressions::new(dynamodb.clone(), config.suppressions_table.clone()),
            claims: Claims::new(dynamodb.clone(), config.messages_table.clone()),
            messages: Messages::new(dynamodb.clone(), config.messages_table.clone()),
            marks: Marks::new(dynamodb.clone(), config.usage_table.clone()),
            usage: Usage::new(
                dynamodb.clone(),
                config.usage_table.clone(),
                config.process.region.clone(),
            ),
            permits: Permits::new(
                dynamodb,
                config.usage_table.clone(),
                &config.process.region,
                config.policy,
            ),
            ses_list: SesSuppressionList::new(ses.clone()),
            ses: Ses::new(ses, config.configuration_set.clone()),
            config,
        }
    }
}

/// Runs the function until Lambda ends it.
///
/// # Errors
/// When the environment is not complete, or the Runtime API is gone.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    function::run(
        TIMEOUT,
        Config::read,
        State::new,
        async |state: &State, call: Invocation<ApiGatewayV2httpRequest>| {
            let ids = Ids {
                message: call.ids.new_id(),
                nonce: call.ids.new_nonce(),
            };
            Ok(handle(state, call.event, call.now, call.deadline, ids).await)
        },
    )
    .await
}

/// Answers one request, before Lambda ends the invocation at `deadline`. Whatever the caller wrote, the answer is a response and never an error of the function.
pub async fn handle(
    state: &State,
    event: ApiGatewayV2httpRequest,
    now: Timestamp,
    deadline: Instant,
    ids: Ids,
) -> ApiGatewayV2httpResponse {
    let time = Time::new(now, deadline);
    let response = match answer(state, event, &time, ids).await {
        Ok(response) => response,
        Err(error) => {
            tracing::info!(
                status = error.status,
                name = error.name,
                "a request was answered with an error"
            );
            error.into()
        }
    };
    let allowance = state.permits.allowance(time.at(Instant::now()));
    response.telling(allowance).into()
}

async fn answer(state: &State, event: ApiGatewayV2httpRequest, time: &Time, ids: Ids) -> Result<Response, ApiError> {
    let request = Request::read(event)?;
    match Route::of(&request.method, &request.path)? {
        Route::Health => Ok(health::show()),
        Route::OpenApi => Ok(openapi::show()),
        // On the heap, for the same reason as the runtime's future in `run`.
        Route::CreateEmail => Box::pin(emails::create(state, &request, time, ids)).await,
        Route::CreateBatch => Box::pin(emails::create_batch(state, &request, time, ids)).await,
        Route::ListSuppressions => Box::pin(suppressions::list(state, &request, time)).await,
        Route::CreateSuppression => Box::pin(suppressions::create(state, &request, time, ids)).await,
        Route::ShowSuppression(which) => Box::pin(suppressions::show(state, &request, time, &which)).await,
        Route::LiftSuppression(which) => Box::pin(suppressions::lift(state, &request, time, &which)).await,
        Route::CreateSuppressions => Box::pin(suppressions::create_all(state, &request, time, ids)).await,
        Route::LiftSuppressions => Box::pin(suppressions::lift_all(state, &request, time)).await,
        Route::ShowQuota => Box::pin(quota::show(state, &request, time)).await,
        Route::ListEmails => Box::pin(emails::list(state, &request, time)).await,
        Route::ShowEmail(id) => Box::pin(emails::show(state, &request, time, &id)).await,
    }
}
