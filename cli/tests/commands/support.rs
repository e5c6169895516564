//! A running `okite up`, and commands beside it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The timeout of every wait.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// The API key that every `okite up` accepts and that events/ contains.
pub(crate) const KEY: &str = "ok_local_this_key_works_with_okite_up_only";

/// Returns the command `okite`, without the environment variables of the test that could change its behaviour.
pub(crate) fn okite() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_okite"));
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_") || name.starts_with("OKITE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Polls until `look` returns something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("timed out waiting until {what}"))
}

/// Sends a signal to a process alone.
pub(crate) fn send_signal(process: &Child, signal: &str) {
    let pid = process.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap()
            .success()
    );
}

/// A running `okite up`. Dropping it kills it.
pub(crate) struct Up {
    pub(crate) process: Child,
    pub(crate) data_dir: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) http: reqwest::Client,
}

impl Drop for Up {
    fn drop(&mut self) {
        // Both fail if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Up {
    /// Starts it on a free port without waiting until it is ready.
    pub(crate) fn spawn(data_dir: &Path, arguments: &[&str]) -> Self {
        let mut command = okite();
        command
            .args(["up", "--port=0", "--smtp-port=0", "--data-dir"])
            .arg(data_dir)
            .args(arguments);
        Self::run(command, data_dir)
    }

    /// Runs a command that is `okite up`. Its output goes to files beside the data directory.
    pub(crate) fn run(mut command: Command, data_dir: &Path) -> Self {
        let output = data_dir.with_extension("output");
        command.stdout(File::create(&output).unwrap());
        command.stderr(File::create(data_dir.with_extension("errors")).unwrap());
        Self::of(command.spawn().unwrap(), data_dir)
    }

    /// Takes over a process that is `okite up`.
    pub(crate) fn of(process: Child, data_dir: &Path) -> Self {
        Self {
            process,
            data_dir: data_dir.to_owned(),
            output: data_dir.with_extension("output"),
            http: reqwest::Client::builder().timeout(DEADLINE).build().unwrap(),
        }
    }

    /// Starts it and waits until it prints that it is ready.
    pub(crate) async fn start(data_dir: &Path, arguments: &[&str]) -> Self {
        let mut up = Self::spawn(data_dir, arguments);
        up.ready().await;
        up
    }

    pub(crate) async fn ready(&mut self) {
        eventually("okite up is ready", async || {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("okite up ended ({status}): {}", self.errors());
            }
            self.printed().contains("Ctrl-C stops it.").then_some(())
        })
        .await;
    }

    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(self.data_dir.with_extension("errors")).unwrap()
    }

    pub(crate) fn local_json(&self) -> Option<Value> {
        let json = fs::read(self.data_dir.join("local.json")).ok()?;
        Some(serde_json::from_slice(&json).unwrap())
    }

    pub(crate) fn url(&self) -> String {
        self.local_json().unwrap()["url"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn post_with(&self, key: &str, email: &Value) -> (u16, Value) {
        let request = self.http.post(format!("{}/emails", self.url())).bearer_auth(key);
        let answer = request.json(email).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn send(&self, to: &str) -> Value {
        let (status, body) = self.post_with(KEY, &email(to)).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The newest thousand mails that SES accepted, oldest first.
    pub(crate) async fn outbox(&self) -> Value {
        let answer = self
            .http
            .get(format!("{}/_local/outbox?limit=1000", self.url()))
            .send()
            .await;
        let mut page: Value = answer.unwrap().json().await.unwrap();
        let mut mails = page["data"].take();
        mails.as_array_mut().unwrap().reverse();
        mails
    }

    /// Posts a body to a path below `/_local/`.
    pub(crate) async fn local(&self, part: &str, body: &Value) -> reqwest::Response {
        let url = format!("{}/_local/{part}", self.url());
        self.http.post(url).body(body.to_string()).send().await.unwrap()
    }

    /// Puts an address on the suppression list that SES keeps for the account.
    pub(crate) async fn put_on_the_list_of_ses(&self, address: &str, reason: &str) {
        let ses = self.local_json().unwrap()["ses_url"].as_str().unwrap().to_owned();
        let request = self.http.put(format!("{ses}/v2/email/suppression/addresses"));
        let request = request.header("authorization", "AWS4-HMAC-SHA256 Credential=test");
        let body = json!({ "EmailAddress": address, "Reason": reason });
        assert_eq!(request.json(&body).send().await.unwrap().status(), 200);
    }

    /// Sends a signal to this process alone.
    pub(crate) fn signal(&self, signal: &str) {
        send_signal(&self.process, signal);
    }

    /// Waits until the process has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        eventually("okite up has ended", async || self.process.try_wait().unwrap()).await
    }

    /// Waits until none of its functions runs.
    pub(crate) async fn nothing_is_left(&self) {
        eventually("no function is left", async || {
            functions(&self.data_dir).is_empty().then_some(())
        })
        .await;
    }
}

/// An email that does not wait if there is no room for it.
pub(crate) fn email(to: &str) -> Value {
    json!({
        "from": "Acme <hello@example.com>", "to": to, "subject": "Hello", "text": "It works.",
        "okite_when_busy": "refuse",
    })
}

/// Returns the processes whose standard error is a log of the data directory: its functions, even without their parent.
pub(crate) fn functions(data_dir: &Path) -> Vec<u32> {
    let logs = data_dir.canonicalize().unwrap().join("logs");
    let pids = fs::read_dir("/proc").unwrap();
    let pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let output = fs::read_link(format!("/proc/{pid}/fd/2"));
        output.is_ok_and(|output| output.starts_with(&logs))
    })
    .collect()
}

/// Runs a command until it ends.
pub(crate) async fn finished(command: &mut Command) -> Output {
    let mut process = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let ended = tokio::time::timeout(DEADLINE, async {
        while process.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    if ended.await.is_err() {
        process.kill().unwrap();
    }
    process.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Returns a temporary folder, and the path of a data directory in it that does not exist yet.
pub(crate) fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    (folder, data_dir)
}

/// Starts an `okite up` and waits for its first scheduled report, so that the report does not interfere with the test.
pub(crate) async fn reported(data_dir: &Path) -> Up {
    let up = Up::start(data_dir, &[]).await;
    eventually("the first report is done", async || {
        let request = up.http.get(format!("{}/quota", up.url())).bearer_auth(KEY);
        let report: Value = request.send().await.unwrap().json().await.unwrap();
        report["suppression_list"].is_object().then_some(())
    })
    .await;
    up
}

/// Runs the reporter and returns its report.
pub(crate) async fn report(up: &Up) -> Value {
    let url = format!("{}/_local/schedule", up.url());
    let answer = up.http.post(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}
