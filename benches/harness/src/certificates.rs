//! A certificate authority for the lifetime of this process, and the certificates of the services.
//!
//! A handshake should cost a function as much as one with AWS. The chain therefore resembles Amazon's: a trusted root,
//! an intermediate and the service's own certificate, all with RSA keys of 2048 bits. As with AWS, the services share
//! the intermediate, and each has a key, a name and a certificate of its own: a function that remembers a chain cannot
//! save the check of another service's. The services use AES-128 with SHA-256. A function has Amazon's roots in its
//! program, and reads the one of this process from a file: that is some 0.04 million instructions more than on AWS.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Result;
use rand_core::OsRng;
use rcgen::PKCS_RSA_SHA256;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, cipher_suite::TLS13_AES_128_GCM_SHA256};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;

const KEY_BITS: usize = 2048;

/// The root that the functions trust, and the authority that certifies the services.
pub(crate) struct Certificates {
    /// The trusted root, in PEM form.
    pub(crate) root: String,
    intermediate: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    /// Makes a new authority.
    pub(crate) fn generate() -> Result<Self> {
        let root = CertifiedIssuer::self_signed(authority("Bench Root CA")?, key_pair(&rsa_key()?)?)?;
        let intermediate = CertifiedIssuer::signed_by(authority("Bench M01")?, key_pair(&rsa_key()?)?, &root)?;
        Ok(Self {
            root: root.pem(),
            intermediate,
        })
    }

    /// Makes a key and a certificate for the service at `address`, and returns the service's TLS configuration.
    pub(crate) fn server(&self, address: Ipv4Addr) -> Result<Arc<ServerConfig>> {
        let (chain, key) = self.certify(address)?;
        let provider = CryptoProvider {
            cipher_suites: vec![TLS13_AES_128_GCM_SHA256],
            ..ring::default_provider()
        };
        let mut server = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // Every connection is a full handshake, as the first one to each service of AWS is.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Arc::new(server))
    }

    /// Makes a key and a chain for a name of its own.
    fn certify(&self, address: Ipv4Addr) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let key = rsa_key()?;
        let leaf = CertificateParams::new([address.to_string()])?.signed_by(&key_pair(&key)?, &self.intermediate)?;
        let chain = vec![leaf.der().clone(), self.intermediate.der().clone()];
        Ok((chain, PrivateKeyDer::from(key)))
    }
}

/// Makes a new key.
fn rsa_key() -> Result<PrivatePkcs8KeyDer<'static>> {
    let key = RsaPrivateKey::new(&mut OsRng, KEY_BITS)?;
    Ok(PrivatePkcs8KeyDer::from(key.to_pkcs8_der()?.as_bytes().to_vec()))
}

fn key_pair(key: &PrivatePkcs8KeyDer<'_>) -> Result<KeyPair> {
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(key, &PKCS_RSA_SHA256)?)
}

fn authority(name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_each_service_a_key_and_a_leaf_of_its_own_by_one_intermediate() {
        let certificates = Certificates::generate().unwrap();
        let [one, other] = [2, 3].map(|number| certificates.certify(Ipv4Addr::new(127, 0, 0, number)).unwrap());
        assert_ne!(one.0[0], other.0[0]);
        assert_eq!(one.0[1], other.0[1]);
        assert_ne!(one.1.secret_der(), other.1.secret_der());
    }
}
