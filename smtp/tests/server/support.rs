//! A server on a free port, the fake API behind it, and a client that says exactly what a test wants.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::api_key::ApiKey;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use smtp::{Api, Door, Limits, Server, ServerSettings};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The key that the fake API knows.
pub(crate) const KEY: &str = "ok_1_secret";
/// How long anything may take at the very most.
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap()
}

/// A request that the fake API received.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    pub(crate) fn is_mail(&self) -> bool {
        self.path == "/v2/email/outbound-emails"
    }

    pub(crate) fn mail(&self) -> Vec<u8> {
        STANDARD
            .decode(self.body["Content"]["Raw"]["Data"].as_str().unwrap())
            .unwrap()
    }

    pub(crate) fn recipients(&self) -> Vec<&str> {
        let to = self.body["Destination"]["ToAddresses"].as_array().unwrap();
        to.iter().map(|to| to.as_str().unwrap()).collect()
    }
}

/// The fake API's treatment of a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Answers.
    With(u16, Vec<(&'static str, String)>, Value),
    /// Closes the connection.
    Cut,
    /// Never answers.
    Never,
    /// Answers a mail for each permit that the test gives.
    When(Arc<tokio::sync::Semaphore>),
}

pub(crate) fn ok() -> Answer {
    Answer::With(200, vec![("x-okite-id", "01".to_owned())], json!({"MessageId": "0100"}))
}

pub(crate) fn error(status: u16, error_type: &str, message: &str) -> Answer {
    Answer::With(
        status,
        vec![("x-amzn-errortype", error_type.to_owned())],
        json!({"message": message}),
    )
}

/// Knows one key, and takes every mail.
pub(crate) fn usual(request: &Request) -> Answer {
    if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
        return error(403, "UnrecognizedClientException", "The key is unknown.");
    }
    if request.is_mail() {
        ok()
    } else {
        Answer::With(200, vec![], json!({}))
    }
}

type Rule = Arc<dyn Fn(&Request, usize) -> Answer + Send + Sync>;

/// A fake of Okite's API.
#[derive(Clone)]
pub(crate) struct FakeApi {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    arrived: Arc<tokio::sync::Notify>,
}

impl FakeApi {
    /// Starts it with a rule, which gets each request and the number of requests before.
    pub(crate) async fn start(rule: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            arrived: Arc::default(),
        };
        let (rule, server): (Rule, Self) = (Arc::new(rule), fake.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (server, rule) = (server.clone(), Arc::clone(&rule));
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (server, rule) = (server.clone(), Arc::clone(&rule));
                    async move { server.answer(request, &rule).await }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        fake
    }

    async fn answer(
        self,
        request: http::Request<hyper::body::Incoming>,
        rule: &Rule,
    ) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let request = Request {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        };
        let answer = {
            let mut requests = self.requests.lock().unwrap();
            let answer = rule(&request, requests.len());
            requests.push(request);
            answer
        };
        self.arrived.notify_one();
        let (status, headers, body) = match answer {
            Answer::With(status, headers, body) => (status, headers, body),
            Answer::Cut => return Err(std::io::Error::other("cut")),
            Answer::Never => std::future::pending::<Infallible>().await.into_answer(),
            Answer::When(go) => {
                go.acquire().await.unwrap().forget();
                (200, vec![], json!({"MessageId": "0100"}))
            }
        };
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        Ok(response.body(Full::new(Bytes::from(body.to_string()))).unwrap())
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn mails(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_mail).collect()
    }

    /// Waits for a request that no earlier wait was for.
    pub(crate) async fn arrived(&self) {
        within(self.arrived.notified()).await;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

trait IntoAnswer {
    fn into_answer(self) -> (u16, Vec<(&'static str, String)>, Value);
}

impl IntoAnswer for Infallible {
    fn into_answer(self) -> (u16, Vec<(&'static str, String)>, Value) {
        match self {}
    }
}

/// A server of a test's own.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) task: JoinHandle<()>,
}

pub(crate) fn settings(url: &str) -> ServerSettings {
    ServerSettings {
        api: Api::new(url.parse().unwrap()).unwrap(),
        limits: Limits {
            connections_per_client: 1_000,
            ..Limits::default()
        },
        tls: None,
        default_key: Some(ApiKey::parse(KEY).unwrap()),
        http_url: None,
    }
}

impl Running {
    /// Starts a server like that of `okite up`.
    pub(crate) async fn start(url: &str) -> Self {
        Self::start_with(settings(url), false).await
    }

    pub(crate) async fn start_with(settings: ServerSettings, is_implicit_tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(settings);
        let doors = vec![Door {
            listener,
            is_implicit_tls,
        }];
        let running = server.clone();
        let task = tokio::spawn(async move { running.serve(doors).await });
        Self { server, address, task }
    }

    pub(crate) async fn client(&self) -> Client<TcpStream> {
        let mut client = Client::new(TcpStream::connect(self.address).await.unwrap());
        assert_eq!(client.reply().await, "220 okite ESMTP");
        client
    }

    /// A client that has said EHLO.
    pub(crate) async fn greeted(&self) -> Client<TcpStream> {
        let mut client = self.client().await;
        client.says("EHLO test", "250-").await;
        client
    }
}

/// A client that says exactly what a test wants.
pub(crate) struct Client<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream.into_inner()
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.stream.write_all(bytes.as_ref())).await.unwrap();
        within(self.stream.flush()).await.unwrap();
    }

    /// Reads an answer with all of its lines; an empty text if the server has closed the connection.
    pub(crate) async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            let read = within(self.stream.read_line(&mut line)).await;
            if read.is_err() || line.is_empty() {
                return reply;
            }
            reply.push_str(line.trim_end());
            if line.as_bytes().get(3) == Some(&b' ') {
                return reply;
            }
            reply.push('\n');
        }
    }

    /// Sends a line and compares the beginning of the answer.
    pub(crate) async fn says(&mut self, line: &str, begin: &str) -> String {
        self.write(format!("{line}\r\n")).await;
        let reply = self.reply().await;
        assert!(reply.starts_with(begin), "{line:?}: {reply:?}, not {begin:?}");
        reply
    }

    /// Sends a mail and returns the last answer.
    pub(crate) async fn sends(&mut self, recipients: &[&str], mail: &str) -> String {
        self.says("MAIL FROM:<a@example.com>", "250 2.1.0").await;
        for recipient in recipients {
            self.says(&format!("RCPT TO:<{recipient}>"), "250 2.1.5").await;
        }
        self.says("DATA", "354 ").await;
        self.write(format!("{mail}\r\n.\r\n")).await;
        self.reply().await
    }

    /// Reads until the server closes the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset counts as closed.
        let _ = within(self.stream.read_to_end(&mut rest)).await;
        rest
    }
}

/// A mail with a Message-ID.
pub(crate) const MAIL: &str =
    "From: Ada <ada@example.com>\r\nTo: b@example.net\r\nMessage-ID: <1@example.com>\r\nSubject: Hi\r\n\r\nHello";

pub(crate) fn plain(key: &str) -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0me\0{key}")))
}
