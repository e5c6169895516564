//! Openings and clicks, from the request to the record of the mail.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Okite, email_with, eventually};

const LINK: &str = "https://example.com/offer";

async fn tracking() -> Okite {
    Okite::start_with(|settings| {
        settings
            .parameters
            .insert("TrackingEvents".to_owned(), "true".to_owned());
    })
    .await
}

fn newsletter(track: &Value) -> Value {
    let mut email = email_with("html", format!("<a href=\"{LINK}\">offer</a>"));
    email["okite_track"] = track.clone();
    email
}

/// Visits a mail as its recipient would, and returns the status.
async fn visits(okite: &Okite, id: &Value, how: &str, body: &Value) -> u16 {
    let path = format!("outbox/{}/{how}", id.as_str().unwrap());
    okite.local(Method::POST, &path, body).await.status
}

#[tokio::test]
async fn a_tracked_mail_is_opened_and_clicked_and_no_other_is() {
    let okite = tracking().await;
    let tracked = okite.send(&newsletter(&json!({"opens": true, "clicks": true}))).await["id"].clone();
    let reset = okite.send(&newsletter(&Value::Null)).await["id"].clone();
    let opens = okite.send(&newsletter(&json!({"opens": true}))).await["id"].clone();
    for (id, open, click) in [(&tracked, 204, 204), (&reset, 400, 400), (&opens, 204, 400)] {
        assert_eq!(visits(&okite, id, "open", &json!({})).await, open);
        assert_eq!(visits(&okite, id, "click", &json!({"link": LINK})).await, click);
    }
    let last_event = async |id: &Value| {
        let answer = okite.get(&format!("/emails/{}", id.as_str().unwrap())).await;
        answer.body["last_event"].as_str().unwrap().to_owned()
    };
    eventually("clicked", async || last_event(&tracked).await == "clicked").await;
    eventually("opened", async || last_event(&opens).await == "opened").await;
    eventually("delivered", async || last_event(&reset).await == "delivered").await;
    let shown = okite.get(&format!("/emails/{}", tracked.as_str().unwrap())).await.body;
    let click = shown["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["type"] == "clicked");
    let click = click.unwrap();
    assert_eq!(
        (&click["link"], &click["ip_address"]),
        (&json!(LINK), &json!("192.0.2.44"))
    );
    assert_eq!(click["email"], shown["to"][0]);
}

#[tokio::test]
async fn each_email_of_a_batch_has_its_own_choice() {
    let okite = tracking().await;
    let batch = json!([
        newsletter(&json!({"opens": true})),
        newsletter(&json!({"clicks": true}))
    ]);
    let request = okite.request(Method::POST, "/emails/batch").bearer_auth(KEY);
    let answer = Answer::of(request.json(&batch)).await;
    let ids = &answer.body["data"];
    assert_eq!(visits(&okite, &ids[0]["id"], "open", &json!({})).await, 204);
    assert_eq!(visits(&okite, &ids[1]["id"], "open", &json!({})).await, 400);
    assert_eq!(
        visits(&okite, &ids[1]["id"], "click", &json!({"link": LINK})).await,
        204
    );
}

#[tokio::test]
async fn a_deployment_that_tracks_nothing_refuses_to_track_and_says_why() {
    let okite = Okite::start().await;
    for (track, status) in [
        (json!({"opens": true}), 422),
        (json!({"clicks": true}), 422),
        (json!({"opens": "yes"}), 422),
        (json!({"opens": false, "clicks": false}), 200),
        (Value::Null, 200),
    ] {
        let answer = okite.post(&newsletter(&track)).await;
        assert_eq!(answer.status, status, "{track}: {answer:?}");
        if status == 422 {
            assert!(
                answer.body["message"].as_str().unwrap().contains("okite_track"),
                "{answer:?}"
            );
        }
    }
}
