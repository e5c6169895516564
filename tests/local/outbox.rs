//! The list of the outbox: its pages, its search, and the changes of several mails at once.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Okite, email, within};

/// The subjects on a page of a search, and the body of the answer.
async fn page(okite: &Okite, query: &str) -> (Vec<String>, Value) {
    let request = okite.request(Method::GET, &format!("/_local/outbox?summary=true&{query}"));
    let answer = within(request.send()).await.unwrap();
    assert_eq!(answer.status(), 200, "{query}");
    let body: Value = within(answer.json()).await.unwrap();
    let data = body["data"].as_array().unwrap().iter();
    (
        data.map(|mail| mail["subject"].as_str().unwrap().to_owned()).collect(),
        body,
    )
}

async fn subjects(okite: &Okite, query: &str) -> Vec<String> {
    page(okite, query).await.0
}

async fn send(okite: &Okite, subject: &str, to: &str) -> String {
    let mut email = email(to);
    email["subject"] = json!(subject);
    okite.send(&email).await["id"].as_str().unwrap().to_owned()
}

async fn change(okite: &Okite, part: &str, body: &Value) -> Value {
    let answer = okite.local(Method::POST, &format!("outbox/{part}"), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["changed"].clone()
}

#[tokio::test]
async fn pages_are_newest_first_and_go_on_where_the_last_ended() {
    let okite = Okite::start().await;
    for subject in ["one", "two", "three"] {
        send(&okite, subject, "success@simulator.amazonses.com").await;
    }
    let (first, body) = page(&okite, "limit=2").await;
    assert_eq!(first, ["three", "two"]);
    assert_eq!(
        (&body["total"], &body["matching"], &body["unread"], &body["has_more"]),
        (&json!(3), &json!(3), &json!(3), &json!(true))
    );
    // A mail that comes meanwhile, and the deletion of the last one seen, move nothing.
    send(&okite, "four", "success@simulator.amazonses.com").await;
    let last = body["data"][1]["ses_message_id"].as_str().unwrap();
    let deleted = okite
        .local(Method::DELETE, &format!("outbox/{last}"), &Value::Null)
        .await;
    assert_eq!(deleted.status, 204);
    let (second, body) = page(&okite, &format!("limit=2&after={}", body["next"].as_str().unwrap())).await;
    assert_eq!(
        (second, &body["has_more"], &body["next"]),
        (vec!["one".to_owned()], &json!(false), &Value::Null)
    );
    assert_eq!(subjects(&okite, "skip=1&limit=1").await, ["three"]);
    assert_eq!(subjects(&okite, "skip=9").await, [] as [&str; 0]);
}

#[tokio::test]
async fn mails_are_found_marked_and_deleted_by_what_they_are() {
    let okite = Okite::start().await;
    send(&okite, "Lost parcel", "bounce+parcel@simulator.amazonses.com").await;
    let receipt = send(&okite, "Receipt: 20-1187", "success+anna@simulator.amazonses.com").await;
    send(&okite, "Another receipt", "success+bob@simulator.amazonses.com").await;
    // The bounce is published a moment later.
    while subjects(&okite, "q=state:bounced").await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(subjects(&okite, "q=state:bounced").await, ["Lost parcel"]);
    assert_eq!(
        subjects(&okite, "q=RECEIPT").await,
        ["Another receipt", "Receipt: 20-1187"]
    );
    assert_eq!(
        subjects(&okite, "q=subject:%22receipt:+20%22+to:anna").await,
        ["Receipt: 20-1187"]
    );
    assert_eq!(subjects(&okite, "q=before:2020-01-01").await, [] as [&str; 0]);

    assert_eq!(
        change(&okite, "mark", &json!({"ids": [receipt, "nobody"], "read": true})).await,
        1
    );
    assert_eq!(subjects(&okite, "q=is:read").await, ["Receipt: 20-1187"]);
    assert_eq!(
        change(&okite, "mark", &json!({"q": "is:unread", "read": true})).await,
        2
    );
    assert_eq!(page(&okite, "").await.1["unread"], 0);
    assert_eq!(change(&okite, "delete", &json!({"q": "receipt"})).await, 2);
    assert_eq!(subjects(&okite, "").await, ["Lost parcel"]);
    assert_eq!(
        okite
            .local(Method::GET, &format!("outbox/{receipt}"), &Value::Null)
            .await
            .status,
        404
    );

    for (method, part, body) in [
        (Method::GET, "outbox?q=sender:anna", Value::Null),
        (Method::GET, "outbox?q=before:tomorrow", Value::Null),
        (Method::GET, "outbox?q=%22open", Value::Null),
        (Method::GET, "outbox?limit=0", Value::Null),
        (Method::GET, "outbox?limit=1001", Value::Null),
        (Method::GET, "outbox?after=x", Value::Null),
        (Method::POST, "outbox/delete", json!({})),
        (Method::POST, "outbox/delete", json!({"q": " "})),
        (Method::POST, "outbox/delete", json!({"q": "x", "ids": []})),
        (Method::POST, "outbox/delete", json!({"q": "size:9"})),
        (Method::POST, "outbox/delete", json!({"ids": vec!["x"; 10_001]})),
        (Method::POST, "outbox/mark", json!({"ids": []})),
        (Method::POST, "outbox/mark", json!({"q": "x", "read": "yes"})),
    ] {
        let answer = okite.local(method, part, &body).await;
        assert_eq!(answer.status, 400, "{part} {body:.80}: {answer:?}");
        assert!(
            answer.body["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
    }
    assert_eq!(subjects(&okite, "").await, ["Lost parcel"]);
}

#[tokio::test]
async fn a_look_at_a_mail_finds_what_recipients_would() {
    let okite = Okite::start().await;
    let mut email = email("success@simulator.amazonses.com");
    email["html"] = json!(format!(
        "<a href='http://localhost:3000/x'>Confirm</a><img src='cid:x'>{}",
        "é".repeat(60_000)
    ));
    email["headers"] = json!({"List-Unsubscribe": "<mailto:u@example.com>"});
    let id = okite.send(&email).await["id"].as_str().unwrap().to_owned();
    let found = okite
        .local(Method::GET, &format!("outbox/{id}/checks"), &Value::Null)
        .await
        .body;
    assert_eq!(found["size"]["level"], "warning", "{found}");
    assert_eq!(
        (&found["links"][0]["text"], &found["links"][0]["level"]),
        (&json!("Confirm"), &json!("fault"))
    );
    assert_eq!(
        (&found["images"]["total"], &found["images"]["without_alt"]),
        (&json!(1), &json!(["cid:x"]))
    );
    assert_eq!(
        (&found["unsubscribe"]["level"], &found["unsubscribe"]["one_click"]),
        (&json!("fault"), &json!(false))
    );
}
