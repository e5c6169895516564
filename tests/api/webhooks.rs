//! `/webhooks`: webhooks are created, changed and deleted, and their events are read and replayed. That events are
//! delivered is tested elsewhere.

use std::time::Duration;

use aws::Deliveries;
use domain::api_key::KeyPermission;
use domain::time::plus;
use domain::webhook::{AfterAttempt, Attempt, Delivery, ENDPOINTS_MAX, EventId, EventKind};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Okite};

/// Where nothing listens.
const ENDPOINT: &str = "http://127.0.0.1:1/hook";

/// Calls a path with a key.
async fn call_with(okite: &Okite, key: &str, method: Method, path: &str, body: Value) -> Answer {
    let request = okite.request(method, path).bearer_auth(key);
    Answer::of(if body.is_null() { request } else { request.json(&body) }).await
}

async fn call(okite: &Okite, method: Method, path: &str, body: Value) -> Answer {
    call_with(okite, KEY, method, path, body).await
}

/// Creates a webhook and returns its path.
async fn created(okite: &Okite) -> String {
    let wanted = json!({ "endpoint": ENDPOINT, "events": ["email.bounced"] });
    let answer = call(okite, Method::POST, "/webhooks", wanted).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    format!("/webhooks/{}", answer.body["id"].as_str().unwrap())
}

/// Puts an event with one failed attempt into the log of a webhook, as if no attempt followed. Returns its id.
pub(crate) async fn put_event(okite: &Okite, webhook: &str, number: i64) -> String {
    let now = Timestamp::from_second(Timestamp::now().as_second() + number).unwrap();
    let event = EventId::of(now, &["x"]);
    let delivery = Delivery {
        endpoint: webhook.to_owned(),
        event: event.clone(),
        kind: EventKind::EmailBounced,
        created_at: now,
        body: json!({ "type": "email.bounced", "data": { "number": number } }).to_string(),
        attempts: 0,
    };
    let attempt = Attempt {
        at: plus(now, SignedDuration::from_millis(7)),
        status: Some(500),
        error: None,
        duration: Duration::from_millis(12),
        answer: "no".to_owned(),
    };
    let table = okite.variable(Deliveries::TABLE_VARIABLE).to_owned();
    let deliveries = Deliveries::new(okite.dynamodb.clone(), table);
    let recorded = deliveries
        .record_attempt(&delivery, &attempt, AfterAttempt::Failed)
        .await;
    recorded.unwrap();
    event.to_string()
}

