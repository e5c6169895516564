//! `/_local/`: what tests and people see and change of the simulated account.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use shared::suppression::Reason;

use crate::feedback::hard_bounce;
use crate::support::{Okite, email};

const GOOD: &str = "success@simulator.amazonses.com";

/// Asks for a refusal that says why.
async fn refuses(okite: &Okite, method: Method, part: &str, body: &Value, status: u16) {
    let answer = okite.local(method, part, body).await;
    assert_eq!(answer.status, status, "{part} {body}: {answer:?}");
    assert!(
        !answer.body["message"].as_str().unwrap_or_default().is_empty(),
        "{part} {body}: {answer:?}"
    );
}

#[tokio::test]
async fn the_outbox_shows_a_mail_in_the_agreed_shape() {
    let okite = Okite::start().await;
    okite.send(&email(GOOD)).await;
    let mail = &okite.outbox().await[0];
    let fields: BTreeSet<&str> = mail.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = [
        "ses_message_id",
        "from",
        "to",
        "cc",
        "bcc",
        "reply_to",
        "subject",
        "text",
        "html",
        "headers",
        "attachments",
        "tags",
        "at",
    ];
    assert_eq!(fields, BTreeSet::from(wanted));
    assert_eq!(
        (&mail["from"], &mail["to"]),
        (&json!("Acme <hello@example.com>"), &json!([GOOD]))
    );
    assert_eq!(
        (&mail["subject"], &mail["text"], &mail["html"]),
        (&json!("Hello"), &json!("It works."), &Value::Null)
    );
    for field in ["cc", "bcc", "reply_to", "attachments"] {
        assert_eq!(mail[field], json!([]), "{field}");
    }
    assert_eq!(mail["headers"], json!({}));
    assert!(mail["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
}

#[tokio::test]
async fn the_outbox_is_in_order_and_can_be_emptied() {
    let okite = Okite::start().await;
    for n in 0..3 {
        okite.send(&email(format!("success+{n}@simulator.amazonses.com"))).await;
    }
    let to: Vec<_> = okite.outbox().await.iter().map(|mail| mail["to"][0].clone()).collect();
    assert_eq!(
        to,
        [0, 1, 2].map(|n| json!(format!("success+{n}@simulator.amazonses.com")))
    );
    let answer = okite.local(Method::DELETE, "outbox", &Value::Null).await;
    assert_eq!((answer.status, answer.body), (204, Value::Null));
    assert_eq!(okite.outbox().await, [] as [Value; 0]);
}

#[tokio::test]
async fn the_account_is_shown_and_changed_in_part() {
    let okite = Okite::start().await;
    let mut account = json!({
        "max_24_hour_send": 50_000,
        "max_send_rate": 14,
        "production_access": true,
        "sending_enabled": true,
        "enforcement_status": "HEALTHY",
        "bounce_rate": null,
        "complaint_rate": null,
    });
    assert_eq!(okite.local(Method::GET, "account", &Value::Null).await.body, account);
    for (field, value) in [
        ("max_24_hour_send", json!(-1)),
        ("max_send_rate", json!(1.5)),
        ("production_access", json!(false)),
        ("sending_enabled", json!(false)),
        ("enforcement_status", json!("PROBATION")),
        ("bounce_rate", json!(0.051)),
        ("complaint_rate", json!(0.001)),
        ("complaint_rate", Value::Null),
    ] {
        account[field] = value.clone();
        let answer = okite.local(Method::PUT, "account", &json!({ field: value })).await;
        assert_eq!((answer.status, answer.body), (204, Value::Null));
        assert_eq!(okite.local(Method::GET, "account", &Value::Null).await.body, account);
    }
}

#[tokio::test]
async fn an_account_that_makes_no_sense_is_refused_whole() {
    let okite = Okite::start().await;
    let before = okite.local(Method::GET, "account", &Value::Null).await.body;
    for patch in [
        json!({ "max_send_rate": 1, "colour": "blue" }),
        json!({ "max_send_rate": "1" }),
        json!({ "max_send_rate": -1 }),
        json!({ "max_24_hour_send": -2 }),
        json!({ "enforcement_status": "FINE" }),
        json!({ "sending_enabled": "yes" }),
        json!([]),
        Value::Null,
    ] {
        refuses(&okite, Method::PUT, "account", &patch, 400).await;
    }
    assert_eq!(okite.local(Method::GET, "account", &Value::Null).await.body, before);
}

#[tokio::test]
async fn a_fault_lasts_as_often_as_it_says() {
    let okite = Okite::start().await;
    let error = json!({ "operation": "SendEmail", "times": 2, "error": "BadRequestException", "message": "Bad." });
    okite.fault(error).await;
    for _ in 0..2 {
        okite.post(&email(GOOD)).await.refused(422, "validation_error");
    }
    okite.send(&email(GOOD)).await;
}

#[tokio::test]
async fn faults_can_be_cleared() {
    let okite = Okite::start().await;
    okite
        .fault(json!({ "operation": "SendEmail", "for_ms": 600_000, "drop": "before" }))
        .await;
    okite.post(&email(GOOD)).await.refused(500, "application_error");
    okite.post(&email(GOOD)).await.refused(500, "application_error");
    let answer = okite.local(Method::DELETE, "faults", &Value::Null).await;
    assert_eq!((answer.status, answer.body), (204, Value::Null));
    okite.send(&email(GOOD)).await;
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused() {
    let okite = Okite::start().await;
    for fault in [
        json!({ "operation": "SendEmail" }),
        json!({ "operation": "SendPostcard", "drop": "before" }),
        json!({ "drop": "before" }),
        json!({ "operation": "SendEmail", "drop": "during" }),
        json!({ "operation": "SendEmail", "drop": "before", "delay_ms": 1 }),
        json!({ "operation": "SendEmail", "delay_ms": 1, "message": "m" }),
        json!({ "operation": "SendEmail", "delay_ms": 1, "times": 0 }),
        json!({ "operation": "SendEmail", "delay_ms": 1, "times": 1, "for_ms": 1 }),
        json!({ "operation": "SendEmail", "unprocessed": true }),
        json!({ "operation": "PutItem", "unprocessed": true }),
        json!({ "operation": "PutItem", "drop": "before", "table": "NoTable" }),
        json!({ "operation": "SendEmail", "drop": "before", "table": "MessagesTable" }),
        json!({ "operation": "CreateTable", "drop": "before" }),
        json!({ "operation": "SendEmail", "delay_ms": 1, "colour": "blue" }),
        json!("SendEmail"),
        Value::Null,
    ] {
        refuses(&okite, Method::POST, "faults", &fault, 400).await;
    }
    okite.send(&email(GOOD)).await;
}

#[tokio::test]
async fn a_number_of_copies_that_makes_no_sense_is_refused() {
    let okite = Okite::start().await;
    for query in ["copies=0", "copies=-1", "copies=many", "copies=1001", "colour=blue"] {
        refuses(&okite, Method::POST, &format!("sns?{query}"), &json!({}), 400).await;
    }
}

#[tokio::test]
async fn unknown_parts_and_wrong_methods_are_told() {
    let okite = Okite::start().await;
    for part in ["nowhere", "outbox/1", ""] {
        refuses(&okite, Method::GET, part, &Value::Null, 404).await;
    }
    for (method, part) in [
        (Method::POST, "outbox"),
        (Method::POST, "account"),
        (Method::PUT, "faults"),
        (Method::GET, "clock"),
        (Method::GET, "sns"),
        (Method::GET, "schedule"),
        (Method::POST, "queues"),
    ] {
        refuses(&okite, method, part, &Value::Null, 405).await;
    }
}

#[tokio::test]
async fn what_is_published_for_operators_can_be_read() {
    let okite = Okite::start().await;
    let notifications = async || okite.local(Method::GET, "notifications", &Value::Null).await.body;
    assert_eq!(notifications().await, json!([]));
    let config = aws_config::SdkConfig::builder()
        .behavior_version(shared::aws::behavior_version())
        .region(aws_config::Region::new(local_aws::REGION))
        .endpoint_url(&okite.local.sns_url)
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
            aws_credential_types::Credentials::new("test", "local", None, None, "tests"),
        ))
        .http_client(shared::aws::http_client())
        .build();
    let to = |topic: &str| shared::aws::Notifications::new(shared::aws::sns(&config), topic.to_owned());
    let operators = to(local_aws::ALARM_TOPIC_ARN);
    operators.publish("Sending is stopped", "Why").await.unwrap();
    let kept = notifications().await;
    assert_eq!(
        (&kept[0]["topic_arn"], &kept[0]["subject"], &kept[0]["message"]),
        (
            &json!(local_aws::ALARM_TOPIC_ARN),
            &json!("Sending is stopped"),
            &json!("Why")
        )
    );
    assert!(kept[0]["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    // A topic with a subscriber hands over what is published to it, and keeps nothing.
    let bounce = hard_bounce("gone@example.net", 1);
    let feedback = to(okite.variable("FEEDBACK_TOPIC_ARN"));
    feedback.publish("", &bounce.to_string()).await.unwrap();
    okite.until_suppressed("gone@example.net", Reason::Bounce).await;
    assert_eq!(notifications().await.as_array().unwrap().len(), 1);
}
