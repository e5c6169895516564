//! A server that answers as a test wants. It runs in threads of its own, so it can act while the client does nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc as blocking};
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tokio::sync::mpsc;

/// An event of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A request came, over the connection with this number.
    Request { connection: usize, head: String },
    /// The server closed this connection, or found it closed.
    Closed { connection: usize },
}

/// A reply to a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// These bytes. The connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, and then the end of the connection.
    Last(Vec<u8>),
}

impl Reply {
    /// An answer with a body.
    pub(super) fn ok(body: &str) -> Self {
        Self::text(&format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// These bytes as an answer.
    pub(super) fn text(bytes: &str) -> Self {
        Self::Bytes(bytes.as_bytes().to_vec())
    }

    /// These bytes as the last ones of the connection.
    pub(super) fn last(bytes: &str) -> Self {
        Self::Last(bytes.as_bytes().to_vec())
    }

    /// No answer, while the connection stays open.
    pub(super) fn none() -> Self {
        Self::Bytes(Vec::new())
    }
}

/// A running server. Its threads end with the test.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    /// Closes the connection that listens for it.
    close: blocking::Sender<()>,
}

type Behaviour = dyn Fn(usize, usize, &str) -> Reply + Send + Sync;

impl Server {
    /// Starts a server. `behaviour` gets the number of the connection, that of the request on it, and its head.
    pub(super) fn start(behaviour: impl Fn(usize, usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, Arc::new(behaviour))
    }

    /// Starts a server that speaks TLS with a certificate for `name`. Returns the roots that trust it.
    pub(super) fn with_tls(name: &str, behaviour: fn(usize, usize, &str) -> Reply) -> (Self, RootCertStore) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        (Self::serve(Some(Arc::new(config)), Arc::new(behaviour)), roots)
    }

    fn serve(tls: Option<Arc<ServerConfig>>, behaviour: Arc<Behaviour>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let (close, closing) = blocking::channel();
        let closing = Arc::new(std::sync::Mutex::new(closing));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let stream = stream.unwrap();
                let (tls, sender, behaviour) = (tls.clone(), sender.clone(), Arc::clone(&behaviour));
                let (socket, closing) = (stream.try_clone().unwrap(), Arc::clone(&closing));
                let ended = stream.try_clone().unwrap();
                // `Server::close_first` closes the first connection, whatever its thread waits for.
                if connection == 0 {
                    let sender = sender.clone();
                    thread::spawn(move || {
                        if closing.lock().unwrap().recv().is_ok() {
                            let _ = socket.shutdown(Shutdown::Both);
                            let _ = sender.send(Event::Closed { connection });
                        }
                    });
                }
                thread::spawn(move || {
                    match tls {
                        Some(config) => {
                            let session = ServerConnection::new(config).unwrap();
                            let mut stream = StreamOwned::new(session, stream);
                            answer_all(&mut stream, connection, &sender, &*behaviour);
                            stream.conn.send_close_notify();
                            let _ = stream.flush();
                        }
                        None => answer_all(&mut { stream }, connection, &sender, &*behaviour),
                    }
                    // Other handles of the socket are open.
                    let _ = ended.shutdown(Shutdown::Both);
                    let _ = sender.send(Event::Closed { connection });
                });
            }
        });
        Self { address, events, close }
    }

    /// Closes the first connection, and returns when it is closed. The client's runtime does not run meanwhile.
    pub(super) fn close_first(&mut self) {
        self.close.send(()).unwrap();
        while self.events.blocking_recv_here() != (Event::Closed { connection: 0 }) {}
    }

    /// Waits for the next event.
    pub(super) async fn event(&mut self) -> Event {
        self.events.recv().await.unwrap()
    }

    /// Waits until a connection is closed.
    pub(super) async fn closed(&mut self, connection: usize) {
        while self.event().await != (Event::Closed { connection }) {}
    }

    /// Returns the connection of each request that came until now.
    pub(super) fn connections(&mut self) -> Vec<usize> {
        let mut connections = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let Event::Request { connection, .. } = event {
                connections.push(connection);
            }
        }
        connections
    }
}

/// Waits for an event without giving the runtime of the test a turn.
trait BlockingHere {
    fn blocking_recv_here(&mut self) -> Event;
}

impl BlockingHere for mpsc::UnboundedReceiver<Event> {
    fn blocking_recv_here(&mut self) -> Event {
        loop {
            match self.try_recv() {
                Ok(event) => return event,
                Err(_) => thread::yield_now(),
            }
        }
    }
}

fn answer_all(
    stream: &mut (impl Read + Write),
    connection: usize,
    events: &mpsc::UnboundedSender<Event>,
    behaviour: &Behaviour,
) {
    for nth in 0.. {
        let Some(head) = read(stream) else { return };
        let reply = behaviour(connection, nth, &head);
        let _ = events.send(Event::Request { connection, head });
        let (Reply::Bytes(bytes) | Reply::Last(bytes)) = &reply;
        if stream.write_all(bytes).and_then(|()| stream.flush()).is_err() || matches!(reply, Reply::Last(_)) {
            return;
        }
    }
}

/// Reads a request and returns its head; `None` if the connection is closed.
fn read(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    Some(head)
}
