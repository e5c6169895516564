//! `okite smtp`, and the SMTP server of `okite up`.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Child;

use serde_json::Value;

use crate::support::*;

/// A client that says a line and reads the answer.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            reply.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
        }
    }

    fn says(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.reply()
    }
}

/// A running `okite smtp`. Dropping it kills it.
struct Smtp {
    process: Child,
    log: std::path::PathBuf,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        // Both fail if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Smtp {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let log = folder.join("smtp.log");
        let mut command = okite();
        command
            .args(["smtp", "--listen=127.0.0.1:0", "--metrics=127.0.0.1:0"])
            .args(arguments);
        command.stdout(File::create(&log).unwrap());
        Self {
            process: command.spawn().unwrap(),
            log,
        }
    }

    fn lines(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let whole = log
            .rsplit_once('\n')
            .map(|(whole, _)| whole.to_owned())
            .unwrap_or_default();
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for a line of the log.
    async fn logged(&self, message: &str) -> Value {
        let find = || {
            self.lines()
                .into_iter()
                .find(|line| line["fields"]["message"] == message)
        };
        eventually("a line is logged", async || find()).await
    }
}

#[tokio::test]
async fn okite_up_takes_mail_without_a_password_or_with_a_key() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let address = up.local_json().unwrap()["smtp"].as_str().unwrap().to_owned();
    assert!(
        up.printed().contains(&format!("SMTP      {address}")),
        "{}",
        up.printed()
    );
    let mut client = Client::connect(address.parse().unwrap());
    assert_eq!(client.reply(), "220 okite ESMTP\r\n");
    let offer = client.says("EHLO localhost");
    assert!(
        offer.contains("AUTH PLAIN LOGIN") && !offer.contains("STARTTLS"),
        "{offer}"
    );
    assert!(client.says("MAIL FROM:<hello@example.com>").starts_with("250 2.1.0"));
    assert!(
        client
            .says("RCPT TO:<success@simulator.amazonses.com>")
            .starts_with("250 2.1.5")
    );
    assert!(client.says("QUIT").starts_with("221 2.0.0"));
    assert_eq!(up.errors(), "");
}

#[tokio::test]
async fn okite_up_names_a_port_of_smtp_that_is_taken() {
    let (_folder, data_dir) = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = okite();
    command
        .args(["up", "--port=0", "--smtp-port", &port, "--data-dir"])
        .arg(&data_dir);
    let output = finished(&mut command).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error.contains(&port) && error.contains("--smtp-port (0 picks a free one)"),
        "{error}"
    );
}

#[tokio::test]
async fn serves_until_a_signal_and_logs_json() {
    let folder = tempfile::tempdir().unwrap();
    let mut smtp = Smtp::start(folder.path(), &["--api", "http://127.0.0.1:1"]);
    let listening = smtp.logged("listening").await;
    let mut client = Client::connect(listening["fields"]["address"].as_str().unwrap().parse().unwrap());
    assert_eq!(client.reply(), "220 okite ESMTP\r\n");
    client.says("EHLO localhost");
    assert!(client.says("MAIL FROM:<hello@example.com>").starts_with("530 5.7.0"));
    let metrics = smtp.logged("serving /health and /metrics").await;
    let url = format!("http://{}/health", metrics["fields"]["address"].as_str().unwrap());
    assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "ok\n");

    send_signal(&smtp.process, "TERM");
    assert!(client.reply().starts_with("421 4.3.2"));
    let status = eventually("okite smtp ends", async || smtp.process.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
    smtp.logged("stopped").await;
}

#[tokio::test]
async fn refuses_what_would_show_keys_to_others() {
    for (arguments, code, problem) in [
        (
            &["--api", "https://okite.example.com", "--listen", "0.0.0.0:0"][..],
            1,
            "clients could give no API key without encryption",
        ),
        (&["--api", "http://okite.example.com"], 2, "use https"),
        (
            &["--api", "https://okite.example.com", "--tls-cert", "cert.pem"],
            2,
            "--tls-key",
        ),
        (
            &["--api", "https://okite.example.com", "--listen-tls", "127.0.0.1:0"],
            2,
            "--tls-cert",
        ),
        (
            &[
                "--api",
                "https://okite.example.com",
                "--tls-cert",
                "none.pem",
                "--tls-key",
                "none.pem",
            ],
            1,
            "none.pem cannot be read",
        ),
    ] {
        let output = finished(okite().arg("smtp").args(arguments)).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(problem), "{error}");
    }
}
