//! Forgetting an address on the suppression list.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::{Evidence, NewestFrom, Suppressions};
use domain::address::EmailAddress;
use domain::suppression::{Registers, SuppressionReason, TopicChoice};
use domain::unsubscribe::Topic;
use serde_json::{Value, json};
use uuid::Uuid;

use super::registers::{KEY, TABLE, address, item, key};
use crate::support::{Answer, Fake, Item, Store, at};

const ANNA: &str = "anna@example.net";
const ID: Uuid = Uuid::from_u128(1);
const SHARD: &str = "newest#6";

fn evidence(source: &str) -> Evidence<'_> {
    Evidence {
        subtype: "NoEmail",
        diagnostic: Some("550 <Anna@Example.net> no such user"),
        bounce_reason: None,
        source,
    }
}

async fn record(list: &Suppressions, reason: SuppressionReason, time: i64) {
    let (anna, source) = (address("Anna@Example.net"), format!("f-{time}"));
    list.record(&anna, reason, at(time), evidence(&source), ID)
        .await
        .unwrap();
}

/// Anna's entry, with every register.
async fn anna(list: &Suppressions) -> (EmailAddress, Registers) {
    let anna = address("Anna@Example.net");
    for (reason, time) in [
        (SuppressionReason::Bounce, 1),
        (SuppressionReason::Complaint, 2),
        (SuppressionReason::Blocked, 3),
        (SuppressionReason::Soft, 4),
        (SuppressionReason::Soft, 5),
    ] {
        record(list, reason, time).await;
    }
    list.record_manual(&anna, at(6), Some(at(60)), evidence("crm"), ID)
        .await
        .unwrap();
    list.record_lift(&anna, at(0), ID).await.unwrap();
    let registers = lookup(list, ANNA).await.unwrap();
    (anna, registers)
}

async fn lookup(list: &Suppressions, who: &str) -> Option<Registers> {
    let address = address(who);
    list.lookup([&address]).await.unwrap().remove(address.normalised())
}

fn names_anna(item: &Item) -> bool {
    let text = format!("{item:?}").to_lowercase();
    text.contains("anna@") || text.contains("550")
}

#[tokio::test]
async fn evidence_that_is_forgotten_leaves_the_address_and_every_register() {
    let store = Store::start().await;
    let list = store.suppressions();
    let (anna, before) = anna(&list).await;
    for _ in 0..2 {
        assert!(list.forget_evidence(&anna).await.unwrap());
        let mut item = item(&store, ANNA).await;
        assert_eq!(item.remove("address").unwrap().as_s().unwrap(), ANNA);
        assert!(!names_anna(&item), "{item:?}");
        assert_eq!(lookup(&list, "ANNA@example.net").await.as_ref(), Some(&before));
    }
    // A later event is recorded as ever, and an older one is not.
    for time in [9, 8] {
        record(&list, SuppressionReason::Bounce, time).await;
    }
    assert_eq!(lookup(&list, ANNA).await.unwrap().bounce_at, Some(at(9)));
    assert!(!list.forget_evidence(&address("bob@example.net")).await.unwrap());
    assert_eq!(store.count(TABLE).await, 1);
}

#[tokio::test]
async fn an_address_that_is_forgotten_is_nowhere_and_stays_suppressed_in_every_spelling() {
    let store = Store::start().await;
    let list = store.suppressions();
    let (anna, before) = anna(&list).await;
    let with_texts = list.get(&anna).await.unwrap().unwrap();
    assert!(list.forget_address(&anna, ID).await.unwrap());
    assert!(!list.forget_address(&anna, ID).await.unwrap());
    assert!(!list.forget_evidence(&anna).await.unwrap());
    let forgotten = item(&store, ANNA).await;
    assert!(!names_anna(&forgotten), "{forgotten:?}");
    assert_eq!(store.count(TABLE).await, 1);
    for spelling in [ANNA, "ANNA@EXAMPLE.NET"] {
        assert_eq!(lookup(&list, spelling).await.as_ref(), Some(&before));
        let entry = list.get(&address(spelling)).await.unwrap().unwrap();
        assert_eq!((entry.registers, entry.address), (before.clone(), anna.clone()));
        for (register, evidence) in with_texts.evidence.clone() {
            let kept = &entry.evidence[&register];
            assert_eq!((&kept.subtype, &kept.source), (&evidence.subtype, &evidence.source));
            assert_eq!((kept.address.as_str(), &kept.diagnostic), ("", &None));
        }
    }
    assert_eq!(lookup(&list, "bob@example.net").await, None);
}

