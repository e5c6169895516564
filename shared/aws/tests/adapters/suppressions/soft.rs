//! Soft bounces, which are a set and no register.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::{Evidence, Suppressions};
use domain::bounce::BounceReason;
use domain::stream::Stream;
use domain::suppression::{Registers, SOFT_BOUNCES_KEPT, SoftBounceTiers, SuppressionReason};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::registers::{EVIDENCE, address, delete, in_order, item, registers, soft_set};
use crate::support::{Store, at, text};

/// Records soft bounces of Anna's.
async fn record_soft<'a>(list: &Suppressions, bounces: impl IntoIterator<Item = (i64, &'a str)>) {
    for (time, source) in bounces {
        let evidence = Evidence { source, ..EVIDENCE };
        let id = Uuid::from_u128(1);
        list.record(
            &address("Anna@example.org"),
            SuppressionReason::Soft,
            at(time),
            evidence,
            id,
        )
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn soft_bounces_are_a_set_to_which_each_is_added_once() {
    let store = Store::start().await;
    let list = store.suppressions();
    let bounces = [(5, "f-2"), (5, "f-1"), (3, "f-3")];
    record_soft(&list, bounces.into_iter().chain(bounces)).await;
    let found = registers(&list, "anna@example.org").await;
    assert_eq!(found.soft, [at(3), at(5), at(5)]);
    let item = in_order(item(&store, "anna@example.org").await);
    assert_eq!(item["soft"], soft_set([(3, "f-3"), (5, "f-1"), (5, "f-2")]));
    assert_eq!(text(&item, "id"), Uuid::from_u128(1).to_string());
    assert!(text(&item, "shard").starts_with("newest#"));
    assert_eq!(item.len(), 5);
}

#[tokio::test]
async fn a_soft_bounce_keeps_its_reason_and_counts_once_as_event_and_as_classic_notification() {
    let store = Store::start().await;
    let list = store.suppressions();
    let anna = address("anna@example.org");
    let id = Uuid::from_u128(9);
    // A classic notification does not name the message.
    let sources = [format!("f-1#{id}"), "f-1".to_owned(), "import #3".to_owned()];
    for (source, reason) in sources.iter().zip([Some(BounceReason::MailboxFull), None, None]) {
        let evidence = Evidence {
            bounce_reason: reason,
            source,
            ..EVIDENCE
        };
        list.record(&anna, SuppressionReason::Soft, at(5), evidence, id)
            .await
            .unwrap();
    }
    let found = registers(&list, "anna@example.org").await;
    assert_eq!((found.soft, found.soft_of), (vec![at(5), at(5)], vec![(id, at(5))]));
    let mut bounces = list.get(&anna).await.unwrap().unwrap().soft_bounces;
    bounces.sort_unstable();
    let read: Vec<_> = bounces
        .iter()
        .map(|bounce| (bounce.source.as_str(), bounce.reason))
        .collect();
    let expected = [
        ("f-1", None),
        (sources[0].as_str(), Some(BounceReason::MailboxFull)),
        ("import #3", None),
    ];
    assert_eq!(read, expected);
}

#[tokio::test]
async fn the_newest_soft_bounces_are_kept_in_any_order() {
    let store = Store::start().await;
    let list = store.suppressions();
    let most = i64::try_from(SOFT_BOUNCES_KEPT).unwrap();
    let newest: Vec<_> = (20..20 + most).map(|time| (time, "f")).collect();
    let ids: Vec<_> = newest
        .iter()
        .map(|(time, id)| (*time, format!("{id}-{time}")))
        .collect();
    let newest = || ids.iter().map(|(time, id)| (*time, id.as_str()));
    record_soft(&list, newest().skip(7)).await;
    record_soft(&list, [(1, "old-1"), (2, "old-2"), (19, "old-3")]).await;
    record_soft(&list, newest().take(7)).await;
    record_soft(&list, [(3, "old-4"), (19, "old-3")]).await;
    let item = in_order(item(&store, "anna@example.org").await);
    assert_eq!(item["soft"], soft_set(newest()));
}

#[tokio::test]
async fn a_soft_bounce_whose_answer_was_lost_is_repeated_and_counts_once() {
    let store = Store::start().await;
    record_soft(&store.losing_an_answer().await.suppressions(), [(5, "f-1")]).await;
    assert_eq!(registers(&store.suppressions(), "anna@example.org").await.soft, [at(5)]);
}

#[test]
fn soft_bounces_in_any_order_and_number_of_copies_leave_the_same_item_and_judgement() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let store = runtime.block_on(Store::start());
    let day = 24 * 3_600_000;
    // More of them than are kept, now and then, and some at the same time.
    let bounces = proptest::collection::vec((0_i64..40, 0_u8..6), 1..70);
    let histories = bounces.prop_flat_map(|bounces| {
        let copies: Vec<_> = bounces.iter().chain(bounces.iter().step_by(3)).copied().collect();
        (Just(bounces), Just(copies).prop_shuffle())
    });
    let outcome = async |bounces: &[(i64, u8)]| {
        let list = store.suppressions();
        let ids: Vec<_> = bounces.iter().map(|(days, id)| format!("f-{days}-{id}")).collect();
        record_soft(
            &list,
            bounces
                .iter()
                .zip(&ids)
                .map(|((days, _), id)| (days * day, id.as_str())),
        )
        .await;
        let registers = registers(&list, "anna@example.org").await;
        let item = in_order(item(&store, "anna@example.org").await);
        delete(&store, "anna@example.org").await;
        (item, registers)
    };
    let tiers: SoftBounceTiers = SoftBounceTiers::EXAMPLE.parse().unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    });
    let checked = runner.run(&histories, |(bounces, shuffled)| {
        let (expected, found) = runtime.block_on(async { (outcome(&bounces).await, outcome(&shuffled).await) });
        prop_assert_eq!(&found.0, &expected.0);
        let mut all: Vec<_> = bounces.clone();
        all.sort_unstable();
        all.dedup();
        let all: Vec<_> = all.into_iter().map(|(days, _)| at(days * day)).collect();
        for days in 39..75 {
            let now = at(days * day + 1);
            let judge = |registers: &Registers| {
                let anna = address("anna@example.org");
                registers
                    .suppression(&anna, now, Stream::Bulk, &tiers)
                    .map(|found| found.since)
            };
            prop_assert_eq!(judge(&found.1), tiers.since(&all, now));
            prop_assert_eq!(judge(&expected.1), judge(&found.1));
        }
        Ok(())
    });
    checked.unwrap();
}
