//! The turn to wait for slow endpoints.

use futures_util::future::join_all;

use crate::support::{Store, at};

#[tokio::test]
async fn one_worker_has_the_turn_until_it_ends() {
    let store = Store::start().await;
    let webhooks = store.webhooks();
    let take = async |worker, now, until| webhooks.take_turn(worker, at(now), at(until)).await.unwrap();
    assert!(take("a", 0, 15).await);
    assert!(!take("b", 14, 29).await);
    // The one that has it may prolong it, and the other has to wait for the new end.
    assert!(take("a", 14, 29).await);
    assert!(!take("b", 15, 30).await);
    assert!(take("b", 29, 44).await);
    assert!(!take("a", 30, 45).await);
}

#[tokio::test]
async fn a_turn_that_seems_too_long_is_over() {
    let store = Store::start().await;
    let webhooks = store.webhooks();
    assert!(webhooks.take_turn("a", at(3_600_000), at(3_615_000)).await.unwrap());
    // The clock was set back.
    assert!(webhooks.take_turn("b", at(0), at(15_000)).await.unwrap());
}

#[tokio::test]
async fn of_many_workers_at_once_one_gets_the_turn() {
    let store = Store::start().await;
    let webhooks = store.webhooks();
    let workers: Vec<String> = (0..8).map(|number| number.to_string()).collect();
    let taken = join_all(workers.iter().map(|worker| webhooks.take_turn(worker, at(0), at(15)))).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
}
