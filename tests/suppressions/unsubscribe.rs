//! One-click unsubscribe, from the mail to the next mail.

use domain::api_key::KeyPermission;
use domain::stream::Stream;
use domain::unsubscribe::Topic;
use domain::webhook::EventKind;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::subscription::Subscription;
use crate::support::{Answer, KEY, Okite};

const BULK_KEY: &str = "ok_bulk_secret";
const ANNA: &str = "anna@example.net";

fn mail(to: &str) -> Value {
    json!({
        "from": "Acme <acme@example.com>", "to": to, "subject": "News",
        "html": "<p>Hi</p><a href=\"{{{UNSUBSCRIBE_URL}}}\">Leave</a>", "text": "Leave: {{{UNSUBSCRIBE_URL}}}",
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut mail = mail(ANNA);
    mail[field] = value;
    mail
}

/// An Okite with a key for bulk mail of the topic `news`.
async fn okite_with_bulk_key() -> Okite {
    let okite = Okite::start().await;
    okite
        .put_record(BULK_KEY, |record| {
            record.stream = Stream::Bulk;
            record.permission = KeyPermission::Sending;
            record.topic = Some(Topic::parse("news").unwrap());
        })
        .await;
    okite
}

async fn sent_with(okite: &Okite, key: &str, mail: &Value) -> Value {
    let answer = okite.post_with(key, mail).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The path of the link in the newest mail that SES accepted.
async fn link(okite: &Okite) -> String {
    let outbox = okite.outbox().await;
    let mail = outbox.last().unwrap();
    let headers = &mail["headers"];
    assert_eq!(headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click");
    let link = headers["List-Unsubscribe"].as_str().unwrap();
    let link = link.strip_prefix('<').and_then(|link| link.strip_suffix('>')).unwrap();
    assert_eq!(mail["text"], json!(format!("Leave: {link}")));
    assert!(mail["html"].as_str().unwrap().contains(&format!("href=\"{link}\"")));
    link.strip_prefix(&okite.local.url).unwrap().to_owned()
}

/// Calls a link as anybody does who has it, without a key.
async fn call(okite: &Okite, method: Method, path: &str, body: &'static str) -> (u16, Response) {
    let kind = "application/x-www-form-urlencoded";
    let request = okite.request(method, path).header("content-type", kind).body(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response)
}

async fn post(okite: &Okite, path: &str, body: &'static str) -> (u16, String) {
    let (status, response) = call(okite, Method::POST, path, body).await;
    (status, response.text().await.unwrap())
}

#[tokio::test]
async fn a_person_leaves_a_topic_by_one_click_and_comes_back() {
    let okite = okite_with_bulk_key().await;
    let subscription = Subscription::start(&okite).await;
    sent_with(&okite, BULK_KEY, &mail(ANNA)).await;
    let path = link(&okite).await;

    // A program that looks for malware opens the link, and nothing changes.
    let (status, page) = call(&okite, Method::GET, &path, "").await;
    assert_eq!(status, 200);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(page.headers().get("ratelimit-limit").is_none());
    let page = page.text().await.unwrap();
    assert!(page.contains("“news”") && page.matches("<button").count() == 1 && !page.contains("anna"));
    let (status, head) = call(&okite, Method::HEAD, &path, "").await;
    assert_eq!((status, head.text().await.unwrap().as_str()), (200, ""));
    assert!(okite.registers(ANNA).await.topics.is_empty());

    // The mailbox provider sends a POST, and repeats it.
    for _ in 0..2 {
        let (status, page) = post(&okite, &path, "List-Unsubscribe=One-Click").await;
        assert!(status == 200 && page.contains("unsubscribed"), "{status} {page}");
    }
    let sent = okite.outbox().await.len();
    let body = sent_with(&okite, BULK_KEY, &mail("ANNA@example.net")).await;
    assert_eq!(
        (&body["recipients"][0]["status"], &body["recipients"][0]["reason"]),
        (&json!("suppressed"), &json!("unsubscribed"))
    );
    assert_eq!(okite.outbox().await.len(), sent);
    let shown = okite.get(&format!("/emails/{}", body["id"].as_str().unwrap())).await;
    assert_eq!(shown.body["recipients"][0]["reason"], "unsubscribed");

    // Another topic and transactional mail go.
    let accepted = json!("accepted");
    let body = sent_with(&okite, BULK_KEY, &with("okite_unsubscribe", json!("sale"))).await;
    assert_eq!(body["recipients"][0]["status"], accepted);
    let mut receipt = mail(ANNA);
    receipt["html"] = Value::Null;
    receipt["text"] = json!("Your receipt");
    let body = sent_with(&okite, KEY, &receipt).await;
    assert_eq!(body["recipients"][0]["status"], accepted);

    // The person comes back by the button.
    let (status, page) = post(&okite, &path, "okite=resubscribe").await;
    assert!(status == 200 && page.contains("subscribed again"), "{page}");
    let body = sent_with(&okite, BULK_KEY, &mail(ANNA)).await;
    assert_eq!(body["recipients"][0]["status"], accepted);

    for kind in [EventKind::SuppressionAdded, EventKind::SuppressionRemoved] {
        let events = subscription.bodies(kind).await;
        assert_eq!(events.len(), 1, "{events:?}");
        let data = &events[0]["data"];
        assert_eq!(
            (&data["email"], &data["okite_topic"], &data["okite_reason"]),
            (&json!(ANNA), &json!("news"), &json!("unsubscribed"))
        );
    }
}

#[tokio::test]
async fn a_mail_that_waits_is_judged_when_it_is_sent_and_a_batch_has_a_link_for_each() {
    let okite = okite_with_bulk_key().await;
    let batch = json!([
        mail(ANNA),
        mail("bob@example.net"),
        with("okite_unsubscribe", json!("sale"))
    ]);
    let request = okite
        .request(Method::POST, "/emails/batch")
        .bearer_auth(BULK_KEY)
        .json(&batch);
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let links = okite.outbox().await;
    let links: std::collections::BTreeSet<_> = links
        .iter()
        .map(|mail| mail["headers"]["List-Unsubscribe"].to_string())
        .collect();
    assert_eq!(links.len(), 3, "each person and each topic has a link of its own");
    sent_with(&okite, BULK_KEY, &mail(ANNA)).await;
    let path = link(&okite).await;
    let mut later = mail(ANNA);
    later["scheduled_at"] = json!("in 1 hour");
    let id = sent_with(&okite, BULK_KEY, &later).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(post(&okite, &path, "List-Unsubscribe=One-Click").await.0, 200);
    let sent = okite.outbox().await.len();
    okite.advance(std::time::Duration::from_mins(61)).await;
    okite.sweep().await;
    crate::support::eventually("the mail that waited is suppressed", async || {
        okite.get(&format!("/emails/{id}")).await.body["okite_state"] == "suppressed"
    })
    .await;
    assert_eq!(okite.outbox().await.len(), sent);
}

#[tokio::test]
async fn a_wrong_link_or_body_changes_nothing_and_tells_nothing() {
    let okite = okite_with_bulk_key().await;
    let (status, before) = post(&okite, "/unsubscribe/x", "List-Unsubscribe=One-Click").await;
    assert_eq!(status, 404, "no secret exists yet");
    sent_with(&okite, BULK_KEY, &mail(ANNA)).await;
    let path = link(&okite).await;
    let forged = path.replacen("/unsubscribe/A", "/unsubscribe/B", 1);
    for wrong in [
        &path[..path.len() - 1],
        &forged,
        "/unsubscribe/x",
        "/unsubscribe/%F0%9F%92%8C",
    ] {
        let (status, page) = post(&okite, wrong, "List-Unsubscribe=One-Click").await;
        assert_eq!((status, &page), (404, &before), "{wrong}");
        let (status, page) = call(&okite, Method::GET, wrong, "").await;
        assert_eq!((status, page.text().await.unwrap()), (404, before.clone()));
    }
    let endless: &'static str = Box::leak("List-Unsubscribe=One-Click&x=".repeat(1_000).into_boxed_str());
    for body in ["", "List-Unsubscribe=", "{}", endless] {
        assert_eq!(post(&okite, &path, body).await.0, 400, "{body:.30}");
    }
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(call(&okite, method, &path, "").await.0, 405);
    }
    assert!(okite.registers(ANNA).await.topics.is_empty());
}

#[tokio::test]
async fn a_choice_of_which_nobody_knows_whether_it_was_saved_says_so() {
    let okite = okite_with_bulk_key().await;
    sent_with(&okite, BULK_KEY, &mail(ANNA)).await;
    let path = link(&okite).await;
    okite
        .fault(json!({"operation": "UpdateItem", "table": "SuppressionsTable", "for_ms": 600_000, "drop": "after"}))
        .await;
    for (language, words) in [
        ("en", "we do not know whether your choice was saved"),
        ("ja", "完了したかどうかを確認できませんでした"),
        ("ko", "처리되었는지 확인할 수 없습니다"),
    ] {
        let request = okite.request(Method::POST, &path).header("accept-language", language);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body("List-Unsubscribe=One-Click").send().await.unwrap();
        assert_eq!(answer.status(), 503);
        let page = answer.text().await.unwrap();
        assert!(page.contains(words), "{page}");
        assert!(!page.contains("Nothing has been changed"), "{page}");
    }
    let news = Topic::parse("news").unwrap();
    assert!(okite.registers(ANNA).await.topics.left(&news).is_some(), "it was saved");
}

#[tokio::test]
async fn a_mail_that_cannot_have_the_link_is_refused_or_sent_with_a_note() {
    let okite = okite_with_bulk_key().await;
    let full: serde_json::Map<String, Value> = (0..14).map(|n| (format!("X-{n}"), json!("1"))).collect();
    let two = json!([ANNA, "bob@example.net"]);
    let mut to_two = with("okite_unsubscribe", json!("news"));
    to_two["to"] = two.clone();
    let mut own = with("okite_unsubscribe", json!(true));
    own["headers"] = json!({"List-Unsubscribe": "<https://example.com/leave>"});
    for (key, mail, words) in [
        (KEY, mail(ANNA), "{{{UNSUBSCRIBE_URL}}}"),
        (KEY, with("okite_unsubscribe", json!("News")), "okite_unsubscribe"),
        (KEY, with("okite_unsubscribe", json!(false)), "okite_unsubscribe"),
        (KEY, to_two, "link of their own"),
        (KEY, own.clone(), "of its own"),
        (BULK_KEY, with("headers", json!(full)), "at most 13"),
        (BULK_KEY, with("to", two.clone()), "{{{UNSUBSCRIBE_URL}}}"),
    ] {
        let answer = okite.post_with(key, &mail).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
    assert!(okite.outbox().await.is_empty());

    let mut plain = with("text", json!("Hi"));
    plain["html"] = Value::Null;
    plain["to"] = two;
    let body = sent_with(&okite, BULK_KEY, &plain).await;
    assert!(body["okite_notes"][0].as_str().unwrap().contains("several recipients"));
    let header = |name: &str, outbox: &[Value]| outbox.last().unwrap()["headers"].get(name).cloned();
    assert_eq!(header("List-Unsubscribe", &okite.outbox().await), None);
    own.as_object_mut().unwrap().remove("okite_unsubscribe");
    let body = sent_with(&okite, BULK_KEY, &own).await;
    assert!(body["okite_notes"][0].as_str().unwrap().contains("header of its own"));
    let outbox = okite.outbox().await;
    assert_eq!(
        header("List-Unsubscribe", &outbox),
        Some(json!("<https://example.com/leave>"))
    );
    assert_eq!(header("List-Unsubscribe-Post", &outbox), None);
}

#[tokio::test]
async fn the_api_lists_adds_and_removes_people_who_left_a_topic() {
    let okite = Okite::start().await;
    let answer = |method: Method, path: &'static str, body: Value| {
        let request = okite.request(method, path).bearer_auth(KEY);
        let request = if body.is_null() { request } else { request.json(&body) };
        async move { Answer::of(request).await }
    };
    let added = answer(Method::POST, "/suppressions", json!({"email": ANNA, "topic": "news"})).await;
    assert_eq!(added.status, 201, "{added:?}");
    let of_news = answer(Method::GET, "/suppressions?topic=news", Value::Null).await;
    let [shown] = of_news.body["data"].as_array().unwrap().as_slice() else {
        panic!("{of_news:?}")
    };
    assert_eq!(
        (&shown["email"], &shown["topic"], &shown["reason"], &shown["id"]),
        (&json!(ANNA), &json!("news"), &json!("unsubscribed"), &added.body["id"])
    );
    for path in ["/suppressions?topic=sale", "/suppressions"] {
        let none = answer(Method::GET, path, Value::Null).await;
        assert_eq!(none.body["data"], json!([]), "{path}");
    }
    for (method, path, status) in [
        (Method::GET, "/suppressions/anna@example.net?topic=news", 200),
        (Method::GET, "/suppressions/anna@example.net?topic=sale", 404),
        (Method::GET, "/suppressions/anna@example.net", 404),
        (Method::GET, "/suppressions/anna@example.net?topic=News", 422),
        (Method::GET, "/suppressions?topic=news&origin=manual", 422),
        (Method::DELETE, "/suppressions/anna@example.net?topic=sale", 404),
        (Method::DELETE, "/suppressions/anna@example.net?topic=news", 200),
        (Method::DELETE, "/suppressions/anna@example.net?topic=news", 404),
        (Method::GET, "/suppressions/anna@example.net?topic=news", 404),
    ] {
        let answer = answer(method, path, Value::Null).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
    }
}
