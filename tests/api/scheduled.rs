//! Mail for later: `scheduled_at`, and the deadline of mail that waits.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use super::busy::{shown, states, without_room};
use crate::support::{Okite, email_with};

fn scheduled(at: impl Into<Value>) -> Value {
    email_with("scheduled_at", at)
}

fn with_deadline(mut email: Value, deadline: &str) -> Value {
    email["okite_deadline"] = json!(deadline);
    email
}

pub(crate) fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Both what an email shows and what its list shows.
fn both(state: &str) -> (String, String) {
    (state.to_owned(), state.to_owned())
}

#[tokio::test]
async fn scheduled_mail_waits_and_is_shown_with_its_time_and_its_deadline() {
    let okite = Okite::start().await;
    let now = okite.time_of_a_function().await;
    let hour = SignedDuration::from_hours(1);
    let at = (now + hour).strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    for (email, day) in [
        (scheduled("in 1 hour"), 24 * hour),
        (with_deadline(scheduled("in 60 min"), "10m"), hour / 6),
        (with_deadline(scheduled(at), "10 minutes"), hour / 6),
    ] {
        let created = okite.send(&email).await;
        assert_eq!(created.as_object().unwrap().len(), 2, "{created}");
        assert_eq!(created["recipients"][0]["status"], "accepted");
        assert_eq!(states(&okite, &created).await, both("scheduled"));
        let shown = shown(&okite, &created).await;
        let at = time(&shown["scheduled_at"]);
        assert!(
            (at.duration_since(now) - hour).abs() < SignedDuration::from_mins(1),
            "{shown}"
        );
        assert_eq!(time(&shown["okite_deadline"]).duration_since(at), day);
        assert_eq!(shown["okite_reason"], Value::Null);
    }
    assert_eq!(okite.outbox().await.len(), 0);
}

#[tokio::test]
async fn a_time_that_cannot_be_read_is_refused_with_the_forms_and_never_sent_at_once() {
    let okite = Okite::start().await;
    for at in [
        json!(""),
        json!(" "),
        json!("now"),
        json!("tomorrow at 9am"),
        json!("in an hour"),
        json!("in 1 hour 30 min"),
        json!("in 1 week"),
        json!("10m"),
        json!("2999-01-01"),
        json!("2999-01-01T09:00:00"),
        json!("2999-01-01T09:00:00Z[Europe/Berlin]"),
        json!("Wed, 05 Aug 2026 12:00:00 GMT"),
    ] {
        let answer = okite.post(&scheduled(at.clone())).await;
        let message = answer.refused(422, "validation_error");
        for part in ["`scheduled_at`", "RFC 3339", "in 10 min"] {
            assert!(message.contains(part), "{at}: {message}");
        }
    }
    for at in [
        json!(1_800_000_000),
        json!(1.5),
        json!(true),
        json!({}),
        json!(["in 1 min"]),
    ] {
        let answer = okite.post(&scheduled(at.clone())).await;
        assert!(
            answer.refused(422, "validation_error").contains("`scheduled_at`"),
            "{at}"
        );
    }
    for (at, cause) in [
        ("in 31 days", "30 days"),
        ("2999-01-01T00:00:00Z", "30 days"),
        ("2001-01-01T00:00:00Z", "past"),
    ] {
        let answer = okite.post(&scheduled(at)).await;
        assert!(answer.refused(422, "validation_error").contains(cause), "{at}");
    }
    assert_eq!((okite.outbox().await.len(), okite.messages().await.len()), (0, 0));
}

