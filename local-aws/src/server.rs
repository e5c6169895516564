//! The HTTP/1.1 server under every service of this crate.
//!
//! It drives hyper directly rather than through `axum::serve`, because it must do two things that AWS does to its
//! clients: close connections that stay idle, and cut one before an answer is written. Each connection is a task of its
//! own. [`SilentClients`] says what happens to clients of SMTP, which wait for the server's first word. When `stop` is
//! cancelled, requests in flight get [`GRACE`] to end, and [`serve`] returns once no task is left.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// The time that a request in flight has to end after `stop` is cancelled.
pub const GRACE: Duration = Duration::from_secs(1);

/// The pause after an error of accepting, such as running out of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// The first letters of the commands with which a client of SMTP begins. No method of HTTP has them.
const SMTP_COMMANDS: [&[u8; 4]; 7] = [b"EHLO", b"HELO", b"LHLO", b"MAIL", b"NOOP", b"RSET", b"QUIT"];

/// The most bytes of a client of SMTP that are read, so that it sees the answer and not a reset.
const SMTP_BYTES_MAX: usize = 4096;

/// The treatment of a client of SMTP, which says nothing at first or begins with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SilentClients {
    /// The server waits.
    Wait,
    /// After the `silence`, or at its first command, the server tells the client that the port does not speak SMTP, and
    /// closes the connection. A client of HTTP sees an unused connection that has ended.
    GoAfter {
        /// The time in which a client of HTTP begins.
        silence: Duration,
        /// The port that speaks SMTP, if there is one.
        smtp_port: Option<u16>,
    },
}

/// Returns the answer to a client of SMTP, in its protocol.
fn not_smtp(smtp_port: Option<u16>) -> String {
    let remedy = smtp_port.map(|port| format!(". The SMTP port is {port}"));
    format!(
        "554 5.5.1 This port speaks HTTP, not SMTP{}\r\n",
        remedy.unwrap_or_default()
    )
}

/// Marks a response that the server must not write: it cuts the connection instead.
///
/// A handler puts it into the response's extensions. The caller sees a connection that closes before the first byte of
/// an answer.
#[derive(Clone, Copy, Debug)]
pub struct CutConnection;

/// Serves `router` on `listener` until `stop` is cancelled, and returns when every connection has ended.
///
/// The server closes a connection on which no complete request head arrives within `idle`. Without `idle`, a connection
/// stays open until the peer closes it.
pub async fn serve(listener: TcpListener, router: Router, idle: Option<Duration>, stop: CancellationToken) {
    serve_with(listener, router, idle, SilentClients::Wait, stop).await;
}

