//! `okite_on_suppressed`: with `reject`, one suppressed recipient makes Okite reject the whole request.

use domain::suppression::SuppressionReason;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Okite, assert_status, assert_suppressed, email};

const BOUNCED: &str = "bounce@simulator.amazonses.com";
const GOOD: &str = "success@simulator.amazonses.com";

/// An Okite that knows of a bounce, and has sent one mail.
async fn with_a_bounce() -> Okite {
    let okite = Okite::start().await;
    okite.send(&email(BOUNCED)).await;
    okite.until_suppressed(BOUNCED, SuppressionReason::Bounce).await;
    okite
}

fn to_both(on_suppressed: Option<&str>) -> Value {
    let mut mail = email(json!([GOOD, BOUNCED]));
    if let Some(rule) = on_suppressed {
        mail["okite_on_suppressed"] = json!(rule);
    }
    mail
}

async fn post_with_header(okite: &Okite, rule: &str, mail: &Value) -> Answer {
    let request = okite.request(Method::POST, "/emails").bearer_auth(KEY);
    Answer::of(request.header("Okite-On-Suppressed", rule).json(mail)).await
}

async fn granted(okite: &Okite) -> String {
    let gate = okite
        .item("USAGE_TABLE", &[("pk", "gate#us-east-1"), ("sk", "gate")])
        .await;
    gate.unwrap()["granted"].as_n().unwrap().clone()
}

#[tokio::test]
async fn a_suppressed_recipient_refuses_the_whole_request_and_is_named() {
    let okite = with_a_bounce().await;
    let before = (granted(&okite).await, okite.messages().await.len());
    for answer in [
        okite.post(&to_both(Some("reject"))).await,
        post_with_header(&okite, "reject", &to_both(None)).await,
        post_with_header(&okite, "reject", &to_both(Some("reject"))).await,
    ] {
        let message = answer.refused(422, "validation_error");
        assert!(
            message.contains("1 of 2") && message.contains("bounce") && !message.contains('@'),
            "{message}"
        );
        assert_suppressed(&answer.body, BOUNCED, "bounce");
        assert_status(&answer.body, GOOD, "not_sent");
    }
    assert_eq!(okite.outbox().await.len(), 1);
    // It cost nothing of rate and quota, and left no record.
    assert_eq!((granted(&okite).await, okite.messages().await.len()), before);
}

#[tokio::test]
async fn without_the_rule_or_with_skip_the_others_get_the_mail() {
    let okite = with_a_bounce().await;
    for answer in [
        okite.post(&to_both(None)).await,
        okite.post(&to_both(Some("skip"))).await,
        post_with_header(&okite, "skip", &to_both(None)).await,
    ] {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_suppressed(&answer.body, BOUNCED, "bounce");
        assert_status(&answer.body, GOOD, "accepted");
    }
    assert_eq!(okite.outbox().await.len(), 4);
}

#[tokio::test]
async fn without_a_suppressed_recipient_the_rule_changes_nothing() {
    let okite = Okite::start().await;
    let mut mail = email(GOOD);
    mail["okite_on_suppressed"] = json!("reject");
    okite.send(&mail).await;
    assert_eq!(okite.outbox().await.len(), 1);
}

#[tokio::test]
async fn an_idempotency_key_does_not_remember_the_refusal() {
    let okite = with_a_bounce().await;
    let refused = okite.post_keyed("k", &to_both(Some("reject"))).await;
    refused.refused(422, "validation_error");
    let mut mail = to_both(Some("reject"));
    mail["to"] = json!(GOOD);
    let answer = okite.post_keyed("k", &mail).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let again = okite.post_keyed("k", &mail).await;
    assert_eq!(again.body, answer.body);
    assert_eq!(okite.outbox().await.len(), 2);
}

#[tokio::test]
async fn a_request_that_was_answered_gets_that_answer_though_a_recipient_is_suppressed_since() {
    let okite = Okite::start().await;
    let mut mail = email(BOUNCED);
    mail["okite_on_suppressed"] = json!("reject");
    let first = okite.post_keyed("k", &mail).await;
    assert_eq!(first.status, 200, "{first:?}");
    okite.until_suppressed(BOUNCED, SuppressionReason::Bounce).await;
    assert_eq!(okite.post_keyed("k", &mail).await.body, first.body);
    okite.post(&mail).await.refused(422, "validation_error");
}

#[tokio::test]
async fn a_rule_that_is_unknown_or_contradicts_the_header_is_refused() {
    let okite = Okite::start().await;
    for rule in [json!("drop"), json!(""), json!("Reject"), json!(true), json!({})] {
        let mut mail = email(GOOD);
        mail["okite_on_suppressed"] = rule;
        let answer = okite.post(&mail).await;
        assert!(
            answer
                .refused(422, "validation_error")
                .contains("`okite_on_suppressed`")
        );
    }
    for rule in ["drop", ""] {
        let answer = post_with_header(&okite, rule, &email(GOOD)).await;
        assert!(
            answer
                .refused(422, "validation_error")
                .contains("`okite-on-suppressed`")
        );
    }
    let answer = post_with_header(&okite, "skip", &to_both(Some("reject"))).await;
    assert!(answer.refused(422, "validation_error").contains("another value"));
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}