#[tokio::test]
async fn a_deadline_that_no_mail_can_have_is_refused() {
    let okite = Okite::start().await;
    let now = okite.time_of_a_function().await;
    let at = |minutes: i64| (now + SignedDuration::from_mins(minutes)).to_string();
    for (email, cause) in [
        (email_with("okite_deadline", ""), "RFC 3339"),
        (email_with("okite_deadline", "in 10m"), "`10m`"),
        (email_with("okite_deadline", "never"), "`3d`"),
        (email_with("okite_deadline", "0m"), "after"),
        (email_with("okite_deadline", "4d"), "3 days"),
        (email_with("okite_deadline", 600), "a string"),
        (email_with("okite_deadline", at(-1)), "after"),
        (with_deadline(scheduled(at(60)), &at(59)), "after"),
        (with_deadline(scheduled("in 2 hours"), &at(60)), "after"),
    ] {
        let answer = okite.post(&email).await;
        let message = answer.refused(422, "validation_error");
        assert!(
            message.contains("`okite_deadline`") && message.contains(cause),
            "{message}"
        );
    }
    assert_eq!(okite.outbox().await.len(), 0);
    // A mail that is sent at once needs no deadline.
    okite.send(&email_with("okite_deadline", "10m")).await;
    okite.send(&email_with("okite_deadline", Value::Null)).await;
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test]
async fn a_minute_past_is_now_and_null_is_no_time() {
    let okite = Okite::start().await;
    let now = okite.time_of_a_function().await;
    let past = (now - SignedDuration::from_secs(20)).to_string();
    for at in [json!(past), Value::Null] {
        let sent = okite.send(&scheduled(at)).await;
        let shown = shown(&okite, &sent).await;
        assert_eq!(
            (&shown["okite_state"], &shown["scheduled_at"]),
            (&json!("sent"), &Value::Null)
        );
    }
    let long_past = (now - SignedDuration::from_secs(61)).to_string();
    for key in [None, Some("k")] {
        let email = scheduled(long_past.clone());
        let answer = match key {
            None => okite.post(&email).await,
            Some(key) => okite.post_keyed(key, &email).await,
        };
        assert!(answer.refused(422, "validation_error").contains("in the past"));
    }
    assert_eq!(okite.outbox().await.len(), 2);
    // The key remembers no refusal.
    assert_eq!(okite.post_keyed("k", &scheduled("in 1 min")).await.status, 200);
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_after_the_time_too_and_another_time_is_another_email() {
    let okite = Okite::start().await;
    let now = okite.time_of_a_function().await;
    let email = scheduled((now + SignedDuration::from_mins(2)).to_string());
    let first = okite.post_keyed("k", &email).await;
    assert_eq!(first.status, 200, "{first:?}");
    let relative = okite.post_keyed("l", &scheduled("in 2 min")).await;
    okite
        .post_keyed("k", &scheduled("in 2 min"))
        .await
        .refused(409, "invalid_idempotent_request");
    okite.advance(Duration::from_mins(10)).await;
    assert_eq!(okite.post_keyed("k", &email).await.body, first.body);
    assert_eq!(okite.post_keyed("l", &scheduled("in 2 min")).await.body, relative.body);
}

#[tokio::test]
async fn mail_past_its_deadline_is_settled_when_it_is_read() {
    let okite = without_room().await;
    let login_code = email_with("okite_deadline", "10m");
    let [shown_by_id, listed, read_later] = [
        okite.send(&login_code).await,
        okite.send(&login_code).await,
        okite.send(&login_code).await,
    ];
    assert_eq!(states(&okite, &shown_by_id).await, both("queued"));
    okite.advance(Duration::from_mins(11)).await;
    // While the table does not answer, nobody knows that it was not sent.
    okite
        .fault(json!({ "operation": "UpdateItem", "table": "MessagesTable", "for_ms": 600_000, "error": "ValidationException" }))
        .await;
    assert_eq!(states(&okite, &read_later).await, both("queued"));
    okite.local(Method::DELETE, "faults", &Value::Null).await;

    let expired = shown(&okite, &shown_by_id).await;
    assert_eq!(
        (
            &expired["last_event"],
            &expired["okite_state"],
            &expired["okite_reason"]
        ),
        (&json!("failed"), &json!("failed"), &json!("expired"))
    );
    assert_eq!(
        okite.message(&shown_by_id["id"]).await["state"].as_s().unwrap(),
        "failed"
    );
    let page = okite.get("/emails").await.body;
    let waiting = |email: &&Value| email["okite_state"] == "queued";
    assert_eq!(page["data"].as_array().unwrap().iter().filter(waiting).count(), 0);
    assert_eq!(okite.message(&listed["id"]).await["state"].as_s().unwrap(), "failed");
    assert_eq!(okite.outbox().await.len(), 1);
}
