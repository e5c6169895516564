//! One request to an endpoint: to addresses that were checked, within a time limit, and with an answer of bounded size.
//!
//! The client follows no redirects, reads no variables of proxies, asks for no compression and keeps no cookies. It
//! trusts Mozilla's roots, because an endpoint is anybody's server.
//!
//! | module | concept |
//! |---|---|
//! | `connector` | opens connections to addresses that were checked |
//! | `network` | the resolver and the sockets of the machine |
//! | `failure` | the reason why there was no answer |

mod connector;
mod failure;
mod network;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::webhook::ANSWER_MAX;
use domain::webhook::guard::EndpointUrl;
use domain::webhook::judgement::{AttemptError, AttemptOutcome};
use domain::webhook::schedule::retry_after;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;

pub(crate) use network::{Network, SystemNetwork};

use connector::GuardedConnector;

/// How long a request may take, from the look-up of the name to the end of the answer.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// The most bytes of an answer's head.
const HEAD_MAX: usize = 32 * 1_024;
/// An idle connection is reused within this time. Many servers close theirs after two seconds, and a request to a
/// connection that is being closed fails.
const IDLE_CONNECTION: Duration = Duration::from_secs(1);
/// The product and its version.
const PRODUCT: &str = concat!("Okite/", env!("CARGO_PKG_VERSION"));

/// The parts of a client that outlive an invocation: the trust, and the sessions of TLS.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    tls: Arc<ClientConfig>,
    network: Arc<dyn Network>,
    /// Whether 127.0.0.1 may be called.
    loopback: bool,
    limit: Duration,
}

/// A client that keeps connections open, for as long as an invocation: a frozen function does not notice that the other
/// side has closed a connection.
#[derive(Clone, Debug)]
pub(crate) struct RequestClient {
    client: Client<HttpsConnector<GuardedConnector>, Full<Bytes>>,
    limit: Duration,
}

/// The content of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedEvent<'a> {
    /// The id of the event.
    pub(crate) id: &'a str,
    /// When the request is made.
    pub(crate) at: Timestamp,
    /// The value of the header `webhook-signature`.
    pub(crate) signature: &'a str,
    /// The body that was signed.
    pub(crate) body: &'a str,
}

/// The end of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestEnd {
    /// The status of the answer, or the reason why there was none.
    pub(crate) outcome: AttemptOutcome,
    /// The beginning of the answer's body.
    pub(crate) answer: String,
    /// How long the request took.
    pub(crate) duration: Duration,
}

/// Returns Mozilla's roots.
pub(crate) fn public_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

impl Requests {
    /// Makes the parts of a client that trusts `roots`.
    ///
    /// # Errors
    /// [`rustls::Error`] if the TLS stack has no version of TLS.
    pub(crate) fn new(
        roots: RootCertStore,
        network: Arc<dyn Network>,
        loopback: bool,
        limit: Duration,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: Arc::new(tls),
            network,
            loopback,
            limit,
        })
    }

    /// Makes the client of an invocation.
    pub(crate) fn client(&self) -> RequestClient {
        let connector = GuardedConnector::new(Arc::clone(&self.network), self.loopback);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(HEAD_MAX)
            .build(HttpsConnector::from((connector, Arc::clone(&self.tls))));
        RequestClient {
            client,
            limit: self.limit,
        }
    }
}

impl RequestClient {
    /// Posts an event to a URL.
    pub(crate) async fn post(&self, url: &EndpointUrl, event: SignedEvent<'_>) -> RequestEnd {
        let started = Instant::now();
        let end = started + self.limit;
        let (outcome, answer) = match request(url, event) {
            Some(request) => self.send(request, event.at, end).await,
            None => (AttemptOutcome::Failed(AttemptError::NotAllowed), String::new()),
        };
        RequestEnd {
            outcome,
            answer,
            duration: started.elapsed(),
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>, now: Timestamp, end: Instant) -> (AttemptOutcome, String) {
        let answer = match tokio::time::timeout_at(end, self.client.request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return (AttemptOutcome::Failed(failure::of(&error)), String::new()),
            Err(_) => return (AttemptOutcome::Failed(AttemptError::TimedOut), String::new()),
        };
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let outcome = AttemptOutcome::Answered {
            status: answer.status().as_u16(),
            retry_after: wait.and_then(|wait| retry_after(wait, now)),
        };
        (outcome, beginning(answer.into_body(), end).await)
    }
}

/// Makes the request. Returns `None` if the URL is none of HTTP's, which the guard excludes.
fn request(url: &EndpointUrl, event: SignedEvent<'_>) -> Option<Request<Full<Bytes>>> {
    let uri: Uri = url.as_str().parse().ok()?;
    // Two parsers read the URL: the guard's and this one. They must agree about the host.
    let is_same = uri.host() == Some(url.host()) && uri.port_u16().is_none_or(|port| port == url.port());
    let mut request = Request::new(Full::new(Bytes::copy_from_slice(event.body.as_bytes())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers(event)?;
    is_same.then_some(request)
}

/// Makes the headers: those of Standard Webhooks, and the same under the older names of Svix, which some libraries
/// verify.
fn headers(event: SignedEvent<'_>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(PRODUCT));
    let id = HeaderValue::from_str(event.id).ok()?;
    let at = HeaderValue::from(event.at.as_second());
    let signature = HeaderValue::from_str(event.signature).ok()?;
    for [id_name, at_name, signature_name] in [
        ["webhook-id", "webhook-timestamp", "webhook-signature"],
        ["svix-id", "svix-timestamp", "svix-signature"],
    ] {
        headers.insert(id_name, id.clone());
        headers.insert(at_name, at.clone());
        headers.insert(signature_name, signature.clone());
    }
    Some(headers)
}

/// Reads the beginning of a body until `end`, and lets the rest be. The status has decided about the delivery, so a
/// body that is cut off or late changes nothing.
async fn beginning(mut body: Incoming, end: Instant) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_MAX {
        let Ok(Some(Ok(frame))) = tokio::time::timeout_at(end, body.frame()).await else {
            break;
        };
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    bytes.truncate(ANSWER_MAX);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    // A character that replaces a byte is longer than the byte.
    text.truncate(text.floor_char_boundary(ANSWER_MAX));
    text
}
