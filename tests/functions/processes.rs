//! The functions' processes: when one ends, it ends only its own invocation.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use local_aws::StartError;
use local_aws::data_dir::DataDir;
use local_aws::services::lambda::InvokeError;
use reqwest::Method;
use serde_json::{Value, json};

use crate::feedback::events::bounce;
use crate::support::{Okite, assert_suppressed, email, eventually, within};
use crate::suppressions::reconciliation::suppress_at_ses;

const GOOD: &str = "success@simulator.amazonses.com";

/// The processes of a function of this Okite: nobody else's have its SES in their environment.
pub(crate) fn processes(okite: &Okite, function: &str) -> Vec<u32> {
    let variables = [
        format!("AWS_ENDPOINT_URL_SESV2={}", okite.local.ses_url),
        format!("AWS_LAMBDA_FUNCTION_NAME={function}"),
    ];
    let runs = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let entries: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
        variables.iter().all(|variable| entries.contains(&variable.as_bytes()))
    };
    let all = std::fs::read_dir("/proc").unwrap();
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(runs).collect()
}

/// Kills a process of ours and waits until it is gone.
pub(crate) async fn kill(pid: u32) {
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    eventually("the process is gone", async || {
        !Path::new(&format!("/proc/{pid}")).exists()
    })
    .await;
}

