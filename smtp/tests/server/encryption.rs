//! STARTTLS, TLS from the first byte, and the renewal of the certificate.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use smtp::ServerSettings;
use smtp::tls::{Certificate, CertificateFiles};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::{Client, FakeApi, KEY, MAIL, Running, plain, settings, usual, within};

/// Writes a new certificate, and returns it.
pub(crate) fn renew(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

pub(crate) fn certificate(folder: &Path) -> Arc<Certificate> {
    Certificate::read(CertificateFiles {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    })
    .unwrap()
}

pub(crate) async fn start(api: &FakeApi, certificate: &Arc<Certificate>, is_implicit: bool) -> Running {
    let settings = ServerSettings {
        tls: Some(certificate.config().unwrap()),
        default_key: None,
        ..settings(&api.url())
    };
    Running::start_with(settings, is_implicit).await
}

/// Encrypts a connection, and trusts one certificate.
async fn encrypt(stream: TcpStream, trusted: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

#[tokio::test]
async fn a_mail_is_sent_after_starttls() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = start(&api, &certificate(folder.path()), false).await;
    let mut client = server.client().await;
    assert!(client.says("EHLO a", "250-").await.contains("STARTTLS"));
    client.says("STARTTLS", "220 2.0.0").await;
    let mut client = Client::new(encrypt(client.into_inner(), &trusted).await.unwrap());
    client.says("MAIL FROM:<a@example.com>", "503 5.5.1").await;
    assert!(!client.says("EHLO a", "250-").await.contains("STARTTLS"));
    client.says(&plain(KEY), "235 2.7.0").await;
    let reply = client.sends(&["b@example.net"], MAIL).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    client.says("QUIT", "221 2.0.0").await;
}

/// Somebody between the client and the server may add commands behind STARTTLS (CVE-2011-0411).
#[tokio::test]
async fn commands_that_come_with_starttls_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = start(&api, &certificate(folder.path()), false).await;
    let mut client = server.greeted().await;
    let injected = format!("EHLO evil\r\n{}\r\nMAIL FROM:<evil@example.com>\r\n", plain(KEY));
    client.write(format!("STARTTLS\r\n{injected}")).await;
    assert!(client.reply().await.starts_with("220 2.0.0"));
    let mut client = Client::new(encrypt(client.into_inner(), &trusted).await.unwrap());
    // The first answer on the encrypted connection is that to its first command.
    client.says("RCPT TO:<b@example.net>", "503 5.5.1").await;
    assert_eq!(api.requests().len(), 0);
}

#[tokio::test]
async fn tls_from_the_first_byte() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = start(&api, &certificate(folder.path()), true).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut client = Client::new(encrypt(stream, &trusted).await.unwrap());
    assert_eq!(client.reply().await, "220 okite ESMTP");
    assert!(!client.says("EHLO a", "250-").await.contains("STARTTLS"));
    client.says(&plain(KEY), "235 2.7.0").await;
    let reply = client.sends(&["b@example.net"], MAIL).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    client.says("QUIT", "221 2.0.0").await;
    assert_eq!(client.rest().await, b"");

    // A client that does not encrypt is not answered with SMTP.
    let mut client = Client::new(TcpStream::connect(server.address).await.unwrap());
    client.write("EHLO a\r\n").await;
    assert!(!client.rest().await.starts_with(b"2"));
}

#[tokio::test]
async fn new_connections_get_the_renewed_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let first = renew(folder.path());
    let api = FakeApi::start(|request, _| usual(request)).await;
    let certificate = certificate(folder.path());
    let server = start(&api, &certificate, true).await;
    let connect = async |trusted: &str| {
        let stream = TcpStream::connect(server.address).await.unwrap();
        encrypt(stream, trusted).await
    };
    let mut before = Client::new(connect(&first).await.unwrap());
    assert_eq!(before.reply().await, "220 okite ESMTP");

    let second = renew(folder.path());
    let later = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(1);
    std::fs::File::open(folder.path().join("cert.pem"))
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert!(certificate.refresh().unwrap());
    assert!(connect(&first).await.is_err());
    let mut after = Client::new(connect(&second).await.unwrap());
    assert_eq!(after.reply().await, "220 okite ESMTP");
    before.says("NOOP", "250 ").await;
}
