//! `POST /emails/{id}/cancel` and `PATCH /emails/{id}`: an email that waits is called back, or gets another time.

use std::time::Duration;

use domain::api_key::KeyPermission;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::busy::{path_of, shown, states, without_room};
use super::scheduled::time;
use crate::support::{Answer, KEY, Okite, email, email_with, within};

const GOOD: &str = "success@simulator.amazonses.com";
/// A key that may send and nothing else.
const SENDING: &str = "ok_sending_secret";
/// Keys for mail of another domain.
const FOREIGN_SENDING: &str = "ok_foreignsending_secret";
const FOREIGN_FULL: &str = "ok_foreignfull_secret";

async fn cancel_with(okite: &Okite, key: &str, path: &str) -> Answer {
    Answer::of(okite.request(Method::POST, &format!("{path}/cancel")).bearer_auth(key)).await
}

async fn cancel(okite: &Okite, path: &str) -> Answer {
    cancel_with(okite, KEY, path).await
}

async fn patch_with(okite: &Okite, key: &str, path: &str, body: &Value) -> Answer {
    Answer::of(okite.request(Method::PATCH, path).bearer_auth(key).json(body)).await
}

async fn patch(okite: &Okite, path: &str, at: &str) -> Answer {
    patch_with(okite, KEY, path, &json!({ "scheduled_at": at })).await
}

#[track_caller]
fn done(answer: &Answer, created: &Value) {
    let body = json!({ "object": "email", "id": created["id"] });
    assert_eq!((answer.status, &answer.body), (200, &body));
}

/// Checks that an email was not changed because of its state.
#[track_caller]
fn too_late(answer: &Answer, state: &str) {
    let message = answer.refused(409, "validation_error");
    assert!(message.contains(&format!("`{state}`")), "{message}");
    assert_eq!(answer.body["okite_state"], state);
}

async fn schedule(okite: &Okite, at: &str) -> Value {
    okite.send(&email_with("scheduled_at", at)).await
}

