//! Posts an event to a URL of the developer's choice, as the function `webhooks` posts it to an endpoint.
//!
//! The machine is the developer's own, so any URL is allowed, loopback and private addresses among them.

use std::error::Error;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use domain::webhook::signature::signatures;
use domain::webhook::{ANSWER_MAX, Attempt, Delivery, Secrets, SigningSecret};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use tokio::time::Instant;

/// How long the URL has for its answer: as long as an endpoint has.
const TIMEOUT: Duration = Duration::from_secs(15);

/// This machine trusts no certificate authority that can be read.
#[derive(Debug, thiserror::Error)]
#[error("the certificates that this machine trusts cannot be read: {0}. Install ca-certificates, or set SSL_CERT_FILE")]
pub(super) struct NoRoots(#[source] std::io::Error);

/// A URL that events are posted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForwardUrl(Uri);

impl FromStr for ForwardUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a URL to forward to is like http://127.0.0.1:8000/hook".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if !is_http || authority.is_empty() {
            return Err(wrong());
        }
        if authority.contains('@') {
            return Err("a URL to forward to has no user name and no password".to_owned());
        }
        Ok(Self(uri))
    }
}

/// A client that signs events and posts them to a URL.
pub(super) struct Forwarding {
    url: ForwardUrl,
    secrets: Secrets,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Forwarding {
    /// Makes the client. It trusts the certificate authorities that this machine trusts.
    pub(super) fn new(url: ForwardUrl, secret: &SigningSecret) -> Result<Self, NoRoots> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(NoRoots)?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            url,
            secrets: secrets(secret),
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    pub(super) fn url(&self) -> &Uri {
        &self.url.0
    }

    /// Posts an event, and returns the attempt that began at `at`. Redirects are not followed.
    #[expect(
        clippy::disallowed_methods,
        reason = "the receiver compares the time with its own clock"
    )]
    pub(super) async fn post(&self, delivery: &Delivery, at: Timestamp) -> Attempt {
        let started = Instant::now();
        let answered = tokio::time::timeout(TIMEOUT, self.answered(delivery, Timestamp::now())).await;
        let (status, error, answer) = match answered {
            Ok(Ok((status, answer))) => (Some(status), None, answer),
            Ok(Err(error)) => (None, Some(error), String::new()),
            Err(_) => {
                let seconds = TIMEOUT.as_secs();
                (None, Some(format!("no answer within {seconds} seconds")), String::new())
            }
        };
        Attempt {
            at,
            status,
            error,
            duration: started.elapsed(),
            answer,
        }
    }

    async fn answered(&self, delivery: &Delivery, signed_at: Timestamp) -> Result<(u16, String), String> {
        let request = self.request(delivery, signed_at).map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| cause(&error))?;
        let status = answer.status().as_u16();
        Ok((status, beginning(answer.into_body()).await))
    }

    fn request(&self, delivery: &Delivery, signed_at: Timestamp) -> Result<Request<Full<Bytes>>, http::Error> {
        let id = delivery.event.as_str();
        let seconds = signed_at.as_second();
        let signature = signatures(&self.secrets, &delivery.event, signed_at, &delivery.body);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.url.0.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("Okite/", env!("CARGO_PKG_VERSION")));
        for prefix in ["webhook", "svix"] {
            request = request
                .header(format!("{prefix}-id"), id)
                .header(format!("{prefix}-timestamp"), seconds)
                .header(format!("{prefix}-signature"), &signature);
        }
        request.body(Full::new(Bytes::from(delivery.body.clone())))
    }
}

/// The secrets of the requests: there is no other one before.
fn secrets(secret: &SigningSecret) -> Secrets {
    Secrets {
        current: secret.clone(),
        previous: None,
    }
}

/// Returns the innermost cause of an error: that nothing listens, that the name is unknown.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Reads the beginning of an answer. One that breaks off is as long as it is.
async fn beginning(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_MAX {
        let Some(Ok(frame)) = body.frame().await else { break };
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    bytes.truncate(ANSWER_MAX);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    // A character that replaces a byte is longer than the byte.
    text.truncate(text.floor_char_boundary(ANSWER_MAX));
    text
}

#[cfg(test)]
mod tests {
    use domain::webhook::{EventId, EventKind};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn delivery() -> Delivery {
        let created_at = Timestamp::UNIX_EPOCH;
        Delivery {
            endpoint: "a".to_owned(),
            event: EventId::of(created_at, &["x"]),
            kind: EventKind::EmailBounced,
            created_at,
            body: r#"{"type":"email.bounced"}"#.to_owned(),
            attempts: 0,
        }
    }

    fn forwarding(url: &str) -> Forwarding {
        Forwarding::new(url.parse().unwrap(), &SigningSecret::from_random([7; 32])).unwrap()
    }

    /// Answers one request on a port of its own. Returns the URL, and a task that returns the request.
    async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?a=b", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"}") {
                let mut part = [0; 1024];
                let count = stream.read(&mut part).await.unwrap();
                asked.extend_from_slice(&part[..count]);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        (url, asked)
    }

    #[tokio::test]
    async fn an_event_is_posted_with_a_signature_that_its_secret_made() {
        let (url, asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let attempt = forwarding(&url).post(&delivery(), Timestamp::UNIX_EPOCH).await;
        assert_eq!(
            (attempt.status, attempt.error, attempt.answer.as_str()),
            (Some(200), None, "ok")
        );
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{asked}");
        assert!(asked.ends_with("\r\n\r\n{\"type\":\"email.bounced\"}"), "{asked}");
        let header = |name: &str| {
            let lines = asked.lines();
            let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            values.next().unwrap_or_else(|| panic!("{name}: {asked}")).to_owned()
        };
        let signed_at = Timestamp::from_second(header("webhook-timestamp").parse().unwrap()).unwrap();
        let secrets = secrets(&SigningSecret::from_random([7; 32]));
        let signature = signatures(&secrets, &delivery().event, signed_at, &delivery().body);
        assert_eq!(header("webhook-signature"), signature);
        assert_eq!(header("webhook-id"), delivery().event.as_str());
        for name in ["id", "timestamp", "signature"] {
            assert_eq!(header(&format!("svix-{name}")), header(&format!("webhook-{name}")));
        }
        assert_eq!(header("content-type"), "application/json");
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let (url, asked) =
            server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
        let attempt = forwarding(&url).post(&delivery(), Timestamp::UNIX_EPOCH).await;
        assert_eq!((attempt.status, attempt.error), (Some(302), None));
        asked.await.unwrap();
    }

    #[tokio::test]
    async fn nothing_that_listens_is_an_attempt_without_a_status() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let attempt = forwarding(&format!("http://{free}/"))
            .post(&delivery(), Timestamp::UNIX_EPOCH)
            .await;
        assert_eq!(attempt.status, None);
        assert!(attempt.error.unwrap().to_lowercase().contains("refused"));
    }

    #[test]
    fn a_url_has_a_scheme_and_a_host_and_no_user() {
        for url in ["http://127.0.0.1:8000/hook", "https://localhost", "http://[::1]:8000/"] {
            assert!(url.parse::<ForwardUrl>().is_ok(), "{url}");
        }
        for url in [
            "",
            "127.0.0.1:8000",
            "/hook",
            "ftp://127.0.0.1/",
            "http://",
            "http://a:b@127.0.0.1/",
            "a b",
        ] {
            assert!(url.parse::<ForwardUrl>().is_err(), "{url}");
        }
    }
}
