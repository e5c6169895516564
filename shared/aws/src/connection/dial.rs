//! Opens connections: the name, the socket, TLS.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::exchange::Connection;
use super::failure::NeverSent;
use super::pool::Origin;
use super::stream::Stream;
use super::trust::Trust;

/// The head start of the first address family. A network may drop packets of IPv6, or of IPv4, without an answer.
const HEAD_START: Duration = Duration::from_millis(300);

/// Opens a connection to a server.
pub(super) async fn dial(origin: &Origin, trust: &Trust) -> Result<Box<Connection>, NeverSent> {
    let addresses = lookup_host((origin.host(), origin.port()))
        .await
        .map_err(NeverSent::NotResolved)?;
    let socket = connect(addresses.collect()).await.map_err(NeverSent::NotConnected)?;
    // The last packet of a request must not wait for more.
    let _ = socket.set_nodelay(true);
    let stream = if origin.is_tls {
        let name = ServerName::try_from(origin.host().to_owned()).map_err(|_| NeverSent::Unusable)?;
        let config = trust
            .config()
            .map_err(|error| NeverSent::Tls(io::Error::other(error)))?;
        let stream = TlsConnector::from(config).connect(name, socket);
        Stream::Tls(Box::new(stream.await.map_err(NeverSent::Tls)?))
    } else {
        Stream::Plain(socket)
    };
    Connection::over(stream).await.map_err(NeverSent::Closed)
}

/// Connects to the first address that answers. Those of the other family join in after a moment.
async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let Some(preferred) = addresses.first().map(SocketAddr::is_ipv4) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv4() == preferred);
    if second.is_empty() {
        return TcpStream::connect(&first[..]).await;
    }
    let others = async {
        tokio::time::sleep(HEAD_START).await;
        match TcpStream::connect(&second[..]).await {
            Ok(socket) => socket,
            // The result of the preferred family counts.
            Err(_) => pending().await,
        }
    };
    tokio::select! {
        connected = TcpStream::connect(&first[..]) => match connected {
            Ok(socket) => Ok(socket),
            Err(_) => TcpStream::connect(&second[..]).await,
        },
        socket = others => Ok(socket),
    }
}
