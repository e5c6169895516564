//! The graceful stop, `/health` and `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, FakeApi, MAIL, Running, settings, usual, within};

#[tokio::test]
async fn the_stop_lets_mails_end() {
    let go = Arc::new(Semaphore::new(0));
    let when = Arc::clone(&go);
    let api = FakeApi::start(move |_, _| Answer::When(Arc::clone(&when))).await;
    let server = Running::start(&api.url()).await;
    let mut idle = server.greeted().await;
    let mut sending = server.greeted().await;
    sending.says("MAIL FROM:<a@example.com>", "250 ").await;
    sending.says("RCPT TO:<b@example.net>", "250 ").await;
    sending.says("DATA", "354 ").await;
    sending.write("From: a@example.com\r\n").await;
    let mut waiting = server.greeted().await;
    waiting.says("MAIL FROM:<a@example.com>", "250 ").await;
    waiting.says("RCPT TO:<b@example.net>", "250 ").await;
    waiting.says("DATA", "354 ").await;
    waiting.write(format!("{MAIL}\r\n.\r\n")).await;
    api.arrived().await;

    server.server.stop();
    assert!(idle.reply().await.starts_with("421 4.3.2"));
    assert_eq!(idle.rest().await, b"");
    sending.write("\r\nHi\r\n.\r\n").await;
    api.arrived().await;
    assert!(!server.task.is_finished());
    go.add_permits(2);
    for client in [&mut waiting, &mut sending] {
        assert!(client.reply().await.starts_with("250 2.0.0"));
        assert!(client.reply().await.starts_with("421 4.3.2"));
    }
    within(server.task).await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
    assert_eq!(api.mails().len(), 2);
}

#[tokio::test]
async fn the_stop_does_not_wait_for_ever() {
    let api = FakeApi::start(|_, _| Answer::Never).await;
    let mut settings = settings(&api.url());
    settings.limits.grace = Duration::from_millis(100);
    let server = Running::start_with(settings, false).await;
    let mut client = server.greeted().await;
    client.says("MAIL FROM:<a@example.com>", "250 ").await;
    client.says("RCPT TO:<b@example.net>", "250 ").await;
    client.says("DATA", "354 ").await;
    client.write(format!("{MAIL}\r\n.\r\n")).await;
    api.arrived().await;
    server.server.stop();
    within(server.task).await.unwrap();
    // It was not told that the mail was taken.
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn operators_see_health_and_counters() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let end = CancellationToken::new();
    let task = tokio::spawn(smtp::health::serve(listener, server.server.clone(), end.clone()));
    let get = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        answer
    };
    assert!(get("/health").await.starts_with("HTTP/1.1 200 "));
    assert!(get("/").await.starts_with("HTTP/1.1 404 "));
    let mut client = server.greeted().await;
    client.sends(&["b@example.net", "c@example.net"], MAIL).await;
    let metrics = get("/metrics").await;
    for line in [
        "okite_smtp_open_connections 1",
        "okite_smtp_mails_total{result=\"accepted\"} 1",
        "okite_smtp_recipients_total 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
    server.server.stop();
    assert!(get("/health").await.starts_with("HTTP/1.1 503 "));
    end.cancel();
    within(task).await.unwrap();
}
