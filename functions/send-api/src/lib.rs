//! The send API: the Lambda function that answers API Gateway's HTTP requests.
//!
//! | module | concept |
//! |---|---|
//! | `request`, `response` | converts the gateway's events to requests, and answers to the gateway's form |
//! | `json`, `unreadable` | parses bodies strictly, and says why a body is no JSON |
//! | `route` | finds the operation for a method and path |
//! | `not_offered` | says what to use instead of what only Resend's API has |
//! | `authentication` | checks API keys |
//! | `error` | every error that a caller can receive |
//! | `recipient` | a recipient's outcome in answers |
//! | `config` | the configuration of the function |
//! | `state` | the clients that the function keeps between invocations |
//! | `unsubscribe` | the public page of an unsubscribe link |
//! | `health`, `openapi`, `emails`, `suppressions`, `webhooks`, `quota` | the operations, by noun and verb |
//!
//! The contract fixes the order of the checks: size, route, API key, idempotency key, JSON, fields.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod authentication;
mod config;
#[cfg(test)]
mod document;
mod emails;
mod error;
mod health;
mod json;
mod not_offered;
mod openapi;
mod quota;
mod recipient;
mod request;
mod response;
mod route;
mod spelling;
mod state;
mod suppressions;
mod unreadable;
mod unsubscribe;
mod webhooks;

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use jiff::Timestamp;
use runtime::function::{self, Invocation};
use sending::Deadlines;
pub use sending::Ids;
use tokio::time::Instant;

pub use config::SendApiConfig;
pub use emails::{EmailId, email_json, find_email};
pub use state::SendApiState;
pub use webhooks::{RefusedAddress, check_webhook_address};

use error::ApiError;
use request::Request;
use response::Response;
use route::{Operation, Route};

/// The function's timeout in the template.
const TIMEOUT: Duration = Duration::from_secs(29);

/// Runs the function until Lambda ends it.
///
/// # Errors
/// If a variable is missing or invalid, or the Runtime API is unreachable.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    function::run(
        env!("CARGO_CRATE_NAME"),
        TIMEOUT,
        SendApiConfig::read,
        SendApiState::new,
        async |state: &SendApiState, call: Invocation<ApiGatewayV2httpRequest>| {
            let ids = Ids {
                message: call.ids.new_id(),
                nonce: call.ids.new_nonce(),
            };
            Ok(handle(state, call.event, call.now, call.deadline, ids).await)
        },
    )
    .await
}

/// Answers one request before Lambda ends the invocation at `deadline`. Every request, however malformed, receives a
/// response; the function itself never fails.
pub async fn handle(
    state: &SendApiState,
    event: ApiGatewayV2httpRequest,
    now: Timestamp,
    deadline: Instant,
    ids: Ids,
) -> ApiGatewayV2httpResponse {
    let deadlines = Deadlines::new(now, deadline);
    let response = match answer(state, event, &deadlines, ids).await {
        Ok(response) => response,
        Err(error) => {
            log(&error);
            error.into()
        }
    };
    let allowance = state.sending.allowance(deadlines.now());
    response.with_allowance(allowance).into()
}

/// Logs an error answer. It has no `cause`: the code that finds the cause logs it, so that the alarms count it once.
fn log(error: &ApiError) {
    let (status, name) = (error.status, error.name);
    tracing::info!(status, name, "a request received an error");
}

async fn answer(
    state: &SendApiState,
    event: ApiGatewayV2httpRequest,
    deadlines: &Deadlines,
    ids: Ids,
) -> Result<Response, ApiError> {
    let request = Request::read(event)?;
    let Route { operation, named, part } = Route::of(request.method.as_str(), &request.path)?;
    match operation {
        Operation::ShowHealth => Ok(health::show()),
        Operation::ShowOpenApi => Ok(openapi::show()),
        // On the heap: the futures of the SDK and the runtime nest deeper than the compiler likes to look.
        Operation::CreateEmail => Box::pin(emails::create(state, &request, deadlines, ids)).await,
        Operation::CreateBatch => Box::pin(emails::create_batch(state, &request, deadlines, ids)).await,
        Operation::ListEmails => Box::pin(emails::list(state, &request, deadlines)).await,
        Operation::ShowEmail => Box::pin(emails::show(state, &request, deadlines, &named)).await,
        Operation::RescheduleEmail => Box::pin(emails::reschedule(state, &request, deadlines, ids, &named)).await,
        Operation::CancelEmail => Box::pin(emails::cancel(state, &request, deadlines, ids, &named)).await,
        Operation::ListSuppressions => Box::pin(suppressions::list(state, &request, deadlines)).await,
        Operation::CreateSuppression => Box::pin(suppressions::create(state, &request, deadlines, ids)).await,
        Operation::CreateSuppressions => Box::pin(suppressions::create_all(state, &request, deadlines, ids)).await,
        Operation::LiftSuppressions => Box::pin(suppressions::lift_all(state, &request, deadlines)).await,
        Operation::ShowSuppression => Box::pin(suppressions::show(state, &request, deadlines, &named)).await,
        Operation::LiftSuppression => Box::pin(suppressions::lift(state, &request, deadlines, &named)).await,
        Operation::CreateWebhook => Box::pin(webhooks::create(state, &request, deadlines, ids)).await,
        Operation::ListWebhooks => Box::pin(webhooks::list(state, &request, deadlines)).await,
        Operation::ShowWebhook => Box::pin(webhooks::show(state, &request, deadlines, &named)).await,
        Operation::UpdateWebhook => Box::pin(webhooks::update(state, &request, deadlines, &named)).await,
        Operation::DeleteWebhook => Box::pin(webhooks::delete(state, &request, deadlines, &named)).await,
        Operation::RotateWebhookSecret => Box::pin(webhooks::rotate(state, &request, deadlines, &named)).await,
        Operation::ListWebhookEvents => Box::pin(webhooks::events(state, &request, deadlines, &named)).await,
        Operation::ShowWebhookEvent => Box::pin(webhooks::event(state, &request, deadlines, &named, &part)).await,
        Operation::ListWebhookAttempts => Box::pin(webhooks::attempts(state, &request, deadlines, &named, &part)).await,
        Operation::ReplayWebhookEvent => Box::pin(webhooks::replay(state, &request, deadlines, &named, &part)).await,
        Operation::ShowUnsubscribe => Ok(Box::pin(unsubscribe::show(state, &request, deadlines, &named)).await),
        Operation::Unsubscribe => Ok(Box::pin(unsubscribe::choose(state, &request, deadlines, ids, &named)).await),
        Operation::ShowQuota => Box::pin(quota::show(state, &request, deadlines)).await,
    }
}
