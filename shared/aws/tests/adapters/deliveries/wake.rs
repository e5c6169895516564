//! The index of what waits.

use aws::{Deliveries, DueDelivery, FailedWaiting};
use domain::webhook::AfterAttempt::Delivered;
use domain::webhook::{Delivery, EventDeliveryState};

use super::{attempt, delivery, event, read};
use crate::support::{Store, at};

/// Lets events with these numbers wait until these times.
async fn wait(deliveries: &Deliveries, waiting: impl IntoIterator<Item = (i64, i64)>) {
    for (number, wake_at) in waiting {
        deliveries
            .put_waiting(&delivery(number), at(wake_at), at(0))
            .await
            .unwrap();
    }
}

fn due(number: i64, due_at: i64, wake_at: i64) -> DueDelivery {
    DueDelivery {
        endpoint: "a".to_owned(),
        event: event(number),
        due_at: at(due_at),
        wake_at: at(wake_at),
    }
}

#[tokio::test]
async fn what_is_due_is_found_oldest_first() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    assert_eq!(deliveries.due("a", at(9_999), 10).await.unwrap(), []);
    assert_eq!(deliveries.oldest_waiting("a").await.unwrap(), None);
    wait(&deliveries, [(1, 300), (2, 100), (3, 200), (4, 301)]).await;
    let elsewhere = Delivery {
        endpoint: "b".to_owned(),
        ..delivery(5)
    };
    deliveries.put_waiting(&elsewhere, at(1), at(0)).await.unwrap();
    let found = [due(2, 100, 100), due(3, 200, 200), due(1, 300, 300)];
    assert_eq!(deliveries.due("a", at(300), 10).await.unwrap(), found);
    assert_eq!(deliveries.due("a", at(300), 2).await.unwrap(), found[..2]);
    assert_eq!(deliveries.due("a", at(99), 10).await.unwrap(), []);
    assert_eq!(deliveries.oldest_waiting("a").await.unwrap().as_ref(), Some(&found[0]));
}

#[tokio::test]
async fn a_delivery_that_was_handed_over_comes_later_and_is_still_due() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    wait(&deliveries, [(1, 100), (2, 200)]).await;
    assert!(deliveries.wake_again(&due(1, 100, 100), at(700)).await.unwrap());
    // Another sweep has seen the same.
    assert!(!deliveries.wake_again(&due(1, 100, 100), at(800)).await.unwrap());
    let found = [due(2, 200, 200), due(1, 100, 700)];
    assert_eq!(deliveries.due("a", at(9_999), 10).await.unwrap(), found);
    let record = read(&deliveries, 1).await;
    assert_eq!((record.due_at, record.wake_at), (Some(at(100)), Some(at(700))));
    // An attempt that ends meanwhile stands.
    deliveries
        .record_attempt(&delivery(1), &attempt(5), Delivered)
        .await
        .unwrap();
    assert!(!deliveries.wake_again(&due(1, 100, 700), at(900)).await.unwrap());
    assert_eq!(read(&deliveries, 1).await.wake_at, None);
    assert!(!deliveries.wake_again(&due(7, 1, 1), at(900)).await.unwrap());
    assert_eq!(deliveries.get("a", &event(7)).await.unwrap(), None);
}

#[tokio::test]
async fn the_deliveries_of_a_disabled_endpoint_fail_step_by_step() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    wait(&deliveries, (1..=7).map(|number| (number, 1_000 * number))).await;
    deliveries
        .record_attempt(&delivery(8), &attempt(5), Delivered)
        .await
        .unwrap();
    let step = async || deliveries.fail_waiting("a", 3).await.unwrap();
    let failed = |failed, has_more| FailedWaiting { failed, has_more };
    assert_eq!(step().await, failed(3, true));
    assert_eq!(read(&deliveries, 3).await.state, EventDeliveryState::Failed);
    assert_eq!(read(&deliveries, 4).await.state, EventDeliveryState::Waiting);
    assert_eq!((step().await, step().await), (failed(3, true), failed(1, false)));
    assert_eq!(step().await, failed(0, false));
    for number in 1..=7 {
        let record = read(&deliveries, number).await;
        assert_eq!(
            (record.state, record.wake_at, record.due_at),
            (EventDeliveryState::Failed, None, None)
        );
    }
    assert_eq!(read(&deliveries, 8).await.state, EventDeliveryState::Delivered);
}
