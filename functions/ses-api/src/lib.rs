//! The SES API: the Lambda function that answers in the HTTP contract of Amazon SES, for applications that speak to SES
//! through an AWS SDK.
//!
//! | module | concept |
//! |---|---|
//! | `request` | a request, read from the gateway's event |
//! | `authentication` | finds the API key that a request proves to have |
//! | [`credentials`] | what a request proves its caller with: a signature, or an API key |
//! | [`signature`] | the check of requests that an AWS SDK signed |
//! | [`v1`] | version 1 of the API: forms and XML |
//! | [`v2`] | version 2 of the API: JSON |
//! | [`send`] | the mail that a request of either version asks to send |
//! | [`repeat`] | the key by which a repeated request is recognised |
//! | [`identity`], `known_identities` | the identities of the account |
//! | `operations` | the operations, carried out |
//! | [`fault`] | every error that a caller can receive, in the form of both versions |
//! | `refusal` | the answer to a mail that was not sent |
//! | [`mod@answer`] | an HTTP answer |
//! | `xml` | writes XML |
//! | `state` | the clients that the function keeps between invocations |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod answer;
mod authentication;
pub mod credentials;
pub mod fault;
pub mod identity;
mod known_identities;
mod operations;
mod refusal;
pub mod repeat;
mod request;
pub mod send;
pub mod signature;
mod state;
pub mod v1;
pub mod v2;
mod xml;

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use front::FrontConfig;
use jiff::Timestamp;
use runtime::function::{self, Invocation};
use sending::{Deadlines, Ids};
use tokio::time::Instant;
use uuid::Uuid;

pub use state::SesApiState;

use answer::{ApiAnswer, Protocol};
use fault::ApiFault;
use operations::Call;
use request::ApiRequest;

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
        FrontConfig::read,
        SesApiState::new,
        async |state: &SesApiState, call: Invocation<ApiGatewayV2httpRequest>| {
            let ids = Ids {
                message: call.ids.new_id(),
                nonce: call.ids.new_nonce(),
            };
            let request_id = call.ids.new_nonce();
            Ok(handle(state, call.event, call.now, call.deadline, ids, request_id).await)
        },
    )
    .await
}

/// Answers one request before Lambda ends the invocation at `deadline`. Every request, however malformed, receives a
/// response; the function itself never fails.
pub async fn handle(
    state: &SesApiState,
    event: ApiGatewayV2httpRequest,
    now: Timestamp,
    deadline: Instant,
    ids: Ids,
    request_id: Uuid,
) -> ApiGatewayV2httpResponse {
    let deadlines = Deadlines::new(now, deadline);
    let (request, decoded) = ApiRequest::read(event);
    let protocol = Protocol::of(&request.path);
    // On the heap: the futures of the SDK and the runtime nest deeper than the compiler likes to look.
    let answered = match decoded {
        Ok(()) => Box::pin(answer(state, &request, &deadlines, ids, request_id)).await,
        Err(fault) => Err(fault),
    };
    let answer = answered.unwrap_or_else(|fault| {
        log(&fault);
        fault.answer(protocol, request_id)
    });
    response(answer)
}

/// Logs an error answer. It has no `cause`: the code that finds the cause logs it, so that the alarms count it once.
fn log(fault: &ApiFault) {
    tracing::info!(kind = ?fault.kind, "a request received an error");
}

async fn answer(
    state: &SesApiState,
    request: &ApiRequest,
    deadlines: &Deadlines,
    ids: Ids,
    request_id: Uuid,
) -> Result<ApiAnswer, ApiFault> {
    let api_key = state.authentication.authenticate(request, deadlines).await?;
    let call = Call {
        state,
        request,
        api_key: &api_key,
        deadlines,
        ids,
        request_id,
    };
    call.answer(Protocol::of(&request.path)).await
}

fn response(answer: ApiAnswer) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = answer.status.into();
    response.headers = answer.headers;
    response.body = Some(Body::Text(answer.body));
    response
}
