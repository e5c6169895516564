//! The suppression list.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::{Evidence, Suppressions};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::address::EmailAddress;
use domain::bounce::BounceReason;
use domain::hex::hex;
use domain::stream::Stream;
use domain::suppression::{Register, Registers, SuppressionReason, first_blocks_of_days};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::support::{Item, Store, at, closed_port, number, s, text};

pub(super) const TABLE: &str = "SuppressionsTable";
pub(super) const KEY: &str = "address_hash";
pub(super) const EVIDENCE: Evidence<'static> = Evidence {
    subtype: "General",
    diagnostic: None,
    bounce_reason: None,
    source: "feedback-1",
};
const REASONS: [SuppressionReason; 5] = [
    SuppressionReason::Bounce,
    SuppressionReason::Complaint,
    SuppressionReason::Blocked,
    SuppressionReason::Manual,
    SuppressionReason::Soft,
];

pub(super) fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub(crate) fn addresses(count: usize) -> Vec<EmailAddress> {
    (0..count).map(|n| address(&format!("User{n}@Example.org"))).collect()
}

async fn record(list: &Suppressions, who: &str, reason: SuppressionReason, time: i64) {
    list.record(&address(who), reason, at(time), EVIDENCE, Uuid::from_u128(1))
        .await
        .unwrap();
}

/// The set of soft bounces at these milliseconds with these feedback ids.
pub(super) fn soft_set<'a>(bounces: impl IntoIterator<Item = (i64, &'a str)>) -> AttributeValue {
    let entry = |(time, id)| format!("{}#{id}", at(time).as_millisecond());
    AttributeValue::Ss(bounces.into_iter().map(entry).collect())
}

/// The item but for the order of its soft bounces, which is no part of a set.
pub(super) fn in_order(mut item: Item) -> Item {
    if let Some(AttributeValue::Ss(soft)) = item.get_mut("soft") {
        soft.sort_unstable();
    }
    if let Some(AttributeValue::Ns(blocked_on)) = item.get_mut("blocked_on") {
        blocked_on.sort_unstable();
    }
    item
}

/// The key of the entry of an address.
pub(super) fn key(who: &str) -> String {
    hex(&Sha256::digest(address(who).normalised()))
}

pub(super) async fn item(store: &Store, who: &str) -> Item {
    store.item(TABLE, &[(KEY, &key(who))]).await.unwrap()
}

pub(super) async fn delete(store: &Store, who: &str) {
    store.delete(TABLE, &[(KEY, &key(who))]).await;
}

pub(super) async fn registers(list: &Suppressions, who: &str) -> Registers {
    let address = address(who);
    list.lookup([&address])
        .await
        .unwrap()
        .remove(address.normalised())
        .unwrap_or_default()
}

