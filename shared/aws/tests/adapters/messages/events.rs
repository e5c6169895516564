//! Events as items of their own: written once in whatever order they come, read newest first.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use aws::{ENGAGEMENTS_READ_MAX, EVENTS_READ_MAX, Messages, NewMessage, Put};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextRef;
use domain::address::EmailAddress;
use domain::bounce::BounceReason;
use domain::feedback::{EventRecipient, MessageEvent};
use domain::idempotency::LEASE;
use domain::record::{DeliveryState, LastEvent, RecordedEvent};
use domain::record::{Engagement, Visit};
use futures_util::stream::{self, StreamExt};
use jiff::SignedDuration;
use uuid::Uuid;

use super::rows::{ID, SES_ID, TABLE, any_mail, attempt, sending};
use crate::support::{Item, Store, at, closed_port, n, number, s, text};

/// An event one second after the mail, about these recipients.
pub(super) fn event(kind: &str, id: &str, recipients: &[&str]) -> MessageEvent {
    let said = |recipient: &str| match recipient {
        "bob@example.org" => EventRecipient {
            diagnostic: Some("550 unknown".to_owned()),
            bounce_reason: Some(BounceReason::UserUnknown),
            forwarded: true,
        },
        _ => EventRecipient::default(),
    };
    MessageEvent {
        message_id: Some(ID),
        ses_id: SES_ID.to_owned(),
        kind: kind.to_owned(),
        id: id.to_owned(),
        at: at(1_000),
        kept_from: at(0),
        recipients: recipients
            .iter()
            .map(|&recipient| (recipient.to_owned(), said(recipient)))
            .collect(),
        subtype: Some("General".to_owned()),
        engagement: None,
    }
}

/// A click on a link, by the only recipient or by one of several.
pub(super) fn click(id: &str, recipients: &[&str]) -> MessageEvent {
    MessageEvent {
        subtype: None,
        engagement: Some(Engagement {
            visit: Visit {
                ip_address: Some("192.0.2.1".to_owned()),
                user_agent: Some("Mozilla/5.0".to_owned()),
            },
            link: Some("https://example.com/".to_owned()),
            link_tags: BTreeMap::from([("place".to_owned(), "footer".to_owned())]),
        }),
        ..event("Click", id, recipients)
    }
}

/// An event of a classic notification, which carries no tags.
fn untagged(kind: &str, id: &str) -> MessageEvent {
    MessageEvent {
        message_id: None,
        ..event(kind, id, &["bob@example.org"])
    }
}

async fn add(store: &Store, event: &MessageEvent) {
    let expires_at = event.kept_from + SignedDuration::from_hours(24);
    store.messages().add_event(event, expires_at).await.unwrap();
}

/// The sort keys of a message's items.
async fn sort_keys(store: &Store) -> Vec<String> {
    let items = items(store).await;
    items.iter().map(|item| text(item, "sk").to_owned()).collect()
}

async fn items(store: &Store) -> Vec<Item> {
    let scan = store.client().scan().table_name(store.table(TABLE));
    let mut items = scan.send().await.unwrap().items.unwrap();
    items.sort_by_key(|item| (text(item, "pk").to_owned(), text(item, "sk").to_owned()));
    items
}

