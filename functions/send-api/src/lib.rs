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
use lambda_runtime::{LambdaEvent, service_fn};
use runtime::config::Config;
use runtime::function;
use tokio::time::Instant;
use uuid::Uuid;

use authentication::Authentication;
use error::ApiError;
use request::Request;
use response::Response;
use route::Route;
use time::Time;

/// The function's timeout in the template, for callers that name no deadline.
const USUAL_TIMEOUT: Duration = Duration::from_secs(29);

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
        let aws = FunctionConfig::from_env(&config.region)?;
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
            usage: Usage::new(dynamodb.clone(), config.usage_table.clone(), config.region.clone()),
            permits: Permits::new(dynamodb, config.usage_table.clone(), &config.region, config.policy),
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
#[expect(
    clippy::disallowed_methods,
    reason = "the outermost function reads the clock and makes the ids"
)]
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let config = function::init()?;
    let clock = config.clock;
    let state = State::new(config).await.inspect_err(function::log_init_error)?;
    let state = &state;
    // On the heap, once: the futures of the SDK and the runtime nest deeper than the compiler likes to look.
    Box::pin(lambda_runtime::run(service_fn(
        move |event: LambdaEvent<ApiGatewayV2httpRequest>| async move {
            let ids = Ids {
                message: clock.new_id(),
                nonce: Uuid::new_v4(),
            };
            let now = clock.now();
            let deadline = Instant::now() + time_left(event.context.deadline, now);
            Ok::<_, lambda_runtime::Error>(handle(state, event.payload, now, deadline, ids).await)
        },
    )))
    .await
}

/// How long Lambda lets the invocation go on; `deadline` is in milliseconds since the epoch. One that has passed before the
/// invocation began is none: `cargo lambda watch` names such a time.
fn time_left(deadline: u64, now: Timestamp) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or(0);
    match deadline.saturating_sub(now) {
        0 => USUAL_TIMEOUT,
        left => Duration::from_millis(left),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_has_passed_already_is_none() {
        let now = Timestamp::from_millisecond(1_800_000_000_000).unwrap();
        assert_eq!(time_left(1_800_000_005_000, now), Duration::from_secs(5));
        for deadline in [0, 600_000, 1_800_000_000_000] {
            assert_eq!(time_left(deadline, now), USUAL_TIMEOUT, "{deadline}");
        }
    }
}
