//! `okite webhooks`, `okite tail` and `okite listen`, with an `okite up`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Output};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::support::*;

/// A request that an application received.
struct Received {
    head: String,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        let mut values = self
            .head
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        values.next().unwrap_or_else(|| panic!("{name}: {}", self.head))
    }
}

/// Starts an application that answers each request with `status`. It ends with the process.
fn application(status: u16) -> (String, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if sender.send(answered(stream.unwrap(), status)).is_err() {
                return;
            }
        }
    });
    (url, received)
}

/// Reads a request from a connection, and answers it.
fn answered(stream: TcpStream, status: u16) -> Received {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let mut lengths = head.lines().filter_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; lengths.next_back().unwrap().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let answer = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi");
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    Received {
        head,
        body: text(&body).to_owned(),
    }
}

async fn run(arguments: &[&str], data_dir: &Path) -> Output {
    finished(okite().args(arguments).arg("--data-dir").arg(data_dir)).await
}

/// Runs a command that succeeds and prints JSON.
async fn run_json(arguments: &[&str], data_dir: &Path) -> Value {
    let output = run(&[arguments, &["--json"]].concat(), data_dir).await;
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Creates a webhook and returns its id and its secret.
async fn created(url: &str, events: &str, data_dir: &Path) -> (String, String) {
    let webhook = run_json(&["webhooks", "create", url, "--events", events], data_dir).await;
    let text = |name: &str| webhook[name].as_str().unwrap().to_owned();
    (text("id"), text("signing_secret"))
}

#[tokio::test]
async fn a_webhook_is_created_tested_replayed_and_deleted() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    let (url, received) = application(200);
    let output = run(&["webhooks", "create", &url, "--events", "email.bounced"], &data_dir).await;
    // Standard output is the line of an `.env` file.
    assert!(text(&output.stdout).starts_with("OKITE_WEBHOOK_SECRET=whsec_"));
    assert_eq!(text(&output.stdout).lines().count(), 1);
    let listed = run_json(&["webhooks", "list"], &data_dir).await;
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(
        [&listed[0]["endpoint"], &listed[0]["events"]],
        [&json!(url), &json!(["email.bounced"])]
    );
    assert!(!listed.to_string().contains("whsec_"));

    let tested = run_json(&["webhooks", "test", id, "--event", "email.complained"], &data_dir).await;
    assert_eq!(
        [&tested["state"], &tested["status"]],
        [&json!("delivered"), &json!(200)]
    );
    let request = received.recv_timeout(DEADLINE).unwrap();
    let event = tested["event"].as_str().unwrap();
    assert_eq!(request.header("webhook-id"), event);
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["type"], "email.complained");

    let output = run(&["webhooks", "replay", id, event], &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let again = received.recv_timeout(DEADLINE).unwrap();
    assert_eq!((again.header("webhook-id"), &again.body), (event, &request.body));

    let events = run_json(&["webhooks", "events", id], &data_dir).await;
    assert_eq!(
        [&events[0]["id"], &events[0]["type"]],
        [&json!(event), &json!("email.complained")]
    );
    eventually("both attempts are in the log", async || {
        let shown = run_json(&["webhooks", "events", id, event], &data_dir).await;
        assert_eq!(shown["payload"], body);
        (shown["attempts"].as_array()?.len() == 2).then_some(())
    })
    .await;

    let output = run(&["webhooks", "delete", id], &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = run(&["webhooks", "show", id], &data_dir).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no webhook with the id"));
}

#[tokio::test]
async fn an_endpoint_that_fails_is_shown_and_a_disabled_one_is_not_called() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    let (url, received) = application(500);
    let (id, secret) = created(&url, "all", &data_dir).await;
    let output = run(&["webhooks", "test", &id], &data_dir).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("status 500"), "{}", text(&output.stderr));
    received.recv_timeout(DEADLINE).unwrap();
    let shown = run_json(&["webhooks", "show", &id], &data_dir).await;
    assert_eq!(shown["last_failure"]["status"], 500);

    let rotated = run_json(&["webhooks", "rotate", &id], &data_dir).await;
    assert_ne!(rotated["signing_secret"], json!(secret));
    let changed = run_json(
        &["webhooks", "update", &id, "--disable", "--events", "email.sent"],
        &data_dir,
    )
    .await;
    assert_eq!(
        [&changed["status"], &changed["events"]],
        [&json!("disabled"), &json!(["email.sent"])]
    );
    let output = run(&["webhooks", "test", &id], &data_dir).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is disabled"), "{}", text(&output.stderr));
    let changed = run_json(&["webhooks", "update", &id, "--enable"], &data_dir).await;
    assert_eq!(changed["status"], "enabled");
    let shown = run_json(&["webhooks", "show", &id], &data_dir).await;
    assert_eq!(shown["failures"], 0);
}

