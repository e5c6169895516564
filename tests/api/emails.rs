//! `GET /emails/{id}`: the delivery of a mail to each recipient.

use domain::api_key::KeyPermission;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Okite, email, eventually};

const GOOD: &str = "success@simulator.amazonses.com";
const GONE: &str = "Bounce+Shown@simulator.amazonses.com";
const ANGRY: &str = "complaint@simulator.amazonses.com";
/// A key that may send and nothing else.
const SENDING: &str = "ok_sending_secret";

async fn shown(okite: &Okite, id: &str) -> Value {
    let answer = okite.get(&format!("/emails/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn until_last_event(okite: &Okite, id: &str, last_event: &str) {
    let what = format!("the last event is {last_event}");
    eventually(&what, async || shown(okite, id).await["last_event"] == last_event).await;
}

fn told<'a>(body: &'a Value, email: &str) -> Vec<&'a str> {
    let events = body["events"].as_array().unwrap().iter();
    events
        .filter(|event| event["email"] == email)
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn an_email_is_shown_with_the_events_of_each_recipient_and_the_worst_of_them() {
    let okite = Okite::start().await;
    let mut mail = email(json!([format!("Good One <{GOOD}>"), GONE]));
    mail["cc"] = json!(ANGRY);
    mail["tags"] = json!([{"name": "campaign", "value": "spring"}]);
    let sent = okite.send(&mail).await;
    let id = sent["id"].as_str().unwrap();
    eventually("all is told", async || {
        shown(&okite, id).await["events"].as_array().unwrap().len() == 5
    })
    .await;

    let body = shown(&okite, id).await;
    assert_eq!(body["last_event"], "complained");
    assert_eq!(told(&body, GOOD), ["delivered"]);
    assert_eq!(told(&body, GONE), ["bounced"]);
    assert_eq!(told(&body, ANGRY), ["delivered", "complained"]);
    let bounced = body["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["email"] == GONE);
    let bounced = bounced.unwrap();
    assert_eq!(bounced["subtype"], "Permanent/General");
    assert!(bounced["diagnostic"].as_str().unwrap().contains("5.1.1"));
    assert_eq!(body["to"], json!([format!("Good One <{GOOD}>"), GONE]));
    assert_eq!(
        (&body["cc"], &body["bcc"], &body["reply_to"]),
        (&json!([ANGRY]), &json!([]), &json!([]))
    );
    assert_eq!(body["tags"], mail["tags"]);
    assert_eq!(body["recipients"], sent["recipients"]);
    assert_eq!((&body["object"], &body["subject"]), (&json!("email"), &mail["subject"]));
    for null in ["html", "text", "scheduled_at"] {
        assert_eq!(body.get(null), Some(&Value::Null), "{null}");
    }
}

#[tokio::test]
async fn an_email_is_found_by_the_id_of_ses_and_by_its_message_id() {
    let okite = Okite::start().await;
    let sent = okite.send(&email(GOOD)).await;
    let id = sent["id"].as_str().unwrap();
    until_last_event(&okite, id, "delivered").await;
    let body = shown(&okite, id).await;
    let message_id = body["message_id"].as_str().unwrap();
    let ses_id = okite.outbox().await[0]["ses_message_id"].as_str().unwrap().to_owned();
    assert_eq!(message_id, format!("<{ses_id}@email.amazonses.com>"));
    let encoded = format!("%3C{ses_id}%40email.amazonses.com%3E");
    for id in [ses_id.as_str(), &encoded] {
        assert_eq!(shown(&okite, id).await, body, "{id}");
    }
}

#[tokio::test]
async fn a_classic_notification_is_shown_though_it_carries_no_tag() {
    let okite = Okite::start().await;
    let sent = okite.send(&email("anna@example.net")).await;
    let id = sent["id"].as_str().unwrap();
    let ses_id = okite.outbox().await[0]["ses_message_id"].clone();
    let event = json!({
        "notificationType": "Bounce",
        "mail": { "messageId": ses_id, "timestamp": "2026-01-01T00:00:00.000Z", "destination": ["anna@example.net"] },
        "bounce": { "bounceType": "Permanent", "bounceSubType": "NoEmail", "feedbackId": "f-1",
                    "bouncedRecipients": [{ "emailAddress": "ANNA@example.net" }], "timestamp": "2026-01-01T00:00:01.000Z" },
    });
    assert_eq!(okite.publish(&event).await, (1, 0));
    until_last_event(&okite, id, "bounced").await;
    assert!(told(&shown(&okite, id).await, "anna@example.net").contains(&"bounced"));
}

#[tokio::test]
async fn an_email_without_remaining_recipients_is_shown_as_failed() {
    let okite = Okite::start().await;
    let sent = okite.send(&email(GONE)).await;
    until_last_event(&okite, sent["id"].as_str().unwrap(), "bounced").await;
    let suppressed = okite.send(&email(GONE)).await;
    let body = shown(&okite, suppressed["id"].as_str().unwrap()).await;
    assert_eq!(
        (&body["last_event"], &body["message_id"]),
        (&json!("failed"), &Value::Null)
    );
    assert_eq!(body["recipients"][0]["status"], "suppressed");
}

#[tokio::test]
async fn an_unknown_id_is_not_found() {
    let okite = Okite::start().await;
    let unknown = Uuid::from_u128(7).to_string();
    for id in [unknown.as_str(), "0100019b-000000", "claim%231", "%00", "a%20b"] {
        okite.get(&format!("/emails/{id}")).await.refused(404, "not_found");
    }
    let posted = okite.request(Method::DELETE, "/emails/x");
    Answer::of(posted).await.refused(405, "method_not_allowed");
}

#[tokio::test]
async fn a_key_for_sending_reads_nothing() {
    let okite = Okite::start().await;
    okite.put_key_for(SENDING, KeyPermission::Sending).await;
    let sent = okite.post_with(SENDING, &email(GOOD)).await;
    assert_eq!(sent.status, 200);
    let path = format!("/emails/{}", sent.body["id"].as_str().unwrap());
    let get = |key| Answer::of(okite.request(Method::GET, &path).bearer_auth(key));
    get(SENDING).await.refused(401, "restricted_api_key");
    get("ok_unknown_secret").await.refused(403, "invalid_api_key");
    Answer::of(okite.request(Method::GET, &path))
        .await
        .refused(401, "missing_api_key");
}

#[tokio::test]
async fn the_emails_to_a_person_are_listed_the_newest_first() {
    let okite = Okite::start().await;
    okite.account(json!({ "max_send_rate": 500 })).await;
    okite.report().await;
    let anna = "Success+Anna@simulator.amazonses.com";
    let mut ids = Vec::new();
    for number in 0..5 {
        let mut mail = email(anna);
        match number {
            1 => mail["to"] = json!([GOOD, anna]),
            2 => mail["bcc"] = json!(["success+blind@simulator.amazonses.com", GONE]),
            3 => {
                let batch = okite.post_to("/emails/batch", &json!([email(GOOD), mail])).await;
                ids.insert(0, batch.body["data"][1]["id"].clone());
                continue;
            }
            _ => {}
        }
        ids.insert(0, okite.send(&mail).await["id"].clone());
    }
    let listed = |body: &Value| -> Vec<Value> {
        let data = body["data"].as_array().unwrap().iter();
        data.map(|shown| shown["id"].clone()).collect()
    };
    let all = okite.get("/emails?to=success%2Banna@simulator.amazonses.com").await;
    assert_eq!(
        (all.status, &all.body["object"], &all.body["has_more"]),
        (200, &json!("list"), &json!(false))
    );
    assert_eq!(listed(&all.body), ids);
    let mut paged = Vec::new();
    let mut after = String::new();
    for has_more in [true, true, false] {
        let path = format!("/emails?to=success%2Banna@simulator.amazonses.com&limit=2{after}");
        let page = okite.get(&path).await.body;
        assert_eq!(page["has_more"], json!(has_more), "{path}");
        paged.extend(listed(&page));
        after = format!("&after={}", paged.last().unwrap().as_str().unwrap());
    }
    assert_eq!(paged, ids);
    let blind = okite
        .get("/emails?to=success%2Bblind@simulator.amazonses.com")
        .await
        .body;
    assert_eq!(listed(&blind), ids[2..3]);
    until_last_event(&okite, ids[2].as_str().unwrap(), "bounced").await;
    let gone = okite
        .get(&format!("/emails?to={}", GONE.replace('+', "%2B")))
        .await
        .body;
    assert_eq!(gone["data"][0]["last_event"], "bounced");
    assert_eq!(okite.get("/emails?to=nobody@example.net").await.body["data"], json!([]));
    for path in [
        "/emails?to=",
        "/emails?to=x",
        "/emails?limit=101",
        "/emails?too=a@example.net",
        "/emails?after=x",
        "/emails?to=a@example.net&limit=x",
        "/emails?to=a@example.net&limit=21",
        "/emails?to=a@example.net&after=x",
    ] {
        okite.get(path).await.refused(422, "invalid_parameter");
    }
}
