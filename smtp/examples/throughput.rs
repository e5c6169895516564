//! Measures how many mails a second the SMTP server passes on, over one connection and over 50, before an API in the
//! same process that answers at once:
//!
//! ```sh
//! cargo run --release -p smtp --example throughput
//! ```
//!
//! With the address of a running server, its mails go there instead, such as to `okite up`:
//!
//! ```sh
//! cargo run --release -p smtp --example throughput -- 127.0.0.1:1025
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use domain::api_key::ApiKey;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use smtp::{Api, Door, Limits, Server, ServerSettings};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

type Failed = Box<dyn Error + Send + Sync>;

/// The time of each measurement.
const SECONDS: u64 = 5;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let server = match std::env::args().nth(1) {
        Some(address) => address.parse()?,
        None => start(api().await?).await?,
    };
    let mut out = std::io::stdout();
    for (connections, bytes) in [(1, 2_000), (50, 2_000), (1, 1_000_000), (50, 1_000_000)] {
        let mails = measure(server, connections, bytes).await?;
        let rate = mails / SECONDS;
        writeln!(
            out,
            "{connections:>2} connections, {bytes:>7} bytes: {rate:>6} mails a second"
        )?;
    }
    Ok(())
}

/// An API that takes every mail.
async fn api() -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: http::Request<Incoming>| async {
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(
                    br#"{"MessageId":"1"}"#,
                ))))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

async fn start(api: SocketAddr) -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::new(ServerSettings {
        api: Api::new(format!("http://{api}").parse()?)?,
        limits: Limits::default(),
        tls: None,
        default_key: Some(ApiKey::parse("ok_1_secret")?),
        http_url: None,
    });
    let door = Door {
        listener,
        is_implicit_tls: false,
    };
    tokio::spawn(async move { server.serve(vec![door]).await });
    Ok(address)
}

/// Sends mails over some connections and returns their number.
async fn measure(server: SocketAddr, connections: usize, bytes: usize) -> Result<u64, Failed> {
    let until = Instant::now() + Duration::from_secs(SECONDS);
    let mut clients = JoinSet::new();
    for client in 0..connections {
        clients.spawn(async move {
            let mut connection = BufReader::new(TcpStream::connect(server).await?);
            expect(&mut connection, "220").await?;
            connection.write_all(b"EHLO throughput\r\n").await?;
            expect(&mut connection, "250").await?;
            let mut mails = 0;
            while Instant::now() < until {
                send(&mut connection, &mail(client, mails, bytes)).await?;
                mails += 1;
            }
            Ok::<u64, Failed>(mails)
        });
    }
    let mut mails = 0;
    while let Some(sent) = clients.join_next().await {
        mails += sent??;
    }
    Ok(mails)
}

fn mail(client: usize, number: u64, bytes: usize) -> String {
    let mut mail = format!(
        "From: hello@example.com\r\nTo: success@simulator.amazonses.com\r\nSubject: {number}\r\n\
         Message-ID: <{number}.{client}.{bytes}@example.com>\r\n\r\n"
    );
    while mail.len() < bytes {
        mail.push_str("The quick brown fox jumps over the lazy dog, and then it does so once again.\r\n");
    }
    mail
}

async fn send(connection: &mut BufReader<TcpStream>, mail: &str) -> Result<(), Failed> {
    connection
        .write_all(b"MAIL FROM:<hello@example.com>\r\nRCPT TO:<success@simulator.amazonses.com>\r\nDATA\r\n")
        .await?;
    for code in ["250", "250", "354"] {
        expect(connection, code).await?;
    }
    connection.write_all(format!("{mail}.\r\n").as_bytes()).await?;
    expect(connection, "250").await
}

async fn expect(connection: &mut BufReader<TcpStream>, code: &str) -> Result<(), Failed> {
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await?;
        if !line.starts_with(code) {
            return Err(format!("not {code}: {line}").into());
        }
        if line.as_bytes().get(3) == Some(&b' ') {
            return Ok(());
        }
    }
}
