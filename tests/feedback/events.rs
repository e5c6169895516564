//! Events of Amazon SES: they arrive twice, late and in any order, and lead to the same list.

use aws::{Marks, Suppressions};
use bytes::Bytes;
use domain::address::EmailAddress;
use domain::feedback::MarkKind;
use domain::stream::Stream;
use domain::suppression::Registers;
use local_aws::data_dir::DataDir;
use local_aws::services::lambda::InvokeError;
use reqwest::Method;
use serde_json::{Value, json};

use crate::alarms::log_lines;
use crate::support::{Answer, Okite, assert_status, assert_suppressed, email, eventually, within};

const BYSTANDER: &str = "bystander@example.net";

/// A bounce of `recipients`, at a second of the same minute.
pub(crate) fn bounce(bounce_type: &str, sub_type: &str, recipients: &Value, second: u8) -> Value {
    json!({
        "eventType": "Bounce",
        "mail": { "messageId": "m-1", "timestamp": "2026-01-01T00:00:00.000Z", "destination": [BYSTANDER] },
        "bounce": {
            "bounceType": bounce_type,
            "bounceSubType": sub_type,
            "bouncedRecipients": recipients,
            "timestamp": format!("2026-01-01T00:00:{second:02}.000Z"),
            "feedbackId": format!("f-{second}"),
        },
    })
}

pub(crate) fn hard_bounce(address: &str, second: u8) -> Value {
    bounce("Permanent", "General", &json!([{ "emailAddress": address }]), second)
}