#[tokio::test]
async fn a_webhook_is_created_changed_and_deleted() {
    let okite = Okite::start().await;
    let path = created(&okite).await;
    let shown = call(&okite, Method::GET, &path, Value::Null).await.body;
    assert_eq!(
        [&shown["endpoint"], &shown["status"], &shown["signing_secret"]],
        [&json!(ENDPOINT), &json!("enabled"), &Value::Null]
    );
    // As the Python SDK writes it.
    let change = json!({ "webhook_id": "x", "events": ["email.sent", "email.sent"], "status": "disabled" });
    let changed = call(&okite, Method::PATCH, &path, change).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let shown = call(&okite, Method::GET, &path, Value::Null).await.body;
    assert_eq!(
        [&shown["events"], &shown["status"]],
        [&json!(["email.sent"]), &json!("disabled")]
    );
    let rotated = call(
        &okite,
        Method::POST,
        &format!("{path}/signing-secret/rotate"),
        Value::Null,
    )
    .await;
    assert!(rotated.body["signing_secret"].as_str().unwrap().starts_with("whsec_"));
    let deleted = call(&okite, Method::DELETE, &path, Value::Null).await;
    assert_eq!(deleted.body["deleted"], true);
    for (method, part) in [(Method::GET, ""), (Method::DELETE, ""), (Method::GET, "/events")] {
        let answer = call(&okite, method, &format!("{path}{part}"), Value::Null).await;
        answer.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_webhook_that_nothing_can_be_delivered_to_is_refused() {
    let okite = Okite::start().await;
    let path = created(&okite).await;
    for (endpoint, words) in [
        (json!("http://example.com/hook"), "https://"),
        (json!("https://169.254.169.254/latest/meta-data/"), "public internet"),
        (json!("https://user:password@example.com/"), "user name"),
        (json!("https://8.8.8.8:22/"), "WebhookPorts"),
        (json!("https://hook.invalid/"), "does not resolve"),
        (json!(7), "must be a string"),
    ] {
        let body = json!({ "endpoint": endpoint, "events": ["email.sent"] });
        let answer = call(&okite, Method::POST, "/webhooks", body).await;
        let message = answer.refused(422, "validation_error");
        assert!(
            message.starts_with("`endpoint`") && message.contains(words),
            "{message}"
        );
        let answer = call(&okite, Method::PATCH, &path, json!({ "endpoint": endpoint })).await;
        assert!(answer.refused(422, "validation_error").contains(words), "{answer:?}");
    }
    let body = json!({ "endpoint": ENDPOINT, "events": ["domain.created"] });
    let answer = call(&okite, Method::POST, "/webhooks", body).await;
    assert!(
        answer
            .refused(422, "validation_error")
            .contains("`account.brake_changed`")
    );
    let listed = call(&okite, Method::GET, "/webhooks", Value::Null).await.body;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_twenty_first_webhook_is_refused_and_pages_hold_each_once() {
    let okite = Okite::start().await;
    for _ in 0..ENDPOINTS_MAX {
        created(&okite).await;
    }
    let wanted = json!({ "endpoint": ENDPOINT, "events": ["email.sent"] });
    let answer = call(&okite, Method::POST, "/webhooks", wanted).await;
    assert!(answer.refused(409, "validation_error").contains("20 webhooks"));
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = call(&okite, Method::GET, &format!("/webhooks?limit=7{after}"), Value::Null)
            .await
            .body;
        let ids = page["data"].as_array().unwrap().iter();
        seen.extend(ids.map(|webhook| webhook["id"].as_str().unwrap().to_owned()));
        after = format!("&after={}", seen.last().unwrap());
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(seen.len(), ENDPOINTS_MAX);
    assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");
    let answer = call(&okite, Method::GET, "/webhooks?limt=7", Value::Null).await;
    answer.refused(422, "invalid_parameter");
}

#[tokio::test]
async fn events_are_listed_shown_and_replayed() {
    let okite = Okite::start().await;
    let path = created(&okite).await;
    let id = path.trim_start_matches("/webhooks/").to_owned();
    let mut events = Vec::new();
    for number in 0..3 {
        events.push(put_event(&okite, &id, number).await);
    }
    let page = call(&okite, Method::GET, &format!("{path}/events?limit=2"), Value::Null)
        .await
        .body;
    let ids = |page: &Value| -> Vec<String> {
        let listed = page["data"].as_array().unwrap().iter();
        listed.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (ids(&page), &page["has_more"]),
        (vec![events[2].clone(), events[1].clone()], &json!(true))
    );
    let rest = format!("{path}/events?after={}", events[1]);
    let rest = call(&okite, Method::GET, &rest, Value::Null).await.body;
    assert_eq!(
        (ids(&rest), &rest["has_more"]),
        (vec![events[0].clone()], &json!(false))
    );
    assert_eq!(
        [&rest["data"][0]["type"], &rest["data"][0]["status"]],
        ["email.bounced", "failed"]
    );

    let event = format!("{path}/events/{}", events[0]);
    let shown = call(&okite, Method::GET, &event, Value::Null).await.body;
    assert_eq!(
        [&shown["payload"]["data"]["number"], &shown["next_attempt_at"]],
        [&json!(0), &Value::Null]
    );
    let attempts = call(&okite, Method::GET, &format!("{event}/attempts"), Value::Null)
        .await
        .body;
    assert_eq!(attempts["data"][0]["http_status_code"], 500);

    let replay = format!("{event}/replay");
    let replayed = call(&okite, Method::POST, &replay, Value::Null).await;
    assert_eq!((replayed.status, &replayed.body["id"]), (200, &json!(events[0])));
    call(&okite, Method::PATCH, &path, json!({ "status": "disabled" })).await;
    let answer = call(&okite, Method::POST, &replay, Value::Null).await;
    assert!(answer.refused(409, "validation_error").contains("disabled"));
    let other = created(&okite).await;
    for unknown in [format!("{other}/events/{}", events[0]), format!("{path}/events/msg_1")] {
        let answer = call(&okite, Method::GET, &unknown, Value::Null).await;
        answer.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_key_for_sending_may_not_touch_webhooks() {
    let okite = Okite::start().await;
    let path = created(&okite).await;
    let key = "ok_sending_this_key_only_sends";
    okite.put_key_for(key, KeyPermission::Sending).await;
    let event = format!("{path}/events/msg_1");
    for (method, path) in [
        (Method::GET, "/webhooks".to_owned()),
        (Method::POST, "/webhooks".to_owned()),
        (Method::GET, path.clone()),
        (Method::PATCH, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/signing-secret/rotate")),
        (Method::GET, format!("{path}/events")),
        (Method::GET, event.clone()),
        (Method::GET, format!("{event}/attempts")),
        (Method::POST, format!("{event}/replay")),
    ] {
        let answer = call_with(&okite, key, method, &path, Value::Null).await;
        answer.refused(401, "restricted_api_key");
    }
}
