//! A receiver of webhooks on this machine, which tests tell how to answer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// The request line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
    /// Which connection it came by, from 0.
    pub(crate) connection: usize,
}

impl Received {
    /// Returns a header, whose name is written in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

/// How the receiver answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With these bytes, after which the connection stays open.
    Bytes(Vec<u8>),
    /// With these bytes, after which it closes the connection.
    Last(Vec<u8>),
    /// Not at all, while the connection stays open.
    Never,
}

impl Reply {
    /// An answer with this status, and a short body.
    pub(crate) fn status(status: u16) -> Self {
        Self::with_header(status, "x-test: 1")
    }

    /// An answer with this status and header.
    pub(crate) fn with_header(status: u16, header: &str) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status} Status\r\n{header}\r\ncontent-length: 4\r\n\r\nbody").into_bytes())
    }
}

type Behaviour = Arc<dyn Fn(usize, &Received) -> Reply + Send + Sync>;

/// A receiver that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    _serving: JoinSet<()>,
}

impl Receiver {
    /// Starts a receiver that answers the nth request, from 0, as `behaviour` says.
    pub(crate) async fn start(behaviour: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, Arc::new(behaviour)).await
    }

    /// Starts a receiver that speaks TLS, and accepts every event.
    pub(crate) async fn start_with_tls(acceptor: TlsAcceptor) -> Self {
        Self::serve(Some(acceptor), Arc::new(|_, _| Reply::status(200))).await
    }

    async fn serve(tls: Option<TlsAcceptor>, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        let all = Arc::clone(&received);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, all, behaviour) = (tls.clone(), Arc::clone(&all), Arc::clone(&behaviour));
                connections.spawn(async move {
                    let _ = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => answer_all(stream, connection, &all, &behaviour).await,
                            Err(error) => Err(error),
                        },
                        None => answer_all(stream, connection, &all, &behaviour).await,
                    };
                });
            }
        });
        Self {
            address,
            received,
            _serving: serving,
        }
    }

    /// Returns a URL of the receiver.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Returns all requests that came until now.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Returns the ids of the events that came until now.
    pub(crate) fn ids(&self) -> Vec<String> {
        let id = |request: &Received| request.header("webhook-id").unwrap_or_default().to_owned();
        self.received().iter().map(id).collect()
    }
}

async fn answer_all(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    all: &Mutex<Vec<Received>>,
    behaviour: &Behaviour,
) -> io::Result<()> {
    loop {
        let Some(request) = read(&mut stream, connection).await? else {
            return Ok(());
        };
        let reply = {
            let mut all = all.lock().unwrap();
            all.push(request.clone());
            behaviour(all.len() - 1, &request)
        };
        match reply {
            Reply::Bytes(bytes) => stream.write_all(&bytes).await?,
            Reply::Last(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Reply::Never => std::future::pending().await,
        }
        stream.flush().await?;
    }
}

/// Reads a request. Returns `None` if the connection was closed.
async fn read(stream: &mut (impl AsyncRead + Unpin), connection: usize) -> io::Result<Option<Received>> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Ok(Some(Received {
                    head: head.to_owned(),
                    body: body.to_owned(),
                    connection,
                }));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}
