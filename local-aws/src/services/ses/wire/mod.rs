//! The `SESv2` API as it is on the wire: REST with JSON bodies.
//!
//! Each route is wrapped in [`carry_out`], which wants a signature (any), lets a fault befall the
//! call, and numbers the answer. Whatever has no route is refused by name, never answered with an
//! empty success. This is also where the clock is read and ids are made.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use uuid::Uuid;

use super::Ses;
use super::error::SesError;
use crate::fault;
use crate::lambda::environment_of;

mod account;
mod configuration_sets;
mod identities;
mod input;
mod send;
mod suppression;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The operations that are served, by the names that faults give them.
pub(crate) const OPERATIONS: [&str; 13] = [
    "SendEmail",
    "GetAccount",
    "PutAccountSendingAttributes",
    "PutSuppressedDestination",
    "ListSuppressedDestinations",
    "GetSuppressedDestination",
    "DeleteSuppressedDestination",
    "ListEmailIdentities",
    "CreateEmailIdentity",
    "GetEmailIdentity",
    "GetConfigurationSet",
    "PutConfigurationSetSendingOptions",
    "GetConfigurationSetEventDestinations",
];

pub(super) fn router(ses: &Arc<Ses>) -> Router {
    let named = |operation: &'static str, handler: MethodRouter<Arc<Ses>>| {
        let call = Call {
            ses: Arc::clone(ses),
            operation,
        };
        handler.layer(middleware::from_fn_with_state(call, carry_out))
    };
    let suppressed = named("PutSuppressedDestination", put(suppression::put))
        .merge(named("ListSuppressedDestinations", get(suppression::list)));
    let one_suppressed = named("GetSuppressedDestination", get(suppression::get))
        .merge(named("DeleteSuppressedDestination", delete(suppression::delete)));
    // Newer SDKs list identities by POST to a path of its own, older ones by GET to this one.
    let all_identities = named("CreateEmailIdentity", post(identities::create))
        .merge(named("ListEmailIdentities", get(identities::list_by_query)));
    Router::new()
        .route("/v2/email/outbound-emails", named("SendEmail", post(send::send_email)))
        .route("/v2/email/account", named("GetAccount", get(account::get)))
        .route(
            "/v2/email/account/sending",
            named("PutAccountSendingAttributes", put(account::put_sending)),
        )
        .route("/v2/email/suppression/addresses", suppressed)
        .route("/v2/email/suppression/addresses/{address}", one_suppressed)
        .route("/v2/email/identities", all_identities)
        .route(
            "/v2/email/list-identities",
            named("ListEmailIdentities", post(identities::list_by_body)),
        )
        .route(
            "/v2/email/identities/{identity}",
            named("GetEmailIdentity", get(identities::get)),
        )
        .route(
            "/v2/email/configuration-sets/{name}",
            named("GetConfigurationSet", get(configuration_sets::get)),
        )
        .route(
            "/v2/email/configuration-sets/{name}/sending",
            named(
                "PutConfigurationSetSendingOptions",
                put(configuration_sets::put_sending),
            ),
        )
        .route(
            "/v2/email/configuration-sets/{name}/event-destinations",
            named(
                "GetConfigurationSetEventDestinations",
                get(configuration_sets::event_destinations),
            ),
        )
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        // A mail of 40 MB is more than axum takes by itself.
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(ses))
}

/// What [`carry_out`] knows about the route it wraps.
#[derive(Clone)]
struct Call {
    ses: Arc<Ses>,
    operation: &'static str,
}

/// Carries out one call, unless it lacks a signature or a fault prevents it.
async fn carry_out(State(call): State<Call>, request: Request, next: Next) -> Response {
    if !is_signed(&request) {
        return numbered(SesError::MissingAuthenticationToken.into_response());
    }
    let Call { ses, operation } = call;
    let environment = environment_of(request.headers());
    let asked = fault::Call {
        operation,
        tables: Vec::new(),
        environment,
    };
    let Some(effect) = ses.faults.take(&asked) else {
        return numbered(next.run(request).await);
    };
    // A call that is carried out later must not need its connection any more.
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return fault::cut();
    };
    let carry_out = next.run(Request::from_parts(head, body.into()));
    let refuse = |code, message| SesError::Injected { code, message }.into_response();
    numbered(ses.faults.befall(effect, environment, carry_out, refuse).await)
}

fn is_signed(request: &Request) -> bool {
    request.headers().contains_key(header::AUTHORIZATION)
}

/// Refuses what has no route. A client that only warms its connection up asks for `/`, unsigned.
async fn unknown(method: Method, uri: Uri, request: Request) -> Response {
    let warm_up = method == Method::GET && uri.path() == "/";
    let error = if warm_up || is_signed(&request) {
        SesError::UnknownOperation(format!("The SES simulator does not carry out {method} {}.", uri.path()))
    } else {
        SesError::MissingAuthenticationToken
    };
    numbered(error.into_response())
}

/// Gives the answer the id by which AWS's support would find it.
fn numbered(mut response: Response) -> Response {
    if let Ok(id) = HeaderValue::from_str(&new_id().to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

#[expect(
    clippy::disallowed_methods,
    reason = "the edge of the simulator, where its ids are made"
)]
fn new_id() -> Uuid {
    Uuid::new_v4()
}

#[cfg(test)]
mod tests;
