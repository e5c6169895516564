//! Emails of which it is not known whether SES took them, and their keys once a day is over.

use std::time::Duration;

use local_aws::RunSettings;
use local_aws::data_dir::DataDir;
use serde_json::{Value, json};

use crate::support::{Okite, email};

fn mail() -> Value {
    email("anna@example.net")
}

/// A `Send` event of an email, as SES publishes it.
fn sent(id: &Value) -> Value {
    json!({ "eventType": "Send", "mail": { "messageId": "m-7", "tags": { "okite_id": [id] } } })
}

/// Sends an email under the key `k`, to which SES gives no answer. Returns its id.
async fn lost(okite: &Okite) -> Value {
    okite.fault(json!({ "operation": "SendEmail", "drop": "before" })).await;
    let answer = okite.post_keyed("k", &mail()).await;
    answer.refused(500, "application_error");
    answer.body["id"].clone()
}

/// Repeats the request, and expects the answer that its email is still unknown. Nothing goes out.
async fn is_still_unknown(okite: &Okite, id: &Value) {
    let answer = okite.post_keyed("k", &mail()).await;
    let message = answer.refused(409, "concurrent_idempotent_requests");
    assert!(message.contains("unknown"), "{message}");
    assert_eq!(&answer.body["id"], id);
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn without_an_event_a_key_sends_nothing_however_many_days_pass() {
    let okite = Okite::start().await;
    let id = lost(&okite).await;
    for hours in [25, 24, 24 * 26] {
        okite.advance(Duration::from_hours(hours)).await;
        is_still_unknown(&okite, &id).await;
        let other = okite.post_keyed("k", &email("bob@example.net")).await;
        other.refused(409, "invalid_idempotent_request");
    }
    let shown = okite.get(&format!("/emails/{}", id.as_str().unwrap())).await;
    assert_eq!(shown.body["last_event"], "queued");
    assert_eq!(shown.body["recipients"][0]["status"], "unknown");
}

#[tokio::test]
async fn an_event_that_comes_late_or_twice_settles_it() {
    for (hours, copies) in [(25, 1), (25, 2), (49, 1), (49, 2)] {
        let okite = Okite::start().await;
        let id = lost(&okite).await;
        okite.advance(Duration::from_hours(hours)).await;
        is_still_unknown(&okite, &id).await;
        assert_eq!(okite.publish_copies(&sent(&id), copies).await, (copies as u64, 0));
        // The caller that was told to repeat gets the answer, and no second mail.
        let known = okite.post_keyed("k", &mail()).await;
        assert_eq!((known.status, &known.body["id"]), (200, &id), "{hours} {copies}");
        assert_eq!(okite.outbox().await, [] as [Value; 0]);
        // A day later, the key may be used anew.
        okite.advance(Duration::from_hours(24)).await;
        let anew = okite.post_keyed("k", &email("bob@example.net")).await;
        assert_eq!(anew.status, 200, "{anew:?}");
        assert_ne!(anew.body["id"], id);
    }
}

#[tokio::test]
async fn a_key_whose_email_is_settled_in_time_is_free_after_a_day() {
    let okite = Okite::start().await.refusing().await;
    let id = lost(&okite).await;
    assert_eq!(okite.publish(&sent(&id)).await, (1, 0));
    okite.advance(Duration::from_hours(25)).await;
    let anew = okite.post_keyed("k", &mail()).await;
    assert_eq!(anew.status, 200, "{anew:?}");
    assert_ne!(anew.body["id"], id);
    assert_eq!(okite.outbox().await.len(), 1);
}

/// How many lines of the log name a cause and this email.
fn lines(folder: &std::path::Path, cause: &str, id: &Value) -> usize {
    let log = std::fs::read_to_string(folder.join("logs/send-api.log")).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_one = |line: &Value| line["cause"] == cause && &line["message.id"] == id;
    lines.filter(is_one).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_unknown_email_is_logged_where_it_happens_and_where_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_with(|settings: &mut RunSettings| {
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "warn".to_owned());
    })
    .await;
    let id = lost(&okite).await;
    let count = |cause| lines(folder.path(), cause, &id);
    assert_eq!((count("ambiguous_send"), count("unknown_message")), (1, 0));
    okite.advance(Duration::from_secs(36)).await;
    is_still_unknown(&okite, &id).await;
    assert_eq!(count("unknown_message"), 1);
    okite.get(&format!("/emails/{}", id.as_str().unwrap())).await;
    assert_eq!(count("unknown_message"), 2);
    okite.get("/emails?to=anna@example.net").await;
    assert_eq!((count("ambiguous_send"), count("unknown_message")), (1, 3));
}
