//! Emails of a batch that wait: each for its own time, or for room.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{KEYED, PERMISSIVE, emails, fast, post, received};
use crate::api::busy::{shown, without_room};
use crate::support::{Answer, Okite};

async fn state(okite: &Okite, answer: &Answer, place: usize) -> Value {
    shown(okite, &answer.body["data"][place]).await["okite_state"].clone()
}

#[tokio::test]
async fn scheduled_emails_wait_beside_those_that_are_sent() {
    let okite = fast().await;
    let mut batch = emails(4);
    batch[1]["scheduled_at"] = json!("in 1 hour");
    batch[3]["scheduled_at"] = json!("in 2 days");
    batch[3]["okite_deadline"] = json!("10m");
    let answer = post(&okite, &batch, &[KEYED]).await;
    assert_eq!((answer.status, answer.body.get("errors")), (200, None), "{answer:?}");
    for (place, expected) in ["sent", "scheduled", "sent", "scheduled"].into_iter().enumerate() {
        assert_eq!(state(&okite, &answer, place).await, expected, "{place}");
        let item = &answer.body["data"][place];
        assert_eq!(item["recipients"][0]["status"], "accepted", "{item}");
    }
    assert_eq!(received(&okite).await.len(), 2);
    assert_eq!(post(&okite, &batch, &[KEYED]).await.body, answer.body);
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test]
async fn each_email_says_for_itself_whether_it_waits_for_room() {
    let okite = without_room().await;
    let mut batch = emails(3);
    batch[1]["okite_when_busy"] = json!("refuse");
    let answer = post(&okite, &batch, &[PERMISSIVE]).await;
    assert_eq!((answer.status, answer.body["data"].as_array().unwrap().len()), (200, 2));
    let error = &answer.body["errors"][0];
    assert_eq!((&error["index"], &error["statusCode"]), (&json!(1), &json!(429)));
    for place in 0..2 {
        assert_eq!(state(&okite, &answer, place).await, "queued");
    }
    // The header is about all of them that do not say otherwise.
    batch[1]["okite_when_busy"] = json!("queue");
    let answer = post(&okite, &batch, &[("okite-when-busy", "refuse"), PERMISSIVE]).await;
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 2, "{answer:?}");
    let answer = post(&okite, &emails(2), &[("okite-when-busy", "refuse")]).await;
    answer.refused(429, "daily_quota_exceeded");
    let answer = post(&okite, &emails(2), &[("okite-when-busy", "later")]).await;
    assert!(answer.refused(422, "validation_error").contains("`okite-when-busy`"));
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn a_time_that_cannot_be_followed_refuses_a_strict_batch_and_is_left_out_of_a_permissive_one() {
    let okite = fast().await;
    let past = okite.time_of_a_function().await - SignedDuration::from_mins(5);
    for (field, value) in [
        ("scheduled_at", json!("tomorrow")),
        ("scheduled_at", json!("")),
        ("scheduled_at", json!(7)),
        ("scheduled_at", json!("in 31 days")),
        ("scheduled_at", json!(past.to_string())),
        ("okite_deadline", json!("in 10m")),
        ("okite_deadline", json!(past.to_string())),
        ("okite_when_busy", json!("later")),
    ] {
        let mut batch = emails(3);
        batch[1][field] = value.clone();
        for headers in [&[][..], &[KEYED]] {
            let answer = post(&okite, &batch, headers).await;
            let message = answer.refused(422, "validation_error");
            assert!(
                message.contains("Email 1 of the batch") && message.contains(&format!("`{field}`")),
                "{value}: {message}"
            );
        }
        assert_eq!(okite.outbox().await.len(), 0, "{field} {value}");
    }
    let mut batch = emails(3);
    batch[1]["scheduled_at"] = json!(past.to_string());
    for headers in [&[PERMISSIVE][..], &[PERMISSIVE, KEYED]] {
        let answer = post(&okite, &batch, headers).await;
        assert_eq!((answer.status, answer.body["data"].as_array().unwrap().len()), (200, 2));
        let error = &answer.body["errors"][0];
        assert_eq!((&error["index"], &error["statusCode"]), (&json!(1), &json!(422)));
        assert!(error["message"].as_str().unwrap().contains("in the past"), "{error}");
    }
    assert_eq!(okite.outbox().await.len(), 4);
}

#[tokio::test]
async fn a_repeated_batch_gets_the_first_answer_after_its_times_too() {
    let okite = fast().await;
    for headers in [&[KEYED][..], &[("idempotency-key", "permissive"), PERMISSIVE]] {
        let at = okite.time_of_a_function().await + SignedDuration::from_mins(2);
        let mut batch = emails(3);
        batch[1]["scheduled_at"] = json!(at.to_string());
        let first = post(&okite, &batch, headers).await;
        assert_eq!(first.status, 200, "{first:?}");
        let mut other = batch.clone();
        other[1]["scheduled_at"] = json!((at + SignedDuration::from_secs(1)).to_string());
        post(&okite, &other, headers)
            .await
            .refused(409, "invalid_idempotent_request");
        okite.advance(Duration::from_mins(5)).await;
        assert_eq!(post(&okite, &batch, headers).await.body, first.body);
    }
}
