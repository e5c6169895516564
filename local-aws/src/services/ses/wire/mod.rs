//! The SES API on the wire: REST with JSON bodies.
//!
//! [`routes`] is the one list of what is served. A request must carry a signature, of which nothing but its presence is
//! checked. A request without a route is refused by name and never answered with an empty success.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use serde_json::Value;
use tower::ServiceExt;

use super::Ses;
use super::error::SesError;
use super::ids::new_id;
use super::operations::{account, configuration_sets, identities, send, suppression};
use super::raw;
use crate::catalogue::AwsService;
use crate::middleware::{Access, Operation, WireRequest, WireService};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// An operation's method and path, its name, and the function that carries it out.
type Route = (Method, &'static str, &'static str, MethodRouter<Arc<Ses>>);

/// Lists the routes. `{…}` in a path stands for one segment.
fn routes() -> [Route; 15] {
    const SET: &str = "/v2/email/configuration-sets/{set}";
    const SET_SENDING: &str = "/v2/email/configuration-sets/{set}/sending";
    const SET_DESTINATIONS: &str = "/v2/email/configuration-sets/{set}/event-destinations";
    const SUPPRESSED: &str = "/v2/email/suppression/addresses";
    const ONE_SUPPRESSED: &str = "/v2/email/suppression/addresses/{address}";
    const IDENTITIES: &str = "/v2/email/identities";
    let (get_method, put_method) = (Method::GET, Method::PUT);
    [
        (
            Method::POST,
            "/v2/email/outbound-emails",
            "SendEmail",
            post(send::send_email),
        ),
        (get_method.clone(), "/v2/email/account", "GetAccount", get(account::get)),
        (
            put_method.clone(),
            "/v2/email/account/sending",
            "PutAccountSendingAttributes",
            put(account::put_sending),
        ),
        (
            put_method.clone(),
            SUPPRESSED,
            "PutSuppressedDestination",
            put(suppression::put),
        ),
        (
            get_method.clone(),
            SUPPRESSED,
            "ListSuppressedDestinations",
            get(suppression::list),
        ),
        (
            get_method.clone(),
            ONE_SUPPRESSED,
            "GetSuppressedDestination",
            get(suppression::get),
        ),
        (
            Method::DELETE,
            ONE_SUPPRESSED,
            "DeleteSuppressedDestination",
            delete(suppression::delete),
        ),
        (
            Method::POST,
            IDENTITIES,
            "CreateEmailIdentity",
            post(identities::create),
        ),
        // Older SDKs list identities by GET; newer ones POST to a path of its own.
        (
            get_method.clone(),
            IDENTITIES,
            "ListEmailIdentities",
            get(identities::list_by_query),
        ),
        (
            Method::POST,
            "/v2/email/list-identities",
            "ListEmailIdentities",
            post(identities::list_by_body),
        ),
        (
            get_method.clone(),
            "/v2/email/identities/{identity}",
            "GetEmailIdentity",
            get(identities::get),
        ),
        (
            put_method.clone(),
            "/v2/email/identities/{identity}/mail-from",
            "PutEmailIdentityMailFromAttributes",
            put(identities::put_mail_from),
        ),
        (
            get_method.clone(),
            SET,
            "GetConfigurationSet",
            get(configuration_sets::get),
        ),
        (
            put_method,
            SET_SENDING,
            "PutConfigurationSetSendingOptions",
            put(configuration_sets::put_sending),
        ),
        (
            get_method,
            SET_DESTINATIONS,
            "GetConfigurationSetEventDestinations",
            get(configuration_sets::event_destinations),
        ),
    ]
}

/// The simulator as callers reach it.
pub(super) struct SesWire {
    router: Router,
    /// The operations by method and path.
    names: Vec<(Method, &'static str, &'static str)>,
    /// The beginning of an ARN, before `identity/…` or `configuration-set/…`.
    arn_prefix: String,
}

