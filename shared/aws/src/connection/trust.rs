//! The certificate authorities that clients trust, and their TLS stack.
//!
//! A function calls AWS alone, and Amazon Trust Services certifies AWS's endpoints. So a function trusts its five roots
//! and no others: reading the whole store of the system would cost time in every cold start. The build script takes the
//! five out of Mozilla's store (crate `webpki-roots`), so that they need no parsing either. The earliest of them
//! expires at the end of 2037. <https://www.amazontrust.com/repository/>
//!
//! `AWS_CA_BUNDLE` names a PEM file to trust instead, as it does for AWS's other tools. Use it behind a proxy that
//! terminates TLS.

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, Der, TrustAnchor};
use rustls::{CipherSuite, ClientConfig, RootCertStore, SupportedCipherSuite};

/// The roots of Amazon Trust Services. It does not compile when Mozilla's store has more or fewer of them.
static AMAZON_ROOTS: [TrustAnchor<'static>; 5] = include!(concat!(env!("OUT_DIR"), "/amazon_roots.rs"));

/// The cipher suites that the SDK leaves out.
const NOT_OFFERED: [CipherSuite; 2] = [
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// The certificates for TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file that `AWS_CA_BUNDLE` names cannot be read.
    #[error("the file that AWS_CA_BUNDLE names cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file is no PEM file.
    #[error("the certificates to trust are not in the format PEM: {0}")]
    NotPem(#[from] pem::Error),
    /// The file has no certificate.
    #[error("there is no certificate to trust: the file that AWS_CA_BUNDLE names must hold one in the format PEM")]
    Empty,
    /// The TLS stack rejects the certificates.
    #[error("the certificates to trust cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificate authorities that a connector trusts.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    /// Those of a configuration.
    Of(Arc<ClientConfig>),
    /// Those of the computer, which are read for the first connection under TLS.
    System,
}

impl Trust {
    /// Trusts Amazon's roots, or those in the file that `AWS_CA_BUNDLE` names.
    pub(super) fn of_function() -> Result<Self, TrustError> {
        let roots = match std::env::var_os("AWS_CA_BUNDLE") {
            Some(file) => roots(&std::fs::read(file)?)?,
            None => AMAZON_ROOTS.iter().cloned().collect(),
        };
        Ok(Self::of(roots)?)
    }

    /// Trusts these roots alone.
    pub(super) fn of(roots: RootCertStore) -> Result<Self, rustls::Error> {
        Ok(Self::Of(Arc::new(config(roots)?)))
    }

    /// Returns the configuration of the TLS stack.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        static OF_SYSTEM: LazyLock<Result<Arc<ClientConfig>, rustls::Error>> =
            LazyLock::new(|| config(roots_of_system()).map(Arc::new));
        match self {
            Self::Of(config) => Ok(Arc::clone(config)),
            Self::System => OF_SYSTEM.clone(),
        }
    }
}

fn config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let default = ring::default_provider();
    let offered = |suite: &SupportedCipherSuite| !NOT_OFFERED.contains(&suite.suite());
    let provider = CryptoProvider {
        cipher_suites: default.cipher_suites.into_iter().filter(offered).collect(),
        ..default
    };
    let config = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn roots_of_system() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the certificate authorities that this computer trusts cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        tracing::warn!("this computer trusts no certificate authority: install its CA certificates");
    }
    roots
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem) {
        roots.add(root?)?;
    }
    if roots.is_empty() {
        return Err(TrustError::Empty);
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusts_each_root_of_amazon() {
        let names: Vec<_> = (1..=4)
            .map(|number| format!("Amazon Root CA {number}"))
            .chain(["Starfield Services Root Certificate Authority - G2".to_owned()])
            .collect();
        for name in &names {
            let is_named =
                |root: &&TrustAnchor<'_>| root.subject.windows(name.len()).any(|part| part == name.as_bytes());
            assert_eq!(AMAZON_ROOTS.iter().filter(is_named).count(), 1, "{name}");
        }
    }
}