#[tokio::test]
async fn an_event_has_one_item_for_each_recipient_with_the_attributes_that_are_documented() {
    let store = Store::start().await;
    add(
        &store,
        &event("Bounce", "f-1", &["anna@example.org", "bob@example.org"]),
    )
    .await;
    let hash = |address: &str| {
        use sha2::{Digest, Sha256};
        domain::hex::hex(&Sha256::digest(address)[..16])
    };
    let sk = |address: &str| format!("event#1800000001000#Bounce#f-1#{}", hash(address));
    let common = [
        ("pk", s(&ID.to_string())),
        ("at", n(at(1_000).as_millisecond())),
        ("subtype", s("General")),
        ("expires_at", n(at(0).as_second() + 24 * 3_600)),
    ];
    let item = |address: &str| -> Item {
        let own = [("sk", s(&sk(address))), ("recipient", s(address))];
        let all = common.clone().into_iter().chain(own);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    };
    let mut bob = item("bob@example.org");
    bob.insert("diagnostic".to_owned(), s("550 unknown"));
    bob.insert("bounce_reason".to_owned(), s("user_unknown"));
    bob.insert("forwarded".to_owned(), AttributeValue::Bool(true));
    // The mail was not sent to Bob, so an entry of the index finds the event.
    let entry = [
        ("pk", s(&ID.to_string())),
        ("id", s(&ID.to_string())),
        ("sk", s(&format!("to#forwarded#{}", hash("bob@example.org")))),
        ("recipient_hash", s(&hash("bob@example.org"))),
        ("expires_at", n(at(0).as_second() + 24 * 3_600)),
    ];
    let entry = entry.map(|(name, value)| (name.to_owned(), value)).into();
    let mut expected = vec![item("anna@example.org"), bob, entry];
    expected.sort_by_key(|item| text(item, "sk").to_owned());
    assert_eq!(items(&store).await, expected);
}

#[tokio::test]
async fn events_settle_a_message_in_any_order_and_number() {
    let events = [
        event("Send", "", &[]),
        event("Delivery", "", &["anna@example.org"]),
        event("Rendering Failure", "", &[]),
        event("Bounce", "f-1", &["bob@example.org"]),
    ];
    let mut ends = Vec::new();
    for turn in 0..events.len() {
        let store = sending().await;
        for number in 0..2 * events.len() {
            add(&store, &events[(number + turn) % events.len()]).await;
            let record = store.messages().read(ID).await.unwrap().unwrap();
            assert_eq!(record.state(at(0)), DeliveryState::Sent);
            if number == 2 {
                store.messages().accepted(ID, "another", at(0)).await.unwrap();
            }
        }
        let record = store.messages().read(ID).await.unwrap().unwrap();
        assert_eq!(record.last_event(at(0)), LastEvent::Bounced);
        let mut kinds: Vec<String> = record.events.into_iter().map(|event| event.kind).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["Bounce", "Delivery", "Rendering Failure", "Send"]);
        // The row may say what `Send` says: it then has no item.
        let mut items = items(&store).await;
        items.retain(|item| !text(item, "sk").contains("#Send#"));
        ends.push(items);
    }
    assert!(ends.iter().all(|end| *end == ends[0]));
}

#[tokio::test]
async fn a_send_about_a_settled_message_writes_nothing_and_is_read_from_the_row() {
    let store = sending().await;
    store.messages().accepted(ID, SES_ID, at(500)).await.unwrap();
    let before = items(&store).await;
    for _ in 0..2 {
        add(&store, &event("Send", "", &[])).await;
    }
    assert_eq!(items(&store).await, before);
    let sent = RecordedEvent {
        kind: "Send".to_owned(),
        at: at(500),
        recipient: None,
        subtype: None,
        diagnostic: None,
        bounce_reason: None,
        forwarded: false,
        engagement: None,
    };
    let read = store.messages().read(ID).await.unwrap().unwrap();
    assert_eq!(read.events, std::slice::from_ref(&sent));
    let read = store.messages().read_all(&[ID]).await.unwrap();
    assert_eq!(read[0].events, [sent]);
}

#[tokio::test]
async fn a_send_of_which_the_row_does_not_say_everything_is_written() {
    let settled_by_an_event = async |store: &Store| add(store, &event("Bounce", "f-1", &["bob@example.org"])).await;
    let of_another_attempt = async |store: &Store| {
        store.messages().accepted(ID, "another", at(500)).await.unwrap();
    };
    let read = async |store: Store, ses_id: &str| {
        for _ in 0..2 {
            add(&store, &event("Send", "", &[])).await;
        }
        assert!(
            sort_keys(&store)
                .await
                .contains(&"event#1800000001000#Send##-".to_owned())
        );
        // The sender's answer may come last.
        store.messages().accepted(ID, SES_ID, at(2_000)).await.unwrap();
        let record = store.messages().read(ID).await.unwrap().unwrap();
        assert_eq!(record.ses_id.as_deref(), Some(ses_id));
        let sent = record.events.iter().filter(|event| event.kind == "Send");
        assert_eq!(sent.map(|event| event.at).collect::<Vec<_>>(), [at(1_000)]);
    };
    let store = sending().await;
    read(store, SES_ID).await;
    let store = sending().await;
    settled_by_an_event(&store).await;
    read(store, SES_ID).await;
    let store = sending().await;
    of_another_attempt(&store).await;
    read(store, "another").await;
}

