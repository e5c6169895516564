//! `okite smtp`: the SMTP server in front of a deployed Okite, until a signal stops it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use smtp::tls::{Certificate, CertificateFiles};
use smtp::{Api, ApiUrl, Door, Limits, Server, ServerSettings, descriptors, health};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::execution::{CommandResult, Exit, Failure};
use crate::number::number;
use crate::output::note;
use crate::stop_signal::stop_signal;

/// The address that is listened on if no other is named.
const DEFAULT_LISTEN: &str = "127.0.0.1:2587";
/// The largest number for an option that bounds connections: more than a machine has ports.
const CONNECTIONS_MAX: usize = 100_000;
/// The option that names addresses for connections that are encrypted from the first byte.
const TLS_OPTION: &str = "--listen-tls";

/// Take mail by SMTP, and pass it on to an Okite in AWS
///
/// Clients authenticate with AUTH PLAIN or AUTH LOGIN: the password is an API key, the user name may be anything. A key
/// is taken over an encrypted connection, or from this machine. A mail is accepted only after Okite has answered;
/// nothing is stored here. Logs go to standard output as JSON, without addresses. SIGTERM and Ctrl-C let mails on their
/// way end. The metrics port has /health and /metrics.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  okite smtp --api https://abc.execute-api.eu-west-1.amazonaws.com
  okite smtp --api https://abc.execute-api.eu-west-1.amazonaws.com \\
    --listen 0.0.0.0:2587 --listen-tls 0.0.0.0:2465 --tls-cert cert.pem --tls-key key.pem")]
pub(crate) struct SmtpCommand {
    /// URL of Okite's HTTP API: the output `ApiUrl` of the stack
    #[arg(long, value_name = "URL")]
    api: ApiUrl,
    /// Address and port for connections that may encrypt with STARTTLS; may be repeated [default: 127.0.0.1:2587]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<SocketAddr>,
    /// Address and port for connections that are encrypted from the first byte; may be repeated
    #[arg(long, value_name = "ADDRESS", requires = "tls_cert")]
    listen_tls: Vec<SocketAddr>,
    /// File with the certificate and its chain in PEM; it is read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// File with the private key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Address and port of /health and /metrics
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9587")]
    metrics: SocketAddr,
    /// The most connections at once
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections, value_parser = number(1, CONNECTIONS_MAX))]
    max_connections: usize,
    /// The most connections at once from one address
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections_per_client,
          value_parser = number(1, CONNECTIONS_MAX))]
    max_connections_per_client: usize,
    /// The most megabytes of mails in memory at once; clients with more are told to try again later
    #[arg(long, value_name = "MEGABYTES", default_value_t = 256, value_parser = number(5, u32::MAX))]
    max_memory: u32,
    /// Seconds that mails on their way have to end after the signal to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 25, value_parser = number(0, 86_400_u64))]
    stop_timeout: u64,
}

impl SmtpCommand {
    pub(crate) fn run(self) -> CommandResult {
        log_to_stdout();
        tokio::runtime::Runtime::new()?.block_on(self.serve())
    }

    async fn serve(self) -> CommandResult {
        let stop = stop_signal()?;
        let limits = self.limits();
        let certificate = self.certificate()?;
        let mut doors = Vec::new();
        for address in self.plain_addresses()? {
            doors.push(door(address, "--listen").await?);
        }
        for address in &self.listen_tls {
            doors.push(door(*address, TLS_OPTION).await?);
        }
        let metrics = listener(self.metrics, "--metrics").await?;
        tracing::info!(address = %metrics.local_addr()?, "serving /health and /metrics");

        let server = Server::new(ServerSettings {
            api: Api::new(self.api)?,
            limits,
            tls: certificate.as_ref().map(Certificate::config).transpose()?,
            default_key: None,
            http_url: None,
        });
        let end = CancellationToken::new();
        tokio::spawn(health::serve(metrics, server.clone(), end.clone()));
        if let Some(certificate) = certificate {
            tokio::spawn(certificate.watch(end.clone()));
        }
        let serving = server.serve(doors);
        tokio::pin!(serving);
        tokio::select! {
            () = &mut serving => {}
            () = stop => {
                tracing::info!("stopping; mails on their way may end");
                server.stop();
                let stop_now = stop_signal()?;
                tokio::select! {
                    () = serving => {}
                    () = stop_now => return Err(Failure::new("stopped at once").exiting_with(Exit::StoppedAtOnce)),
                }
            }
        }
        end.cancel();
        tracing::info!("stopped");
        Ok(Exit::Success)
    }

    fn limits(&self) -> Limits {
        const MEGABYTE: usize = 1_000_000;
        let connections = descriptors::raise_limit(self.max_connections);
        if connections < self.max_connections {
            note!(
                "okite: this process may open files for {connections} connections only, so it takes no more. Raise the \
                 limit of open files (LimitNOFILE, ulimit -n)"
            );
        }
        Limits {
            connections,
            connections_per_client: self.max_connections_per_client,
            memory_bytes: usize::try_from(self.max_memory)
                .unwrap_or(usize::MAX)
                .saturating_mul(MEGABYTE),
            grace: Duration::from_secs(self.stop_timeout),
            ..Limits::default()
        }
    }

    fn certificate(&self) -> Result<Option<Arc<Certificate>>, Failure> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let files = CertificateFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        Ok(Some(Certificate::read(files)?))
    }

    /// Lists the addresses for connections that begin in clear text. Clients elsewhere must be able to encrypt them.
    fn plain_addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        if self.listen.is_empty() && self.listen_tls.is_empty() {
            return Ok(vec![DEFAULT_LISTEN.parse()?]);
        }
        let elsewhere = self.listen.iter().find(|address| !address.ip().is_loopback());
        match elsewhere {
            Some(address) if self.tls_cert.is_none() => Err(Failure::new(format!(
                "on {address}, clients could give no API key without encryption. Name a certificate with --tls-cert \
                 and --tls-key, or listen on 127.0.0.1"
            ))),
            _ => Ok(self.listen.clone()),
        }
    }
}

async fn door(address: SocketAddr, option: &str) -> Result<Door, Failure> {
    let is_implicit_tls = option == TLS_OPTION;
    let listener = listener(address, option).await?;
    tracing::info!(address = %listener.local_addr()?, is_implicit_tls, "listening");
    Ok(Door {
        listener,
        is_implicit_tls,
    })
}

async fn listener(address: SocketAddr, option: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(format!(
            "{address} cannot be listened on: {error}. Name another with {option}"
        ))
    })
}

/// Sends the log to standard output, a JSON object a line.
fn log_to_stdout() {
    use tracing_subscriber::filter::LevelFilter;
    tracing_subscriber::fmt()
        .json()
        .with_max_level(LevelFilter::INFO)
        .with_target(false)
        .log_internal_errors(false)
        .init();
}