#[tokio::test]
async fn a_forgotten_person_is_listed_by_the_pseudonym_and_lifted_by_the_address() {
    let store = Store::start().await;
    let list = store.suppressions();
    let (anna, _) = anna(&list).await;
    list.forget_address(&anna, Uuid::from_u128(2)).await.unwrap();
    let pseudonym = Some(anna.pseudonym());
    let found = list.find(ID).await.unwrap();
    assert_eq!(found.map(|entry| entry.address), pseudonym, "the id stays");
    let page = list.page(None, 10).await.unwrap();
    assert_eq!(page.entries.first().map(|entry| entry.address.clone()), pseudonym);
    let newest = list.newest(NewestFrom::Newest, 10, |_| true).await.unwrap();
    assert_eq!(newest.entries.first().map(|entry| entry.address.clone()), pseudonym);
    assert_eq!((page.entries.len(), newest.entries.len(), page.unreadable), (1, 1, 0));
    let by_pseudonym = list.get(&anna.pseudonym()).await.unwrap().unwrap();
    assert_eq!(Some(by_pseudonym.address), pseudonym);
    // Lifting the address names it nowhere.
    assert!(list.lift(&anna, at(200)).await.unwrap());
    assert_eq!(lookup(&list, ANNA).await.unwrap().lifted_at, Some(at(200)));
    assert!(!names_anna(&item(&store, ANNA).await));
}

#[tokio::test]
async fn later_events_name_a_forgotten_person_again_who_can_be_forgotten_again() {
    let store = Store::start().await;
    let list = store.suppressions();
    let (anna, before) = anna(&list).await;
    list.forget_address(&anna, ID).await.unwrap();
    // A copy of an event that is recorded says nothing new.
    record(&list, SuppressionReason::Complaint, 2).await;
    assert!(!names_anna(&item(&store, ANNA).await));
    record(&list, SuppressionReason::Complaint, 100).await;
    record(&list, SuppressionReason::Soft, 101).await;
    let mut all = Registers {
        complaint_at: Some(at(100)),
        ..before
    };
    all.soft.push(at(101));
    assert_eq!(lookup(&list, ANNA).await.as_ref(), Some(&all));
    let entry = list.find(ID).await.unwrap().unwrap();
    assert_eq!((&entry.registers, entry.address.normalised()), (&all, ANNA));
    assert_eq!(entry.evidence[&SuppressionReason::Complaint.into()].source, "f-100");
    assert_eq!(entry.evidence[&SuppressionReason::Bounce.into()].source, "f-1");
    assert!(list.forget_address(&anna, ID).await.unwrap());
    assert_eq!(lookup(&list, ANNA).await.as_ref(), Some(&all));
    assert!(!names_anna(&item(&store, ANNA).await));
    assert_eq!(store.count(TABLE).await, 1);
}

/// Something that is recorded about Anna.
async fn record_meanwhile(list: &Suppressions, what: usize) {
    match what {
        0 => record(list, SuppressionReason::Bounce, 50).await,
        1 => record(list, SuppressionReason::Complaint, 51).await,
        2 => record(list, SuppressionReason::Soft, 52).await,
        3 => record(list, SuppressionReason::Blocked, 53).await,
        4 => {
            let (anna, topic) = (address(ANNA), Topic::parse("news").unwrap());
            let choice = TopicChoice {
                at: at(54),
                is_unsubscribed: true,
                source: "link".to_owned(),
            };
            list.record_choice(&anna, &topic, &choice, ID).await.unwrap();
        }
        _ => drop(list.lift(&address(ANNA), at(55)).await.unwrap()),
    }
}

