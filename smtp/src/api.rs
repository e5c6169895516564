//! The client of Okite's HTTP API: version 2 of the API of SES.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use domain::api_key::ApiKey;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::rustls::crypto::ring;

use crate::answer::{self, Accepted, Refusal, RefusalKind};
use crate::mail_body::MailBody;
use crate::session::KeyStatus;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const WHEN_BUSY: HeaderName = HeaderName::from_static("okite-when-busy");
/// A mail without room now waits at Okite, unless its key says `refuse`.
const QUEUE: HeaderValue = HeaderValue::from_static("queue-unless-refused");

/// The time that a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The time that Okite has to answer. API Gateway answers after 30 s itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);
/// An idle connection is not used again after this time. The other side may have closed it, and a request that is
/// written to it looks exactly like one whose answer was lost.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);
/// The idle connections that are kept.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// The most bytes of an answer that are read.
const ANSWER_MAX: usize = 64 * 1024;

/// The URL of Okite's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUrl(String);

/// The text is not a URL of Okite's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApiUrl {
    /// The text has another form.
    #[error("give a URL such as https://abc.execute-api.eu-west-1.amazonaws.com")]
    Form,
    /// Everybody between here and the API could read the keys.
    #[error("use https: over http, API keys can be read on the way. Only addresses of this machine may use http")]
    ClearText,
}

impl FromStr for ApiUrl {
    type Err = InvalidApiUrl;

    fn from_str(text: &str) -> Result<Self, InvalidApiUrl> {
        let uri: Uri = text.parse().map_err(|_| InvalidApiUrl::Form)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(InvalidApiUrl::Form)?;
        let has_user = uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'));
        if uri.query().is_some() || has_user {
            return Err(InvalidApiUrl::Form);
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_this_machine(host) => {}
            Some("http") => return Err(InvalidApiUrl::ClearText),
            _ => return Err(InvalidApiUrl::Form),
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The certificates that this machine trusts cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the certificates that this machine trusts cannot be read: {0}. Install ca-certificates, or set SSL_CERT_FILE")]
pub struct NoRoots(#[source] std::io::Error);

/// A client of Okite's API. Its clones share its connections.
#[derive(Clone, Debug)]
pub struct Api {
    url: ApiUrl,
    client: Client<HttpsConnector<HttpConnector>, MailBody>,
    answer_timeout: Duration,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoAnswer {
    /// No connection was opened, so nothing was sent.
    Unreachable,
    /// The connection broke.
    Broken,
    /// The time was over.
    Late,
}

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Api {
    /// Makes a client. It trusts the certificate authorities that this machine trusts.
    ///
    /// # Errors
    /// [`NoRoots`] if they cannot be read.
    pub fn new(url: ApiUrl) -> Result<Self, NoRoots> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())
            .map_err(NoRoots)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        Ok(Self {
            url,
            client,
            answer_timeout: ANSWER_TIMEOUT,
        })
    }

    /// Changes the time that Okite has to answer.
    #[must_use]
    pub fn with_answer_timeout(self, answer_timeout: Duration) -> Self {
        Self { answer_timeout, ..self }
    }

    /// Asks Okite whether it knows a key, by a request that changes nothing.
    pub(crate) async fn check(&self, key: &ApiKey) -> KeyStatus {
        let answer = self
            .call(Method::GET, "/v2/email/account", key, None, MailBody::empty())
            .await;
        let Ok(Answer { status, headers, .. }) = answer else {
            return KeyStatus::Unknown;
        };
        if answer::is_unknown_key(status, &headers) {
            return KeyStatus::Wrong;
        }
        // A key that may not read the account is one that Okite knows.
        let is_known = status.is_success() || (status == StatusCode::FORBIDDEN && is_denied(&headers));
        if is_known { KeyStatus::Valid } else { KeyStatus::Unknown }
    }

    /// Sends a mail. A mail with an idempotency key is sent once more if the connection broke, which is the usual end
    /// of one that was open for long: Okite recognises the second request.
    pub(crate) async fn send(
        &self,
        key: &ApiKey,
        idempotency_key: Option<&str>,
        body: MailBody,
    ) -> Result<Accepted, Refusal> {
        const PATH: &str = "/v2/email/outbound-emails";
        let mut answer = self.call(Method::POST, PATH, key, idempotency_key, body.clone()).await;
        if matches!(answer, Err(NoAnswer::Broken)) && idempotency_key.is_some() {
            answer = self.call(Method::POST, PATH, key, idempotency_key, body).await;
        }
        match answer {
            Ok(Answer { status, headers, body }) => answer::read(status, &headers, &body),
            Err(NoAnswer::Unreachable) => Err(Refusal::new(
                RefusalKind::Unavailable,
                "Okite's API cannot be reached. Try again later",
            )),
            Err(NoAnswer::Broken | NoAnswer::Late) => Err(Refusal::new(
                RefusalKind::Unknown,
                "Okite's API did not answer, so it is unknown whether the mail was sent. Try again later",
            )),
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        key: &ApiKey,
        idempotency_key: Option<&str>,
        body: MailBody,
    ) -> Result<Answer, NoAnswer> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.reveal())).map_err(unbuilt)?;
        authorization.set_sensitive(true);
        let mut request = Request::builder()
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, authorization);
        if method == Method::POST {
            request = request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .header(WHEN_BUSY, QUEUE);
        }
        if let Some(key) = idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        let request = request.method(method).body(body).map_err(unbuilt)?;
        let answered = async {
            let answer = self.client.request(request).await.map_err(|error| {
                if error.is_connect() {
                    tracing::warn!(cause = cause(&error), "Okite's API cannot be reached");
                    NoAnswer::Unreachable
                } else {
                    NoAnswer::Broken
                }
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_MAX)
                .collect()
                .await
                .map_err(|_| NoAnswer::Broken)?;
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
            })
        };
        tokio::time::timeout(self.answer_timeout, answered)
            .await
            .unwrap_or(Err(NoAnswer::Late))
    }
}

/// No request could be made of a key that has the form of one and a URL that was parsed: nothing was sent.
fn unbuilt<E>(_: E) -> NoAnswer {
    NoAnswer::Unreachable
}

fn is_denied(headers: &HeaderMap) -> bool {
    let error_type = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    error_type.is_some_and(|error_type| error_type.starts_with("AccessDenied"))
}

/// Returns the innermost cause of an error. It names an operation of the network, and no address.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_keys_secret() {
        for url in [
            "https://abc.execute-api.eu-west-1.amazonaws.com",
            "https://okite.example.com/mail",
            "http://127.0.0.1:3000",
            "http://localhost:3000",
            "http://[::1]:3000",
        ] {
            assert_eq!(url.parse::<ApiUrl>().unwrap().to_string(), url);
            assert_eq!(format!("{url}/").parse::<ApiUrl>().unwrap().to_string(), url);
        }
        for (url, problem) in [
            ("http://okite.example.com", InvalidApiUrl::ClearText),
            ("http://10.0.0.1", InvalidApiUrl::ClearText),
            ("okite.example.com", InvalidApiUrl::Form),
            ("/v2", InvalidApiUrl::Form),
            ("ftp://okite.example.com", InvalidApiUrl::Form),
            ("https://me@okite.example.com", InvalidApiUrl::Form),
            ("https://okite.example.com/?a=b", InvalidApiUrl::Form),
            ("", InvalidApiUrl::Form),
        ] {
            assert_eq!(url.parse::<ApiUrl>(), Err(problem), "{url}");
        }
    }
}