/// Takes a data directory that was given back.
pub(crate) async fn take_again(path: &Path) -> DataDir {
    // A process that another test starts in this moment has a copy of the lock until it runs its own program.
    within(async {
        loop {
            match DataDir::take(path) {
                Ok(data_dir) => return data_dir,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_process_that_was_killed_is_replaced() {
    let okite = Okite::start().await;
    let [pid] = processes(&okite, "send-api")[..] else {
        panic!("one process of the send API is warm");
    };
    kill(pid).await;
    okite.send(&email(GOOD)).await;
    assert!(!processes(&okite, "send-api").contains(&pid));
}

#[tokio::test]
async fn a_process_that_is_killed_at_work_fails_its_request_and_no_other() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "SendEmail", "delay_ms": 60_000 }))
        .await;
    let mail = email(GOOD);
    let at_work = okite.post(&mail);
    let killed = async {
        eventually("the mail is on its way", async || !okite.messages().await.is_empty()).await;
        // Another request meanwhile has a process of its own.
        okite.send(&email("success+other@simulator.amazonses.com")).await;
        for pid in processes(&okite, "send-api") {
            kill(pid).await;
        }
    };
    let (answer, ()) = tokio::join!(at_work, killed);
    assert_eq!(
        (answer.status, answer.body),
        (500, json!({ "message": "Internal Server Error" }))
    );
    okite.send(&email("success+next@simulator.amazonses.com")).await;
    let to: Vec<_> = okite.outbox().await.iter().map(|mail| mail["to"][0].clone()).collect();
    assert_eq!(
        to,
        [
            "success+other@simulator.amazonses.com",
            "success+next@simulator.amazonses.com"
        ]
    );
}

#[tokio::test]
async fn no_process_is_left_when_all_is_stopped() {
    let okite = Okite::start().await;
    let all = || {
        let functions = registry::names().into_iter();
        functions
            .map(|function| processes(&okite, function))
            .collect::<Vec<_>>()
    };
    let all_run = async || all().iter().all(|processes| !processes.is_empty());
    eventually("all functions run", all_run).await;
    let pids = all().concat();
    within(okite.local.stop()).await;
    assert!(pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
}

#[tokio::test]
async fn published_events_are_handed_over_before_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = DataDir::take(folder.path()).unwrap();
    let okite = Okite::start_with(|settings| settings.data_dir = Some(data_dir)).await;
    okite.send(&email("bounce@simulator.amazonses.com")).await;
    within(okite.local.stop()).await;
    let data_dir = take_again(folder.path()).await;
    let okite = Okite::start_with(|settings| settings.data_dir = Some(data_dir)).await;
    let body = okite.send(&email("bounce@simulator.amazonses.com")).await;
    assert_suppressed(&body, "bounce@simulator.amazonses.com", "bounce");
}

#[tokio::test]
async fn stopping_at_once_does_not_wait_for_tasks_that_never_began() {
    let okite = Okite::start_unchecked(|_| {}).await;
    within(okite.local.stop()).await;
}

#[tokio::test]
async fn a_function_without_its_environment_names_the_missing_variable() {
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_unchecked(|settings| {
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("WEBHOOKS_TABLE".to_owned(), String::new());
        settings.environment.insert("LOG_LEVEL".to_owned(), "error".to_owned());
    })
    .await;
    assert!(matches!(within(okite.local.healthy()).await, Err(StartError::Unhealthy { status, .. }) if status == 500));
    for function in registry::names() {
        let called = okite.invoke(function, &json!({})).await;
        assert!(matches!(called, Err(InvokeError::Exited(_))), "{called:?}");
        let log = std::fs::read_to_string(folder.path().join(format!("logs/{function}.log"))).unwrap();
        let line: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
        assert!(line["message"].as_str().unwrap().contains("WEBHOOKS_TABLE"), "{line}");
        assert!(
            line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok(),
            "{line}"
        );
    }
}

#[tokio::test]
async fn logs_name_ids_and_no_address_subject_body_or_key() {
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_with(|settings| {
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "info".to_owned());
    })
    .await;
    let mut mail = email(json!(["bounce+private@simulator.amazonses.com", "private@example.net"]));
    mail["subject"] = json!("private subject");
    mail["text"] = json!("private text");
    let body = okite.send(&mail).await;
    okite
        .until_suppressed(
            "bounce+private@simulator.amazonses.com",
            domain::suppression::SuppressionReason::Bounce,
        )
        .await;
    mail["from"] = json!("private@unverified.example");
    okite.post(&mail).await.refused(403, "validation_error");
    okite.fault(json!({ "operation": "SendEmail", "drop": "after" })).await;
    okite.post(&mail).await.refused(500, "application_error");
    // What receiving servers say, and events that fail, of every kind.
    let recipients = json!([{ "emailAddress": "private@example.org", "diagnosticCode": "550 private words, blocked" }]);
    for subtype in ["General", "OnAccountSuppressionList", "MailboxFull"] {
        okite.publish(&bounce("Permanent", subtype, &recipients, 1)).await;
    }
    let fault =
        json!({ "operation": "UpdateItem", "times": 9, "error": "ValidationException", "message": "private words" });
    okite.fault(fault).await;
    okite.publish(&bounce("Permanent", "General", &recipients, 2)).await;
    let unreadable = json!([{ "emailAddress": "private" }]);
    okite.publish(&bounce("Permanent", "General", &unreadable, 3)).await;
    okite.publish(&json!("private words")).await;
    okite.local(Method::DELETE, "faults", &Value::Null).await;
    // The other routes, and what goes wrong there.
    mail["to"] = json!("private@example.org");
    okite.post_to("/emails/batch", &json!([mail, mail])).await;
    okite.suppress("private+hand@example.org").await;
    okite.get("/suppressions").await;
    okite.get("/suppressions/private@example.org").await;
    okite.get("/emails?to=private@example.org").await;
    okite.get("/emails/private").await;
    okite
        .fault(
            json!({ "operation": "DeleteSuppressedDestination", "times": 3, "error": "BadRequestException",
                        "message": "private words" }),
        )
        .await;
    okite.delete("/suppressions/private+hand@example.org").await;
    suppress_at_ses(&okite, "private+listed@example.org", "BOUNCE").await;
    okite.pass_over_ses_list().await.unwrap();
    okite.report().await;
    within(okite.local.stop()).await;
    let mut logs = String::new();
    for function in registry::names() {
        logs += &std::fs::read_to_string(folder.path().join(format!("logs/{function}.log"))).unwrap();
    }
    assert!(logs.contains(body["id"].as_str().unwrap()));
    for line in logs.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
        assert!(!line.contains("private") && !line.contains("this_key_works"), "{line}");
    }
}
