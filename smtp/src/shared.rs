//! The parts that all connections of a server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::api_key::ApiKey;
use tokio_rustls::rustls::ServerConfig as TlsConfig;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::key_check::KeyChecks;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::settings::ServerSettings;
use crate::slots::{Memory, Slots};

/// The parts that all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) api: Api,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Arc<TlsConfig>>,
    pub(crate) default_key: Option<ApiKey>,
    pub(crate) http_url: Option<String>,
    pub(crate) keys: KeyChecks,
    pub(crate) memory: Arc<Memory>,
    pub(crate) metrics: Metrics,
    /// No mail begins after it.
    pub(crate) stop: CancellationToken,
    /// The grace is over.
    pub(crate) end: CancellationToken,
    pub(crate) slots: Arc<Slots>,
    connections: AtomicU64,
}

impl Shared {
    pub(crate) fn new(settings: ServerSettings) -> Self {
        let ServerSettings {
            api,
            limits,
            tls,
            default_key,
            http_url,
        } = settings;
        Self {
            api,
            limits,
            tls,
            default_key,
            http_url,
            keys: KeyChecks::default(),
            memory: Arc::new(Memory::new(limits.memory_bytes)),
            metrics: Metrics::default(),
            stop: CancellationToken::new(),
            end: CancellationToken::new(),
            slots: Arc::new(Slots::new(limits.connections, limits.connections_per_client)),
            connections: AtomicU64::new(0),
        }
    }

    /// Returns the number of a new connection.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }
}
