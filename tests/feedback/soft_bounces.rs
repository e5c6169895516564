//! Soft bounces: several of them stop bulk mail to an address for some days; one alone changes nothing.

use std::time::Duration;

use domain::stream::Stream;
use domain::suppression::Registers;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Answer, Okite, assert_status, assert_suppressed, email};

const ADDRESS: &str = "full@example.net";
const BULK_KEY: &str = "ok_bulk_a_key_for_newsletters";

async fn start() -> Okite {
    let okite = Okite::start().await;
    okite.put_key_of(BULK_KEY, Stream::Bulk).await;
    okite
}

/// A soft bounce of now: a time that is still to come is cut to the time of receipt.
fn soft_bounce(format: &str, number: usize) -> Value {
    json!({
        format: "Bounce",
        "mail": { "messageId": "m-1", "timestamp": "2026-01-01T00:00:00.000Z", "destination": [ADDRESS] },
        "bounce": {
            "bounceType": "Transient",
            "bounceSubType": "MailboxFull",
            "bouncedRecipients": [{
                "emailAddress": "Full@Example.net",
                "action": "failed",
                "status": "4.2.2",
                "diagnosticCode": "smtp; 452 4.2.2 the mailbox is full",
            }],
            "timestamp": Timestamp::MAX.to_string(),
            "feedbackId": format!("f-{number}"),
        },
    })
}

async fn bulk(okite: &Okite) -> Value {
    let answer: Answer = okite.post_with(BULK_KEY, &email(ADDRESS)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[tokio::test]
async fn three_stop_bulk_mail_for_three_days_and_never_transactional_mail() {
    let okite = start().await;
    for (number, format) in ["eventType", "notificationType", "eventType"].into_iter().enumerate() {
        assert_status(&bulk(&okite).await, ADDRESS, "accepted");
        // A copy has another time of receipt here, and counts for nothing.
        assert_eq!(okite.publish_copies(&soft_bounce(format, number), 3).await, (3, 0));
    }
    assert_eq!(okite.registers(ADDRESS).await.soft.len(), 3);
    assert_suppressed(&bulk(&okite).await, ADDRESS, "soft");
    assert_status(&okite.send(&email(ADDRESS)).await, ADDRESS, "accepted");

    okite.advance(Duration::from_hours(71)).await;
    assert_suppressed(&bulk(&okite).await, ADDRESS, "soft");
    okite.advance(Duration::from_hours(1)).await;
    assert_status(&bulk(&okite).await, ADDRESS, "accepted");
}

#[tokio::test]
async fn five_within_a_fortnight_stop_it_for_thirty_days() {
    let okite = start().await;
    for number in 0..5 {
        okite.publish(&soft_bounce("eventType", number)).await;
        okite.advance(Duration::from_hours(24)).await;
    }
    okite.advance(Duration::from_hours(28 * 24)).await;
    assert_suppressed(&bulk(&okite).await, ADDRESS, "soft");
    okite.advance(Duration::from_hours(24)).await;
    assert_status(&bulk(&okite).await, ADDRESS, "accepted");
}

#[tokio::test]
async fn automatic_replies_count_for_nothing() {
    let okite = start().await;
    for number in 0..5 {
        let mut event = soft_bounce("eventType", number);
        event["bounce"]["bounceSubType"] = json!("General");
        event["bounce"]["bouncedRecipients"] = json!([{ "emailAddress": ADDRESS }]);
        assert_eq!(okite.publish(&event).await, (1, 0));
    }
    assert_eq!(okite.registers(ADDRESS).await, Registers::default());
    assert_status(&bulk(&okite).await, ADDRESS, "accepted");
}

#[tokio::test]
async fn the_tiers_are_the_operators() {
    let okite = Okite::start_with(|settings| {
        let (variable, tiers) = ("SOFT_BOUNCE_TIERS".to_owned(), "off".to_owned());
        settings.environment.insert(variable, tiers);
    })
    .await;
    okite.put_key_of(BULK_KEY, Stream::Bulk).await;
    for number in 0..5 {
        okite.publish(&soft_bounce("eventType", number)).await;
    }
    assert_eq!(okite.registers(ADDRESS).await.soft.len(), 5);
    assert_status(&bulk(&okite).await, ADDRESS, "accepted");
}

/// A soft bounce of a mail of ours, or its delivery.
fn about(message: &Value, kind: &str, number: usize) -> Value {
    let mut event = soft_bounce("eventType", number);
    event["mail"]["tags"] = json!({ "okite_id": [message] });
    if kind == "Delivery" {
        event["eventType"] = json!("Delivery");
        event["delivery"] = json!({ "recipients": ["FULL@example.net"] });
    }
    event
}

#[tokio::test]
async fn a_bounce_of_a_delivered_mail_is_a_reply_in_any_order() {
    let okite = Okite::start_with(|settings| {
        settings
            .parameters
            .insert("DeliveryEvents".to_owned(), "false".to_owned());
    })
    .await;
    okite.put_key_of(BULK_KEY, Stream::Bulk).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(bulk(&okite).await["id"].clone());
    }
    for (number, id) in ids[..3].iter().enumerate() {
        assert_eq!(okite.publish(&about(id, "Bounce", number)).await, (1, 0));
    }
    assert_suppressed(&bulk(&okite).await, ADDRESS, "soft");
    // One of them was a reply after all, and another whose delivery is told first.
    okite.publish(&about(&ids[1], "Delivery", 1)).await;
    assert_status(&bulk(&okite).await, ADDRESS, "accepted");
    okite.publish(&about(&ids[3], "Delivery", 3)).await;
    okite.publish(&about(&ids[3], "Bounce", 3)).await;
    assert_status(&bulk(&okite).await, ADDRESS, "accepted");
    let last = bulk(&okite).await["id"].clone();
    okite.publish(&about(&last, "Bounce", 9)).await;
    assert_suppressed(&bulk(&okite).await, ADDRESS, "soft");
    let batch = okite
        .request(reqwest::Method::POST, "/emails/batch")
        .bearer_auth(BULK_KEY);
    let batch = Answer::of(batch.json(&[email(ADDRESS)])).await;
    assert_suppressed(&batch.body["data"][0], ADDRESS, "soft");
}
