//! Requests to receivers on this machine, and to names whose resolver answers as a test wants.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use domain::webhook::guard::UrlRules;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::network::Boxed;
use super::*;
use crate::receiver::{Receiver, Reply};

/// Longer than any test takes, and shorter than a person waits.
const LONG: Duration = Duration::from_mins(1);
/// For receivers that never answer.
const SHORT: Duration = Duration::from_millis(300);
/// An address that belongs to the public internet. No test connects to it.
const PUBLIC: &str = "8.8.8.8";

const EVENT: SignedEvent<'static> = SignedEvent {
    id: "msg_1",
    at: Timestamp::UNIX_EPOCH,
    signature: "v1,a v1,b",
    body: r#"{"type":"email.sent"}"#,
};

/// A network whose resolver gives these answers one after the other, and whose connections all go to one receiver.
#[derive(Debug, Default)]
struct TestNetwork {
    answers: Mutex<VecDeque<Vec<&'static str>>>,
    called: Mutex<Vec<SocketAddr>>,
    receiver: Option<SocketAddr>,
}

impl Network for TestNetwork {
    fn resolve<'a>(&'a self, _: &'a str) -> Boxed<'a, io::Result<Vec<IpAddr>>> {
        let answer = self.answers.lock().unwrap().pop_front();
        let addresses = answer.map(|answer| answer.into_iter().map(|text| text.parse().unwrap()).collect());
        Box::pin(std::future::ready(addresses.ok_or(io::ErrorKind::NotFound.into())))
    }

    fn connect(&self, address: SocketAddr) -> Boxed<'_, io::Result<TcpStream>> {
        self.called.lock().unwrap().push(address);
        match self.receiver {
            Some(receiver) => Box::pin(TcpStream::connect(receiver)),
            None => Box::pin(std::future::ready(Err(io::ErrorKind::ConnectionRefused.into()))),
        }
    }
}

impl TestNetwork {
    fn new(receiver: Option<SocketAddr>, answers: &[&[&'static str]]) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect()),
            called: Mutex::default(),
            receiver,
        })
    }

    fn called(&self) -> Vec<String> {
        self.called.lock().unwrap().iter().map(SocketAddr::to_string).collect()
    }
}

fn client_with(limit: Duration) -> RequestClient {
    Requests::new(RootCertStore::empty(), Arc::new(SystemNetwork), true, limit)
        .unwrap()
        .client()
}

fn url(text: &str) -> EndpointUrl {
    let rules = UrlRules {
        loopback: true,
        ..UrlRules::default()
    };
    EndpointUrl::parse(text, &rules).unwrap()
}

/// Posts once to a receiver that answers so.
async fn answered(reply: Reply) -> (RequestEnd, Receiver) {
    let receiver = Receiver::start(move |_, _| reply.clone()).await;
    let end = client_with(LONG).post(&url(&receiver.url()), EVENT).await;
    (end, receiver)
}

fn status(status: u16) -> AttemptOutcome {
    AttemptOutcome::Answered {
        status,
        retry_after: None,
    }
}

fn failed(error: AttemptError) -> AttemptOutcome {
    AttemptOutcome::Failed(error)
}

