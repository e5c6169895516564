//! Mail for which there is no room: it waits, or is refused, as its request or its API key says.

use domain::queue::WhenBusy;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Okite, email, email_with};

const GOOD: &str = "success@simulator.amazonses.com";
const REFUSING: &str = "ok_refusing_secret";

/// An Okite whose quota of one mail is used up.
pub(crate) async fn without_room() -> Okite {
    let okite = Okite::start().await;
    okite.account(json!({ "max_24_hour_send": 1 })).await;
    okite.report().await;
    okite.send(&email(GOOD)).await;
    okite
}

/// Posts an email with an API key and a header.
async fn post(okite: &Okite, key: &str, header: Option<&str>, email: &Value) -> Answer {
    let mut request = okite.request(Method::POST, "/emails").bearer_auth(key);
    if let Some(header) = header {
        request = request.header("okite-when-busy", header);
    }
    Answer::of(request.json(email)).await
}

/// The path of an email that a request made.
pub(crate) fn path_of(created: &Value) -> String {
    format!("/emails/{}", created["id"].as_str().unwrap())
}

/// Shows an email.
pub(crate) async fn shown(okite: &Okite, created: &Value) -> Value {
    let answer = okite.get(&path_of(created)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The last event and the state that an email and the list show.
pub(crate) async fn states(okite: &Okite, created: &Value) -> (String, String) {
    let shown = shown(okite, created).await;
    let listed = okite.get("/emails?limit=100").await.body;
    let mut listed = listed["data"].as_array().unwrap().iter();
    let email = listed.find(|email| email["id"] == created["id"]).unwrap();
    for field in [
        "last_event",
        "okite_state",
        "okite_reason",
        "scheduled_at",
        "okite_deadline",
    ] {
        assert_eq!(email[field], shown[field], "{field}");
    }
    let text = |field: &str| shown[field].as_str().unwrap().to_owned();
    (text("last_event"), text("okite_state"))
}

#[tokio::test]
async fn mail_without_room_is_answered_as_sent_mail_is_and_shown_as_queued() {
    let okite = without_room().await;
    let queued = okite.send(&email(GOOD)).await;
    let fields: Vec<&String> = queued.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["id", "recipients"]);
    assert_eq!(queued["recipients"], json!([{ "email": GOOD, "status": "accepted" }]));
    assert_eq!(
        states(&okite, &queued).await,
        ("queued".to_owned(), "queued".to_owned())
    );
    let shown = shown(&okite, &queued).await;
    assert_eq!(
        (&shown["scheduled_at"], &shown["message_id"]),
        (&Value::Null, &Value::Null)
    );
    assert!(shown["okite_deadline"].is_string());
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn the_field_goes_before_the_header_and_the_header_before_the_key() {
    let okite = without_room().await;
    okite.put_key_when_busy(REFUSING, WhenBusy::Refuse).await;
    for (key, header, field, is_queued) in [
        (KEY, None, None, true),
        (KEY, Some("refuse"), None, false),
        (KEY, Some("refuse"), Some("queue"), true),
        (KEY, None, Some("refuse"), false),
        // It cannot be sent within the time that it would wait for.
        (KEY, None, Some("wait"), false),
        (REFUSING, None, None, false),
        (REFUSING, Some("queue"), None, true),
        (REFUSING, Some("queue"), Some("refuse"), false),
        (REFUSING, None, Some("queue"), true),
    ] {
        let answer = post(&okite, key, header, &email_with("okite_when_busy", field)).await;
        let case = (key, header, field);
        if is_queued {
            assert_eq!(answer.status, 200, "{case:?}: {answer:?}");
        } else {
            answer.refused(429, "daily_quota_exceeded");
            assert!(answer.header("retry-after").is_some(), "{case:?}");
        }
    }
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn a_choice_that_is_unknown_is_refused_whatever_the_others_say() {
    let okite = Okite::start().await;
    for choice in [
        json!("later"),
        json!(""),
        json!("Queue"),
        json!(1),
        json!(true),
        json!({}),
    ] {
        let answer = post(&okite, KEY, Some("queue"), &email_with("okite_when_busy", choice)).await;
        assert!(answer.refused(422, "validation_error").contains("`okite_when_busy`"));
    }
    for choice in ["later", ""] {
        let answer = post(&okite, KEY, Some(choice), &email_with("okite_when_busy", "queue")).await;
        let message = answer.refused(422, "validation_error");
        assert!(message.contains("`okite-when-busy`"), "{message}");
        for form in WhenBusy::ALL {
            assert!(message.contains(form.as_str()), "{message}");
        }
    }
    let answer = okite.post(&email_with("okiteWhenBusy", "queue")).await;
    assert!(answer.refused(422, "validation_error").contains("`okite_when_busy`"));
    assert_eq!(okite.outbox().await.len(), 0);
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_another_choice_is_another_email() {
    let okite = without_room().await;
    let mail = email_with("okite_when_busy", "queue");
    let first = okite.post_keyed("k", &mail).await;
    assert_eq!(first.status, 200, "{first:?}");
    let repeat = okite.post_keyed("k", &mail).await;
    assert_eq!((repeat.status, &repeat.body), (200, &first.body));
    for other in [
        email_with("okite_when_busy", Value::Null),
        email_with("okite_when_busy", "refuse"),
    ] {
        let answer = okite.post_keyed("k", &other).await;
        answer.refused(409, "invalid_idempotent_request");
    }
    // A key remembers no refusal.
    let refuse = email_with("okite_when_busy", "refuse");
    okite
        .post_keyed("l", &refuse)
        .await
        .refused(429, "daily_quota_exceeded");
    assert_eq!(okite.post_keyed("l", &mail).await.status, 200);
}
