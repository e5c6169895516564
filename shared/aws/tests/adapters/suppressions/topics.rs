//! Choices about topics, which are a set beside the registers.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::Suppressions;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::address::EmailAddress;
use domain::suppression::{SuppressionReason, TOPICS_KEPT, TopicChoice};
use domain::unsubscribe::Topic;
use uuid::Uuid;

use super::registers::{EVIDENCE, KEY, TABLE, address, item, key, registers};
use crate::support::{Store, at, s};

const ANNA: &str = "anna@example.org";

fn topic(text: &str) -> Topic {
    Topic::parse(text).unwrap()
}

fn choice(time: i64, is_unsubscribed: bool) -> TopicChoice {
    TopicChoice {
        at: at(time),
        is_unsubscribed,
        source: "link".to_owned(),
    }
}

async fn record(list: &Suppressions, address: &EmailAddress, name: &str, choice: TopicChoice) -> (bool, bool) {
    let (topic, id) = (topic(name), Uuid::from_u128(1));
    let recorded = list.record_choice(address, &topic, &choice, id).await.unwrap();
    assert_eq!(recorded.id, id);
    (recorded.is_new, recorded.has_left)
}

/// Records a choice of Anna's. Returns whether it changed anything, and whether she has left the topic.
async fn choose(list: &Suppressions, name: &str, time: i64, is_unsubscribed: bool) -> (bool, bool) {
    record(list, &address("Anna@Example.org"), name, choice(time, is_unsubscribed)).await
}

async fn stored(store: &Store) -> Vec<String> {
    let item = item(store, ANNA).await;
    let mut topics = item["topics"].as_ss().unwrap().clone();
    topics.sort();
    topics
}

#[tokio::test]
async fn the_latest_choice_about_a_topic_stays_and_each_change_is_new_once() {
    let store = Store::start().await;
    let list = store.suppressions();
    for (name, time, leaves, expected) in [
        ("news", 10, true, (true, true)),
        ("news", 10, true, (true, true)),
        ("news", 12, true, (false, true)),
        ("news", 11, false, (false, true)),
        ("sale", 11, false, (false, false)),
        ("news", 13, false, (true, false)),
        ("news", 14, false, (false, false)),
        ("news", 15, true, (true, true)),
    ] {
        assert_eq!(
            choose(&list, name, time, leaves).await,
            expected,
            "{name} {time} {leaves}"
        );
    }
    let ms = |time| at(time).as_millisecond();
    let expected = [
        format!("news#unsubscribed#{}#link", ms(15)),
        format!("sale#resubscribed#{}#link", ms(11)),
    ];
    assert_eq!(stored(&store).await, expected);
    let found = registers(&list, ANNA).await;
    assert_eq!(found.topics.left(&topic("news")), Some(&choice(15, true)));
    assert!(!found.unreadable);
    let entry = list.get(&address(ANNA)).await.unwrap().unwrap();
    assert_eq!(entry.registers, found);
}

#[tokio::test]
async fn the_twenty_first_topic_leaves_all_others() {
    let store = Store::start().await;
    let list = store.suppressions();
    for number in 0..=TOPICS_KEPT {
        let time = i64::try_from(number).unwrap();
        assert_eq!(choose(&list, &format!("t{number}"), time, true).await, (true, true));
    }
    assert_eq!(
        stored(&store).await.len(),
        TOPICS_KEPT + 1,
        "the topics, and all others"
    );
    let left = |name: &'static str| {
        let list = list.clone();
        async move { registers(&list, ANNA).await.topics.left(&topic(name)).is_some() }
    };
    for name in ["t0", "t20", "t21", "anything"] {
        assert!(left(name).await, "{name}");
    }
    assert_eq!(
        choose(&list, "t20", 99, false).await,
        (false, true),
        "there is no room for it"
    );
    assert_eq!(choose(&list, "t3", 99, false).await, (true, false));
    assert!(!left("t3").await && left("t20").await);
}

#[tokio::test]
async fn the_choices_of_a_forgotten_person_stay_and_a_link_changes_them_without_the_address() {
    let store = Store::start().await;
    let list = store.suppressions();
    choose(&list, "news", 1, true).await;
    choose(&list, "sale", 2, true).await;
    let anna = address(ANNA);
    assert!(list.forget_address(&anna, Uuid::from_u128(1)).await.unwrap());
    assert_eq!(
        record(&list, &anna.pseudonym(), "sale", choice(3, false)).await,
        (true, false)
    );
    let found = registers(&list, ANNA).await;
    assert!(found.topics.left(&topic("news")).is_some() && found.topics.left(&topic("sale")).is_none());
    assert!(!item(&store, ANNA).await.contains_key("address"));
}

#[tokio::test]
async fn lifting_an_address_ends_no_choice_and_no_choice_is_lost_to_a_broken_entry() {
    let store = Store::start().await;
    let list = store.suppressions();
    let anna = address(ANNA);
    choose(&list, "news", 1, true).await;
    list.record(&anna, SuppressionReason::Bounce, at(2), EVIDENCE, Uuid::from_u128(1))
        .await
        .unwrap();
    assert!(list.lift(&anna, at(9)).await.unwrap());
    assert!(registers(&list, ANNA).await.topics.left(&topic("news")).is_some());
    for broken in [AttributeValue::Ss(vec!["news#gone#1#x".to_owned()]), s("news")] {
        store.put(TABLE, [(KEY, s(&key(ANNA))), ("topics", broken)]).await;
        assert!(registers(&list, ANNA).await.unreadable);
    }
    assert_eq!(
        record(&list, &anna, "sale", choice(5, true)).await,
        (false, true),
        "it suppresses all mail"
    );
}
