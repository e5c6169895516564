//! `okite brake`: stops and releases mail at once.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::*;

async fn brake(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = okite();
    command.env("USER", "anna");
    command.arg("brake").args(arguments).arg("--data-dir").arg(data_dir);
    finished(&mut command).await
}

/// Runs the command and returns its output.
async fn output_of(arguments: &[&str], data_dir: &Path) -> String {
    let output = brake(arguments, data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

async fn set_account(up: &Up, account: &Value) {
    let url = format!("{}/_local/account", up.url());
    let answer = up.http.put(url).json(account).send().await.unwrap();
    assert_eq!(answer.status(), 204);
}

#[tokio::test]
async fn stops_and_releases_mail_at_once_and_no_report_undoes_it() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    up.send("anna@example.net").await;
    let stopped = output_of(&["all", "--why", "a bad list", "--by", "bob"], &data_dir).await;
    for words in ["All mail is stopped", "in force now", "okite brake auto"] {
        assert!(stopped.contains(words), "{words}: {stopped}");
    }
    for _ in 0..2 {
        let (status, body) = up.post_with(KEY, &email("anna@example.net")).await;
        assert_eq!(status, 503, "{body}");
        assert!(body["message"].as_str().unwrap().contains("okite brake auto"), "{body}");
        report(&up).await;
    }
    let none = output_of(&["none"], &data_dir).await;
    assert!(none.contains("all mail passes") && !none.contains("Warning"), "{none}");
    up.send("anna@example.net").await;
    output_of(&["bulk"], &data_dir).await;
    up.send("anna@example.net").await;
    output_of(&["auto"], &data_dir).await;
    let again = output_of(&["auto"], &data_dir).await;
    assert!(
        again.contains("nothing changed") && !again.contains("recorded"),
        "{again}"
    );
    let shown = output_of(&[], &data_dir).await;
    let rows: Vec<Vec<&str>> = shown.lines().skip(4).map(|row| row.split("  ").collect()).collect();
    let changes = rows.iter().map(|row| {
        let cells = row[1..].iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
        cells.collect::<Vec<_>>().join(" ")
    });
    assert_eq!(
        changes.collect::<Vec<_>>(),
        [
            "bulk none anna no reason was given",
            "none bulk anna no reason was given",
            "all none anna no reason was given",
            "none all bob a bad list",
        ],
        "{shown}"
    );
    assert!(
        shown.contains("Brake override: none, the reports decide, set by anna at"),
        "{shown}"
    );
}

#[tokio::test]
async fn warns_about_releasing_mail_during_a_shutdown_and_auto_obeys_the_report() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    set_account(&up, &json!({ "enforcement_status": "SHUTDOWN" })).await;
    assert_eq!(report(&up).await["verdict"], "brake_all");
    let none = output_of(&["none"], &data_dir).await;
    assert!(none.contains("Warning") && none.contains("SHUTDOWN"), "{none}");
    let auto = output_of(&["auto"], &data_dir).await;
    assert!(
        auto.contains("All mail is stopped") && auto.contains("last report"),
        "{auto}"
    );
    assert_eq!(up.post_with(KEY, &email("anna@example.net")).await.0, 503);
}

#[tokio::test]
async fn an_error_names_what_is_in_force() {
    let (_folder, data_dir) = folder();
    for arguments in [&["all"][..], &[]] {
        let output = brake(arguments, &data_dir).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).contains("no `okite up` runs"),
            "{}",
            text(&output.stderr)
        );
    }
    for arguments in [&["some"][..], &["--why", "so"]] {
        assert_eq!(brake(arguments, &data_dir).await.status.code(), Some(2));
    }
    let up = reported(&data_dir).await;
    let fault = json!({ "operation": "UpdateItem", "times": 1, "error": "ValidationException" });
    assert_eq!(up.local("faults", &fault).await.status(), 204);
    let output = brake(&["all"], &data_dir).await;
    assert!(
        !output.status.success() && text(&output.stderr).contains("The brake is unchanged"),
        "{}",
        text(&output.stderr)
    );
    let fault = json!({ "operation": "UpdateItem", "skip": 1, "times": 1, "error": "ValidationException" });
    assert_eq!(up.local("faults", &fault).await.status(), 204);
    let output = brake(&["all"], &data_dir).await;
    assert!(
        !output.status.success() && text(&output.stderr).contains("The brake override is stored"),
        "{}",
        text(&output.stderr)
    );
    up.send("anna@example.net").await;
    report(&up).await;
    assert_eq!(up.post_with(KEY, &email("anna@example.net")).await.0, 503);
    let fault = json!({ "operation": "PutItem", "table": "UsageTable", "times": 1, "error": "ValidationException" });
    assert_eq!(up.local("faults", &fault).await.status(), 204);
    let none = output_of(&["none"], &data_dir).await;
    assert!(none.contains("could not be recorded"), "{none}");
    up.send("anna@example.net").await;
}

#[tokio::test]
async fn a_blank_reason_or_name_counts_as_none_and_a_long_one_is_rejected() {
    let (_folder, data_dir) = folder();
    let _up = reported(&data_dir).await;
    output_of(&["bulk", "--why", " ", "--by", ""], &data_dir).await;
    let shown = output_of(&[], &data_dir).await;
    assert!(shown.contains("no reason was given"), "{shown}");
    assert!(!shown.contains("set by  at"), "{shown}");
    let long = "a".repeat(1001);
    for option in ["--why", "--by"] {
        let output = brake(&["all", option, &long], &data_dir).await;
        assert_eq!(output.status.code(), Some(2), "{option}");
        assert!(text(&output.stderr).contains("at most 1000 characters"), "{option}");
    }
}
