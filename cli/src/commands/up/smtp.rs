//! The SMTP server of a local Okite. It sends with the local API key what clients send without one.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use domain::api_key::{ApiKey, InvalidApiKey};
use local_aws::reachable;
use smtp::api::{InvalidApiUrl, NoRoots};
use smtp::{Api, Door, Limits, Server, ServerSettings};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::local::LOCAL_API_KEY;

/// The port that is taken if no other is named: that of Mailpit and other test servers.
pub(super) const DEFAULT_PORT: u16 = 1025;
/// The time that mails on their way have to end after the stop.
const GRACE: Duration = Duration::from_secs(2);

/// The SMTP server of a local Okite.
#[derive(Debug)]
pub(super) struct LocalSmtp {
    /// The address by which this machine reaches it.
    pub(super) address: SocketAddr,
    server: Server,
    task: JoinHandle<()>,
}

/// Why the SMTP server did not start.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// The system refuses a socket's address.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The URL of the local API is not one.
    #[error(transparent)]
    Url(#[from] InvalidApiUrl),
    /// The HTTP client was not made.
    #[error(transparent)]
    Client(#[from] NoRoots),
    /// The local key is not one.
    #[error(transparent)]
    Key(#[from] InvalidApiKey),
}

impl LocalSmtp {
    /// Takes a port of an address; 0 picks a free one.
    pub(super) async fn bind(address: IpAddr, port: u16) -> io::Result<TcpListener> {
        TcpListener::bind((address, port)).await
    }

    /// Serves a listener, before the API at `url`.
    pub(super) fn start(listener: TcpListener, url: &str) -> Result<Self, SmtpError> {
        let mut address = listener.local_addr()?;
        address.set_ip(reachable(address.ip()));
        let limits = Limits::default();
        let server = Server::new(ServerSettings {
            api: Api::new(url.parse()?)?,
            limits: Limits {
                connections_per_client: limits.connections,
                grace: GRACE,
                ..limits
            },
            tls: None,
            default_key: Some(ApiKey::parse(LOCAL_API_KEY)?),
            http_url: Some(url.to_owned()),
        });
        let serving = server.clone();
        let door = Door {
            listener,
            is_implicit_tls: false,
        };
        let task = tokio::spawn(async move { serving.serve(vec![door]).await });
        Ok(Self { address, server, task })
    }

    /// Lets mails on their way end.
    pub(super) async fn stop(self) {
        self.server.stop();
        // It ends by itself; a panic was printed already.
        let _ = self.task.await;
    }
}
