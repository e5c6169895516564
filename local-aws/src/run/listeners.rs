//! The ports of a run, all on 127.0.0.1.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use super::error::StartError;

/// The port of a service, and its URL.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) url: String,
}

impl Listener {
    async fn bind(port: u16) -> Result<Self, StartError> {
        let error = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::PortTaken(port),
            _ => StartError::Port { port, source },
        };
        let socket = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await
            .map_err(error)?;
        let url = format!("http://{}", socket.local_addr().map_err(error)?);
        Ok(Self { socket, url })
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
    /// Binds all ports: the HTTP API's to `port`, the others to free ones.
    pub(super) async fn bind(port: u16) -> Result<Self, StartError> {
        Ok(Self {
            front: Listener::bind(port).await?,
            dynamodb: Listener::bind(0).await?,
            ses: Listener::bind(0).await?,
            sqs: Listener::bind(0).await?,
            sns: Listener::bind(0).await?,
            cloudwatch: Listener::bind(0).await?,
            runtime: Listener::bind(0).await?,
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
