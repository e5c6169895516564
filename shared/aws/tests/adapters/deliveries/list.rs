//! Pages of deliveries.

use aws::NewestFrom;
use domain::webhook::AfterAttempt::{Delivered, WakeAt};
use domain::webhook::{Delivery, DeliverySummary, EventDeliveryState, EventId, EventKind};

use super::{attempt, delivery, event};
use crate::support::{Store, at};

const ALL: i64 = 30;

/// A store with the events 1 to [`ALL`], and one of another endpoint.
async fn filled() -> Store {
    let store = Store::start().await;
    for number in 1..=ALL {
        store
            .deliveries()
            .put_waiting(&delivery(number), at(0), at(0))
            .await
            .unwrap();
    }
    let elsewhere = Delivery {
        endpoint: "b".to_owned(),
        ..delivery(50)
    };
    store.deliveries().put_waiting(&elsewhere, at(0), at(0)).await.unwrap();
    store
}

/// Reads a page: the times of its events, and whether there are more.
async fn page(store: &Store, from: NewestFrom<EventId>, limit: usize) -> (Vec<i64>, bool) {
    let page = store.deliveries().list("a", &from, limit).await.unwrap();
    let number = |delivery: &DeliverySummary| delivery.created_at.as_millisecond() - at(0).as_millisecond();
    (page.deliveries.iter().map(number).collect(), page.has_more)
}

fn down(from: i64, to: i64) -> Vec<i64> {
    (to..=from).rev().collect()
}

#[tokio::test]
async fn a_list_shows_deliveries_without_bodies() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    deliveries
        .record_attempt(&delivery(1), &attempt(1), WakeAt(at(9)))
        .await
        .unwrap();
    deliveries
        .record_attempt(&delivery(2), &attempt(2), Delivered)
        .await
        .unwrap();
    let summary = |number, state, due_at| DeliverySummary {
        event: event(number),
        kind: EventKind::EmailBounced,
        created_at: at(number),
        state,
        attempts_made: 1,
        due_at,
    };
    let page = deliveries.list("a", &NewestFrom::Newest, 10).await.unwrap();
    let expected = [
        summary(2, EventDeliveryState::Delivered, None),
        summary(1, EventDeliveryState::Waiting, Some(at(9))),
    ];
    assert_eq!((page.deliveries.as_slice(), page.has_more), (&expected[..], false));
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest_and_back() {
    let store = filled().await;
    assert_eq!(page(&store, NewestFrom::Newest, 12).await, (down(30, 19), true));
    assert_eq!(
        page(&store, NewestFrom::After(event(19)), 12).await,
        (down(18, 7), true)
    );
    assert_eq!(page(&store, NewestFrom::After(event(7)), 12).await, (down(6, 1), false));
    assert_eq!(page(&store, NewestFrom::After(event(7)), 6).await, (down(6, 1), false));
    assert_eq!(
        page(&store, NewestFrom::Before(event(7)), 12).await,
        (down(19, 8), true)
    );
    assert_eq!(
        page(&store, NewestFrom::Before(event(19)), 12).await,
        (down(30, 20), false)
    );
    assert_eq!(page(&store, NewestFrom::Newest, 30).await, (down(30, 1), false));
    assert_eq!(page(&store, NewestFrom::Newest, 29).await, (down(30, 2), true));
    assert_eq!(page(&store, NewestFrom::Before(event(30)), 5).await, (vec![], false));
}

#[tokio::test]
async fn the_deliveries_to_an_endpoint_are_spread_over_partitions() {
    let store = filled().await;
    let scan = store.client().scan().table_name(store.table(super::TABLE));
    let items = scan.send().await.unwrap().items.unwrap();
    let shards: std::collections::BTreeSet<_> = items
        .iter()
        .map(|item| crate::support::text(item, "shard").to_owned())
        .filter(|shard| shard.starts_with("a#"))
        .collect();
    assert!((4..=8).contains(&shards.len()), "{shards:?}");
}
