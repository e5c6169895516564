//! `/suppressions`: shows, adds and lifts suppressions, in Okite's list and in SES's own.

use std::time::Duration;

use domain::api_key::KeyPermission;
use reqwest::Method;
use serde_json::{Value, json};

use crate::feedback::events::{bounce, hard_bounce};
use crate::support::{Answer, KEY, Okite, assert_status, assert_suppressed, email, eventually};
use crate::suppressions::reconciliation::{listed_at_ses, suppress_at_ses};

const SENDING: &str = "ok_sending_secret";

impl Okite {
    pub(crate) async fn post_to(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).bearer_auth(KEY).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).bearer_auth(KEY)).await
    }

    pub(crate) async fn suppress(&self, address: &str) -> String {
        let answer = self.post_to("/suppressions", &json!({ "email": address })).await;
        assert_eq!(
            (answer.status, &answer.body["object"]),
            (201, &json!("suppression")),
            "{answer:?}"
        );
        answer.body["id"].as_str().unwrap().to_owned()
    }
}

fn emails(list: &Value) -> Vec<&str> {
    let data = list["data"].as_array().unwrap().iter();
    data.map(|entry| entry["email"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_address_that_is_added_is_not_sent_to_until_it_is_lifted() {
    let okite = Okite::start().await;
    let id = okite.suppress("Anna@Example.net").await;
    // Once more changes nothing but the time.
    assert_eq!(okite.suppress("anna@example.net").await, id);
    assert_suppressed(
        &okite.send(&email("ANNA@example.net")).await,
        "ANNA@example.net",
        "manual",
    );
    let shown = okite.get("/suppressions/anna%40example.net").await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert_eq!(
        (&shown.body["id"], &shown.body["origin"], &shown.body["source_id"]),
        (&json!(id), &json!("manual"), &Value::Null)
    );
    assert_eq!(okite.get(&format!("/suppressions/{id}")).await.body, shown.body);
    let lifted = okite.delete(&format!("/suppressions/{id}")).await;
    assert_eq!(
        (lifted.status, &lifted.body["deleted"], &lifted.body["ses_list"]),
        (200, &json!(true), &json!("lifted"))
    );
    assert_status(
        &okite.send(&email("anna@example.net")).await,
        "anna@example.net",
        "accepted",
    );
    okite
        .get(&format!("/suppressions/{id}"))
        .await
        .refused(404, "not_found");
    okite
        .delete(&format!("/suppressions/{id}"))
        .await
        .refused(404, "not_found");
    // And again.
    assert_eq!(okite.suppress("anna@example.net").await, id);
    assert_suppressed(
        &okite.send(&email("anna@example.net")).await,
        "anna@example.net",
        "manual",
    );
}

#[tokio::test]
async fn a_manual_entry_ends_at_its_expiry() {
    let okite = Okite::start().await;
    let body = json!({ "email": "anna@example.net", "note": "on holiday", "expires_at": in_an_hour(&okite).await });
    assert_eq!(okite.post_to("/suppressions", &body).await.status, 201);
    let shown = okite.get("/suppressions/anna@example.net").await.body;
    assert_eq!(
        (&shown["note"], shown["expires_at"].is_string()),
        (&json!("on holiday"), true)
    );
    assert_suppressed(
        &okite.send(&email("anna@example.net")).await,
        "anna@example.net",
        "manual",
    );
    okite.advance(Duration::from_secs(3_601)).await;
    assert_status(
        &okite.send(&email("anna@example.net")).await,
        "anna@example.net",
        "accepted",
    );
    okite
        .get("/suppressions/anna@example.net")
        .await
        .refused(404, "not_found");
}

/// A time by the clock of the functions.
async fn in_an_hour(okite: &Okite) -> String {
    let report = okite.report().await;
    let now: jiff::Timestamp = report["at"].as_str().unwrap().parse().unwrap();
    (now + Duration::from_hours(1)).to_string()
}

#[tokio::test]
async fn lifting_takes_the_address_off_the_list_of_ses_first_and_its_echoes_change_nothing() {
    let okite = Okite::start().await;
    suppress_at_ses(&okite, "gone@example.net", "BOUNCE").await;
    okite.publish(&hard_bounce("Gone@example.net", 1)).await;
    let lifted = okite.delete("/suppressions/gone%40example.net").await;
    assert_eq!(
        (lifted.status, &lifted.body["ses_list"]),
        (200, &json!("lifted")),
        "{lifted:?}"
    );
    assert!(!listed_at_ses(&okite).await.contains(&"gone@example.net".to_owned()));
    let gone = json!([{ "emailAddress": "gone@example.net" }]);
    okite
        .publish(&bounce("Permanent", "OnAccountSuppressionList", &gone, 2))
        .await;
    okite.publish(&hard_bounce("Gone@example.net", 1)).await;
    assert_status(
        &okite.send(&email("gone@example.net")).await,
        "gone@example.net",
        "accepted",
    );
}

#[tokio::test]
async fn a_list_of_ses_that_does_not_answer_is_left_to_the_reporter() {
    let okite = Okite::start().await;
    suppress_at_ses(&okite, "gone@example.net", "BOUNCE").await;
    okite.publish(&hard_bounce("gone@example.net", 1)).await;
    okite
        .fault(
            json!({ "operation": "DeleteSuppressedDestination", "times": 3, "error": "TooManyRequestsException",
                       "message": "Rate exceeded" }),
        )
        .await;
    let lifted = okite.delete("/suppressions/gone@example.net").await;
    assert_eq!(
        (lifted.status, &lifted.body["ses_list"]),
        (200, &json!("pending")),
        "{lifted:?}"
    );
    okite.local(Method::DELETE, "faults", &Value::Null).await;
    // The event is of a time before SES listed it, so the list would be believed if it had not been lifted since.
    okite.pass_over_ses_list().await.unwrap();
    let report = okite.report().await;
    assert_eq!(report["suppression_list"]["lifted"], 1, "{report}");
    assert!(!listed_at_ses(&okite).await.contains(&"gone@example.net".to_owned()));
    assert_status(
        &okite.send(&email("gone@example.net")).await,
        "gone@example.net",
        "accepted",
    );
}

#[tokio::test]
async fn the_sandbox_keeps_its_list_and_the_answer_says_so() {
    let okite = Okite::start_with(|settings| settings.sandbox = true).await;
    okite.publish(&hard_bounce("gone@example.net", 1)).await;
    let lifted = okite.delete("/suppressions/gone@example.net").await;
    assert_eq!(
        (lifted.status, &lifted.body["ses_list"]),
        (200, &json!("kept")),
        "{lifted:?}"
    );
    assert!(lifted.body["message"].as_str().unwrap().contains("sandbox"));
    okite
        .get("/suppressions/gone@example.net")
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn the_list_comes_in_pages_both_ways_the_newest_first() {
    let okite = Okite::start().await;
    let mut all = Vec::new();
    for number in 0..7 {
        let address = format!("anna{number}@example.net");
        okite.suppress(&address).await;
        all.insert(0, address);
    }
    okite.publish(&hard_bounce("gone@example.net", 1)).await;
    all.insert(0, "gone@example.net".to_owned());
    okite.delete("/suppressions/anna3@example.net").await;
    all.retain(|address| address != "anna3@example.net");

    let whole = okite.get("/suppressions").await.body;
    assert_eq!(
        (emails(&whole), &whole["has_more"], &whole["object"]),
        (all.iter().map(String::as_str).collect(), &json!(false), &json!("list"))
    );
    let first = okite.get("/suppressions?limit=3").await.body;
    assert_eq!(
        (emails(&first), &first["has_more"]),
        (all[..3].iter().map(String::as_str).collect(), &json!(true))
    );
    let last_id = first["data"][2]["id"].as_str().unwrap();
    let second = okite.get(&format!("/suppressions?limit=3&after={last_id}")).await.body;
    assert_eq!(
        (emails(&second), &second["has_more"]),
        (all[3..6].iter().map(String::as_str).collect(), &json!(true))
    );
    let last_id = second["data"][2]["id"].as_str().unwrap();
    let third = okite.get(&format!("/suppressions?limit=3&after={last_id}")).await.body;
    assert_eq!(
        (emails(&third), &third["has_more"]),
        (all[6..].iter().map(String::as_str).collect(), &json!(false))
    );
    let first_id = third["data"][0]["id"].as_str().unwrap();
    let back = okite
        .get(&format!("/suppressions?limit=3&before={first_id}"))
        .await
        .body;
    assert_eq!((emails(&back), &back["has_more"]), (emails(&second), &json!(true)));
    let bounces = okite.get("/suppressions?origin=bounce").await.body;
    assert_eq!(emails(&bounces), ["gone@example.net"]);
    assert_eq!(bounces["data"][0]["source_id"], "m-1");
    okite
        .get("/suppressions?limit=0")
        .await
        .refused(422, "invalid_parameter");
    okite
        .get("/suppressions?origin=x")
        .await
        .refused(422, "invalid_parameter");
}

#[tokio::test]
async fn many_are_added_and_lifted_at_once_or_none_of_them() {
    let okite = Okite::start().await;
    let many: Vec<String> = (0..100).map(|number| format!("anna{number}@example.net")).collect();
    let mut wrong = many.clone();
    wrong[99] = "no address".to_owned();
    let refused = okite
        .post_to("/suppressions/batch/add", &json!({ "emails": wrong }))
        .await;
    assert!(refused.refused(422, "validation_error").contains("emails[99]"));
    assert_eq!(okite.get("/suppressions").await.body["data"], json!([]));

    let added = okite
        .post_to("/suppressions/batch/add", &json!({ "emails": many }))
        .await;
    assert_eq!((added.status, added.body["data"].as_array().unwrap().len()), (201, 100));
    assert_eq!(
        okite.get("/suppressions?limit=100").await.body["data"]
            .as_array()
            .unwrap()
            .len(),
        100
    );
    let ids: Vec<_> = added.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].clone())
        .collect();
    let shown = okite.get(&format!("/suppressions/{}", ids[42].as_str().unwrap())).await;
    assert_eq!(shown.body["email"], "anna42@example.net");

    suppress_at_ses(&okite, "anna7@example.net", "BOUNCE").await;
    let removed = okite
        .post_to("/suppressions/batch/remove", &json!({ "ids": ids[..50] }))
        .await;
    assert_eq!(
        (removed.status, removed.body["data"].as_array().unwrap().len()),
        (200, 50)
    );
    let emails = json!({ "emails": ["anna99@example.net", "unknown@example.net"] });
    let removed = okite.post_to("/suppressions/batch/remove", &emails).await;
    assert_eq!(
        (removed.status, removed.body["data"].as_array().unwrap().len()),
        (200, 1)
    );
    assert_status(
        &okite.send(&email("anna7@example.net")).await,
        "anna7@example.net",
        "accepted",
    );
    assert_suppressed(
        &okite.send(&email("anna50@example.net")).await,
        "anna50@example.net",
        "manual",
    );
    // The list of SES follows with the next run.
    eventually("the reporter takes it off the list of SES", async || {
        okite.pass_over_ses_list().await.unwrap();
        !listed_at_ses(&okite).await.contains(&"anna7@example.net".to_owned())
    })
    .await;
    for wrong in [
        json!({}),
        json!({ "emails": [] }),
        json!({ "ids": ["a"], "emails": ["b"] }),
        json!({ "emails": [1] }),
    ] {
        let answer = okite.post_to("/suppressions/batch/remove", &wrong).await;
        answer.refused(422, "validation_error");
    }
}

#[tokio::test]
async fn a_key_for_sending_sees_and_changes_nothing() {
    let okite = Okite::start().await;
    okite.put_key_for(SENDING, KeyPermission::Sending).await;
    for (method, path) in [
        (Method::GET, "/suppressions"),
        (Method::POST, "/suppressions"),
        (Method::GET, "/suppressions/a@example.net"),
        (Method::DELETE, "/suppressions/a@example.net"),
        (Method::POST, "/suppressions/batch/add"),
        (Method::POST, "/suppressions/batch/remove"),
        (Method::GET, "/quota"),
    ] {
        let request = |key| {
            okite
                .request(method.clone(), path)
                .bearer_auth(key)
                .json(&json!({ "email": "a@example.net" }))
        };
        Answer::of(request(SENDING)).await.refused(401, "restricted_api_key");
        Answer::of(request("ok_unknown_secret"))
            .await
            .refused(403, "invalid_api_key");
    }
    okite.delete("/suppressions").await.refused(405, "method_not_allowed");
    Answer::of(okite.request(Method::PUT, "/suppressions/x"))
        .await
        .refused(405, "method_not_allowed");
}

#[tokio::test]
async fn the_quota_is_that_of_the_last_report() {
    let okite = Okite::start().await;
    let report = okite.report().await;
    let quota = okite.get("/quota").await;
    assert_eq!(quota.status, 200, "{quota:?}");
    for field in ["at", "account", "verdict", "region"] {
        assert_eq!(quota.body[field], report[field], "{field}");
    }
    assert!((0..60).contains(&quota.body["age_seconds"].as_i64().unwrap()));
    okite.advance(Duration::from_mins(4)).await;
    assert!(okite.get("/quota").await.body["age_seconds"].as_i64().unwrap() >= 240);
}
