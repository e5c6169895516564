//! A send API whose role may not send hints: mail is accepted and given another time all the same, and the sweep finds
//! it when it is due.

use std::collections::BTreeMap;
use std::time::Duration;

use local_aws::data_dir::DataDir;
use local_aws::template::Stack;
use okite::application::{APPLICATION, TEMPLATE};
use reqwest::Method;
use serde_json::{Value, json};

use super::{HINTS, TAKEN, numbered, people};
use crate::alarms::counted;
use crate::support::{Answer, KEY, Okite, email, eventually};

/// The permission that is taken away.
const ACTION: &str = "sqs:SendMessage";
/// Longer than the test, in milliseconds.
const FOR_GOOD: u64 = 24 * 3_600_000;

/// Has SQS refuse the hints of the send API, as it does without the permission. The sender keeps its own.
async fn take_permission_away(okite: &Okite) {
    let permissions = Stack::permissions(TEMPLATE, &APPLICATION.stack_context(BTreeMap::new())).unwrap();
    let queue = format!("arn:aws:sqs:us-east-1:000000000000:{HINTS}");
    // Without this permission the template would have nothing to take away.
    assert!(
        permissions["send-api"]
            .iter()
            .any(|permission| permission.allows(ACTION, &queue))
    );
    let fault =
        json!({ "operation": "SendMessage", "function": "send-api", "for_ms": FOR_GOOD, "error": "AccessDenied" });
    okite.fault(fault).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_permission_to_send_hints_mail_waits_for_the_sweep_and_an_alarm_tells() {
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_with(|settings| {
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "error".to_owned());
        settings
            .parameters
            .insert("PermitWaitSeconds".to_owned(), "0".to_owned());
    })
    .await;
    let told = || ["SendApiBrokenAlarm", "SenderBrokenAlarm"].map(|alarm| counted(folder.path(), alarm));
    take_permission_away(&okite).await;

    let mut mail = numbered(1);
    mail["scheduled_at"] = json!("in 5 min");
    let scheduled = okite.send(&mail).await;
    assert_eq!(okite.state_of(&scheduled).await.0, "scheduled");
    assert_eq!((okite.hints().await, told()), (0, [1, 0]));

    let path = format!("/emails/{}", scheduled["id"].as_str().unwrap());
    let reschedule = okite.request(Method::PATCH, &path).bearer_auth(KEY);
    let answer = Answer::of(reschedule.json(&json!({ "scheduled_at": "in 10 min" }))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((okite.hints().await, told()), (0, [2, 0]));

    okite.account(json!({ "max_send_rate": 1 })).await;
    okite.report().await;
    okite.send(&email(people(TAKEN))).await;
    let queued = okite.send(&numbered(2)).await;
    assert_eq!(okite.state_of(&queued).await.0, "queued");
    assert_eq!((okite.hints().await, told()), (0, [3, 0]));

    for (number, sent, minutes) in [(2, &queued, 6), (1, &scheduled, 5)] {
        okite.advance(Duration::from_mins(minutes)).await;
        okite.report().await;
        assert_eq!(okite.sweep().await["transactional"]["handed_over"], 1, "{number}");
        eventually("it has left", async || okite.state_of(sent).await.0 == "sent").await;
        assert_eq!(okite.taken(&format!("Number {number}")).await, 1);
    }
    eventually("nothing waits", async || okite.waiting_items().await == 0).await;
    assert_eq!(okite.state_of(&scheduled).await, (json!("sent"), Value::Null));
    assert_eq!(told(), [3, 0]);
}