/// Makes every read of one item fail.
#[derive(Debug)]
struct NoReads;

impl Intercept for NoReads {
    fn name(&self) -> &'static str {
        "NoReads"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.input().downcast_ref::<GetItemInput>() {
            Some(_) => Err("no item is read".into()),
            None => Ok(()),
        }
    }
}

#[tokio::test]
async fn an_event_is_written_if_the_row_cannot_be_read() {
    let store = sending().await;
    let config = store.client().config().to_builder().interceptor(NoReads);
    let client = aws_sdk_dynamodb::Client::from_conf(config.build());
    let messages = Messages::new(client, store.table(TABLE));
    messages.add_event(&event("Send", "", &[]), at(0)).await.unwrap();
    assert_eq!(
        sort_keys(&store).await,
        ["event#1800000001000#Send##-", &ID.to_string()]
    );
    let record = store.messages().get(ID).await.unwrap().unwrap();
    assert_eq!(record.ses_id.as_deref(), Some(SES_ID));
}

#[tokio::test]
async fn every_event_writes_sess_id_once() {
    for kind in [
        "Send",
        "Bounce",
        "Complaint",
        "Reject",
        "Rendering Failure",
        "Delivery",
        "DeliveryDelay",
        "Open",
    ] {
        let store = sending().await;
        add(&store, &event(kind, "", &[])).await;
        let record = store.messages().get(ID).await.unwrap().unwrap();
        assert_eq!(record.ses_id.as_deref(), Some(SES_ID), "{kind}");
        // SES's id that is there stays.
        let mut other = event(kind, "", &[]);
        "another".clone_into(&mut other.ses_id);
        store.messages().accepted(ID, SES_ID, at(0)).await.unwrap();
        add(&store, &other).await;
        let record = store.messages().get(ID).await.unwrap().unwrap();
        assert_eq!(record.ses_id.as_deref(), Some(SES_ID), "{kind}");
    }
}

#[tokio::test]
async fn a_refused_message_is_attempted_again_unless_there_is_an_event_about_it() {
    let mail = any_mail();
    let second = NewMessage {
        attempt: 2,
        nonce: Uuid::from_u128(9),
        ..attempt(&mail)
    };
    for (kind, put) in [
        (Some("Send"), Put::Overtaken),
        (Some("Delivery"), Put::Overtaken),
        (None, Put::Written),
    ] {
        let store = sending().await;
        store.messages().refused(&attempt(&mail)).await.unwrap();
        if let Some(kind) = kind {
            add(&store, &event(kind, "", &["anna@example.org"])).await;
        }
        assert_eq!(store.messages().put(&second).await.unwrap(), put, "{kind:?}");
    }
}

#[tokio::test]
async fn an_event_about_a_message_that_is_not_on_record_is_kept_and_makes_no_row() {
    let store = Store::start().await;
    add(&store, &event("Send", "", &[])).await;
    assert_eq!(sort_keys(&store).await, ["event#1800000001000#Send##-"]);
    assert_eq!(store.messages().read(ID).await.unwrap(), None);
    assert_eq!(store.messages().get(ID).await.unwrap(), None);
}

#[tokio::test]
async fn of_two_deliveries_to_one_recipient_the_later_stays_in_any_order() {
    for times in [[1_000, 2_000], [2_000, 1_000]] {
        let store = sending().await;
        for time in times {
            let delivery = MessageEvent {
                at: at(time),
                ..event("Delivery", "", &["anna@example.org"])
            };
            add(&store, &delivery).await;
        }
        let items = items(&store).await;
        assert_eq!(number(&items[0], "at"), at(2_000).as_millisecond());
        assert_eq!(items.len(), 2);
    }
}