#[tokio::test]
async fn a_cancelled_email_stays_so_and_is_never_sent() {
    let okite = without_room().await;
    for waiting in [okite.send(&email(GOOD)).await, schedule(&okite, "in 1 hour").await] {
        let path = path_of(&waiting);
        for _ in 0..2 {
            done(&cancel(&okite, &path).await, &waiting);
        }
        let canceled = ("canceled".to_owned(), "canceled".to_owned());
        assert_eq!(states(&okite, &waiting).await, canceled);
        too_late(&patch(&okite, &path, "in 2 hours").await, "canceled");
    }
    let outbox = okite.dynamodb.scan().table_name(okite.variable("OUTBOX_TABLE"));
    let left = within(outbox.consistent_read(true).send())
        .await
        .unwrap()
        .items
        .unwrap();
    assert_eq!(left, [], "neither an entry nor a part of a content is left");
    okite.advance(Duration::from_hours(30)).await;
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn a_repeat_of_a_cancelled_email_gets_its_id_and_sends_nothing() {
    let okite = Okite::start().await;
    let email = email_with("scheduled_at", "in 1 hour");
    let first = okite.post_keyed("k", &email).await;
    done(&cancel(&okite, &path_of(&first.body)).await, &first.body);
    let repeat = okite.post_keyed("k", &email).await;
    assert_eq!((repeat.status, &repeat.body["id"]), (200, &first.body["id"]));
    assert_eq!(shown(&okite, &first.body).await["okite_state"], "canceled");
}

#[tokio::test]
async fn an_email_that_does_not_wait_is_not_changed_and_its_state_is_told() {
    let okite = Okite::start().await;
    let sent = okite.send(&email(GOOD)).await;
    let ses_id = okite.outbox().await[0]["ses_message_id"].as_str().unwrap().to_owned();
    for path in [path_of(&sent), format!("/emails/{ses_id}")] {
        too_late(&cancel(&okite, &path).await, "sent");
        too_late(&patch(&okite, &path, "in 1 hour").await, "sent");
    }
    let okite = without_room().await;
    let expired = okite.send(&email_with("okite_deadline", "1m")).await;
    okite.advance(Duration::from_mins(2)).await;
    too_late(&patch(&okite, &path_of(&expired), "in 1 hour").await, "failed");
}

#[tokio::test]
async fn another_time_moves_the_deadline_along() {
    let okite = without_room().await;
    let mut mail = email_with("scheduled_at", "in 1 hour");
    mail["okite_deadline"] = json!("10m");
    let waiting = okite.send(&mail).await;
    let before = time(&shown(&okite, &waiting).await["scheduled_at"]);
    let at = before + SignedDuration::from_hours(5);
    done(&patch(&okite, &path_of(&waiting), &at.to_string()).await, &waiting);
    let after = shown(&okite, &waiting).await;
    assert_eq!(time(&after["scheduled_at"]), at);
    assert_eq!(
        time(&after["okite_deadline"]).duration_since(at),
        SignedDuration::from_mins(10)
    );
    assert_eq!(after["last_event"], "scheduled");
    // A time that is up to a minute past is now.
    let now = okite.time_of_a_function().await - SignedDuration::from_secs(20);
    done(&patch(&okite, &path_of(&waiting), &now.to_string()).await, &waiting);
    assert_eq!(states(&okite, &waiting).await.1, "queued");
    // A mail that waits for room gets a time as well.
    let queued = okite.send(&email(GOOD)).await;
    done(&patch(&okite, &path_of(&queued), "in 3 days").await, &queued);
    assert_eq!(states(&okite, &queued).await.1, "scheduled");
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn a_time_is_at_most_thirty_days_after_the_email_was_accepted() {
    let okite = Okite::start().await;
    let waiting = schedule(&okite, "in 20 days").await;
    okite.advance(Duration::from_hours(48)).await;
    let answer = patch(&okite, &path_of(&waiting), "in 29 days").await;
    assert!(answer.refused(422, "validation_error").contains("30 days"));
    done(&patch(&okite, &path_of(&waiting), "in 27 days").await, &waiting);
}

#[tokio::test]
async fn a_body_without_a_time_that_can_be_read_changes_nothing() {
    let okite = Okite::start().await;
    let waiting = schedule(&okite, "in 1 hour").await;
    let (path, before) = (path_of(&waiting), shown(&okite, &waiting).await);
    for (body, name, said) in [
        (json!({}), "missing_required_field", "`scheduled_at`"),
        (
            json!({ "scheduled_at": null }),
            "missing_required_field",
            "`scheduled_at`",
        ),
        (json!({ "scheduled_at": "" }), "validation_error", "RFC 3339"),
        (json!({ "scheduled_at": "tomorrow" }), "validation_error", "in 10 min"),
        (json!({ "scheduled_at": "in 31 days" }), "validation_error", "30 days"),
        (
            json!({ "scheduled_at": "2001-01-01T00:00:00Z" }),
            "validation_error",
            "past",
        ),
        (json!({ "scheduled_at": 7 }), "validation_error", "a number"),
        (
            json!({ "scheduledAt": "in 1 min" }),
            "validation_error",
            "spelled `scheduled_at`",
        ),
        (
            json!({ "scheduled_at": "in 1 min", "to": GOOD }),
            "validation_error",
            "`to`",
        ),
        (json!([]), "validation_error", "object"),
        (json!(null), "validation_error", "object"),
    ] {
        let answer = patch_with(&okite, KEY, &path, &body).await;
        let message = answer.refused(422, name);
        assert!(message.contains(said), "{body}: {message}");
    }
    let no_json = okite.request(Method::PATCH, &path).bearer_auth(KEY).body("in 1 min");
    Answer::of(no_json).await.refused(400, "validation_error");
    assert_eq!(shown(&okite, &waiting).await, before);
}

#[tokio::test]
async fn an_unknown_id_is_not_found() {
    let okite = Okite::start().await;
    let unknown = Uuid::from_u128(7).to_string();
    for id in [unknown.as_str(), "0100019b-000000", "claim%231", "a%20b", "batch"] {
        let path = format!("/emails/{id}");
        cancel(&okite, &path).await.refused(404, "not_found");
        if id != "batch" {
            patch(&okite, &path, "in 1 min").await.refused(404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_key_that_may_send_the_email_may_change_it_and_no_other_key() {
    let okite = Okite::start().await;
    okite.put_key_for(SENDING, KeyPermission::Sending).await;
    okite.put_foreign_key(FOREIGN_SENDING, KeyPermission::Sending).await;
    okite.put_foreign_key(FOREIGN_FULL, KeyPermission::Full).await;
    let waiting = schedule(&okite, "in 1 hour").await;
    let path = path_of(&waiting);
    let body = json!({ "scheduled_at": "in 2 hours" });
    for (key, status, name) in [
        // It may not read the email either, so it does not learn that there is one.
        (FOREIGN_SENDING, 404, "not_found"),
        (FOREIGN_FULL, 403, "validation_error"),
        ("ok_unknown_secret", 403, "invalid_api_key"),
    ] {
        cancel_with(&okite, key, &path).await.refused(status, name);
        patch_with(&okite, key, &path, &body).await.refused(status, name);
    }
    let without_key = okite.request(Method::POST, &format!("{path}/cancel"));
    Answer::of(without_key).await.refused(401, "missing_api_key");
    assert_eq!(shown(&okite, &waiting).await["okite_state"], "scheduled");
    done(&patch_with(&okite, SENDING, &path, &body).await, &waiting);
    done(&cancel_with(&okite, SENDING, &path).await, &waiting);
}

#[tokio::test]
async fn a_table_that_cannot_be_used_changes_nothing_and_says_so() {
    let okite = Okite::start().await;
    let waiting = schedule(&okite, "in 1 hour").await;
    okite
        .fault(json!({ "operation": "GetItem", "table": "OutboxTable", "for_ms": 600_000, "error": "AccessDeniedException" }))
        .await;
    let path = path_of(&waiting);
    for answer in [cancel(&okite, &path).await, patch(&okite, &path, "in 2 hours").await] {
        answer.refused(503, "service_unavailable");
        assert!(answer.header("retry-after").is_some());
    }
    okite.local(Method::DELETE, "faults", &Value::Null).await;
    assert_eq!(shown(&okite, &waiting).await["okite_state"], "scheduled");
}