#[tokio::test]
async fn nothing_that_is_recorded_while_an_address_is_forgotten_is_lost_or_names_it() {
    for what in 0..6 {
        let (store, expected) = (Store::start().await, Store::start().await);
        for store in [&store, &expected] {
            record(&store.suppressions(), SuppressionReason::Bounce, 1).await;
        }
        record_meanwhile(&expected.suppressions(), what).await;
        let list = store.suppressions();
        // It happens after the entry was read, and before it is written.
        let meanwhile = async move { record_meanwhile(&list, what).await };
        let interrupted = store.interrupted_by(meanwhile).await.suppressions();
        assert!(interrupted.forget_address(&address(ANNA), ID).await.unwrap());
        let found = lookup(&store.suppressions(), ANNA).await;
        assert_eq!(found, lookup(&expected.suppressions(), ANNA).await, "{what}");
        let (found, expected) = (item(&store, ANNA).await, item(&expected, ANNA).await);
        assert!(!names_anna(&found), "{what}: {found:?}");
        assert_eq!(found.get("bounce_since"), expected.get("bounce_since"), "{what}");
    }
}

/// The target of each request.
fn targets(fake: &Fake) -> Vec<String> {
    let requests = fake.requests().into_iter();
    requests
        .map(|request| request.headers["x-amz-target"].replace("DynamoDB_20120810.", ""))
        .collect()
}

/// An entry as DynamoDB answers it.
fn entry(address: &str) -> Value {
    json!({
        KEY: { "S": key(ANNA) },
        "address": { "S": address },
        "id": { "S": ID },
        "shard": { "S": SHARD },
        "bounce_at": { "N": at(1).as_millisecond().to_string() },
        "bounce": { "M": { "address": { "S": address }, "source": { "S": "f-1" } } },
    })
}

/// The answer to a write whose condition failed on this item.
fn condition_failed(item: &Value) -> Answer {
    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    Answer::Reply(400, Vec::new(), json!({ "__type": kind, "Item": item }).to_string())
}

#[tokio::test]
async fn to_forget_an_address_is_one_write() {
    let fake = Fake::start(move |number, _| match number {
        0 => Answer::ok(json!({ "Item": entry(ANNA) }).to_string()),
        _ => Answer::ok("{}"),
    })
    .await;
    let list = Store::at(&fake.endpoint).suppressions();
    assert!(list.forget_address(&address(ANNA), ID).await.unwrap());
    assert_eq!(targets(&fake), ["GetItem", "UpdateItem"]);
    // If others change the entry in each round, the adapter gives up with an error, and the caller may try again.
    let fake = Fake::start(move |number, _| {
        if number == 0 {
            return Answer::ok(json!({ "Item": entry(ANNA) }).to_string());
        }
        condition_failed(&entry(&format!("{ANNA}{number}")))
    })
    .await;
    let list = Store::at(&fake.endpoint).suppressions();
    let error = list.forget_address(&address(ANNA), ID).await.unwrap_err();
    assert_eq!(error.code, "ChangedMeanwhile");
    assert_eq!(targets(&fake).len(), 6);
}

#[tokio::test]
async fn a_repeated_write_that_finds_the_address_forgotten_says_that_it_was_there() {
    let fake = Fake::start(|number, _| {
        if number == 0 {
            return Answer::ok(json!({ "Item": entry(ANNA) }).to_string());
        }
        let mut done = entry("");
        done.as_object_mut().unwrap().remove("address");
        condition_failed(&done)
    })
    .await;
    let list = Store::at(&fake.endpoint).suppressions();
    assert!(list.forget_address(&address(ANNA), ID).await.unwrap());
    assert_eq!(targets(&fake), ["GetItem", "UpdateItem"]);
}
