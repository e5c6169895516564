//! Clients that are many, slow, large, or that speak something else.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use smtp::{Limits, ServerSettings};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::{Client, FakeApi, MAIL, Running, settings, usual, within};

async fn bounded(api: &FakeApi, change: impl FnOnce(&mut Limits)) -> Running {
    let mut settings = settings(&api.url());
    change(&mut settings.limits);
    Running::start_with(settings, false).await
}

async fn refused(server: &Running) -> String {
    Client::new(TcpStream::connect(server.address).await.unwrap())
        .reply()
        .await
}

#[tokio::test]
async fn a_thousand_connections_are_served_and_no_more() {
    const CONNECTIONS: usize = 1_000;
    assert_eq!(smtp::descriptors::raise_limit(CONNECTIONS + 200), CONNECTIONS + 200);
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = bounded(&api, |_| {}).await;
    let clients: Vec<_> = stream::iter(0..CONNECTIONS).then(|_| server.greeted()).collect().await;
    assert!(refused(&server).await.starts_with("421 4.3.2"));
    let replies = stream::iter(clients).map(|mut client| async move {
        let reply = client.sends(&["b@example.net"], MAIL).await;
        (client, reply)
    });
    let clients: Vec<_> = replies.buffer_unordered(50).collect().await;
    assert!(clients.iter().all(|(_, reply)| reply.starts_with("250 2.0.0")));
    assert_eq!(api.mails().len(), CONNECTIONS);
    drop(clients);
    // Places are free again as soon as the server sees that their clients are gone.
    within(async {
        while refused(&server).await.starts_with("421") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn one_address_does_not_take_all_places() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = bounded(&api, |limits| limits.connections_per_client = 2).await;
    let _first = server.greeted().await;
    let _second = server.greeted().await;
    assert!(refused(&server).await.starts_with("421 4.7.0"));
}

#[tokio::test]
async fn a_client_that_says_nothing_must_go() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = bounded(&api, |limits| limits.idle = Duration::from_millis(300)).await;
    let mut client = server.client().await;
    assert!(client.reply().await.starts_with("421 4.4.2"));
    assert_eq!(client.rest().await, b"");

    let mut client = server.greeted().await;
    client.says("MAIL FROM:<a@example.com>", "250 ").await;
    client.says("RCPT TO:<b@example.net>", "250 ").await;
    client.says("DATA", "354 ").await;
    client.write("From: a@example.com\r\n").await;
    assert!(client.reply().await.starts_with("421 4.4.2"));
    assert_eq!(api.mails().len(), 0);
}

#[tokio::test]
async fn a_client_that_says_a_letter_now_and_then_must_go() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = bounded(&api, |limits| {
        limits.idle = Duration::from_millis(300);
        limits.mail = Duration::from_millis(600);
    })
    .await;
    let slow = |mut client: Client<TcpStream>| async move {
        let mut stream = {
            client.write("N").await;
            client.into_inner()
        };
        let (mut read, mut write) = stream.split();
        let drip = async {
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            loop {
                tick.tick().await;
                if tokio::io::AsyncWriteExt::write_all(&mut write, b"O").await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        let mut said = Vec::new();
        let ended = async {
            let mut buffer = [0; 256];
            while let Ok(bytes @ 1..) = read.read(&mut buffer).await {
                said.extend_from_slice(&buffer[..bytes]);
            }
            String::from_utf8(said).unwrap()
        };
        within(async {
            tokio::select! {
                said = ended => said,
                () = drip => String::new(),
            }
        })
        .await
    };
    // The reset of a connection may take the last answer with it.
    let said = slow(server.client().await).await;
    assert!(said.is_empty() || said.starts_with("421 4.4.2"), "{said}");
    let mut client = server.greeted().await;
    client.says("MAIL FROM:<a@example.com>", "250 ").await;
    client.says("RCPT TO:<b@example.net>", "250 ").await;
    client.says("DATA", "354 ").await;
    let said = slow(client).await;
    assert!(said.is_empty() || said.starts_with("421 4.4.2"), "{said}");
    assert_eq!(api.mails().len(), 0);
}

#[tokio::test]
async fn a_client_without_a_key_has_less_time() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let mut settings = ServerSettings {
        default_key: None,
        ..settings(&api.url())
    };
    settings.limits.stranger = Duration::from_millis(200);
    let server = Running::start_with(settings, false).await;
    let mut client = server.greeted().await;
    assert!(client.reply().await.starts_with("421 4.4.2"));
}

#[tokio::test]
async fn a_line_without_an_end_takes_no_memory() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    client.write("x".repeat(1_000_000)).await;
    client.says("", "500 5.5.2").await;
    client.says(&format!("NOOP {}", "x".repeat(4_000)), "250 ").await;
    client.says(&format!("NOOP {}", "x".repeat(4_100)), "500 5.5.2").await;
    client.says("NOOP", "250 ").await;
}

#[tokio::test]
async fn a_mail_without_an_end_takes_no_memory() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = bounded(&api, |limits| limits.mail_bytes = 100_000).await;
    let mut client = server.greeted().await;
    client.says("MAIL FROM:<a@example.com>", "250 ").await;
    client.says("RCPT TO:<b@example.net>", "250 ").await;
    client.says("DATA", "354 ").await;
    client.write("x".repeat(210_000)).await;
    assert!(client.reply().await.starts_with("552 5.3.4"));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn mails_share_a_bounded_memory() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = bounded(&api, |limits| limits.memory_bytes = 10_000).await;
    let mut client = server.greeted().await;
    let large = format!("{MAIL}{}", "x".repeat(10_000));
    let reply = client.sends(&["b@example.net"], &large).await;
    assert!(reply.starts_with("452 4.3.1"), "{reply}");
    // It was given back.
    for _ in 0..3 {
        let most = format!("{MAIL}{}", "x".repeat(9_000));
        let reply = client.sends(&["b@example.net"], &most).await;
        assert!(reply.starts_with("250 "), "{reply}");
    }
}

#[tokio::test]
async fn a_client_that_speaks_http_is_told_so() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.client().await;
    client
        .write("POST / HTTP/1.1\r\nHost: localhost\r\n\r\nEHLO a\r\nMAIL FROM:<a@example.com>\r\n")
        .await;
    let said = String::from_utf8(client.rest().await).unwrap();
    assert_eq!(said.lines().count(), 1);
    assert!(said.starts_with("554 5.5.1 This port speaks SMTP"), "{said}");
}

#[tokio::test]
async fn a_client_that_begins_with_tls_is_told_so() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.client().await;
    client.write([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]).await;
    assert!(
        client
            .reply()
            .await
            .starts_with("554 5.5.1 This port begins without TLS")
    );
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    client.says("MAIL FROM:<a@example.com>", "250 ").await;
    client.says("RCPT TO:<b@example.net>", "250 ").await;
    client.says("DATA", "354 ").await;
    client.write("From: a@example.com\r\n\r\nHalf of a").await;
    drop(client);
    within(async {
        while !server.server.metrics_text().contains("okite_smtp_open_connections 0") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(api.mails().len(), 0);
}
