//! A listener on a loopback address that hands connections to a service, over TCP or TLS.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::http::{self, Request, Response, Service};

/// The time after which an idle connection is closed.
const IDLE_MAX: Duration = Duration::from_mins(10);

/// The usage of a service. Usages compare by requests first, and then by connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Traffic {
    pub(crate) requests: usize,
    pub(crate) connections: usize,
}

/// A service, and its usage.
struct Counting {
    service: Arc<dyn Service>,
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Service for Counting {
    fn answer(&self, request: &Request) -> Option<Response> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.service.answer(request)
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counting").finish_non_exhaustive()
    }
}

/// A service that listens until this value is dropped. Connections end with their function.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    counting: Arc<Counting>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on a free port of `address`.
    pub(crate) fn start(
        address: Ipv4Addr,
        service: Arc<dyn Service>,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0))?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let counting = Arc::new(Counting {
            service,
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
        });
        let counted = Arc::clone(&counting);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                counted.connections.fetch_add(1, Ordering::Relaxed);
                let (service, tls) = (Arc::clone(&counted), tls.clone());
                // The function notices a broken connection: its run fails or times out.
                thread::spawn(move || drop(converse(stream, service.as_ref(), tls)));
            }
        });
        Ok(Self {
            address,
            counting,
            stop,
            accepting: Some(accepting),
        })
    }

    /// Returns the address and the port of the service.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the usage so far.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            connections: self.counting.connections.load(Ordering::Relaxed),
            requests: self.counting.requests.load(Ordering::Relaxed),
        }
    }
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            connections: self.connections - before.connections,
            requests: self.requests - before.requests,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The listener stops at its next connection, which is this one.
        if TcpStream::connect(self.address).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _ = accepting.join();
        }
    }
}

fn converse(mut stream: TcpStream, service: &dyn Service, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE_MAX))?;
    match tls {
        None => http::serve(&mut stream, service),
        Some(config) => {
            let session = ServerConnection::new(config).map_err(io::Error::other)?;
            http::serve(&mut StreamOwned::new(session, stream), service)
        }
    }
}
