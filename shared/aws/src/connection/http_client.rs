//! The HTTP client that all AWS clients of a process share, and the certificate authorities that it trusts.
//!
//! A function calls AWS alone, and Amazon Trust Services certifies AWS's endpoints. So a function trusts the five roots
//! in `amazon_roots.pem` and parses no others: reading the whole store of the system would cost time in every cold
//! start. A test compares them with Mozilla's store (crate `webpki-root-certs`) and fails when they differ after an
//! update of that crate. The earliest of them expires at the end of 2037. <https://www.amazontrust.com/repository/>
//!
//! `AWS_CA_BUNDLE` names a PEM file to trust instead, as it does for AWS's other tools. Use it behind a proxy that
//! terminates TLS.

use std::time::Duration;

use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector, HttpClientError};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};

/// The roots of Amazon Trust Services.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");
/// How long a connection may take to open.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// An idle connection is not reused after this time. SES may have closed it while the function was frozen, and a
/// request that is written to it looks exactly like one whose answer was lost.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// The TLS stack of every client.
const TLS: tls::Provider = tls::Provider::Rustls(CryptoMode::Ring);

/// The certificates for TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file that `AWS_CA_BUNDLE` names cannot be read.
    #[error("the file that AWS_CA_BUNDLE names cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The TLS stack rejects the certificates.
    #[error("the certificates to trust cannot be used: {0}")]
    Unusable(#[from] HttpClientError),
}

/// Makes the HTTP connector of a function, which trusts Amazon's roots alone.
///
/// One connector with one pool serves every client. The SDK's own HTTP client would make one for each client and its
/// timeouts, and each of them would parse the roots again.
///
/// # Errors
/// [`TrustError`] if `AWS_CA_BUNDLE` is set and its file cannot be used.
pub(crate) fn function_connector() -> Result<SharedHttpConnector, TrustError> {
    let roots = match std::env::var_os("AWS_CA_BUNDLE") {
        Some(file) => std::fs::read(file)?,
        None => AMAZON_ROOTS.to_vec(),
    };
    let trust = TrustStore::empty().with_pem_certificate(roots);
    let context = TlsContext::builder().with_trust_store(trust).build()?;
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .pool_idle_timeout(IDLE_CONNECTION)
        .tls_provider(TLS)
        .tls_context(context)
        .build();
    Ok(SharedHttpConnector::new(connector))
}

/// Makes the HTTP client of the command line, which trusts the roots of the computer.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    Builder::new()
        .pool_idle_timeout(IDLE_CONNECTION)
        .tls_provider(TLS)
        .build_https()
}

/// Makes the HTTP connector of the command line, for requests that are not to AWS's APIs.
#[must_use]
pub fn http_connector() -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .tls_provider(TLS)
        .build();
    SharedHttpConnector::new(connector)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn trusts_the_roots_of_amazon_that_mozilla_trusts() {
        let ours: BTreeSet<Vec<u8>> = CertificateDer::pem_slice_iter(AMAZON_ROOTS)
            .map(|root| root.unwrap().to_vec())
            .collect();
        let named = |der: &[u8], name: &str| der.windows(name.len()).any(|window| window == name.as_bytes());
        let theirs: BTreeSet<Vec<u8>> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .filter(|der| {
                named(der, "Amazon Root CA") || named(der, "Starfield Services Root Certificate Authority - G2")
            })
            .map(|der| der.to_vec())
            .collect();
        assert_eq!(ours.len(), 5);
        assert!(
            ours == theirs,
            "the roots of Amazon have changed: update amazon_roots.pem"
        );
    }
}