/// Serves as [`serve`] does, and treats clients that say nothing as `silent` says.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    idle: Option<Duration>,
    silent: SilentClients,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _peer)) => {
                connections.spawn(connection(stream, router.clone(), idle, silent, stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Serves one connection until it ends, or until [`GRACE`] after `stop`.
async fn connection(
    mut stream: TcpStream,
    router: Router,
    idle: Option<Duration>,
    silent: SilentClients,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    if let SilentClients::GoAfter { silence, smtp_port } = silent {
        let mut first = [0; 4];
        let said = tokio::select! {
            said = tokio::time::timeout(silence, stream.peek(&mut first)) => said,
            () = stop.cancelled() => return,
        };
        first.make_ascii_uppercase();
        if said.is_err() || SMTP_COMMANDS.contains(&&first) {
            // A connection that closes with bytes unread is reset, and the answer is lost.
            let _ = stream.try_read(&mut [0; SMTP_BYTES_MAX]);
            // It fits into the empty buffer of a new connection.
            let _ = stream.try_write(not_smtp(smtp_port).as_bytes());
            let _ = stream.shutdown().await;
            return;
        }
    }
    let service = service_fn(move |request| answer(router.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);

    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(GRACE, connection).await {
                Ok(ended) => ended,
                Err(_) => Ok(()),
            }
        }
    };
    // A peer that goes away, an idle connection and a cut one all end here. None is an error of this server.
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Answers one request. An error makes hyper drop the connection without writing.
async fn answer(router: Router, request: Request<Incoming>) -> io::Result<Response> {
    let response = router
        .oneshot(request)
        .await
        .unwrap_or_else(|never: Infallible| match never {});
    if response.extensions().get::<CutConnection>().is_some() {
        return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut on purpose"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::time::Instant;

    use axum::response::IntoResponse;
    use axum::routing::get;
    use tokio::io::AsyncReadExt;
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

    struct Running {
        address: SocketAddr,
        stop: CancellationToken,
        task: JoinHandle<()>,
    }

    async fn run(router: Router, idle: Option<Duration>) -> Running {
        run_with(router, idle, SilentClients::Wait).await
    }

    async fn run_with(router: Router, idle: Option<Duration>, silent: SilentClients) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve_with(listener, router, idle, silent, stop.clone()));
        Running { address, stop, task }
    }

    fn hello() -> Router {
        Router::new().route("/", get(|| async { "hello" }))
    }

    /// Reads until the peer closes; a reset counts as closed.
    async fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
        let mut read = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut read));
        let _ = closed.await.expect("the server never closed");
        read
    }

    #[tokio::test]
    async fn answers_several_requests_on_one_connection() {
        let server = run(hello(), None).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        for _ in 0..2 {
            stream.write_all(HEAD).await.unwrap();
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(buffer[..read].ends_with(b"hello"));
        }
    }

    #[tokio::test]
    async fn closes_a_keep_alive_connection_that_stays_idle() {
        let server = run(hello(), Some(Duration::from_millis(100))).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(HEAD).await.unwrap();
        let started = Instant::now();
        let read = read_to_close(&mut stream).await;
        assert!(read.ends_with(b"hello"), "{}", String::from_utf8_lossy(&read));
        assert!(started.elapsed() >= Duration::from_millis(90));
    }

    #[tokio::test]
    async fn closes_a_connection_that_never_sends_a_request() {
        let server = run(hello(), Some(Duration::from_millis(100))).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(read_to_close(&mut stream).await, b"");
    }

    #[tokio::test]
    async fn tells_a_client_of_smtp_that_it_is_wrong() {
        let silent = |silence, smtp_port| SilentClients::GoAfter { silence, smtp_port };
        let server = run_with(hello(), None, silent(Duration::from_millis(50), None)).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let told = b"554 5.5.1 This port speaks HTTP, not SMTP\r\n";
        assert_eq!(read_to_close(&mut stream).await, told);
        // A client that does not wait for its turn is told at once.
        let server = run_with(hello(), None, silent(Duration::MAX, Some(1025))).await;
        for command in ["EHLO localhost\r\n", "helo x\r\n", "QUIT\r\n"] {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(command.as_bytes()).await.unwrap();
            let told = b"554 5.5.1 This port speaks HTTP, not SMTP. The SMTP port is 1025\r\n";
            assert_eq!(read_to_close(&mut stream).await, told, "{command}");
        }
        // Any other service answers in HTTP.
        let server = run(hello(), None).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"EHLO localhost\r\n").await.unwrap();
        let read = read_to_close(&mut stream).await;
        assert!(read.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&read));
    }

    #[tokio::test]
    async fn does_not_hurry_a_client_that_has_begun() {
        let silent = SilentClients::GoAfter {
            silence: Duration::from_millis(50),
            smtp_port: None,
        };
        let server = run_with(hello(), None, silent).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let (begin, end) = HEAD.split_at(5);
        stream.write_all(begin).await.unwrap();
        let mut buffer = [0; 1024];
        let silence = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut buffer));
        assert!(silence.await.is_err());
        stream.write_all(end).await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..read].ends_with(b"hello"));
    }

    #[tokio::test]
    async fn cuts_the_connection_without_a_byte_when_a_handler_asks_for_it() {
        let router = Router::new().route(
            "/",
            get(|| async {
                let mut response = "never seen".into_response();
                response.extensions_mut().insert(CutConnection);
                response
            }),
        );
        let server = run(router, None).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(HEAD).await.unwrap();
        assert_eq!(read_to_close(&mut stream).await, b"");
    }

    #[tokio::test]
    async fn stops_at_once_when_connections_are_idle() {
        let server = run(hello(), None).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(HEAD).await.unwrap();
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await.unwrap();

        let started = Instant::now();
        server.stop.cancel();
        server.task.await.unwrap();
        assert!(started.elapsed() < GRACE);
        assert_eq!(read_to_close(&mut stream).await, b"");
    }

    #[tokio::test]
    async fn lets_a_request_in_flight_finish_when_stopping() {
        let (started, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (started, finish) = (Arc::clone(&started), Arc::clone(&finish));
            move || async move {
                started.notify_one();
                finish.notified().await;
                "hello"
            }
        };
        let server = run(Router::new().route("/", get(handler)), None).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(HEAD).await.unwrap();
        started.notified().await;
        server.stop.cancel();
        finish.notify_one();
        server.task.await.unwrap();
        assert!(read_to_close(&mut stream).await.ends_with(b"hello"));
    }

    #[tokio::test]
    async fn leaves_no_task_behind_when_a_request_never_ends() {
        let started = Arc::new(Notify::new());
        let handler = {
            let started = Arc::clone(&started);
            move || async move {
                started.notify_one();
                std::future::pending::<&str>().await
            }
        };
        let server = run(Router::new().route("/", get(handler)), None).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(HEAD).await.unwrap();
        started.notified().await;
        server.stop.cancel();
        server.task.await.unwrap();
        assert_eq!(read_to_close(&mut stream).await, b"");
    }
}
