//! The environment of a measured function: DynamoDB, SES, CloudWatch, SQS, and the files of trusted roots.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::cloudwatch::CloudWatch;
use crate::dynamodb::Dynamodb;
use crate::http::Service;
use crate::server::{Server, Traffic};
use crate::ses::Ses;
use crate::sqs::Sqs;

/// The usual paths of a machine's trusted roots.
const SYSTEM_ROOTS: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The latencies of the services.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Latency {
    /// Milliseconds that DynamoDB takes to answer.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) store_ms: u64,
    /// Milliseconds that SES takes to answer.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) ses_ms: u64,
}

/// The number of services.
pub(crate) const SERVICES: usize = 4;

/// The running services, and a directory for the files of a measurement.
#[derive(Debug)]
pub(crate) struct World {
    dynamodb: Server,
    ses: Server,
    cloudwatch: Server,
    sqs: Server,
    directory: TempDir,
    root: PathBuf,
    system_roots: PathBuf,
}

impl World {
    /// Starts the services. DynamoDB holds the API key of `send`, an event of the HTTP API.
    pub(crate) fn start(latency: Latency, send: &Value) -> Result<Self> {
        let (id, secret) = key_of(send).context("the event for send-api has no API key")?;
        let certificates = Certificates::generate().context("no certificates could be made")?;
        let dynamodb = Dynamodb::new(id, secret, Duration::from_millis(latency.store_ms));
        let ses = Ses {
            latency: Duration::from_millis(latency.ses_ms),
        };

        let directory = tempfile::tempdir()?;
        let root = directory.path().join("root.pem");
        fs::write(&root, &certificates.root)?;
        // A program that reads the system's roots reads all of them.
        let system: String = SYSTEM_ROOTS
            .iter()
            .find_map(|path| fs::read_to_string(path).ok())
            .unwrap_or_default();
        let system_roots = directory.path().join("system-roots.pem");
        fs::write(&system_roots, system + &certificates.root)?;
        // Each service has an address of its own, which its certificate names.
        let start = |number, service: Arc<dyn Service>| -> Result<Server> {
            let address = Ipv4Addr::new(127, 0, 0, number);
            Ok(Server::start(address, service, Some(certificates.server(address)?))?)
        };
        Ok(Self {
            dynamodb: start(2, Arc::new(dynamodb))?,
            ses: start(3, Arc::new(ses))?,
            cloudwatch: start(4, Arc::new(CloudWatch))?,
            sqs: start(5, Arc::new(Sqs))?,
            directory,
            root,
            system_roots,
        })
    }

    pub(crate) fn dynamodb(&self) -> SocketAddr {
        self.dynamodb.address()
    }

    pub(crate) fn ses(&self) -> SocketAddr {
        self.ses.address()
    }

    pub(crate) fn cloudwatch(&self) -> SocketAddr {
        self.cloudwatch.address()
    }

    pub(crate) fn sqs(&self) -> SocketAddr {
        self.sqs.address()
    }

    /// Returns the usage of each service so far.
    pub(crate) fn traffic(&self) -> [Traffic; SERVICES] {
        [&self.dynamodb, &self.ses, &self.cloudwatch, &self.sqs].map(Server::traffic)
    }

    /// The file of the root that the services' certificates go back to.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The file of this root and those that this machine trusts.
    pub(crate) fn system_roots(&self) -> &Path {
        &self.system_roots
    }

    /// Returns the path of a file that is removed with this value.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// The id and the secret of the API key in an event of the HTTP API.
fn key_of(event: &Value) -> Option<(&str, &str)> {
    event["headers"]["authorization"]
        .as_str()?
        .strip_prefix("Bearer ok_")?
        .split_once('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_key_of_an_event() {
        let event = serde_json::json!({ "headers": { "authorization": "Bearer ok_local_a_b" } });
        assert_eq!(key_of(&event), Some(("local", "a_b")));
        assert_eq!(key_of(&Value::Null), None);
    }
}