fn complaint(address: &str, kind: &str, second: u8) -> Value {
    json!({
        "notificationType": "Complaint",
        "mail": { "messageId": "m-1", "timestamp": "2026-01-01T00:00:00.000Z", "destination": [BYSTANDER] },
        "complaint": {
            "complainedRecipients": [{ "emailAddress": address }],
            "complaintFeedbackType": kind,
            "timestamp": format!("2026-01-01T00:00:{second:02}.000Z"),
            "feedbackId": format!("c-{second}"),
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_a_usual_mail_leave_no_line_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let okite = Okite::start_with(|settings| {
        settings.data_dir = Some(DataDir::take(folder.path()).unwrap());
        settings.environment.insert("LOG_LEVEL".to_owned(), "info".to_owned());
    })
    .await;
    okite.send(&email("success@simulator.amazonses.com")).await;
    okite.until_sends_are_handled().await;
    eventually("it is delivered", async || okite.handled("Delivery").await.len() == 1).await;
    assert_eq!(okite.publish(&hard_bounce("gone@example.net", 1)).await, (1, 0));
    let lines = log_lines(folder.path(), "feedback");
    let handled = lines.iter().filter(|line| line["message"] == "an event was handled");
    let kinds: Vec<_> = handled.map(|line| line["kind"].clone()).collect();
    assert_eq!(kinds, ["Bounce"]);
}

#[tokio::test]
async fn duplicates_end_as_one() {
    let okite = Okite::start().await;
    let event = hard_bounce("gone@example.net", 1);
    assert_eq!(okite.publish(&event).await, (1, 0));
    let once = okite.suppression("gone@example.net").await;
    assert!(once.is_some());
    assert_eq!(okite.publish_copies(&event, 20).await, (20, 0));
    assert_eq!(okite.suppression("gone@example.net").await, once);
}

#[tokio::test]
async fn the_order_of_events_makes_no_difference() {
    let okite = Okite::start().await;
    let events = |address: &str| {
        [
            hard_bounce(address, 1),
            complaint(address, "abuse", 2),
            hard_bounce(address, 3),
            complaint(address, "fraud", 4),
            // The same time as another, from another event.
            complaint(address, "virus", 4),
            bounce(
                "Permanent",
                "General",
                &json!([{ "emailAddress": address, "status": "5.7.1" }]),
                5,
            ),
        ]
    };
    for event in events("one@example.net") {
        assert_eq!(okite.publish(&event).await, (1, 0));
    }
    for event in events("two@example.net").iter().rev() {
        assert_eq!(okite.publish(event).await, (1, 0));
    }
    let registers = okite.registers("one@example.net").await;
    assert_eq!(registers, okite.registers("two@example.net").await);
    let second = |second: u8| Some(format!("2026-01-01T00:00:0{second}Z").parse().unwrap());
    assert_eq!(
        (registers.bounce_at, registers.complaint_at, registers.blocked_at),
        (second(3), second(4), second(5))
    );
}

#[tokio::test]
async fn the_evidence_is_that_of_the_latest_event_in_any_order() {
    let okite = Okite::start().await;
    for seconds in [[1, 2], [2, 1]] {
        let address = format!("gone{}@example.net", seconds[0]);
        for second in seconds {
            okite.publish(&hard_bounce(&address, second)).await;
        }
        let row = okite.suppression(&address).await.unwrap();
        let evidence = row["bounce"].as_m().unwrap();
        assert!(evidence["source"].as_s().unwrap().starts_with("f-2#"));
    }
}

#[tokio::test]
async fn one_event_suppresses_all_of_its_recipients_and_no_others() {
    let okite = Okite::start().await;
    let event = bounce(
        "Permanent",
        "General",
        &json!([
            { "emailAddress": "Gone@Example.net", "status": "5.1.1", "action": "failed" },
            { "emailAddress": "\"Jo D\" <jo@example.net>" },
            { "emailAddress": "slow@example.net", "status": "4.4.7", "action": "delayed" },
        ]),
        1,
    );
    assert_eq!(okite.publish(&event).await, (1, 0));
    let body = okite
        .send(&email(json!([
            "gone@example.net",
            "jo@example.net",
            "slow@example.net",
            BYSTANDER
        ])))
        .await;
    assert_suppressed(&body, "gone@example.net", "bounce");
    assert_suppressed(&body, "jo@example.net", "bounce");
    assert_status(&body, "slow@example.net", "accepted");
    assert_status(&body, BYSTANDER, "accepted");
}

#[tokio::test]
async fn a_recipient_that_cannot_be_read_fails_the_event_and_holds_no_other_up() {
    let okite = Okite::start().await;
    let event = bounce(
        "Permanent",
        "General",
        &json!([{ "emailAddress": "not an address" }, { "emailAddress": "gone@example.net" }]),
        1,
    );
    assert_eq!(okite.publish(&event).await, (0, 1));
    assert!(okite.registers("gone@example.net").await.bounce_at.is_some());
}

#[tokio::test]
async fn an_event_about_a_mail_of_another_account_is_refused() {
    let okite = Okite::start().await;
    let mut event = hard_bounce("gone@example.net", 1);
    event["mail"]["sendingAccountId"] = json!("111111111111");
    assert_eq!(okite.publish(&event).await, (0, 1));
    assert_eq!(okite.registers("gone@example.net").await, Registers::default());
    event["mail"]["sendingAccountId"] = json!(local_aws::ACCOUNT_ID);
    assert_eq!(okite.publish(&event).await, (1, 0));
}

#[tokio::test]
async fn a_complaint_is_graver_than_a_bounce() {
    let okite = Okite::start().await;
    let address = "cross@example.net";
    okite.publish(&complaint(address, "abuse", 1)).await;
    okite.publish(&hard_bounce(address, 2)).await;
    let body = okite.send(&email(address)).await;
    assert_suppressed(&body, address, "complaint");
}

#[tokio::test]
async fn an_event_that_does_not_blame_the_recipient_does_not_suppress() {
    let okite = Okite::start().await;
    let address = "fine@example.net";
    let named = json!([{ "emailAddress": address }]);
    let named = &named;
    for event in [
        bounce("Transient", "General", named, 1),
        bounce("Transient", "MessageTooLarge", named, 1),
        bounce("Transient", "ContentRejected", named, 1),
        bounce("Undetermined", "Undetermined", named, 1),
        bounce("Undetermined", "Undetermined", &json!([]), 1),
        complaint(address, "not-spam", 1),
        complaint(address, "auth-failure", 1),
        json!({ "eventType": "Delivery", "mail": { "messageId": "m-1" }, "delivery": { "recipients": [address] } }),
        json!({ "eventType": "Rendering Failure", "mail": {}, "failure": {} }),
        json!({ "eventType": "SomethingNew", "mail": { "messageId": "m-1", "destination": [address] } }),
    ] {
        assert_eq!(okite.publish(&event).await, (1, 0), "{event}");
    }
    assert_eq!(okite.registers(address).await, Registers::default());
}

#[tokio::test]
async fn a_block_of_the_sender_is_logged_as_a_block() {
    let okite = Okite::start().await;
    let address = "wall@example.net";
    let now = jiff::Timestamp::MAX.to_string();
    let mut event = bounce(
        "Permanent",
        "General",
        &json!([{ "emailAddress": address, "diagnosticCode": "smtp; 550 5.7.1 rejected by policy" }]),
        1,
    );
    // What lies in the future counts as now; a block of months ago is over.
    event["bounce"]["timestamp"] = json!(now);
    okite.publish(&event).await;
    let body = okite.send(&email(address)).await;
    assert_suppressed(&body, address, "blocked");
}

#[tokio::test]
async fn an_event_without_a_time_is_not_lost() {
    let okite = Okite::start().await;
    for (n, time) in [json!(null), json!("yesterday"), json!(7)].into_iter().enumerate() {
        let address = format!("gone{n}@example.net");
        let mut event = hard_bounce(&address, 1);
        event["bounce"]["timestamp"] = time.clone();
        event["mail"]["timestamp"] = time;
        assert_eq!(okite.publish(&event).await, (1, 0));
        assert!(okite.registers(&address).await.bounce_at.is_some());
    }
}

#[tokio::test]
async fn set_up_messages_are_acknowledged() {
    let okite = Okite::start().await;
    let event = json!({ "notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You subscribed." });
    assert_eq!(okite.publish(&event).await, (1, 0));
    let text = "Successfully validated SNS topic for Amazon SES event publishing.";
    let answer = Answer::of(okite.request(Method::POST, "/_local/sns").body(text)).await;
    assert_eq!(answer.body, json!({ "delivered": 1, "failed": 0 }));
}

#[tokio::test]
async fn an_unreadable_message_fails_for_good_and_is_counted() {
    let okite = Okite::start().await;
    for text in [
        "hello",
        "",
        "{}",
        "[]",
        "null",
        r#"{"eventType":"Bounce","mail":{}}"#,
        r#"{"eventType":5}"#,
    ] {
        let answer = Answer::of(okite.request(Method::POST, "/_local/sns").body(text)).await;
        assert_eq!(
            (answer.status, answer.body),
            (200, json!({ "delivered": 0, "failed": 1 })),
            "{text}"
        );
    }
    let answer = Answer::of(okite.request(Method::POST, "/_local/sns?copies=3").body("hello")).await;
    assert_eq!(answer.body, json!({ "delivered": 0, "failed": 3 }));
}

/// An event of SNS with these messages, each from a topic.
fn records(messages: &[(&str, &Value)]) -> Value {
    let record = |&(topic, message): &(&str, &Value)| json!({ "EventSource": "aws:sns", "Sns": { "TopicArn": topic, "Message": message.to_string() } });
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}

#[tokio::test]
async fn a_message_of_a_foreign_topic_is_refused() {
    let okite = Okite::start().await;
    let event = records(&[(
        "arn:aws:sns:us-east-1:111111111111:elsewhere",
        &hard_bounce("gone@example.net", 1),
    )]);
    let error = okite.invoke("feedback", &event).await.unwrap_err();
    assert!(
        matches!(&error, InvokeError::Function { kind, .. } if kind == "FeedbackError"),
        "{error}"
    );
    assert!(!error.to_string().contains("gone"), "{error}");
    assert_eq!(okite.registers("gone@example.net").await, Registers::default());
}

#[tokio::test]
async fn one_bad_message_fails_the_event_and_holds_no_other_up() {
    let okite = Okite::start().await;
    let ours = okite.variable("FEEDBACK_TOPIC_ARN");
    let (first, last) = (hard_bounce("first@example.net", 1), hard_bounce("last@example.net", 1));
    let event = records(&[(ours, &first), (ours, &json!("hello")), (ours, &last)]);
    assert!(okite.invoke("feedback", &event).await.is_err());
    assert!(okite.registers("first@example.net").await.bounce_at.is_some());
    assert!(okite.registers("last@example.net").await.bounce_at.is_some());
}

#[tokio::test]
async fn an_event_that_is_not_from_sns_is_an_error() {
    let okite = Okite::start().await;
    for event in ["{}", "null", "[]", r#"{"Records":[{}]}"#] {
        let called = within(okite.local.invoke("feedback", Bytes::from(event))).await;
        assert!(
            matches!(called, Err(InvokeError::Function { .. })),
            "{event}: {called:?}"
        );
    }
}

#[tokio::test]
async fn an_event_leaves_one_mark_whatever_the_number_of_its_copies() {
    let okite = Okite::start().await;
    let bulk = |mut event: Value| {
        event["mail"]["tags"] = json!({ "okite_stream": ["bulk"] });
        event
    };
    let gone = json!([{ "emailAddress": "gone@example.net" }]);
    for event in [
        bulk(hard_bounce("gone@example.net", 1)),
        bulk(hard_bounce("gone@example.org", 2)),
        hard_bounce("gone@example.net", 3),
        complaint("cross@example.net", "abuse", 4),
        // These do not count.
        hard_bounce("bounce@simulator.amazonses.com", 5),
        bounce("Permanent", "OnAccountSuppressionList", &gone, 6),
        complaint("cross@example.net", "not-spam", 7),
        bounce(
            "Transient",
            "General",
            &json!([{ "emailAddress": "slow@example.net", "status": "4.4.7" }]),
            8,
        ),
    ] {
        assert_eq!(okite.publish_copies(&event, 3).await, (3, 0));
    }
    let marks = Marks::new(okite.dynamodb.clone(), okite.variable("USAGE_TABLE").to_owned());
    let day = jiff::civil::date(2026, 1, 1);
    let count = async |kind, stream| {
        Vec::from_iter(
            within(marks.by_domain(day, kind, Some(stream), 100))
                .await
                .unwrap()
                .by_domain,
        )
    };
    let one = |domain: &str| (domain.to_owned(), 1);
    let both = [one("example.net"), one("example.org")];
    assert_eq!(count(MarkKind::Bounce, Stream::Bulk).await, both);
    assert_eq!(count(MarkKind::Bounce, Stream::Transactional).await, both[..1]);
    assert_eq!(count(MarkKind::Complaint, Stream::Transactional).await, both[..1]);
    assert_eq!(count(MarkKind::Complaint, Stream::Bulk).await, []);
}

pub(crate) fn block(address: &str, second: u8) -> Value {
    let recipients = json!([{ "emailAddress": address, "status": "5.7.1", "diagnosticCode": "550 5.7.1 blocked" }]);
    bounce("Permanent", "General", &recipients, second)
}

/// The event without a time, so that it counts as of its arrival. A block that ended long ago suppresses nobody.
pub(crate) fn just_now(mut event: Value) -> Value {
    event["mail"]["timestamp"] = Value::Null;
    event["bounce"]["timestamp"] = Value::Null;
    event
}

#[tokio::test]
async fn a_domain_that_blocks_mail_after_mail_blames_us_and_not_its_addresses() {
    let okite = Okite::start().await;
    for number in 0..19 {
        okite
            .publish(&just_now(block(&format!("anna{number}@example.net"), number)))
            .await;
    }
    let body = okite.send(&email("Anna0@example.net")).await;
    assert_suppressed(&body, "Anna0@example.net", "blocked");
    okite.publish(&just_now(hard_bounce("gone@example.net", 30))).await;
    okite.publish(&just_now(block("anna19@example.net", 19))).await;
    for number in [0, 10, 19] {
        let address = format!("anna{number}@example.net");
        assert_status(&okite.send(&email(address.as_str())).await, &address, "accepted");
    }
    assert_suppressed(
        &okite.send(&email("gone@example.net")).await,
        "gone@example.net",
        "bounce",
    );
}

#[tokio::test]
async fn an_echo_of_a_list_suppresses_until_the_address_is_lifted_and_never_again() {
    let okite = Okite::start().await;
    let gone = json!([{ "emailAddress": "gone@example.net" }]);
    let echo = |second| bounce("Permanent", "OnAccountSuppressionList", &gone, second);
    okite.publish(&echo(1)).await;
    assert_suppressed(
        &okite.send(&email("gone@example.net")).await,
        "gone@example.net",
        "bounce",
    );
    let list = Suppressions::new(okite.dynamodb.clone(), okite.variable("SUPPRESSIONS_TABLE").to_owned());
    let lifted_at = "2026-01-01T00:00:05Z".parse().unwrap();
    assert!(
        list.lift(&EmailAddress::parse("gone@example.net").unwrap(), lifted_at)
            .await
            .unwrap()
    );
    for second in [3, 9] {
        okite.publish(&echo(second)).await;
        assert_status(
            &okite.send(&email("gone@example.net")).await,
            "gone@example.net",
            "accepted",
        );
    }
    okite.publish(&hard_bounce("gone@example.net", 10)).await;
    assert_suppressed(
        &okite.send(&email("gone@example.net")).await,
        "gone@example.net",
        "bounce",
    );
}
