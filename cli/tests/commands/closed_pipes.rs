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
        vec!["completions", "bash"],
        vec!["keys", "create", "--name", "a"],
        vec!["keys", "list"],
        vec!["keys", "list", "--json"],
        vec!["keys", "revoke", "nobody"],
        vec!["suppressions", "import", list],
        vec!["suppressions", "import", "--from-ses"],
        vec!["suppressions", "export"],
        vec!["suppressions", "export", "--json"],
        vec!["emails", "show", id],
        vec!["emails", "show", id, "--json"],
        vec!["emails", "show", "nobody"],
        vec!["emails", "unknown"],
        vec!["emails", "unknown", "--json"],
        vec!["emails", "settle", id, "--sent"],
        vec!["emails", "cancel", id],
        vec!["emails", "reschedule", id, "in 0 seconds"],
        vec!["unsubscribe", "rotate"],
        vec!["unsubscribe", "rotate", "--json"],
        vec!["webhooks", "list"],
        vec!["webhooks", "list", "--json"],
        vec!["webhooks", "create", "https://8.8.8.8/", "--events", "email.sent"],
        vec!["webhooks", "show", "nobody"],
        vec!["webhooks", "events", "nobody"],
        vec!["webhooks", "update", "nobody", "--enable"],
        vec!["webhooks", "rotate", "nobody"],
        vec!["webhooks", "test", "nobody"],
        vec!["webhooks", "replay", "nobody", "msg_1"],
        vec!["webhooks", "delete", "nobody"],
        vec!["queue"],
        vec!["queue", "--json"],
        vec!["status"],
        vec!["status", "--json"],
        vec!["brake"],
        vec!["brake", "--json"],
        vec!["brake", "bulk"],
        vec!["brake", "auto"],
        vec!["incident"],
        vec!["incident", "--format", "csv"],
        vec!["incident", "--json"],
        vec!["feedback", "redrive"],
        vec!["doctor"],
        vec!["domains", "create", "example.com"],
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
            if !matches!(arguments[0], "--help" | "--version" | "completions" | "explain-bounce") {
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

/// The commands that another test runs with closed pipes, because they do not end by themselves or run no target.
const TRIED_ELSEWHERE: [&[&str]; 6] = [&["up"], &["smtp"], &["tail"], &["listen"], &["man"], &["function"]];

#[test]
fn every_command_is_tried() {
    let tried = commands("id", "list");
    let is_tried =
        |path: &[&str]| TRIED_ELSEWHERE.contains(&path) || tried.iter().any(|arguments| arguments.starts_with(path));
    let (all, mut untried) = (okite::command_line(), Vec::new());
    for command in all.get_subcommands().filter(|command| command.get_name() != "help") {
        let mut inner = command
            .get_subcommands()
            .filter(|inner| inner.get_name() != "help")
            .peekable();
        if inner.peek().is_none() && !is_tried(&[command.get_name()]) {
            untried.push(command.get_name().to_owned());
        }
        for inner in inner.filter(|inner| !is_tried(&[command.get_name(), inner.get_name()])) {
            untried.push(format!("{} {}", command.get_name(), inner.get_name()));
        }
    }
    assert_eq!(untried, [""; 0]);
}

/// Waits until a listener is there.
async fn listens(up: &Up) {
    eventually("the listener is there", async || {
        let mut list = okite();
        list.args(["webhooks", "list", "--json", "--data-dir"])
            .arg(&up.data_dir);
        text(&finished(&mut list).await.stdout)
            .contains("listening_until\": \"")
            .then_some(())
    })
    .await;
}

/// Returns whether a process has a handler for SIGTERM.
fn catches_sigterm(process: &std::process::Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << 14) != 0
}

#[tokio::test]
async fn commands_that_run_until_ctrl_c_go_on_or_end_quietly() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    for arguments in [&["tail"][..], &["listen", "--forward", "http://127.0.0.1:1/"]] {
        let mut command = okite();
        command.args(arguments).arg("--data-dir").arg(&data_dir);
        command.stdout(unread()).stderr(unread());
        let mut process = command.spawn().unwrap();
        listens(&up).await;
        send_signal(&process, "INT");
        let status = eventually("it ends", async || process.try_wait().unwrap()).await;
        assert_eq!(status.code(), Some(0), "{arguments:?}");
    }
    let mut command = okite();
    command.args([
        "smtp",
        "--api",
        &up.url(),
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "127.0.0.1:0",
    ]);
    command.stdout(unread()).stderr(unread());
    let mut process = command.spawn().unwrap();
    eventually("it listens for signals", async || {
        catches_sigterm(&process).then_some(())
    })
    .await;
    send_signal(&process, "TERM");
    let status = eventually("it ends", async || process.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
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
