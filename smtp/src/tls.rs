//! The certificate of the server. Its files are read again when they change, so that a renewed certificate needs no
//! restart. Files that cannot be used, such as a certificate whose key is not written yet, change nothing.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_util::sync::CancellationToken;

/// The time between two looks at the files.
const LOOK: Duration = Duration::from_secs(10);

/// The files with the certificate, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, with those of its issuers behind it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: rustls_pki_types::pem::Error,
    },
    /// The file has no certificate.
    #[error("{} has no certificate in PEM", .0.display())]
    Empty(PathBuf),
    /// The TLS stack refuses them, or they do not belong together.
    #[error("the certificate and the key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A certificate that is read again when its files change.
#[derive(Debug)]
pub struct Certificate {
    files: CertificateFiles,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    /// The state of the files when they were read.
    versions: Versions,
}

/// The time of the last change, and the size, of both files; nothing of a file that is not there.
type Versions = [Option<(SystemTime, u64)>; 2];

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// [`CertificateError`] if they cannot be used.
    pub fn read(files: CertificateFiles) -> Result<Arc<Self>, CertificateError> {
        let versions = files.versions();
        let key = files.read()?;
        Ok(Arc::new(Self {
            files,
            current: RwLock::new(Current { key, versions }),
        }))
    }

    /// Reads the files again if they have changed, and returns whether there is another certificate now.
    ///
    /// # Errors
    /// [`CertificateError`] if they cannot be used. The certificate stays, and the next look tries again.
    pub fn refresh(&self) -> Result<bool, CertificateError> {
        // The state is read first: a change while the files are read is seen by the next look.
        let versions = self.files.versions();
        if self.current.read().unwrap_or_else(PoisonError::into_inner).versions == versions {
            return Ok(false);
        }
        let key = self.files.read()?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current { key, versions };
        Ok(true)
    }

    /// Looks at the files until the stop.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut was_usable = true;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
            let certificate = Arc::clone(&self);
            let Ok(refreshed) = tokio::task::spawn_blocking(move || certificate.refresh()).await else {
                continue;
            };
            match &refreshed {
                Ok(true) => tracing::info!("the certificate was read again"),
                Err(problem) if was_usable => {
                    tracing::error!(%problem, "the certificate cannot be read again, so the earlier one stays in use");
                }
                Ok(false) | Err(_) => {}
            }
            was_usable = refreshed.is_ok();
        }
    }

    /// Makes the configuration of encrypted connections.
    ///
    /// # Errors
    /// [`CertificateError`] if the TLS stack has no common protocol version.
    pub fn config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, CertificateError> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current.key))
    }
}

impl CertificateFiles {
    fn read(&self) -> Result<Arc<CertifiedKey>, CertificateError> {
        let unreadable = |file: &PathBuf, source| CertificateError::Unreadable {
            file: file.clone(),
            source,
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect)
            .map_err(|source| unreadable(&self.certificate, source))?;
        if chain.is_empty() {
            return Err(CertificateError::Empty(self.certificate.clone()));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|source| unreadable(&self.key, source))?;
        Ok(Arc::new(CertifiedKey::from_der(chain, key, &ring::default_provider())?))
    }

    fn versions(&self) -> Versions {
        [&self.certificate, &self.key].map(|file| {
            let metadata = std::fs::metadata(file).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    struct Pem {
        certificate: String,
        key: String,
    }

    fn pem() -> Pem {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Pem {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    fn write(file: &Path, text: &str) {
        std::fs::write(file, text).unwrap();
        // Files that are written within one tick of the clock may have the same time.
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(text.len() as u64 + u64::from(text.as_bytes()[60]));
        std::fs::File::open(file).unwrap().set_modified(later).unwrap();
    }

    fn shown(certificate: &Certificate) -> Vec<u8> {
        certificate.current.read().unwrap().key.cert[0].to_vec()
    }

    #[test]
    fn a_renewed_certificate_is_used_once_both_files_fit() {
        let folder = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
        };
        let (first, second) = (pem(), pem());
        std::fs::write(&files.certificate, &first.certificate).unwrap();
        std::fs::write(&files.key, &first.key).unwrap();
        let certificate = Certificate::read(files.clone()).unwrap();
        let before = shown(&certificate);
        assert!(!certificate.refresh().unwrap());

        write(&files.certificate, &second.certificate);
        assert!(matches!(certificate.refresh(), Err(CertificateError::Unusable(_))));
        assert_eq!(shown(&certificate), before);
        write(&files.key, &second.key);
        assert!(certificate.refresh().unwrap());
        assert_ne!(shown(&certificate), before);
        assert!(!certificate.refresh().unwrap());

        std::fs::remove_file(&files.key).unwrap();
        assert!(matches!(
            certificate.refresh(),
            Err(CertificateError::Unreadable { .. })
        ));
        write(&files.key, &second.key);
        let _ = certificate.refresh().unwrap();
    }

    #[test]
    fn files_that_are_no_certificate_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
        };
        let problem = |files: &CertificateFiles| Certificate::read(files.clone()).unwrap_err().to_string();
        assert!(
            problem(&files).contains("cert.pem cannot be read"),
            "{}",
            problem(&files)
        );
        std::fs::write(&files.certificate, "no PEM").unwrap();
        assert!(
            problem(&files).contains("cert.pem has no certificate"),
            "{}",
            problem(&files)
        );
        std::fs::write(&files.certificate, pem().certificate).unwrap();
        assert!(
            problem(&files).contains("key.pem cannot be read"),
            "{}",
            problem(&files)
        );
    }
}
