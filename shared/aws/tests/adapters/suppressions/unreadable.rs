//! Entries of the suppression list that cannot be read: each counts as suppressed, and stops nothing else.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::{Evidence, NewestFrom, Suppressions};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::address::EmailAddress;
use domain::stream::Stream;
use domain::suppression::{Registers, SesListEntry, SoftBounceTiers, SuppressionReason};
use uuid::Uuid;

use super::registers::{KEY, TABLE, address, item, key};
use crate::support::{Item, Store, at, n, s};

const ANNA: &str = "anna@example.org";
const ID: Uuid = Uuid::from_u128(7);
/// 9999-12-30T22:00:00.001Z in milliseconds, which is later than any time that can be read.
const TOO_LATE: i64 = 253_402_207_200_001;

/// Attributes of an entry of Anna, beside its key, by what is wrong with them.
fn shapes() -> Vec<(&'static str, Vec<(&'static str, AttributeValue)>)> {
    let set = |bounces: &[&str]| AttributeValue::Ss(bounces.iter().map(|bounce| (*bounce).to_owned()).collect());
    let known = || vec![("id", s(&ID.to_string())), ("shard", s("newest#0"))];
    let with = |name, value| [known(), vec![(name, value)]].concat();
    vec![
        ("nothing but its key and its address", vec![]),
        ("an address that is a number", with("address", n(1))),
        ("the address of somebody else", with("address", s("bob@example.org"))),
        ("no register", known()),
        ("a register of another version", with("bounces", n(1))),
        (
            "an end that is too late",
            [with("manual_at", n(1)), vec![("manual_expires_at", n(TOO_LATE))]].concat(),
        ),
        ("a bounce that is too late", with("bounce_at", n(TOO_LATE))),
        ("a bounce before 1970", with("bounce_at", n(-1))),
        ("a bounce of the year 2200", with("bounce_at", n(7_258_118_400_001))),
        ("a time as text", with("manual_at", s("2026-01-01T00:00:00Z"))),
        (
            "a time with a fraction",
            with("complaint_at", AttributeValue::N("1.5".to_owned())),
        ),
        ("a lift as text", with("lifted_at", s("soon"))),
        (
            "a map in the place of a time",
            with("blocked_at", AttributeValue::M(Item::new())),
        ),
        ("soft bounces as a list", with("soft", AttributeValue::L(Vec::new()))),
        (
            "a soft bounce without a time",
            with("soft", set(&["x#f-1", "1800000000000#f-2"])),
        ),
        (
            "days of blocks as a list",
            with("blocked_on", AttributeValue::L(Vec::new())),
        ),
        (
            "a day of a block that is too late",
            with("blocked_on", AttributeValue::Ns(vec![TOO_LATE.to_string()])),
        ),
        (
            "evidence as text",
            [with("bounce_at", n(-1)), vec![("bounce", s("550 anna@example.org"))]].concat(),
        ),
        (
            "an id that is none",
            vec![("id", s("one")), ("shard", s("newest#0")), ("bounce_at", s("x"))],
        ),
    ]
}

async fn put(store: &Store, attributes: Vec<(&str, AttributeValue)>) {
    let names = vec![(KEY, s(&key(ANNA))), ("address", s(ANNA))];
    let item = [names, attributes].concat().into_iter();
    let item = item.map(|(name, value)| (name.to_owned(), value)).collect();
    let put = store.client().put_item().table_name(store.table(TABLE));
    put.set_item(Some(item)).send().await.unwrap();
}

/// Why mail to an address is suppressed a year later.
fn reason(registers: Option<&Registers>, address: &EmailAddress) -> Option<SuppressionReason> {
    let later = at(365 * 24 * 60 * 60 * 1_000);
    let found = registers?.suppression(address, later, Stream::Transactional, &SoftBounceTiers::default());
    found.map(|found| found.reason)
}

async fn reason_of(list: &Suppressions) -> Option<SuppressionReason> {
    let (anna, bob) = (address(ANNA), address("bob@example.org"));
    let found = list.lookup([&anna, &bob]).await.unwrap();
    assert_eq!(reason(found.get(bob.normalised()), &bob), None);
    reason(found.get(anna.normalised()), &anna)
}

#[tokio::test]
async fn an_entry_of_any_shape_suppresses_its_address_alone_and_is_listed() {
    let store = Store::start().await;
    let list = store.suppressions();
    for (what, attributes) in shapes() {
        let is_indexed = attributes.iter().any(|(name, _)| *name == "shard");
        put(&store, attributes).await;
        assert!(reason_of(&list).await.is_some(), "{what}");
        let entry = list.get(&address(ANNA)).await.unwrap().unwrap();
        assert!(entry.registers.unreadable, "{what}");
        let page = list.page(None, 10).await.unwrap();
        assert_eq!((page.entries.len(), page.unreadable), (1, 0), "{what}");
        let newest = list
            .newest(NewestFrom::Newest, 10, |entry| entry.registers.unreadable)
            .await
            .unwrap();
        assert_eq!(newest.entries.len(), usize::from(is_indexed), "{what}");
    }
}

