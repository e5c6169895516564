//! The choices of people who unsubscribe by SES's own list management.

use domain::stream::Stream;
use domain::unsubscribe::Topic;
use domain::webhook::EventKind;
use serde_json::{Value, json};

use crate::subscription::Subscription;
use crate::support::{KEY, Okite, eventually};

const BULK_KEY: &str = "ok_bulk_secret";
/// Unsubscribes by SES's link, right after the delivery.
const ANNA: &str = "unsubscribe+anna@simulator.amazonses.com";
/// Unsubscribed from SES's list before.
const BOB: &str = "unsubscribed+bob@simulator.amazonses.com";

fn mail(to: &str) -> Value {
    json!({"from": "Acme <acme@example.com>", "to": to, "subject": "News", "text": "Hi"})
}

async fn okite_with_bulk_key() -> Okite {
    let okite = Okite::start().await;
    okite
        .put_record(BULK_KEY, |record| {
            record.stream = Stream::Bulk;
            record.topic = Some(Topic::parse("news").unwrap());
        })
        .await;
    okite
}

async fn until_left(okite: &Okite, address: &str, topic: &str) {
    let topic = Topic::parse(topic).unwrap();
    eventually("the person has left the topic", async || {
        okite.registers(address).await.topics.left(&topic).is_some()
    })
    .await;
}

/// Sends a mail, and returns the status of its recipient with the reason.
async fn status(okite: &Okite, key: &str, mail: &Value) -> Value {
    let answer = okite.post_with(key, mail).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let recipient = &answer.body["recipients"][0];
    json!([recipient["status"], recipient["reason"]])
}

#[tokio::test]
async fn a_person_who_unsubscribes_by_ses_has_left_the_topic_of_the_mail() {
    let okite = okite_with_bulk_key().await;
    let subscription = Subscription::start(&okite).await;
    for address in [ANNA, BOB] {
        assert_eq!(status(&okite, BULK_KEY, &mail(address)).await[0], "accepted");
        until_left(&okite, address, "news").await;
        assert_eq!(
            status(&okite, BULK_KEY, &mail(address)).await,
            json!(["suppressed", "unsubscribed"])
        );
        // Mail of other topics and mail without a topic goes.
        let mut other = mail(address);
        other["okite_unsubscribe"] = json!("sale");
        assert_eq!(status(&okite, BULK_KEY, &other).await[0], "accepted");
        assert_eq!(status(&okite, KEY, &mail(address)).await[0], "accepted");
        until_left(&okite, address, "sale").await;
        until_left(&okite, address, "default").await;
        assert_eq!(status(&okite, KEY, &mail(address)).await[0], "accepted");
    }
    // An event is emitted after its choice was recorded.
    eventually("each choice is told", async || {
        subscription.bodies(EventKind::SuppressionAdded).await.len() == 6
    })
    .await;
    let added = subscription.bodies(EventKind::SuppressionAdded).await;
    let mut added: Vec<_> = added
        .iter()
        .map(|event| {
            let data = &event["data"];
            assert_eq!(data["okite_reason"], "unsubscribed");
            (data["email"].as_str().unwrap(), data["okite_topic"].as_str().unwrap())
        })
        .collect();
    added.sort_unstable();
    let expected = [ANNA, BOB].map(|address| ["default", "news", "sale"].map(|topic| (address, topic)));
    assert_eq!(added, expected.concat());
}

#[tokio::test]
async fn the_latest_choice_counts_whoever_took_it_and_copies_change_nothing() {
    let okite = okite_with_bulk_key().await;
    let subscription = Subscription::start(&okite).await;
    let event = |second: u32, left: bool| {
        json!({
            "eventType": "Subscription",
            "mail": {"messageId": "m-1", "timestamp": "2026-01-01T00:00:00.000Z", "destination": ["carl@example.net"],
                     "tags": {"okite_topic": ["news"]}},
            "subscription": {
                "timestamp": format!("2026-01-01T00:00:{second:02}.000Z"),
                "newTopicPreferences": {"unsubscribeAll": left, "topicSubscriptionStatus": []},
                "oldTopicPreferences": {"unsubscribeAll": !left, "topicSubscriptionStatus": []},
            },
        })
    };
    let news = Topic::parse("news").unwrap();
    let left = async || okite.registers("carl@example.net").await.topics.left(&news).is_some();
    okite.publish_copies(&event(20, true), 2).await;
    assert!(left().await);
    // The event of an earlier choice comes later.
    okite.publish_copies(&event(10, false), 2).await;
    assert!(left().await);
    okite.publish_copies(&event(30, false), 2).await;
    assert!(!left().await);
    okite.publish(&event(20, true)).await;
    assert!(!left().await);
    for kind in [EventKind::SuppressionAdded, EventKind::SuppressionRemoved] {
        let events = subscription.bodies(kind).await;
        assert_eq!(events.len(), 1, "{events:?}");
        let data = &events[0]["data"];
        assert_eq!(
            (&data["email"], &data["okite_topic"]),
            (&json!("carl@example.net"), &json!("news"))
        );
    }
}

#[tokio::test]
async fn a_mail_with_a_topic_carries_it_as_a_tag_and_no_other_mail_does() {
    let okite = okite_with_bulk_key().await;
    let tag = async || {
        let mail = okite.outbox().await.pop().unwrap();
        let tags = mail["tags"].as_array().unwrap().clone();
        tags.iter()
            .find(|tag| tag["name"] == "okite_topic")
            .map(|tag| tag["value"].clone())
    };
    status(&okite, BULK_KEY, &mail("anna@example.net")).await;
    assert_eq!(tag().await, Some(json!("news")));
    status(&okite, KEY, &mail("anna@example.net")).await;
    assert_eq!(tag().await, None);
    // As many tags as a caller may give leave no room for it.
    let mut full = mail("anna@example.net");
    full["tags"] = (0..47)
        .map(|n| json!({"name": format!("t{n}"), "value": "1"}))
        .collect();
    assert_eq!(status(&okite, BULK_KEY, &full).await[0], "accepted");
    assert_eq!(tag().await, None);
}
