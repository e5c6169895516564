//! A client that others wrote: lettre.

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::encryption::{certificate, renew, start};
use crate::support::{FakeApi, KEY, MAIL, Running, usual};

type Transport = AsyncSmtpTransport<Tokio1Executor>;

fn envelope() -> Envelope {
    let address = |text: &str| text.parse().unwrap();
    Envelope::new(
        Some(address("a@example.com")),
        vec![address("b@example.net"), address("c@example.net")],
    )
    .unwrap()
}

fn tls(trusted: &str) -> TlsParameters {
    TlsParameters::builder("localhost".to_owned())
        .add_root_certificate(Certificate::from_pem(trusted.as_bytes()).unwrap())
        .build()
        .unwrap()
}

#[tokio::test]
async fn lettre_sends_without_a_key_on_this_machine() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let transport = Transport::builder_dangerous("127.0.0.1")
        .port(server.address.port())
        .build();
    let mail = MAIL.replace("Hello", "Hello\r\n.\r\n..Bye");
    let response = transport.send_raw(&envelope(), mail.as_bytes()).await.unwrap();
    assert_eq!(response.first_line(), Some("2.0.0 Ok 0100, id at Okite 01"));
    assert_eq!(api.mails()[0].mail(), format!("{mail}\r\n").as_bytes());
    assert_eq!(api.mails()[0].recipients(), ["b@example.net", "c@example.net"]);
}

#[tokio::test]
async fn lettre_authenticates_in_both_ways_of_encryption() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let certificate = certificate(folder.path());
    let api = FakeApi::start(|request, _| usual(request)).await;
    for is_implicit in [false, true] {
        let server = start(&api, &certificate, is_implicit).await;
        for mechanism in [Mechanism::Plain, Mechanism::Login] {
            let transport = |key: &str| {
                let tls = tls(&trusted);
                Transport::builder_dangerous("localhost")
                    .port(server.address.port())
                    .tls(if is_implicit {
                        Tls::Wrapper(tls)
                    } else {
                        Tls::Required(tls)
                    })
                    .authentication(vec![mechanism])
                    .credentials(Credentials::new("anything".to_owned(), key.to_owned()))
                    .build()
            };
            transport(KEY).send_raw(&envelope(), MAIL.as_bytes()).await.unwrap();
            let error = transport("ok_2_wrong")
                .send_raw(&envelope(), MAIL.as_bytes())
                .await
                .unwrap_err();
            assert_eq!(error.status().map(|code| code.to_string()), Some("535".to_owned()));
        }
    }
    assert_eq!(api.mails().len(), 4);
}