#[tokio::test]
async fn lifting_removes_what_cannot_be_read() {
    let store = Store::start().await;
    let list = store.suppressions();
    for (what, attributes) in shapes() {
        put(&store, attributes).await;
        for time in [1, 2] {
            assert!(list.lift(&address(ANNA), at(time)).await.unwrap(), "{what}");
            assert_eq!(reason_of(&list).await, None, "{what}");
        }
        let entry = list.get(&address(ANNA)).await.unwrap().unwrap();
        assert!(
            !entry.registers.unreadable && entry.registers.lifted_at >= Some(at(1)),
            "{what}"
        );
        // A later event suppresses again.
        let evidence = Evidence {
            source: "f-9",
            ..Evidence::default()
        };
        list.record(&address(ANNA), SuppressionReason::Bounce, at(9), evidence, ID)
            .await
            .unwrap();
        assert_eq!(reason_of(&list).await, Some(SuppressionReason::Bounce), "{what}");
    }
}

#[tokio::test]
async fn every_event_is_recorded_beside_what_cannot_be_read() {
    let store = Store::start().await;
    let list = store.suppressions();
    let anna = address(ANNA);
    let evidence = Evidence {
        source: "f-1",
        ..Evidence::default()
    };
    for (what, attributes) in shapes() {
        put(&store, attributes).await;
        for reason in [
            SuppressionReason::Bounce,
            SuppressionReason::Soft,
            SuppressionReason::Complaint,
        ] {
            list.record(&anna, reason, at(1), evidence, ID).await.unwrap();
        }
        list.record_manual(&anna, at(2), Some(at(3)), evidence, ID)
            .await
            .unwrap();
        list.record_lift(&anna, at(0), ID).await.unwrap();
        assert!(reason_of(&list).await.is_some(), "{what}");
    }
}

#[tokio::test]
async fn the_pass_over_sess_list_counts_it_and_goes_on() {
    let store = Store::start().await;
    let list = store.suppressions();
    put(&store, vec![("manual_expires_at", n(TOO_LATE))]).await;
    let listed = [ANNA, "bob@example.org"].map(|address| SesListEntry {
        address: address.to_owned(),
        reason: SuppressionReason::Bounce,
        updated_at: at(1),
    });
    let taken = list.take_from_ses(&listed, at(5), || ID).await.unwrap();
    assert_eq!(
        (taken.drift.listed, taken.drift.added, taken.drift.unreadable),
        (2, 1, 1)
    );
    assert!(taken.to_lift.is_empty());
}

#[tokio::test]
async fn it_can_be_forgotten_and_the_person_stays_suppressed() {
    let store = Store::start().await;
    let list = store.suppressions();
    let anna = address(ANNA);
    for (what, attributes) in shapes() {
        put(&store, attributes).await;
        assert!(list.forget_evidence(&anna).await.unwrap(), "{what}");
        let kept = item(&store, ANNA).await;
        assert!(!format!("{kept:?}").contains("550"), "{what}: {kept:?}");
        assert!(list.forget_address(&anna, ID).await.unwrap(), "{what}");
        assert!(reason_of(&list).await.is_some(), "{what}");
        let mut left = item(&store, ANNA).await;
        assert_eq!(left.remove("unreadable"), Some(AttributeValue::Bool(true)), "{what}");
        // Without both attributes, no index has the entry.
        for name in [KEY, "id", "shard"] {
            assert!(left.remove(name).is_some(), "{what}: {name} of {left:?}");
        }
        // The rest could be read before.
        let rest: Vec<&String> = left.keys().collect();
        assert!(
            rest.iter().all(|name| ["manual_at", "soft"].contains(&name.as_str())),
            "{what}: {rest:?}"
        );
        assert_eq!(store.count(TABLE).await, 1);
        // Lifting works on the pseudonym too.
        assert!(list.lift(&anna.pseudonym(), at(9)).await.unwrap(), "{what}");
        assert_eq!(reason_of(&list).await, None, "{what}");
        assert!(!item(&store, ANNA).await.contains_key("address"), "{what}");
    }
}

#[tokio::test]
async fn an_end_that_cannot_be_is_never_written() {
    let store = Store::start().await;
    let list = store.suppressions();
    let evidence = Evidence {
        source: "a",
        ..Evidence::default()
    };
    let end = "9999-12-30T22:00:00.001Z".parse().unwrap();
    list.record_manual(&address(ANNA), at(1), Some(end), evidence, ID)
        .await
        .unwrap();
    let registers = list.get(&address(ANNA)).await.unwrap().unwrap().registers;
    assert_eq!(
        (registers.unreadable, registers.manual_expires_at),
        (false, Some(domain::time::LATEST))
    );
}
