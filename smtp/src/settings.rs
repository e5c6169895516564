//! The settings of a server.

use std::sync::Arc;

use domain::api_key::ApiKey;
use tokio_rustls::rustls::ServerConfig as TlsConfig;

use crate::api::Api;
use crate::limits::Limits;

/// The parts of a server.
#[derive(Debug)]
pub struct ServerSettings {
    /// The client of Okite's API.
    pub api: Api,
    /// The bounds.
    pub limits: Limits,
    /// The TLS of encrypted connections; nothing if there is no certificate.
    pub tls: Option<Arc<TlsConfig>>,
    /// The key of clients that give none; nothing if each must give one.
    pub default_key: Option<ApiKey>,
    /// The URL that a client of HTTP is told, if it is told one.
    pub http_url: Option<String>,
}
