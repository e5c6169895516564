//! The idle connections of a connector, by the authority that they lead to.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::{Authority, Scheme};
use tokio::time::Instant;

use super::exchange::Connection;

/// The most idle connections. The oldest one is closed for another.
const IDLE_MAX: usize = 100;

/// The server that a connection leads to: its scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) is_tls: bool,
    pub(super) authority: Authority,
}

impl Origin {
    /// Returns the server of a URL; `None` if it is not one of HTTP.
    pub(super) fn of(url: &Uri) -> Option<Self> {
        let scheme = url.scheme()?;
        let is_tls = *scheme == Scheme::HTTPS;
        let is_http = is_tls || *scheme == Scheme::HTTP;
        let authority = url.authority().filter(|authority| !authority.host().is_empty())?;
        is_http.then(|| Self {
            is_tls,
            authority: authority.clone(),
        })
    }

    /// Returns the name or the address of the host, without the brackets of an IPv6 address.
    pub(super) fn host(&self) -> &str {
        let host = self.authority.host();
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// Returns the port.
    pub(super) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(self.default_port())
    }

    /// Returns the value of the header `host`: without the port that the scheme has anyway, as the SDK signs it.
    pub(super) fn host_header(&self) -> String {
        match self.port() {
            port if port == self.default_port() => self.authority.host().to_owned(),
            port => format!("{}:{port}", self.authority.host()),
        }
    }

    fn default_port(&self) -> u16 {
        if self.is_tls { 443 } else { 80 }
    }
}

/// A connection that waits for its next request.
#[derive(Debug)]
struct Idle {
    origin: Origin,
    connection: Box<Connection>,
    since: Instant,
}

/// The idle connections.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
    /// A connection that was idle for so long is not used again.
    idle_limit: Duration,
}

impl Pool {
    pub(super) fn new(idle_limit: Duration) -> Self {
        Self {
            idle: Mutex::default(),
            idle_limit,
        }
    }

    /// Takes the connection to a server that was used last, and closes all that were idle for too long.
    pub(super) fn take(&self, origin: &Origin) -> Option<Box<Connection>> {
        let mut idle = self.lock();
        let now = Instant::now();
        idle.retain(|idle| now.duration_since(idle.since) < self.idle_limit && idle.connection.is_usable());
        let at = idle.iter().rposition(|idle| idle.origin == *origin)?;
        Some(idle.remove(at).connection)
    }

    /// Keeps a connection, unless it cannot be used again.
    pub(super) fn put(&self, origin: Origin, connection: Box<Connection>) {
        if !connection.is_usable() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() >= IDLE_MAX {
            idle.remove(0);
        }
        idle.push(Idle {
            origin,
            connection,
            since: Instant::now(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        // Every connection in the pool is whole, even if the holder of the lock panicked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