#[tokio::test]
async fn one_event_proves_sending_and_a_message_without_one_has_no_proof() {
    for kind in ["Send", "Delivery", "DeliveryDelay"] {
        let store = sending().await;
        let messages = store.messages();
        // What else is in its partition proves nothing.
        store.put(TABLE, [("pk", s(&ID.to_string())), ("sk", s("to#0"))]).await;
        assert_eq!(messages.proof_of_sending(ID).await.unwrap(), None);
        add(&store, &event(kind, "", &["anna@example.org"])).await;
        let proof = messages.proof_of_sending(ID).await.unwrap().unwrap();
        assert_eq!(proof.kind, kind);
        let mut record = messages.get(ID).await.unwrap().unwrap();
        record.events.push(proof);
        assert_eq!(record.state(at(0) + LEASE), DeliveryState::Sent);
    }
}

#[tokio::test]
async fn a_delivery_is_found_by_message_and_recipient() {
    let store = sending().await;
    let messages = store.messages();
    let [anna, bob] = ["Anna@example.org", "bob@example.org"].map(|text| EmailAddress::parse(text).unwrap());
    add(&store, &event("Delivery", "", &["anna@example.org"])).await;
    add(&store, &event("Bounce", "f-1", &["bob@example.org"])).await;
    let other = Uuid::from_u128(5);
    // Asked for twice, and in more than one batch.
    let mut asked = vec![(ID, &anna), (ID, &anna), (ID, &bob), (other, &anna)];
    let unknown: Vec<Uuid> = (1_000..1_150).map(Uuid::from_u128).collect();
    asked.extend(unknown.iter().map(|id| (*id, &bob)));
    let delivered = messages.delivered(asked).await.unwrap();
    assert_eq!(delivered, BTreeSet::from([(ID, "anna@example.org".to_owned())]));
    assert!(messages.delivered([]).await.unwrap().is_empty());
    let down = Store::at(&closed_port().await).messages();
    let error = down.delivered([(ID, &anna)]).await.unwrap_err();
    assert_eq!(error.operation, "BatchGetItem");
}

#[tokio::test]
async fn an_event_without_our_tag_may_come_before_the_id_of_ses_is_known() {
    let store = sending().await;
    let messages = store.messages();
    add(&store, &untagged("Bounce", "f-1")).await;
    assert_eq!(
        messages.read(ID).await.unwrap().unwrap().state(at(0)),
        DeliveryState::Sending(at(0) + LEASE)
    );
    messages.accepted(ID, SES_ID, at(0)).await.unwrap();
    for _ in 0..2 {
        add(&store, &untagged("Complaint", "f-2")).await;
        let record = messages.read(ID).await.unwrap().unwrap();
        assert_eq!(
            (record.last_event(at(0)), record.events.len()),
            (LastEvent::Complained, 3)
        );
    }
    let record = messages.read(ID).await.unwrap().unwrap();
    let bounce = record.events.iter().find(|event| event.kind == "Bounce").unwrap();
    let expected = RecordedEvent {
        kind: "Bounce".to_owned(),
        at: at(1_000),
        recipient: Some("bob@example.org".to_owned()),
        subtype: Some("General".to_owned()),
        diagnostic: Some("550 unknown".to_owned()),
        bounce_reason: Some(BounceReason::UserUnknown),
        forwarded: true,
        engagement: None,
    };
    assert_eq!(*bounce, expected);
}

