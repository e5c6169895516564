//! The listeners of a server, and its graceful stop: from then on, no connection is accepted, idle ones are closed, and
//! mails on their way have the grace to end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::connection::{self, Client};
use crate::settings::ServerSettings;
use crate::shared::Shared;
use crate::slots::NoSlot;

/// The pause after an error of accepting, such as running out of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// A port on which a server listens.
#[derive(Debug)]
pub struct Door {
    /// The listener.
    pub listener: TcpListener,
    /// Whether its connections are encrypted from the first byte.
    pub is_implicit_tls: bool,
}

/// A server. Its clones are the same one.
#[derive(Clone, Debug)]
pub struct Server(Arc<Shared>);

impl Server {
    /// Makes a server.
    #[must_use]
    pub fn new(settings: ServerSettings) -> Self {
        Self(Arc::new(Shared::new(settings)))
    }

    /// Accepts connections until [`Self::stop`], and returns when the last one has ended, or when the grace is over.
    pub async fn serve(&self, doors: Vec<Door>) {
        let tasks = TaskTracker::new();
        for door in doors {
            tasks.spawn(self.clone().accept(door, tasks.clone()));
        }
        tasks.close();
        self.0.stop.cancelled().await;
        if tokio::time::timeout(self.0.limits.grace, tasks.wait()).await.is_err() {
            tracing::warn!(
                connections = self.0.slots.taken(),
                "mails were still on their way when the grace was over"
            );
            self.0.end.cancel();
            tasks.wait().await;
        }
    }

    /// Begins the graceful stop.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// Returns whether the graceful stop has begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stop.is_cancelled()
    }

    /// Returns the counters in the text format of Prometheus.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        self.0.metrics.text(self.0.slots.taken())
    }

    async fn accept(self, door: Door, tasks: TaskTracker) {
        let Door {
            listener,
            is_implicit_tls,
        } = door;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.0.stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.begin(stream, peer, is_implicit_tls, &tasks),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    /// Gives a connection a place and a task of its own.
    fn begin(&self, stream: TcpStream, peer: SocketAddr, is_implicit_tls: bool, tasks: &TaskTracker) {
        let shared = Arc::clone(&self.0);
        let address = peer.ip().to_canonical();
        let slot = match shared.slots.take(address) {
            Ok(slot) => slot,
            Err(full) => {
                shared.metrics.connections_refused.add(1);
                refuse(&stream, full);
                return;
            }
        };
        shared.metrics.connections.add(1);
        let client = Client {
            connection: shared.next_connection(),
            is_local: address.is_loopback(),
            is_implicit_tls,
        };
        tasks.spawn(async move {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
            tokio::select! {
                () = connection::serve(Box::new(stream), client, &shared) => {}
                () = shared.end.cancelled() => {}
            }
            drop(slot);
        });
    }
}

/// Tells a client that there is no place, without waiting for it. The few bytes fit into the empty buffer of a new
/// connection.
fn refuse(stream: &TcpStream, full: NoSlot) {
    let text: &[u8] = match full {
        NoSlot::Full => b"421 4.3.2 Too many connections. Try again later\r\n",
        NoSlot::Client => b"421 4.7.0 Too many connections from your address\r\n",
    };
    match stream.try_write(text) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
            tracing::debug!(%error, "a client without a place went away");
        }
        _ => {}
    }
}
