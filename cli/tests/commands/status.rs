//! `okite status`: shows the last report.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::*;

async fn status(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = okite();
    command.arg("status").args(arguments).arg("--data-dir").arg(data_dir);
    finished(&mut command).await
}

#[tokio::test]
async fn shows_the_last_report_as_a_page_and_as_json() {
    let (_folder, data_dir) = folder();
    let up = reported(&data_dir).await;
    let page = status(&[], &data_dir).await;
    let shown = text(&page.stdout);
    assert_eq!(page.status.code(), Some(0), "{}", text(&page.stderr));
    for words in [
        "verdict           healthy",
        "of 50000 used",
        "Nothing is held back",
        "us-east-1",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "a pipe has no colours");

    let request = up.http.get(format!("{}/quota", up.url())).bearer_auth(KEY);
    let mut quota: Value = request.send().await.unwrap().json().await.unwrap();
    let output = status(&["--json"], &data_dir).await;
    let mut json: Value = serde_json::from_slice(&output.stdout).unwrap();
    for json in [&mut quota, &mut json] {
        assert!(json["age_seconds"].take().is_u64());
    }
    assert_eq!(json, quota);

    let url = format!("{}/_local/account", up.url());
    let shut = up.http.put(url).json(&json!({ "enforcement_status": "SHUTDOWN" }));
    assert_eq!(shut.send().await.unwrap().status(), 204);
    report(&up).await;
    let page = status(&[], &data_dir).await;
    assert_eq!(page.status.code(), Some(0));
    assert!(
        text(&page.stdout).contains("SHUTDOWN (stopped by AWS)"),
        "{}",
        text(&page.stdout)
    );
    // An hour later the report is old, because the schedule runs, and its run cannot make a new one.
    let dies = json!({ "operation": "GetAccount", "for_ms": 7_200_000, "kill": "before" });
    assert_eq!(up.local("faults", &dies).await.status(), 204);
    let later = json!({ "advance_ms": 3_600_000 });
    assert_eq!(up.local("clock", &later).await.status(), 204);
    let page = status(&[], &data_dir).await;
    let shown = text(&page.stdout);
    assert!(
        shown.contains("1 h 0 min ago") && shown.contains("This report is old"),
        "{shown}"
    );
}

#[tokio::test]
async fn fails_when_there_is_nothing_to_show() {
    let (_folder, data_dir) = folder();
    let mut up = reported(&data_dir).await;
    let fault = json!({ "operation": "GetItem", "times": 1, "error": "ValidationException" });
    assert_eq!(up.local("faults", &fault).await.status(), 204);
    let unread = status(&[], &data_dir).await;
    up.signal("KILL");
    up.ended().await;
    let gone = status(&["--json"], &data_dir).await;
    for (output, words) in [(unread, "could not be read"), (gone, "no `okite up` runs")] {
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}