#[tokio::test]
async fn nothing_is_known_of_unknown_addresses() {
    let store = Store::start().await;
    assert!(store.suppressions().lookup(&addresses(3)).await.unwrap().is_empty());
    assert!(store.suppressions().lookup([]).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_address_is_found_in_every_spelling_and_asked_for_once() {
    let store = Store::start().await;
    let list = store.suppressions();
    record(&list, "Anna@BÜCHER.example", SuppressionReason::Bounce, 0).await;
    let spellings = [
        "anna@xn--bcher-kva.example",
        "ANNA@bücher.example",
        "\"anna\"@Bücher.Example",
        "bob@example.org",
    ]
    .map(address);
    let expected = Registers {
        bounce_at: Some(at(0)),
        ..Registers::default()
    };
    for spelling in &spellings[..3] {
        assert_eq!(
            registers(&list, spelling.as_given()).await,
            expected,
            "{}",
            spelling.as_given()
        );
    }
    let found = list.lookup(spellings.iter().chain(&spellings)).await.unwrap();
    assert_eq!(
        Vec::from_iter(found),
        [("anna@xn--bcher-kva.example".to_owned(), expected)]
    );
}

#[tokio::test]
async fn as_many_addresses_as_a_batch_or_several_hold_are_looked_up() {
    let store = Store::start().await;
    let list = store.suppressions();
    for count in [50, 100, 101, 230] {
        let addresses = addresses(count);
        let final_one = &addresses[count - 1];
        record(&list, final_one.as_given(), SuppressionReason::Complaint, 0).await;
        let found = list.lookup(&addresses).await.unwrap();
        assert!(found.contains_key(final_one.normalised()), "the last of {count}");
    }
    assert_eq!(list.lookup(&addresses(230)).await.unwrap().len(), 4);
}

#[tokio::test]
async fn each_reason_has_a_register_of_its_own() {
    let store = Store::start().await;
    let list = store.suppressions();
    let none = Registers::default();
    for (reason, expected) in [
        (
            SuppressionReason::Bounce,
            Registers {
                bounce_at: Some(at(5)),
                ..none.clone()
            },
        ),
        (
            SuppressionReason::Complaint,
            Registers {
                complaint_at: Some(at(5)),
                ..none.clone()
            },
        ),
        (
            SuppressionReason::Blocked,
            Registers {
                blocked_at: Some(at(5)),
                blocked_on: vec![at(5)],
                ..none.clone()
            },
        ),
        (
            SuppressionReason::Manual,
            Registers {
                manual_at: Some(at(5)),
                ..none.clone()
            },
        ),
        (
            SuppressionReason::Soft,
            Registers {
                soft: vec![at(5)],
                ..none.clone()
            },
        ),
    ] {
        let who = format!("{}@example.org", reason.as_str());
        record(&list, &who, reason, 5).await;
        assert_eq!(registers(&list, &who).await, expected);
        let tiers = "1/1d:1d".parse().unwrap();
        let suppression = expected.suppression(&address(&who), at(6), Stream::Bulk, &tiers);
        let suppression = suppression.unwrap();
        assert_eq!((suppression.reason, suppression.since), (reason, at(5)));
    }
}

#[tokio::test]
async fn all_registers_that_an_item_has_are_read() {
    let store = Store::start().await;
    let time = |milliseconds: i64| crate::support::n(at(milliseconds).as_millisecond());
    store
        .put(
            TABLE,
            [
                (KEY, s(&key("anna@example.org"))),
                ("bounce_at", time(1)),
                ("complaint_at", time(2)),
                ("blocked_at", time(3)),
                ("manual_at", time(4)),
                ("manual_expires_at", time(5)),
                ("lifted_at", time(6)),
                ("bounce_echo_at", time(10)),
                ("complaint_echo_at", time(11)),
                (
                    "blocked_on",
                    AttributeValue::Ns([3, 1].map(|time| at(time).as_millisecond().to_string()).into()),
                ),
                ("soft", soft_set([(8, "f-1"), (7, "f-2"), (9, "f-1")])),
            ],
        )
        .await;
    let expected = Registers {
        bounce_at: Some(at(1)),
        complaint_at: Some(at(2)),
        blocked_at: Some(at(3)),
        // The first of its day.
        blocked_on: vec![at(1)],
        manual_at: Some(at(4)),
        manual_expires_at: Some(at(5)),
        lifted_at: Some(at(6)),
        bounce_echo_at: Some(at(10)),
        complaint_echo_at: Some(at(11)),
        // A feedback that came with two times counts once.
        soft: vec![at(7), at(8)],
        soft_of: Vec::new(),
        topics: domain::suppression::TopicChoices::default(),
        unreadable: false,
    };
    assert_eq!(registers(&store.suppressions(), "anna@example.org").await, expected);
}

#[tokio::test]
async fn the_item_has_the_attributes_that_are_documented() {
    let store = Store::start().await;
    let evidence = Evidence {
        diagnostic: Some("smtp; 550 5.1.1 no such user"),
        bounce_reason: Some(BounceReason::UserUnknown),
        ..EVIDENCE
    };
    let anna = address("Anna@Example.org");
    store
        .suppressions()
        .record(&anna, SuppressionReason::Bounce, at(5), evidence, Uuid::from_u128(9))
        .await
        .unwrap();
    let item = item(&store, "anna@example.org").await;
    assert_eq!(text(&item, "id"), Uuid::from_u128(9).to_string());
    assert_eq!(number(&item, "bounce_at"), at(5).as_millisecond());
    let bounce = item["bounce"].as_m().unwrap();
    assert_eq!(text(bounce, "address"), "Anna@Example.org");
    assert_eq!(text(bounce, "subtype"), "General");
    assert_eq!(text(bounce, "diagnostic"), "smtp; 550 5.1.1 no such user");
    assert_eq!(text(bounce, "bounce_reason"), "user_unknown");
    assert_eq!(text(bounce, "source"), "feedback-1");
    assert!(text(&item, "shard").starts_with("newest#"));
    let since = format!("{}#feedback-1", at(5).as_millisecond());
    assert_eq!(text(&item, "bounce_since"), since);
    assert_eq!(text(&item, "address"), "anna@example.org");
    let hash = "a3bf86238a1c59bd2f0a648af9293620f90d18dad133d8fe2341cf9664a5d6d0";
    assert_eq!(text(&item, KEY), hash);
    assert_eq!((item.len(), bounce.len()), (7, 5));
}

#[tokio::test]
async fn a_register_never_moves_back() {
    let store = Store::start().await;
    let list = store.suppressions();
    record(&list, "anna@example.org", SuppressionReason::Bounce, 10).await;
    let before = item(&store, "anna@example.org").await;
    for time in [9, 0, 10] {
        record(&list, "anna@example.org", SuppressionReason::Bounce, time).await;
        assert_eq!(item(&store, "anna@example.org").await, before);
    }
    record(&list, "anna@example.org", SuppressionReason::Bounce, 11).await;
    assert_eq!(registers(&list, "anna@example.org").await.bounce_at, Some(at(11)));
}

#[tokio::test]
async fn later_evidence_replaces_all_of_the_earlier() {
    let store = Store::start().await;
    let list = store.suppressions();
    let anna = address("anna@example.org");
    let first = Evidence {
        diagnostic: Some("no such user"),
        ..EVIDENCE
    };
    list.record(&anna, SuppressionReason::Bounce, at(0), first, Uuid::from_u128(1))
        .await
        .unwrap();
    let second = Evidence {
        subtype: "NoEmail",
        diagnostic: None,
        bounce_reason: None,
        source: "a-smaller-source",
    };
    list.record(&anna, SuppressionReason::Bounce, at(1), second, Uuid::from_u128(2))
        .await
        .unwrap();
    let item = item(&store, "anna@example.org").await;
    let bounce = item["bounce"].as_m().unwrap();
    assert_eq!(
        (text(bounce, "subtype"), text(bounce, "source")),
        ("NoEmail", "a-smaller-source")
    );
    assert!(!bounce.contains_key("diagnostic"));
    assert_eq!(
        text(&item, "id"),
        Uuid::from_u128(1).to_string(),
        "the id is the first one for good"
    );
}

#[tokio::test]
async fn two_reasons_live_side_by_side() {
    let store = Store::start().await;
    let list = store.suppressions();
    record(&list, "anna@example.org", SuppressionReason::Complaint, 10).await;
    record(&list, "anna@example.org", SuppressionReason::Bounce, 5).await;
    let expected = Registers {
        bounce_at: Some(at(5)),
        complaint_at: Some(at(10)),
        ..Registers::default()
    };
    assert_eq!(registers(&list, "anna@example.org").await, expected);
    let item = item(&store, "anna@example.org").await;
    assert!(item.contains_key("bounce") && item.contains_key("complaint"));
}

#[tokio::test]
async fn recording_leaves_other_attributes_of_the_item_alone() {
    let store = Store::start().await;
    let lifted = crate::support::n(at(3).as_millisecond());
    store
        .put(
            TABLE,
            [
                (KEY, s(&key("anna@example.org"))),
                ("id", s("first")),
                ("lifted_at", lifted),
            ],
        )
        .await;
    record(&store.suppressions(), "anna@example.org", SuppressionReason::Bounce, 5).await;
    let item = item(&store, "anna@example.org").await;
    assert_eq!(
        (text(&item, "id"), number(&item, "lifted_at")),
        ("first", at(3).as_millisecond())
    );
}

#[tokio::test]
async fn both_indexes_find_the_item() {
    let store = Store::start().await;
    record(&store.suppressions(), "anna@example.org", SuppressionReason::Bounce, 0).await;
    let item = item(&store, "anna@example.org").await;
    for (index, key) in [("by-id", "id"), ("newest", "shard")] {
        let query = store.client().query().table_name(store.table(TABLE)).index_name(index);
        let query = query
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", key);
        let found = query
            .expression_attribute_values(":key", item[key].clone())
            .send()
            .await
            .unwrap();
        assert_eq!(found.items(), std::slice::from_ref(&item), "{index}");
    }
}

/// One thing to record: reason, time, and a source, which the subtype and the spelling follow from.
type Fact = (usize, i64, u8);

async fn record_all(list: &Suppressions, facts: &[Fact]) {
    for &(reason, time, source) in facts {
        let evidence = Evidence {
            subtype: &format!("subtype-{source}-{time}"),
            diagnostic: (source % 2 == 0).then_some("smtp; 550"),
            bounce_reason: None,
            source: &format!("source-{source}"),
        };
        let spelling = if source % 2 == 0 {
            "anna@example.org"
        } else {
            "Anna@Example.org"
        };
        let id = Uuid::from_u128(u128::from(source));
        list.record(&address(spelling), REASONS[reason], at(time), evidence, id)
            .await
            .unwrap();
    }
}

/// The item that these facts leave behind, but for its id, which is that of whichever came first.
async fn outcome(store: &Store, facts: &[Fact]) -> Item {
    record_all(&store.suppressions(), facts).await;
    let mut item = item(store, "anna@example.org").await;
    item.remove("id").unwrap();
    // Both depend on the order.
    item.retain(|name, _| !name.ends_with("_since"));
    delete(store, "anna@example.org").await;
    in_order(item)
}

#[test]
fn blocks_in_any_order_and_number_of_copies_leave_the_first_of_each_of_the_newest_days() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let store = runtime.block_on(Store::start());
    let hour = 3_600_000;
    let blocks = proptest::collection::vec(0_i64..20 * 24, 1..30);
    let histories = blocks.prop_flat_map(|blocks| {
        let copies: Vec<_> = blocks.iter().chain(blocks.iter().step_by(3)).copied().collect();
        (Just(blocks), Just(copies).prop_shuffle())
    });
    let mut runner = TestRunner::new(Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    });
    let checked = runner.run(&histories, |(blocks, shuffled)| {
        let item = runtime.block_on(async {
            for hours in &shuffled {
                record(
                    &store.suppressions(),
                    "anna@example.org",
                    SuppressionReason::Blocked,
                    hours * hour,
                )
                .await;
            }
            let item = in_order(item(&store, "anna@example.org").await);
            delete(&store, "anna@example.org").await;
            item
        });
        let times = blocks.iter().map(|hours| at(hours * hour));
        let days: Vec<_> = first_blocks_of_days(times.clone())
            .iter()
            .map(|at| at.as_millisecond().to_string())
            .collect();
        prop_assert_eq!(&item["blocked_on"], &AttributeValue::Ns(days));
        prop_assert_eq!(number(&item, "blocked_at"), times.max().unwrap().as_millisecond());
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn any_order_and_number_of_copies_leaves_the_same_item() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let store = runtime.block_on(Store::start());
    // Few times and sources, so that equal times with different sources are common.
    let facts = proptest::collection::vec((0..REASONS.len(), 0_i64..3, 0_u8..4), 1..8);
    let histories = facts.prop_flat_map(|facts| {
        let copies: Vec<Fact> = facts.iter().chain(facts.iter().step_by(2)).copied().collect();
        (Just(facts), Just(copies).prop_shuffle())
    });
    let mut runner = TestRunner::new(Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let checked = runner.run(&histories, |(facts, shuffled)| {
        let (expected, found) =
            runtime.block_on(async { (outcome(&store, &facts).await, outcome(&store, &shuffled).await) });
        if expected == found {
            return Ok(());
        }
        Err(TestCaseError::fail(format!(
            "{facts:?} leaves {expected:?}\n{shuffled:?} leaves {found:?}"
        )))
    });
    checked.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_at_the_same_moment_lose_nothing() {
    let store = Store::start().await;
    let list = store.suppressions();
    let facts: Vec<Fact> = (0..24).map(|n| (n % 4, i64::try_from(n).unwrap() / 4, 1)).collect();
    let writers: Vec<_> = facts
        .into_iter()
        .map(|fact| {
            let list = list.clone();
            tokio::spawn(async move { record_all(&list, &[fact]).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let latest = Some(at(5));
    let expected = Registers {
        bounce_at: latest,
        complaint_at: latest,
        blocked_at: latest,
        blocked_on: vec![at(0)],
        manual_at: latest,
        ..Registers::default()
    };
    assert_eq!(registers(&list, "anna@example.org").await, expected);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_repeated_and_counts_once() {
    let store = Store::start().await;
    record(
        &store.losing_an_answer().await.suppressions(),
        "anna@example.org",
        SuppressionReason::Bounce,
        5,
    )
    .await;
    assert_eq!(
        registers(&store.suppressions(), "anna@example.org").await.bounce_at,
        Some(at(5))
    );
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error_and_not_an_empty_list() {
    let list = Store::at(&closed_port().await).suppressions();
    let anna = address("anna@example.org");
    let error = list.lookup([&anna]).await.unwrap_err();
    assert_eq!(
        (error.operation, error.code.as_str()),
        ("BatchGetItem", "ConnectionFailed")
    );
    let error = list
        .record(&anna, SuppressionReason::Bounce, at(0), EVIDENCE, Uuid::from_u128(1))
        .await
        .unwrap_err();
    assert_eq!(
        (error.operation, error.code.as_str()),
        ("UpdateItem", "ConnectionFailed")
    );
    assert!(!error.to_string().contains("anna"), "{error}");
}

#[tokio::test]
async fn a_table_that_is_not_there_is_an_error() {
    let store = Store::start().await;
    let list = Suppressions::new(store.client().clone(), "okite-Elsewhere".to_owned());
    let error = list.lookup(&addresses(1)).await.unwrap_err();
    assert_eq!(error.code, "ResourceNotFoundException");
}

#[tokio::test]
async fn an_echo_is_a_register_of_its_own() {
    let store = Store::start().await;
    let list = store.suppressions();
    for (register, milliseconds) in [
        (Register::BounceEcho, 2),
        (Register::ComplaintEcho, 3),
        (Register::BounceEcho, 1),
    ] {
        let anna = address("anna@example.org");
        list.record(&anna, register, at(milliseconds), EVIDENCE, Uuid::nil())
            .await
            .unwrap();
    }
    let expected = Registers {
        bounce_echo_at: Some(at(2)),
        complaint_echo_at: Some(at(3)),
        ..Registers::default()
    };
    assert_eq!(registers(&list, "anna@example.org").await, expected);
}

#[tokio::test]
async fn lifting_keeps_the_latest_time_and_makes_no_ghost() {
    let store = Store::start().await;
    let list = store.suppressions();
    let anna = address("anna@example.org");
    assert!(!list.lift(&anna, at(1)).await.unwrap());
    assert_eq!(store.count(TABLE).await, 0);
    record(&list, "anna@example.org", SuppressionReason::Bounce, 0).await;
    for milliseconds in [5, 9, 7] {
        assert!(list.lift(&anna, at(milliseconds)).await.unwrap());
    }
    assert_eq!(registers(&list, "Anna@example.org").await.lifted_at, Some(at(9)));
}