#[tokio::test]
async fn a_url_that_leads_elsewhere_is_refused() {
    let (_folder, data_dir) = folder();
    let _up = Up::start(&data_dir, &[]).await;
    for (url, words) in [
        ("http://example.com/hook", "https://"),
        ("https://169.254.169.254/", "public internet"),
        ("https://8.8.8.8:8443/", "WebhookPorts"),
        ("https://hook.invalid/", "does not resolve"),
    ] {
        let output = run(&["webhooks", "create", url, "--events", "all"], &data_dir).await;
        assert_eq!(output.status.code(), Some(1), "{url}");
        assert!(text(&output.stderr).contains(words), "{url}: {}", text(&output.stderr));
    }
    assert_eq!(run_json(&["webhooks", "list"], &data_dir).await, json!([]));
}

#[tokio::test]
async fn wrong_arguments_and_a_target_that_does_not_run_are_told() {
    let (_folder, data_dir) = folder();
    for arguments in [
        vec!["webhooks"],
        vec!["webhooks", "create", "https://example.com/"],
        vec![
            "webhooks",
            "create",
            "https://example.com/",
            "--events",
            "domain.created",
        ],
        vec!["webhooks", "update", "x"],
        vec!["webhooks", "update", "x", "--enable", "--disable"],
        vec!["webhooks", "events", "x", "--limit", "0"],
        vec!["webhooks", "replay", "x"],
        vec!["listen", "--forward", "127.0.0.1:8000"],
        vec!["listen", "--events", ""],
    ] {
        assert_eq!(run(&arguments, &data_dir).await.status.code(), Some(2), "{arguments:?}");
    }
    for arguments in [
        vec!["webhooks", "list"],
        vec!["webhooks", "events", "x"],
        vec!["tail"],
        vec!["listen", "--forward", "http://127.0.0.1:1/"],
    ] {
        let output = run(&arguments, &data_dir).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains("no `okite up` runs"), "{arguments:?}");
    }
    for arguments in [vec!["webhooks", "events", "x"], vec!["tail"]] {
        let output = finished(okite().args(&arguments).args(["--table", "t", "--region", "us-east-1"])).await;
        assert!(
            text(&output.stderr).contains("--stack instead of --table"),
            "{arguments:?}"
        );
    }
}

/// A running `okite listen` or `okite tail`. Dropping it kills it.
struct Listen {
    process: Child,
}

