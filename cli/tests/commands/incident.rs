//! `okite incident`: reports bounces, complaints and measures.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::*;

async fn incident(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = okite();
    command.arg("incident").args(arguments).arg("--data-dir").arg(data_dir);
    finished(&mut command).await
}

/// Runs the command and returns its standard output.
async fn written(arguments: &[&str], data_dir: &Path) -> String {
    let output = incident(arguments, data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

/// Publishes an event about a mail with tags, and waits until it is handled.
async fn publish(up: &Up, id: &Value, kind: &str, feedback: &str, recipients: &[&str]) {
    let (about, list) = (kind.to_lowercase(), format!("{}Recipients", participle(kind)));
    let recipients: Vec<Value> = recipients
        .iter()
        .map(|recipient| json!({ "emailAddress": recipient }))
        .collect();
    let mut event = json!({
        "eventType": kind,
        "mail": { "messageId": "m-1", "tags": {
            "okite_id": [id], "okite_stream": ["bulk"], "campaign": ["spring"], "user": ["anna@example.net"],
        } },
    });
    event[&about] = json!({ "bounceType": "Permanent", "bounceSubType": "General", "feedbackId": feedback });
    event[&about][list] = json!(recipients);
    let answer: Value = up.local("sns", &event).await.json().await.unwrap();
    assert_eq!(answer, json!({ "delivered": 1, "failed": 0 }));
}

fn participle(kind: &str) -> &str {
    if kind == "Bounce" { "bounced" } else { "complained" }
}

/// Sends a mail with a new key. Returns the ids of the key and the mail.
async fn sent_with_a_new_key(up: &Up, data_dir: &Path) -> (String, Value) {
    let mut create = okite();
    create.args(["keys", "create", "--name", "shop | of anna@example.net", "--data-dir"]);
    let created = finished(create.arg(data_dir)).await;
    let key = text(&created.stdout).trim().to_owned();
    let (status, body) = up.post_with(&key, &email("anna@example.net")).await;
    assert_eq!(status, 200, "{body}");
    let id = key.split('_').nth(1).unwrap().to_owned();
    (id, body["id"].clone())
}

#[tokio::test]
async fn reports_events_by_key_and_tag_and_the_measures_taken() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    let (key, id) = sent_with_a_new_key(&up, &data_dir).await;
    publish(&up, &id, "Bounce", "f-1", &["gone@example.net", "away@example.net"]).await;
    publish(&up, &id, "Complaint", "f-2", &["cross@mail.example"]).await;
    let unknown = json!("00000000-0000-7000-8000-000000000001");
    publish(&up, &unknown, "Bounce", "f-3", &["nobody@example.edu"]).await;
    let mut brake = okite();
    brake.args([
        "brake",
        "bulk",
        "--why",
        "complaint of cross@mail.example",
        "--by",
        "bob",
        "--data-dir",
    ]);
    assert!(finished(brake.arg(&data_dir)).await.status.success());
    report(&up).await;

    let markdown = written(&["--days", "2"], &data_dir).await;
    for part in [
        "- 3 hard bounces, 1 complaint, and 0 blocks",
        "| example.net | 2 | 0 | 0 |",
        "| mail.example | 0 | 1 | 0 |",
        "| bulk | 3 | 1 | 0 |",
        "| campaign=spring | 3 | 1 | 0 |",
        &format!("| shop \\| of \\[address\\] ({key}) | 2 | 1 | 0 |"),
        "| not on record | 1 | 0 | 0 |",
        "| none | bulk | bob | complaint of \\[address\\] |",
        "the account was healthy (HEALTHY) and its sending was on",
        "the dead-letter queue is empty",
        "[TO WRITE:",
    ] {
        assert!(markdown.contains(part), "{part}\n{markdown}");
    }
    assert!(!markdown.contains('@'), "{markdown}");
    let suppressed = markdown.split("suppressed: bounce").nth(1).unwrap();
    assert!(
        suppressed.lines().nth(2).unwrap().ends_with("| 3 | 1 | 0 | 0 |"),
        "{markdown}"
    );

    let csv = written(&["--format", "csv"], &data_dir).await;
    assert!(
        csv.starts_with("day,kind,stream,domain,class,tags,key,count\r\n"),
        "{csv}"
    );
    let line = format!(
        "bounce,bulk,example.net,hard_bounce,campaign=spring; user=[address],shop | of [address] ({key}),2\r\n"
    );
    assert!(csv.contains(&line) && csv.lines().count() == 4, "{csv}");
    assert!(!csv.contains('@'), "{csv}");

    // A revoked key has no name. The report shows its id.
    let mut revoke = okite();
    revoke.args(["keys", "revoke", &key, "--data-dir"]);
    assert!(finished(revoke.arg(&data_dir)).await.status.success());
    let csv = written(&["--format", "csv"], &data_dir).await;
    assert!(csv.contains(&format!(",revoked since ({key}),2\r\n")), "{csv}");
}

#[tokio::test]
async fn creates_a_private_file_and_overwrites_none() {
    let (_folder, data_dir) = folder();
    let _up = reported(&data_dir).await;
    let list = data_dir.with_extension("csv");
    fs::write(&list, "address,reason\ngone@example.net,bounce\n").unwrap();
    let mut import = okite();
    import.args(["suppressions", "import"]).arg(&list).arg("--data-dir");
    assert!(finished(import.arg(&data_dir)).await.status.success());
    let file = data_dir.with_extension("md");
    let name = file.to_str().unwrap();
    let output = incident(&["--output", name], &data_dir).await;
    let errors = text(&output.stderr);
    assert!(output.status.success() && output.stdout.is_empty(), "{errors}");
    assert!(
        errors.contains("No bounces, complaints or blocks are recorded"),
        "{errors}"
    );
    assert_eq!(errors.lines().count(), 1, "only a person sees progress: {errors}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read_to_string(&file).unwrap();
    assert!(
        before.contains("SES reported no hard bounces, complaints or blocks of Okite's mail"),
        "{before}"
    );
    // The address that was imported counts apart from those that bounced.
    assert!(before.contains("| 1 | 0 | 1 | 0 |"), "{before}");
    let again = incident(&["--output", name], &data_dir).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains(name), "{}", text(&again.stderr));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}

#[tokio::test]
async fn names_the_cause_of_an_error() {
    let (_folder, data_dir) = folder();
    for (arguments, code, words) in [
        (&["--days", "1"][..], 1, "no `okite up` runs"),
        // The file is tried before any work.
        (
            &["--output", "/nowhere/incident.md"],
            1,
            "/nowhere/incident.md could not be written",
        ),
        (&["--days", "91"], 2, "91"),
        (&["--days", "5", "--since", "2026-01-01"], 2, "--since"),
        (&["--since", "yesterday"], 2, "yesterday"),
        (&["--since", "2020-01-01"], 2, "90 days"),
        (&["--until", "9000-01-01"], 2, "later than today"),
    ] {
        let output = incident(arguments, &data_dir).await;
        let errors = text(&output.stderr);
        assert!(
            output.status.code() == Some(code) && errors.contains(words),
            "{arguments:?}: {errors}"
        );
    }
    let output = finished(okite().args(["incident", "--table", "t"])).await;
    assert!(text(&output.stderr).contains("--stack"), "{}", text(&output.stderr));
}
