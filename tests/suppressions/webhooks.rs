//! The events for webhooks about changes of the suppression list.

use domain::webhook::EventKind;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::reconciliation::{set_register, suppress_at_ses};
use crate::subscription::Subscription;
use crate::support::{Answer, KEY, Okite};

/// The most additions of a run of the pass that are emitted.
const EMITTED_MAX: usize = 300;

/// The addresses of the events of a kind, in their order.
async fn addresses(subscription: &Subscription, kind: EventKind) -> Vec<String> {
    let bodies = subscription.bodies(kind).await;
    let mut addresses: Vec<String> = bodies
        .iter()
        .map(|body| body["data"]["email"].as_str().unwrap().to_owned())
        .collect();
    addresses.sort();
    addresses
}

async fn ask(okite: &Okite, method: Method, path: &str, body: &Value) -> Answer {
    let request = okite.request(method, path).bearer_auth(KEY);
    Answer::of(if body.is_null() { request } else { request.json(body) }).await
}

#[tokio::test]
async fn callers_that_add_and_lift_addresses_are_emitted_before_the_answer() {
    let okite = Okite::start().await;
    let subscription = Subscription::start(&okite).await;
    let added = async || addresses(&subscription, EventKind::SuppressionAdded).await;
    let removed = async || addresses(&subscription, EventKind::SuppressionRemoved).await;
    let id = okite.suppress("Anna@example.net").await;
    assert_eq!(added().await, ["anna@example.net"]);
    let body = &subscription.bodies(EventKind::SuppressionAdded).await[0]["data"];
    assert_eq!((&body["id"], &body["okite_reason"]), (&json!(id), &json!("manual")));
    let two = json!({ "emails": ["bob@example.net", "carl@example.net"] });
    let answer = ask(&okite, Method::POST, "/suppressions/batch/add", &two).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(
        added().await,
        ["anna@example.net", "bob@example.net", "carl@example.net"]
    );
    okite.delete(&format!("/suppressions/{id}")).await;
    assert_eq!(removed().await, ["anna@example.net"]);
    let answer = ask(&okite, Method::POST, "/suppressions/batch/remove", &two).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        removed().await,
        ["anna@example.net", "bob@example.net", "carl@example.net"]
    );
}

#[tokio::test]
async fn so_are_callers_of_the_ses_api() {
    let okite = Okite::start().await;
    let subscription = Subscription::start(&okite).await;
    let put = json!({ "EmailAddress": "anna@example.net", "Reason": "COMPLAINT" });
    let request = okite.request(Method::PUT, "/v2/email/suppression/addresses");
    assert_eq!(Answer::of_ses(request.bearer_auth(KEY).json(&put)).await.status, 200);
    let body = &subscription.bodies(EventKind::SuppressionAdded).await[0]["data"];
    assert_eq!(
        (&body["email"], &body["okite_reason"]),
        (&json!("anna@example.net"), &json!("complaint"))
    );
    let path = "/v2/email/suppression/addresses/anna@example.net";
    let request = okite.request(Method::DELETE, path).bearer_auth(KEY);
    assert_eq!(Answer::of_ses(request).await.status, 200);
    let removed = addresses(&subscription, EventKind::SuppressionRemoved).await;
    assert_eq!(removed, ["anna@example.net"]);
}

#[tokio::test]
async fn a_pass_emits_what_it_adds_once_and_no_address_that_it_takes_off_sess_list() {
    let okite = Okite::start().await;
    okite.report().await;
    let subscription = Subscription::start(&okite).await;
    suppress_at_ses(&okite, "dead@example.net", "BOUNCE").await;
    suppress_at_ses(&okite, "lifted@example.net", "BOUNCE").await;
    set_register(&okite, "lifted@example.net", "lifted_at", 4_000_000_000_000).await;
    for _ in 0..2 {
        okite.advance(std::time::Duration::from_hours(25)).await;
        okite.report().await;
        okite.pass_over_ses_list().await.unwrap();
    }
    let added = addresses(&subscription, EventKind::SuppressionAdded).await;
    assert_eq!(added, ["dead@example.net"]);
    let removed = addresses(&subscription, EventKind::SuppressionRemoved).await;
    assert_eq!(removed, [""; 0]);
}

#[tokio::test]
async fn a_long_list_of_ses_does_not_flood_an_application() {
    let okite = Okite::start().await;
    okite.report().await;
    let subscription = Subscription::start(&okite).await;
    let listed: Vec<String> = (0..EMITTED_MAX + 20)
        .map(|number| format!("{number}@example.net"))
        .collect();
    for part in listed.chunks(20) {
        join_all(part.iter().map(|address| suppress_at_ses(&okite, address, "BOUNCE"))).await;
    }
    okite.advance(std::time::Duration::from_hours(25)).await;
    okite.report().await;
    let done = okite.pass_over_ses_list().await.unwrap();
    assert_eq!(done["added"], listed.len());
    let added = addresses(&subscription, EventKind::SuppressionAdded).await;
    assert_eq!(added.len(), EMITTED_MAX);
}
