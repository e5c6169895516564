//! Commands whose reader closes its end, as `head -1` does: they end quietly, with the exit code that they have anyway.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::*;

/// The end of a pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Which output nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    Neither,
    Stdout,
    Both,
}

/// Runs a command to its end. Returns its exit code, and what it printed to standard error.
async fn run(mut command: Command, closed: Closed) -> (Option<i32>, String) {
    command.stdin(Stdio::null());
    match closed {
        Closed::Neither => command.stdout(Stdio::null()).stderr(Stdio::piped()),
        Closed::Stdout => command.stdout(unread()).stderr(Stdio::piped()),
        Closed::Both => command.stdout(unread()).stderr(unread()),
    };
    let mut process = command.spawn().unwrap();
    let status = eventually("the command ends", async || process.try_wait().unwrap()).await;
    let output = process.wait_with_output().unwrap();
    (status.code(), text(&output.stderr).to_owned())
}

/// The commands that work without a stack in AWS, with the arguments of each. `id` is that of an email.
fn commands<'a>(id: &'a str, list: &'a str) -> Vec<Vec<&'a str>> {
    vec![
        vec!["--help"],
        vec!["--version"],
        vec!["keys", "create", "--name", "a"],
        vec!["keys", "list"],
        vec!["keys", "list", "--json"],
        vec!["keys", "revoke", "nobody"],
        vec!["suppressions", "import", list],
        vec!["suppressions", "import", "--from-ses"],
        vec!["suppressions", "export"],
        vec!["emails", "show", id],
        vec!["emails", "show", id, "--json"],
        vec!["emails", "show", "nobody"],
        vec!["emails", "unknown"],
        vec!["emails", "unknown", "--json"],
        vec!["emails", "settle", id, "--sent"],
        vec!["webhooks", "list"],
        vec!["webhooks", "list", "--json"],
        vec!["webhooks", "create", "https://8.8.8.8/", "--events", "email.sent"],
        vec!["webhooks", "show", "nobody"],
        vec!["webhooks", "events", "nobody"],
        vec!["status"],
        vec!["status", "--json"],
        vec!["brake"],
        vec!["brake", "bulk"],
        vec!["brake", "auto"],
        vec!["incident"],
        vec!["incident", "--format", "csv"],
        vec!["feedback", "redrive"],
        vec!["doctor"],
        vec!["domains", "records", "example.com"],
        vec!["domains", "records", "example.com", "--zone"],
        vec!["doctor", "--json"],
        vec!["explain-bounce", "550 5.1.1 unknown"],
        vec!["explain-bounce", "550 5.1.1 unknown", "--json"],
        vec!["forget", "anna@example.net"],
        vec!["forget", "anna@example.net", "--yes"],
    ]
}

#[tokio::test]
async fn a_command_ends_quietly_if_nobody_reads_its_output() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    let id = up.send("success@simulator.amazonses.com").await["id"].clone();
    let list = data_dir.with_extension("csv");
    let lines: Vec<String> = (0..50).map(|number| format!("{number}@example.net,bounce")).collect();
    fs::write(&list, format!("address,reason\n{}\n", lines.join("\n"))).unwrap();
    let mut wrong = Vec::new();
    for arguments in commands(id.as_str().unwrap(), list.to_str().unwrap()) {
        let command = || {
            let mut command = okite();
            command.args(&arguments);
            if !matches!(arguments[0], "--help" | "--version" | "explain-bounce") {
                command.arg("--data-dir").arg(&data_dir);
            }
            command
        };
        let (code, said) = run(command(), Closed::Neither).await;
        let (unread_code, unread_said) = run(command(), Closed::Stdout).await;
        let (blind_code, _) = run(command(), Closed::Both).await;
        let is_quiet = !unread_said.contains("panicked") && !unread_said.contains("Broken pipe");
        let adds_nothing = unread_said.lines().count() <= said.lines().count();
        if !is_quiet || !adds_nothing || unread_code != code || blind_code != code {
            wrong.push(format!(
                "{arguments:?}: {code:?} {unread_code:?} {blind_code:?}\n{said}---\n{unread_said}"
            ));
        }
    }
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
}

#[tokio::test]
async fn okite_up_runs_although_nobody_reads_its_output() {
    let (_folder, data_dir) = folder();
    let mut command = okite();
    command.args(["up", "--port=0", "--data-dir"]).arg(&data_dir);
    command.stdout(unread()).stderr(unread());
    let up = Up::of(command.spawn().unwrap(), &data_dir);
    eventually("okite up answers", async || {
        let health = format!("{}/health", up.local_json()?["url"].as_str()?);
        up.http
            .get(health)
            .send()
            .await
            .ok()
            .filter(|answer| answer.status() == 200)
    })
    .await;
    up.send("success@simulator.amazonses.com").await;
    let mut up = up;
    up.signal("TERM");
    assert_eq!(up.ended().await.code(), Some(0));
}
