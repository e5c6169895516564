//! Whole rows of the suppression list.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use aws::{Evidence, Suppressions};
use domain::address::EmailAddress;
use domain::bounce::BounceReason;
use domain::suppression::{RegisterEvidence, Registers, SuppressionEntry, SuppressionReason};
use uuid::Uuid;

use crate::support::{Store, at, n, s};

const TABLE: &str = "SuppressionsTable";
const ID: Uuid = Uuid::from_u128(7);

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

async fn record(list: &Suppressions, who: &str, reason: SuppressionReason, time: i64, id: Uuid) {
    let evidence = Evidence {
        subtype: "NoEmail",
        diagnostic: Some("550 no such user"),
        bounce_reason: Some(BounceReason::UserUnknown),
        source: "feedback-1",
    };
    list.record(&address(who), reason, at(time), evidence, id)
        .await
        .unwrap();
}

/// Anna bounced and was blocked.
async fn with_anna() -> (Store, Suppressions, SuppressionEntry) {
    let store = Store::start().await;
    let list = store.suppressions();
    record(&list, "Anna@Example.org", SuppressionReason::Bounce, 5, ID).await;
    record(
        &list,
        "anna@example.org",
        SuppressionReason::Blocked,
        6,
        Uuid::from_u128(8),
    )
    .await;
    let evidence = |address: &str| RegisterEvidence {
        address: address.to_owned(),
        subtype: "NoEmail".to_owned(),
        diagnostic: Some("550 no such user".to_owned()),
        bounce_reason: Some(BounceReason::UserUnknown),
        source: "feedback-1".to_owned(),
    };
    let expected = SuppressionEntry {
        id: ID,
        address: address("anna@example.org"),
        registers: Registers {
            bounce_at: Some(at(5)),
            blocked_at: Some(at(6)),
            blocked_on: vec![at(6)],
            ..Registers::default()
        },
        soft_bounces: Vec::new(),
        evidence: BTreeMap::from([
            (SuppressionReason::Bounce.into(), evidence("Anna@Example.org")),
            (SuppressionReason::Blocked.into(), evidence("anna@example.org")),
        ]),
    };
    (store, list, expected)
}

#[tokio::test]
async fn an_entry_is_read_by_its_address_in_any_spelling_and_found_by_its_id() {
    let (_store, list, expected) = with_anna().await;
    let read = list.get(&address("ANNA@example.ORG")).await.unwrap().unwrap();
    assert_eq!(read, expected);
    assert_eq!(read.address.as_given(), "anna@example.org");
    assert_eq!(list.find(ID).await.unwrap(), Some(expected));
}

#[tokio::test]
async fn there_is_no_entry_of_an_unknown_address_or_id() {
    let (_store, list, _) = with_anna().await;
    assert_eq!(list.get(&address("bob@example.org")).await.unwrap(), None);
    assert_eq!(list.find(Uuid::from_u128(8)).await.unwrap(), None);
}

#[tokio::test]
async fn pages_hold_every_entry_once_and_count_foreign_items() {
    let store = Store::start().await;
    let list = store.suppressions();
    for number in 0..7 {
        let who = format!("user{number}@example.org");
        record(
            &list,
            &who,
            SuppressionReason::Complaint,
            number,
            Uuid::from_u128(number.unsigned_abs().into()),
        )
        .await;
    }
    store
        .put(TABLE, [("address_hash", s("no hash")), ("bounce_at", n(1))])
        .await;
    let (mut seen, mut unreadable, mut pages, mut after) = (Vec::new(), 0, 0, None);
    loop {
        let page = list.page(after.as_deref(), 3).await.unwrap();
        assert!(page.entries.len() + page.unreadable <= 3);
        seen.extend(
            page.entries
                .into_iter()
                .map(|entry| entry.address.normalised().to_owned()),
        );
        unreadable += page.unreadable;
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(pages >= 3, "{pages} pages");
    assert_eq!(unreadable, 1);
    assert_eq!(seen.len(), 7);
    let wanted: BTreeSet<String> = (0..7).map(|number| format!("user{number}@example.org")).collect();
    assert_eq!(BTreeSet::from_iter(seen), wanted);
}

/// An entry by hand at a time, until a time or for good, from a source.
type ByHand = (i64, Option<i64>, &'static str);

#[tokio::test]
async fn the_expiry_of_a_manual_entry_moves_with_it_in_any_order() {
    let entries: [ByHand; 5] = [
        (1, Some(500), "a"),
        (2, None, "a"),
        (3, Some(100), "a"),
        (3, Some(200), "b"),
        (3, Some(300), "b"),
    ];
    let ended_by = |last: ByHand| (Some(at(last.0)), last.1.map(at));
    for first in 0..5 {
        for second in 0..5 {
            let store = Store::start().await;
            let list = store.suppressions();
            let anna = address("anna@example.org");
            for (time, end, source) in [entries[first], entries[second], entries[first]] {
                let evidence = Evidence {
                    subtype: "",
                    diagnostic: None,
                    bounce_reason: None,
                    source,
                };
                list.record_manual(&anna, at(time), end.map(at), evidence, ID)
                    .await
                    .unwrap();
            }
            let registers = list.get(&anna).await.unwrap().unwrap().registers;
            let expected = ended_by(entries[first.max(second)]);
            assert_eq!(
                (registers.manual_at, registers.manual_expires_at),
                expected,
                "{first} {second}"
            );
        }
    }
}

#[tokio::test]
async fn an_entry_by_hand_for_good_replaces_one_of_the_same_time_that_ends() {
    let store = Store::start().await;
    let list = store.suppressions();
    let anna = address("anna@example.org");
    let evidence = Evidence {
        subtype: "",
        diagnostic: None,
        bounce_reason: None,
        source: "a",
    };
    for end in [Some(at(9)), None, Some(at(99))] {
        list.record_manual(&anna, at(1), end, evidence, ID).await.unwrap();
    }
    assert_eq!(
        list.get(&anna).await.unwrap().unwrap().registers.manual_expires_at,
        None
    );
}

#[tokio::test]
async fn a_lift_never_moves_back_and_creates_a_missing_entry() {
    let store = Store::start().await;
    let list = store.suppressions();
    let anna = address("Anna@example.org");
    for time in [5, 9, 7] {
        list.record_lift(&anna, at(time), ID).await.unwrap();
    }
    let entry = list.find(ID).await.unwrap().unwrap();
    assert_eq!(entry.registers.lifted_at, Some(at(9)));
    record(
        &list,
        "anna@example.org",
        SuppressionReason::Bounce,
        8,
        Uuid::from_u128(8),
    )
    .await;
    let entry = list.get(&anna).await.unwrap().unwrap();
    assert_eq!(
        (entry.id, entry.registers.bounce_at, entry.registers.lifted_at),
        (ID, Some(at(8)), Some(at(9)))
    );
}