impl SesWire {
    pub(super) fn new(ses: &Arc<Ses>) -> Self {
        let mut router = Router::new();
        let mut names = Vec::new();
        for (method, path, operation, handler) in routes() {
            router = router.route(path, handler);
            names.push((method, path, operation));
        }
        Self {
            router: router
                .fallback(unknown)
                .method_not_allowed_fallback(unknown)
                // A mail of 40 MB is more than axum takes by itself.
                .layer(DefaultBodyLimit::disable())
                .with_state(Arc::clone(ses)),
            names,
            arn_prefix: format!("arn:aws:ses:{}:{}:", ses.region, ses.account_id),
        }
    }

    /// Returns the permissions of an operation that IAM checks.
    fn access(&self, operation: &'static str, path: &str, body: &[u8]) -> Vec<Access> {
        let prefix = &self.arn_prefix;
        let named = |position: usize| path.split('/').nth(position).unwrap_or_default();
        let mut action = operation;
        let resources = match operation {
            // SES checks both the identity that sends, by its domain, and the configuration set.
            "SendEmail" => {
                let mail: Value = serde_json::from_slice(body).unwrap_or_default();
                let (sender, set) = if let Some(inputs) = raw::permission_inputs(&mail) {
                    action = "SendRawEmail";
                    inputs
                } else {
                    let text = |member: &str| mail[member].as_str().map(str::to_owned);
                    (
                        text("FromEmailAddress").unwrap_or_default(),
                        text("ConfigurationSetName"),
                    )
                };
                let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
                let identity = format!("{prefix}identity/{}", domain.trim_end_matches('>'));
                let set = set.map(|set| format!("{prefix}configuration-set/{set}"));
                std::iter::once(identity).chain(set).collect()
            }
            "GetEmailIdentity" | "PutEmailIdentityMailFromAttributes" => {
                vec![format!("{prefix}identity/{}", named(4))]
            }
            "GetConfigurationSet" | "PutConfigurationSetSendingOptions" | "GetConfigurationSetEventDestinations" => {
                vec![format!("{prefix}configuration-set/{}", named(4))]
            }
            // The account and its suppression list are no resources in IAM.
            _ => vec!["*".to_owned()],
        };
        let access = |resource| Access::new(action, resource);
        resources.into_iter().map(access).collect()
    }
}

impl WireService for SesWire {
    const SERVICE: AwsService = AwsService::Ses;
    const BODY_MAX: usize = usize::MAX;

    fn operation(&self, WireRequest { head, body }: &WireRequest) -> Option<Operation> {
        if !is_signed(head) {
            return None;
        }
        let path = head.uri.path();
        let is_asked = |(method, route, _): &&(Method, &str, &str)| *method == head.method && is_on(route, path);
        Some(match self.names.iter().find(is_asked) {
            Some((_, _, name)) => Operation::allowed_by(*name, self.access(name, path, body)),
            // No policy allows an action of this name.
            None => Operation::on(format!("{} {path}", head.method), "*"),
        })
    }

    async fn carry_out(self: Arc<Self>, WireRequest { head, body }: WireRequest) -> Response {
        // A client that only opens its connection asks for `/` without a signature.
        let opens_connection = head.method == Method::GET && head.uri.path() == "/";
        if !is_signed(&head) && !opens_connection {
            return numbered(SesError::MissingAuthenticationToken.into_response());
        }
        let answer = self.router.clone().oneshot(Request::from_parts(head, Body::from(body)));
        numbered(answer.await.unwrap_or_else(|never| match never {}))
    }

    fn refuse(&self, code: String, message: String) -> Response {
        numbered(SesError::Injected { code, message }.into_response())
    }
}

/// Returns whether a path has the form of a route.
fn is_on(route: &str, path: &str) -> bool {
    let (mut route, mut path) = (route.split('/'), path.split('/'));
    loop {
        match (route.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == found || (wanted.starts_with('{') && !found.is_empty()) => {}
            _ => return false,
        }
    }
}

fn is_signed(head: &Parts) -> bool {
    head.headers.contains_key(header::AUTHORIZATION)
}

/// Refuses a request without a route.
async fn unknown(request: Request) -> SesError {
    SesError::UnknownOperation(format!(
        "The SES simulator does not carry out {} {}.",
        request.method(),
        request.uri().path()
    ))
}

/// Adds a request id to an answer.
fn numbered(mut response: Response) -> Response {
    if let Ok(id) = HeaderValue::from_str(&new_id().to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

#[cfg(test)]
mod tests;