#[tokio::test]
async fn all_of_1000_events_are_kept_and_the_newest_are_read() {
    let store = sending().await;
    let events: Vec<MessageEvent> = (0..1_000)
        .map(|number| MessageEvent {
            at: at(number * 10),
            ..event("DeliveryDelay", "", &["anna@example.org"])
        })
        .collect();
    stream::iter(&events)
        .for_each_concurrent(16, |event| add(&store, event))
        .await;
    // The delivery sorts before all other events, whatever its time.
    let delivery = MessageEvent {
        at: at(60_000),
        ..event("Delivery", "", &["anna@example.org"])
    };
    add(&store, &delivery).await;
    assert_eq!(count(&store).await, 1_002);
    let record = store.messages().read(ID).await.unwrap().unwrap();
    let times: Vec<_> = record.events.iter().map(|event| event.at).collect();
    let mut expected = vec![at(60_000)];
    expected.extend((0..1_000).rev().map(|number| at(number * 10)).take(EVENTS_READ_MAX - 1));
    assert_eq!(times, expected);
    assert_eq!(record.last_event(at(0)), LastEvent::Delivered);
    // Of the events without our tag, too, the newest are shown.
    store.messages().accepted(ID, SES_ID, at(0)).await.unwrap();
    let late = MessageEvent {
        at: at(70_000),
        ..untagged("Complaint", "f-9")
    };
    add(&store, &late).await;
    let record = store.messages().read(ID).await.unwrap().unwrap();
    assert_eq!(
        (record.events.len(), record.events[0].kind.as_str()),
        (EVENTS_READ_MAX, "Complaint")
    );
}

#[tokio::test]
async fn a_click_is_read_as_it_was_recorded_and_names_no_visitor_among_several_recipients() {
    let store = sending().await;
    let (annas, somebodys) = (click("c-1", &["anna@example.org"]), click("c-2", &[]));
    for event in [&annas, &somebodys, &annas] {
        add(&store, event).await;
    }
    let record = store.messages().read(ID).await.unwrap().unwrap();
    let mut read: Vec<_> = record.events.into_iter().collect();
    read.sort_by(|one, other| one.recipient.cmp(&other.recipient));
    let mut unnamed = somebodys.engagement.unwrap();
    unnamed.visit = Visit::default();
    let engagements: Vec<_> = read.iter().map(|event| event.engagement.clone()).collect();
    assert_eq!(engagements, [Some(unnamed), annas.engagement]);
    assert!(read.iter().all(|event| event.kind == "Click"));
    assert!(store.messages().proof_of_sending(ID).await.unwrap().is_some());
}

#[tokio::test]
async fn many_openings_keep_no_other_event_out() {
    let store = sending().await;
    let events: Vec<MessageEvent> = (0..300)
        .map(|number| MessageEvent {
            at: at(10_000 + number * 10),
            kind: "Open".to_owned(),
            ..click("", &["anna@example.org"])
        })
        .chain(["Bounce", "Delivery"].map(|kind| event(kind, "f-1", &["anna@example.org"])))
        .collect();
    stream::iter(&events)
        .for_each_concurrent(16, |event| add(&store, event))
        .await;
    let record = store.messages().read(ID).await.unwrap().unwrap();
    assert_eq!(record.last_event(at(0)), LastEvent::Bounced);
    let times: Vec<_> = record.events.iter().map(|event| event.at).collect();
    let openings = (0..300).rev().map(|number| at(10_000 + number * 10));
    let mut expected: Vec<_> = openings.take(ENGAGEMENTS_READ_MAX).collect();
    expected.extend([at(1_000), at(1_000)]);
    assert_eq!(times, expected);
}

async fn count(store: &Store) -> usize {
    let scan = store.client().scan().table_name(store.table(TABLE));
    let mut pages = scan.into_paginator().items().send();
    let mut count = 0;
    while let Some(item) = pages.next().await {
        item.unwrap();
        count += 1;
    }
    count
}

#[tokio::test]
async fn many_messages_are_read_in_the_order_that_they_are_asked_for() {
    let store = Store::start().await;
    let mail = any_mail();
    let ids: Vec<Uuid> = [7, 3, 5, 9].map(Uuid::from_u128).to_vec();
    for id in &ids[..3] {
        let message = NewMessage {
            id: *id,
            ..attempt(&mail)
        };
        store.messages().put(&message).await.unwrap();
        let send = MessageEvent {
            message_id: Some(*id),
            recipients: BTreeMap::new(),
            ..event("Send", "", &[])
        };
        add(&store, &send).await;
    }
    let records = store.messages().read_all(&ids).await.unwrap();
    let read: Vec<_> = records.iter().map(|record| (record.id, record.events.len())).collect();
    assert_eq!(read, ids[..3].iter().map(|id| (*id, 1)).collect::<Vec<_>>());
}
