//! The ports of a run: the HTTP API's on the address of the settings, all others on 127.0.0.1.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::net::TcpListener;

use super::error::StartError;

/// The port of a service, and its URL.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) url: String,
}

impl Listener {
    async fn bind(address: IpAddr, port: u16) -> Result<Self, StartError> {
        let error = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::PortTaken(port),
            _ => StartError::Port { address, port, source },
        };
        let socket = TcpListener::bind((address, port)).await.map_err(error)?;
        let mut address = socket.local_addr().map_err(error)?;
        address.set_ip(reachable(address.ip()));
        let url = format!("http://{address}");
        Ok(Self { socket, url })
    }

    /// Binds a free port that only this machine reaches.
    async fn internal() -> Result<Self, StartError> {
        Self::bind(Ipv4Addr::LOCALHOST.into(), 0).await
    }
}

/// Returns the address by which this machine reaches a server that listens on `address`.
#[must_use]
pub fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// The ports of all services.
pub(super) struct Listeners {
    pub(super) front: Listener,
    pub(super) dynamodb: Listener,
    pub(super) ses: Listener,
    pub(super) sqs: Listener,
    pub(super) sns: Listener,
    pub(super) cloudwatch: Listener,
    pub(super) runtime: Listener,
}

impl Listeners {
    /// Binds all ports: the HTTP API's to `address` and `port`, the others to free ones.
    pub(super) async fn bind(address: IpAddr, port: u16) -> Result<Self, StartError> {
        Ok(Self {
            front: Listener::bind(address, port).await?,
            dynamodb: Listener::internal().await?,
            ses: Listener::internal().await?,
            sqs: Listener::internal().await?,
            sns: Listener::internal().await?,
            cloudwatch: Listener::internal().await?,
            runtime: Listener::internal().await?,
        })
    }

    /// Returns the variables that direct the clients of a function to the services.
    pub(super) fn endpoints(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.url.clone()),
            ("AWS_ENDPOINT_URL_SESV2", self.ses.url.clone()),
            ("AWS_ENDPOINT_URL_SQS", self.sqs.url.clone()),
            ("AWS_ENDPOINT_URL_SNS", self.sns.url.clone()),
            ("AWS_ENDPOINT_URL_CLOUDWATCH", self.cloudwatch.url.clone()),
        ]
    }
}