#[tokio::test]
async fn a_request_carries_the_body_and_both_sets_of_headers() {
    let (end, receiver) = answered(Reply::status(202)).await;
    assert_eq!((end.outcome, end.answer.as_str()), (status(202), "body"));
    let [request] = &receiver.received()[..] else {
        panic!("{:?}", receiver.received());
    };
    assert_eq!(request.head.lines().next(), Some("POST /hook HTTP/1.1"));
    assert_eq!(request.body, EVENT.body);
    for (name, value) in [
        ("host", receiver.address.to_string().as_str()),
        ("content-type", "application/json"),
        ("user-agent", concat!("Okite/", env!("CARGO_PKG_VERSION"))),
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", "0"),
        ("webhook-signature", "v1,a v1,b"),
        ("svix-id", "msg_1"),
        ("svix-timestamp", "0"),
        ("svix-signature", "v1,a v1,b"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!(request.header("accept-encoding"), None);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::start(|_, _| Reply::status(200)).await;
    for target in ["http://169.254.169.254/latest/meta-data/", &elsewhere.url()] {
        for code in [301, 302, 303, 307, 308] {
            let (end, receiver) = answered(Reply::with_header(code, &format!("location: {target}"))).await;
            assert_eq!(end.outcome, status(code));
            assert_eq!(receiver.received().len(), 1);
        }
    }
    assert_eq!(elsewhere.received(), []);
}

#[tokio::test]
async fn a_wait_that_the_receiver_asks_for_is_read() {
    let (end, _receiver) = answered(Reply::with_header(429, "retry-after: 120")).await;
    let expected = AttemptOutcome::Answered {
        status: 429,
        retry_after: Some(Duration::from_mins(2)),
    };
    assert_eq!(end.outcome, expected);
}

#[tokio::test]
async fn the_beginning_of_an_answer_is_kept() {
    let mut huge = b"HTTP/1.1 500 Error\r\ncontent-length: 100000000\r\n\r\n".to_vec();
    // The rest of the hundred megabytes never comes, and nobody waits for it.
    huge.extend_from_slice(&[b'a'; 10_000]);
    let (end, _receiver) = answered(Reply::Bytes(huge)).await;
    assert_eq!((end.outcome, end.answer), (status(500), "a".repeat(4_096)));
    // Bytes that are no text become replacement characters, which are longer.
    let mut odd = b"HTTP/1.1 500 Error\r\ncontent-length: 4096\r\n\r\n".to_vec();
    odd.extend_from_slice(&[0xff; 4_096]);
    let (end, _receiver) = answered(Reply::Bytes(odd)).await;
    assert_eq!(end.answer, "\u{fffd}".repeat(4_096 / 3));
}

#[tokio::test]
async fn a_body_that_never_ends_does_not_change_the_status() {
    let receiver =
        Receiver::start(|_, _| Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec())).await;
    let end = client_with(Duration::from_secs(3))
        .post(&url(&receiver.url()), EVENT)
        .await;
    assert_eq!((end.outcome, end.answer.as_str()), (status(200), "half"));
}

#[tokio::test]
async fn a_receiver_that_never_answers_has_failed() {
    let receiver = Receiver::start(|_, _| Reply::Never).await;
    let end = client_with(SHORT).post(&url(&receiver.url()), EVENT).await;
    assert_eq!(end.outcome, failed(AttemptError::TimedOut));
    assert!(end.duration >= SHORT);
}

#[tokio::test]
async fn a_receiver_without_an_answer_of_http_has_failed() {
    let endless_head = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'a'; HEAD_MAX + 1]].concat();
    for reply in [
        Reply::Last(Vec::new()),
        Reply::Last(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Reply::Last(b"220 mail.example.com ESMTP\r\n".to_vec()),
        Reply::Bytes(endless_head),
    ] {
        let (end, _receiver) = answered(reply.clone()).await;
        assert_eq!(end.outcome, failed(AttemptError::NoAnswer), "{reply:?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_named() {
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    let closed = receiver.url();
    drop(receiver);
    // The task of the receiver ends with its listener.
    tokio::task::yield_now().await;
    let end = client_with(LONG).post(&url(&closed), EVENT).await;
    assert_eq!(end.outcome, failed(AttemptError::NotConnected));
}

#[tokio::test]
async fn connections_are_reused_within_an_invocation() {
    const REQUESTS: usize = 20;
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    let client = client_with(LONG);
    for _ in 0..REQUESTS {
        assert_eq!(client.post(&url(&receiver.url()), EVENT).await.outcome, status(200));
    }
    // One that is still being read, or was idle for too long on a busy machine, is not.
    let connections = receiver.received().last().unwrap().connection + 1;
    assert!(connections < REQUESTS, "{connections}");
}

/// Posts to `https://hooks.example.com` by this network. No TLS server answers: what matters is who is called.
async fn post_by(network: &Arc<TestNetwork>) -> AttemptOutcome {
    let network = Arc::clone(network);
    let requests = Requests::new(RootCertStore::empty(), network, false, LONG).unwrap();
    requests
        .client()
        .post(&url("https://hooks.example.com/"), EVENT)
        .await
        .outcome
}

#[tokio::test]
async fn a_name_with_any_address_that_is_not_public_is_refused() {
    for answer in [
        &["127.0.0.1"][..],
        &["169.254.169.254"],
        &[PUBLIC, "10.0.0.1"],
        &["10.0.0.1", PUBLIC],
        &[PUBLIC, "fd00:ec2::254"],
        &[PUBLIC, PUBLIC, PUBLIC, PUBLIC, "::ffff:127.0.0.1"],
    ] {
        let network = TestNetwork::new(None, &[answer]);
        assert_eq!(post_by(&network).await, failed(AttemptError::NotPublic), "{answer:?}");
        assert_eq!(network.called(), [""; 0], "{answer:?}");
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_named() {
    for answers in [&[][..], &[&[][..]]] {
        let network = TestNetwork::new(None, answers);
        assert_eq!(post_by(&network).await, failed(AttemptError::NotResolved));
        assert_eq!(network.called(), [""; 0]);
    }
}

#[tokio::test]
async fn the_addresses_that_were_checked_are_called_one_after_the_other() {
    let network = TestNetwork::new(None, &[&[PUBLIC, "1.1.1.1", "2606:4700:4700::1111"], &["127.0.0.1"]]);
    assert_eq!(post_by(&network).await, failed(AttemptError::NotConnected));
    assert_eq!(
        network.called(),
        ["8.8.8.8:443", "1.1.1.1:443", "[2606:4700:4700::1111]:443"]
    );
    // It was resolved once.
    assert_eq!(network.answers.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_name_that_changes_its_address_between_requests_is_refused() {
    let network = TestNetwork::new(None, &[&[PUBLIC], &["127.0.0.1"]]);
    assert_eq!(post_by(&network).await, failed(AttemptError::NotConnected));
    assert_eq!(post_by(&network).await, failed(AttemptError::NotPublic));
    assert_eq!(network.called(), ["8.8.8.8:443"]);
}

#[tokio::test]
async fn the_connector_checks_addresses_of_urls_too() {
    let network = TestNetwork::new(None, &[]);
    for loopback in [true, false] {
        for (uri, refused) in [
            ("https://169.254.169.254/", true),
            ("http://10.0.0.1/", true),
            ("https://[::1]/", true),
            ("https://[fd00:ec2::254]/", true),
            ("http://127.0.0.2/", true),
            ("http://127.0.0.1/", !loopback),
        ] {
            let network = Arc::clone(&network);
            let mut connector = GuardedConnector::new(network, loopback);
            let error = connector.call(uri.parse().unwrap()).await.unwrap_err().0;
            assert_eq!(error == AttemptError::NotPublic, refused, "{uri} {loopback}");
        }
    }
    assert_eq!(network.called(), ["127.0.0.1:80"]);
}

/// A certificate for `name`, as a server has it and as a client trusts it.
fn certificate(name: &str) -> (TlsAcceptor, RootCertStore) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    (TlsAcceptor::from(Arc::new(server)), roots)
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_be_that_of_the_name() {
    for (certified, trusted, outcome) in [
        ("hooks.example.com", true, status(200)),
        ("hooks.example.com", false, failed(AttemptError::Tls)),
        ("other.example.com", true, failed(AttemptError::Tls)),
    ] {
        let (acceptor, roots) = certificate(certified);
        let roots = if trusted { roots } else { public_roots() };
        let receiver = Receiver::start_with_tls(acceptor).await;
        let network = TestNetwork::new(Some(receiver.address), &[&[PUBLIC]]);
        let requests = Requests::new(roots, network, false, LONG).unwrap();
        let end = requests
            .client()
            .post(&url("https://hooks.example.com/a?b=c"), EVENT)
            .await;
        assert_eq!(end.outcome, outcome, "{certified} {trusted}");
        let lines: Vec<String> = receiver
            .received()
            .iter()
            .map(|request| format!("{:?} {:?}", request.head.lines().next(), request.header("host")))
            .collect();
        match outcome {
            AttemptOutcome::Answered { .. } => {
                assert_eq!(lines, [r#"Some("POST /a?b=c HTTP/1.1") Some("hooks.example.com")"#]);
            }
            AttemptOutcome::Failed(_) => assert_eq!(lines, [""; 0]),
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_is_named() {
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    let url = url(&receiver.url().replace("http", "https"));
    let end = client_with(SHORT).post(&url, EVENT).await;
    // It waits for the rest of a request, until it is given up.
    assert!(
        matches!(
            end.outcome,
            AttemptOutcome::Failed(AttemptError::Tls | AttemptError::TimedOut)
        ),
        "{end:?}"
    );
    assert_eq!(receiver.received(), []);
}

#[test]
fn mozillas_roots_are_trusted() {
    assert!(public_roots().roots.len() > 100);
}
