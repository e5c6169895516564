//! Opens connections to addresses that were checked.
//!
//! A name is resolved once for a connection. If any of its addresses is not public, there is no connection, and
//! otherwise one of exactly these addresses is called: a name server that changes its answer in between changes
//! nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::webhook::guard::is_public;
use domain::webhook::judgement::AttemptError;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

use super::network::{Boxed, Network};

/// How long the connection to one of the addresses may take. The next one is tried then.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);
/// The most addresses that are tried.
const ADDRESSES_TRIED: usize = 4;

/// A connector of HTTP that refuses addresses that are not public.
#[derive(Clone, Debug)]
pub(super) struct GuardedConnector {
    network: Arc<dyn Network>,
    loopback: bool,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub(super) struct NoConnection(pub(super) AttemptError);

impl GuardedConnector {
    /// Makes a connector; `loopback` tells whether it connects to 127.0.0.1 if a URL names that address.
    pub(super) fn new(network: Arc<dyn Network>, loopback: bool) -> Self {
        Self { network, loopback }
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<TcpStream>, NoConnection> {
        let host = uri.host().ok_or(NoConnection(AttemptError::NotAllowed))?;
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("http") => 80,
            _ => 443,
        });
        for address in self.addresses(host).await.map_err(NoConnection)? {
            let connecting = self.network.connect(SocketAddr::new(address, port));
            if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_LIMIT, connecting).await {
                // The request is one write, and its last packet must not wait for more.
                let _ = stream.set_nodelay(true);
                return Ok(TokioIo::new(stream));
            }
        }
        Err(NoConnection(AttemptError::NotConnected))
    }

    /// Returns the addresses of a host that may be called.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, AttemptError> {
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let mut addresses = match literal {
            Some(address) if self.loopback && address == IpAddr::V4(Ipv4Addr::LOCALHOST) => return Ok(vec![address]),
            Some(address) => vec![address],
            None => {
                let resolved = self.network.resolve(host).await;
                resolved.map_err(|_| AttemptError::NotResolved)?
            }
        };
        if addresses.is_empty() {
            return Err(AttemptError::NotResolved);
        }
        if !addresses.iter().copied().all(is_public) {
            return Err(AttemptError::NotPublic);
        }
        addresses.truncate(ADDRESSES_TRIED);
        Ok(addresses)
    }
}

impl Service<Uri> for GuardedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = NoConnection;
    type Future = Boxed<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