impl Drop for Listen {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Listen {
    fn start(arguments: &[&str], data_dir: &Path) -> Self {
        let mut command = okite();
        command.args(arguments).arg("--data-dir").arg(data_dir);
        command.stdout(File::create(data_dir.with_extension("lines")).unwrap());
        command.stderr(File::create(data_dir.with_extension("notes")).unwrap());
        let process = command.spawn().unwrap();
        Self { process }
    }
}

fn printed(data_dir: &Path, extension: &str) -> String {
    std::fs::read_to_string(data_dir.with_extension(extension)).unwrap()
}

/// Waits until a listener is there. Returns its id.
async fn listener(data_dir: &Path) -> String {
    eventually("the listener is there", async || {
        let listed = run_json(&["webhooks", "list"], data_dir).await;
        let mut all = listed.as_array()?.iter();
        let listener = all.find(|webhook| !webhook["listening_until"].is_null())?;
        Some(listener["id"].as_str()?.to_owned())
    })
    .await
}

/// Sets the clock forward, so that functions read the list of webhooks again and listeners that were killed lapse.
async fn later(up: &Up, seconds: u64) {
    let answer = up.local("clock", &json!({ "advance_ms": seconds * 1000 })).await;
    assert!(answer.status().is_success(), "{}", answer.status());
}

#[tokio::test]
async fn listen_forwards_what_happens_and_deletes_itself() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let (url, received) = application(200);
    let arguments = ["listen", "--forward", &url, "--events", "suppression.added", "--json"];
    let mut listen = Listen::start(&arguments, &data_dir);
    let id = listener(&data_dir).await;
    later(&up, 31).await;
    let suppressed = up.http.post(format!("{}/suppressions", up.url())).bearer_auth(KEY);
    let suppressed = suppressed.json(&json!({ "email": "anna@example.net" })).send().await;
    assert_eq!(suppressed.unwrap().status(), 201);
    let request = eventually("the event is forwarded", async || received.try_recv().ok()).await;
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["type"], "suppression.added");
    let line = eventually("a line is printed", async || {
        let lines = printed(&data_dir, "lines");
        Some(lines.split_once('\n')?.0.to_owned())
    })
    .await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        [&line["id"], &line["status"], &line["payload"]],
        [&json!(request.header("webhook-id")), &json!(200), &body]
    );
    let events = run_json(&["webhooks", "events", &id, request.header("webhook-id")], &data_dir).await;
    assert_eq!(events["state"], "delivered");

    send_signal(&listen.process, "INT");
    let status = eventually("it ends", async || listen.process.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(run_json(&["webhooks", "list"], &data_dir).await, json!([]));

    // The secret stays: the application keeps its setting.
    let secret = |notes: &str| {
        notes
            .lines()
            .find_map(|line| line.strip_prefix("OKITE_WEBHOOK_SECRET=").map(str::to_owned))
    };
    let first = secret(&printed(&data_dir, "notes")).unwrap();
    let _again = Listen::start(&["listen", "--forward", &url], &data_dir);
    let second = eventually("the secret is printed", async || secret(&printed(&data_dir, "notes"))).await;
    assert_eq!(second, first);
}

#[tokio::test]
async fn tail_prints_what_its_filter_passes_and_deletes_a_listener_that_was_killed() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let killed = Listen::start(&["tail"], &data_dir);
    let first = listener(&data_dir).await;
    drop(killed);
    later(&up, 180).await;
    let arguments = ["tail", "--to", "anna@example.net", "--json"];
    let _listen = Listen::start(&arguments, &data_dir);
    eventually("the listener that was killed is gone", async || {
        let listed = run_json(&["webhooks", "list"], &data_dir).await;
        let ids: Vec<&str> = listed
            .as_array()?
            .iter()
            .filter_map(|webhook| webhook["id"].as_str())
            .collect();
        (ids.len() == 1 && ids[0] != first).then_some(())
    })
    .await;
    later(&up, 31).await;
    for address in ["ben@example.net", "Anna@Example.net"] {
        let suppressed = up.http.post(format!("{}/suppressions", up.url())).bearer_auth(KEY);
        let suppressed = suppressed.json(&json!({ "email": address })).send().await;
        assert_eq!(suppressed.unwrap().status(), 201);
    }
    let line = eventually("a line is printed", async || {
        let lines = printed(&data_dir, "lines");
        Some(lines.split_once('\n')?.0.to_owned())
    })
    .await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["type"], &line["payload"]["data"]["email"]),
        (&json!("suppression.added"), &json!("anna@example.net"))
    );
}
