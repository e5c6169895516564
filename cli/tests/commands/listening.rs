//! `okite up --listen`: the addresses and the names by which it is reached. 127.0.0.2 is another address of this
//! machine that no other machine reaches.

use std::net::{SocketAddr, TcpStream};

use crate::support::*;

/// Returns the HTTP and the SMTP address of a running `okite up`.
fn addresses(up: &Up) -> [SocketAddr; 2] {
    let json = up.local_json().unwrap();
    let http = json["url"].as_str().unwrap().strip_prefix("http://").unwrap();
    [http.parse().unwrap(), json["smtp"].as_str().unwrap().parse().unwrap()]
}

/// Asks for the outbox under a host name. Returns the status and the body.
async fn asked_as(up: &Up, host: &str) -> (u16, String) {
    let url = format!("{}/_local/outbox", up.url());
    let answer = up.http.get(url).header("host", host).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn without_the_option_one_address_is_listened_on() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    for mut address in addresses(&up) {
        assert_eq!(address.ip().to_string(), "127.0.0.1");
        assert!(TcpStream::connect(address).is_ok());
        address.set_ip("127.0.0.2".parse().unwrap());
        assert!(TcpStream::connect(address).is_err(), "{address}");
    }
    let (status, message) = asked_as(&up, "127.0.0.2:3000").await;
    assert_eq!(status, 403);
    assert!(message.contains("`--allow-host 127.0.0.2`"), "{message}");
    assert!(!up.errors().contains("WARNING"));
}

#[tokio::test]
async fn another_address_and_other_names_are_served_when_asked() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &["--listen", "127.0.0.2", "--allow-host", "Okite"]).await;
    for mut address in addresses(&up) {
        assert_eq!(address.ip().to_string(), "127.0.0.2");
        assert!(TcpStream::connect(address).is_ok());
        address.set_ip("127.0.0.1".parse().unwrap());
        assert!(TcpStream::connect(address).is_err(), "{address}");
    }
    assert!(up.printed().contains(&up.url()));
    up.send("success@simulator.amazonses.com").await;
    for (host, status) in [
        ("127.0.0.2", 200),
        ("localhost:3000", 200),
        ("okite:3000", 200),
        ("127.0.0.3", 403),
        ("evil.example", 403),
    ] {
        assert_eq!(asked_as(&up, host).await.0, status, "{host}");
    }
    // Other commands find it, and its databases stay where only this machine reaches them.
    let list = finished(okite().args(["keys", "list", "--data-dir"]).arg(&data_dir)).await;
    assert!(list.status.success(), "{}", text(&list.stderr));
    let json = up.local_json().unwrap();
    for service in ["dynamodb_url", "ses_url", "sqs_url", "sns_url", "cloudwatch_url"] {
        let url = json[service].as_str().unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{service}: {url}");
    }
}

#[tokio::test]
async fn an_address_of_another_machine_leaves_nothing_behind() {
    let (_folder, data_dir) = folder();
    let mut up = okite();
    up.args(["up", "--port=0", "--listen", "203.0.113.9", "--data-dir"])
        .arg(&data_dir);
    let output = finished(&mut up).await;
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("no address 203.0.113.9") && errors.contains("--listen"),
        "{errors}"
    );
    assert!(!data_dir.exists());
}
