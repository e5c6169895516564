//! `okite forget`: deletes an address and keeps it suppressed.

use std::io::Write;
use std::process::Stdio;

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::json;

use crate::support::*;
use crate::waiting::ToWait;

async fn forget(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = okite();
    command.arg("forget").args(arguments).arg("--data-dir").arg(data_dir);
    finished(&mut command).await
}

/// Starts an `okite up` that sent to Anna, whose address is suppressed for a bounce.
async fn with_anna(data_dir: &Path) -> Up {
    let up = Up::start(data_dir, &[]).await;
    let mail = json!({
        "from": "hello@example.com", "to": ["Bob <bob@example.net>", "Anna Secret <Anna@Example.net>"],
        "subject": "Hello", "text": "It works.",
    });
    let (status, body) = up.post_with(KEY, &mail).await;
    assert_eq!(status, 200, "{body}");
    let list = data_dir.with_extension("csv");
    let line = "Anna@Example.net,bounce,2026-01-02T00:00:00Z,550 no such user anna@example.net";
    fs::write(&list, format!("address,reason,since,diagnostic\n{line}\n")).unwrap();
    let mut import = okite();
    import
        .args(["suppressions", "import"])
        .arg(list)
        .arg("--data-dir")
        .arg(data_dir);
    assert!(finished(&mut import).await.status.success());
    // An event after the deletion would store the address again, so wait for both deliveries.
    eventually("both deliveries are on record", async || {
        (kept(&up).await.matches("delivery#").count() == 2).then_some(())
    })
    .await;
    up
}

/// Returns all items of the tables of messages and suppressions as text.
async fn kept(up: &Up) -> String {
    let local = up.local_json().unwrap();
    let client = aws::dynamodb(&up.dynamodb_config());
    let mut kept = String::new();
    for variable in ["MESSAGES_TABLE", "SUPPRESSIONS_TABLE"] {
        let table = &local["functions"]["send-api"]["env"][variable];
        let scan = client.scan().table_name(table.as_str().unwrap()).consistent_read(true);
        let items = format!("{:?}", scan.send().await.unwrap().items());
        kept.push_str(&items);
    }
    kept
}

#[tokio::test]
async fn keeps_a_hash_and_the_suppression() {
    let (_folder, data_dir) = folder();
    let up = with_anna(&data_dir).await;
    let before = kept(&up).await.to_lowercase();
    assert!(
        before.contains("anna@example.net") && before.contains("anna secret"),
        "{before}"
    );
    for said in ["from 1 record of a message", "from 0 records of messages"] {
        let output = forget(&["ANNA@example.net", "--hash", "--yes"], &data_dir).await;
        let errors = text(&output.stderr);
        assert!(output.status.success() && errors.contains(said), "{errors}");
        let after = kept(&up).await.to_lowercase();
        assert!(!after.contains("anna") && !after.contains("no such user"), "{after}");
        assert!(
            after.contains("bob@example.net") && after.contains("forgotten@forgotten.invalid"),
            "{after}"
        );
    }
    let verdict = up.send("anna@Example.net").await["recipients"][0].clone();
    assert_eq!(
        (&verdict["status"], &verdict["reason"]),
        (&json!("suppressed"), &json!("bounce"))
    );
    // A new request to send stores its recipient again.
    assert!(kept(&up).await.contains("anna@Example.net"));
}

#[tokio::test]
async fn without_hash_keeps_only_the_address_and_the_suppression() {
    let (_folder, data_dir) = folder();
    let up = with_anna(&data_dir).await;
    let output = forget(&["anna@example.net", "--yes"], &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let after = kept(&up).await;
    assert_eq!(after.to_lowercase().matches("anna").count(), 1, "{after}");
    assert!(!after.contains("no such user"), "{after}");
    assert_eq!(up.send("anna@Example.net").await["recipients"][0]["reason"], "bounce");
}

#[tokio::test]
async fn a_mail_that_waits_goes_to_its_other_recipients_or_to_nobody() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let shared = ToWait {
        to: &["bob@example.net", "Anna Secret <Anna@Example.net>"],
        ..ToWait::default()
    };
    let (alone, shared) = (up.put_in_queue(ToWait::default()).await, up.put_in_queue(shared).await);
    let output = forget(&["anna@example.net", "--hash", "--yes"], &data_dir).await;
    let errors = text(&output.stderr);
    assert!(
        output.status.success() && errors.contains("1 will be sent without it, and 1 was cancelled"),
        "{errors}"
    );
    let outbox = up.outbox_table();
    assert!(outbox.entry(alone).await.unwrap().is_none());
    let entry = outbox.entry(shared).await.unwrap().unwrap();
    let content = outbox.content(shared, &entry.content).await.unwrap();
    assert!(!format!("{content:?}").to_lowercase().contains("anna"), "{content:?}");
    assert!(!kept(&up).await.to_lowercase().contains("anna"));
}

#[tokio::test]
async fn a_mail_that_is_being_sent_is_named_and_left_for_another_run() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let id = up.put_in_queue(ToWait::default()).await;
    let nonce = up.begin_sending(id).await;
    let output = forget(&["anna@example.net", "--yes"], &data_dir).await;
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("1 mail of the queue still names the address") && errors.contains(&id.to_string()),
        "{errors}"
    );
    assert!(kept(&up).await.contains("anna@example.net"));
    let requeued = up.messages().requeue(id, nonce, domain::record::WaitsFor::Rate).await;
    requeued.unwrap();
    let output = forget(&["anna@example.net", "--yes"], &data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!kept(&up).await.contains("anna@example.net"));
}

#[tokio::test]
async fn deletes_nothing_without_confirmation() {
    let (_folder, data_dir) = folder();
    let up = with_anna(&data_dir).await;
    for (answer, forgotten) in [("", false), ("no\n", false), ("yes\n", true)] {
        let mut command = okite();
        command
            .args(["forget", "anna@example.net", "--data-dir"])
            .arg(&data_dir);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.success(), forgotten, "{answer}: {}", text(&output.stderr));
        assert_eq!(!kept(&up).await.contains("Anna Secret"), forgotten, "{answer}");
    }
}

#[tokio::test]
async fn names_the_cause_of_an_error() {
    let (_folder, data_dir) = folder();
    let output = forget(&["nobody", "--yes"], &data_dir).await;
    assert_eq!(output.status.code(), Some(2));
    let output = forget(&["anna@example.net", "--yes"], &data_dir).await;
    assert!(
        text(&output.stderr).contains("no `okite up` runs"),
        "{}",
        text(&output.stderr)
    );
    let mut command = okite();
    let output = finished(command.args(["forget", "anna@example.net", "--yes", "--table", "t"])).await;
    assert!(text(&output.stderr).contains("--stack"), "{}", text(&output.stderr));
}
