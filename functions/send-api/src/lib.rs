//! The send API: API Gateway calls it with an HTTP request, and it answers by the HTTP contract.
//!
//! | module | concept |
//! |---|---|
//! | `request`, `response` | HTTP in and out of the gateway's events |
//! | `route` | which path and method is which operation |
//! | `authentication` | API keys |
//! | `error` | every error a caller can get |
//! | `health`, `emails` | the operations, by noun and verb |
//!
//! The order of the checks is part of the contract: size, route, key, idempotency key, JSON, fields.

mod authentication;
mod emails;
mod error;
mod health;
mod request;
mod response;
mod route;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use shared::aws::{self, ApiKeys, Messages, Ses, Suppressions};
use shared::config::Config;
use shared::telemetry;
use uuid::Uuid;

use authentication::Authentication;
use error::ApiError;
use request::Request;
use response::Response;
use route::Route;

/// What the function keeps between invocations.
#[derive(Debug)]
pub struct State {
    config: Config,
    authentication: Authentication,
    suppressions: Suppressions,
    messages: Messages,
    ses: Ses,
}

/// The random values of one invocation.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    /// The id of the message that may be made (`UUIDv7`).
    pub message: Uuid,
    /// By which a write of this invocation is known again.
    pub nonce: Uuid,
}

impl State {
    /// Makes the clients for what the environment names.
    pub async fn new(config: Config) -> Self {
        let sdk = aws::function_config(&config.region).await;
        let dynamodb = aws::dynamodb(&sdk);
        Self {
            authentication: Authentication::new(ApiKeys::new(dynamodb.clone(), config.api_keys_table.clone())),
            suppressions: Suppressions::new(dynamodb.clone(), config.suppressions_table.clone()),
            messages: Messages::new(dynamodb, config.messages_table.clone()),
            ses: Ses::new(aws::sesv2(&sdk), config.configuration_set.clone()),
            config,
        }
    }
}

/// Runs the function until Lambda ends it.
///
/// # Errors
/// When the environment is not complete, or the Runtime API is gone.
#[expect(
    clippy::disallowed_methods,
    reason = "the outermost function reads the clock and makes the ids"
)]
pub async fn run() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let state = State::new(Config::from_env().inspect_err(|error| tracing::error!("{error}"))?).await;
    let state = &state;
    // On the heap, once: the futures of the SDK and the runtime nest deeper than the compiler likes to look.
    Box::pin(lambda_runtime::run(service_fn(
        move |event: LambdaEvent<ApiGatewayV2httpRequest>| async move {
            let ids = Ids {
                message: Uuid::now_v7(),
                nonce: Uuid::new_v4(),
            };
            Ok::<_, lambda_runtime::Error>(handle(state, event.payload, Timestamp::now(), ids).await)
        },
    )))
    .await
}

/// Answers one request. Whatever the caller wrote, the answer is a response and never an error of the function.
pub async fn handle(
    state: &State,
    event: ApiGatewayV2httpRequest,
    now: Timestamp,
    ids: Ids,
) -> ApiGatewayV2httpResponse {
    let response = match answer(state, event, now, ids).await {
        Ok(response) => response,
        Err(error) => {
            tracing::info!(status = error.status, name = error.name, "a request was refused");
            error.into()
        }
    };
    response.into()
}

async fn answer(state: &State, event: ApiGatewayV2httpRequest, now: Timestamp, ids: Ids) -> Result<Response, ApiError> {
    let request = Request::read(event)?;
    match Route::of(&request.method, &request.path)? {
        Route::Health => Ok(health::show()),
        Route::CreateEmail => emails::create(state, &request, now, ids).await,
    }
}
