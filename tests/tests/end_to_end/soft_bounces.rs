//! Soft bounces: one of them says little, several in a row stop bulk mail for some days.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::stream::Stream;
use shared::suppression::Registers;

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
