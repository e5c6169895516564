//! `okite queue`: shows what waits.

use std::path::Path;
use std::process::Output;

use domain::stream::Stream;
use serde_json::{Value, json};

use crate::support::*;
use crate::waiting::ToWait;

async fn queue(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = okite();
    command.arg("queue").args(arguments).arg("--data-dir").arg(data_dir);
    finished(&mut command).await
}

async fn shown(data_dir: &Path) -> Value {
    let output = queue(&["--json"], data_dir).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn shows_what_is_due_and_what_is_scheduled_and_what_holds_it_back() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    let empty = shown(&data_dir).await;
    assert_eq!(empty["streams"][0]["stream"], "transactional");
    for stream in empty["streams"].as_array().unwrap() {
        assert_eq!(stream["waiting"], json!({ "count": 0, "at_least": false }));
        assert_eq!(stream["oldest_due_at"], Value::Null);
    }
    assert_eq!(empty["gate"]["brake"], "none");
    // With the brake, no worker takes the mails.
    let mut brake = okite();
    brake.args(["brake", "all", "--data-dir"]).arg(&data_dir);
    assert!(finished(&mut brake).await.status.success());
    for (stream, scheduled_in) in [
        (Stream::Bulk, None),
        (Stream::Bulk, None),
        (Stream::Bulk, Some(3_600)),
        // Its hint is on its way, so the index names a later time.
        (Stream::Transactional, None),
    ] {
        up.put_in_queue(ToWait {
            stream,
            scheduled_in,
            ..ToWait::default()
        })
        .await;
    }
    let at_work = up.put_in_queue(ToWait::default()).await;
    up.begin_sending(at_work).await;
    let shown = shown(&data_dir).await;
    let [transactional, bulk] = shown["streams"].as_array().unwrap().as_slice() else {
        panic!("{shown}")
    };
    let counts = |stream: &Value| ["waiting", "due", "scheduled"].map(|name| stream[name]["count"].as_u64().unwrap());
    assert_eq!(counts(transactional), [1, 1, 0], "{shown}");
    assert_eq!(counts(bulk), [4, 2, 1], "{shown}");
    assert_eq!(bulk["at_work"], 1);
    assert!(bulk["oldest_due_at"].is_string());
    assert_eq!(bulk["held_back_by"], "brake");
    let output = queue(&[], &data_dir).await;
    let page = text(&output.stdout);
    assert!(
        page.contains("Due bulk mail: the brake holds it back") && page.contains("recipients a second"),
        "{page}"
    );
}

#[tokio::test]
async fn names_the_cause_of_an_error() {
    let (_folder, data_dir) = folder();
    let output = queue(&[], &data_dir).await;
    assert!(
        text(&output.stderr).contains("no `okite up` runs"),
        "{}",
        text(&output.stderr)
    );
    let mut command = okite();
    let output = finished(command.args(["queue", "--table", "t", "--region", "us-east-1"])).await;
    assert!(text(&output.stderr).contains("--stack"), "{}", text(&output.stderr));
}
