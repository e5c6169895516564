//! Deliveries that are put without an attempt, and replayed.

use domain::webhook::AfterAttempt::{Delivered, Failed, InQueue, WakeAt};
use domain::webhook::{Delivery, DeliveryRecord, EventDeliveryState};

use super::{FORTNIGHT, TABLE, attempt, delivery, event, read};
use crate::support::{Store, at, number};

#[tokio::test]
async fn a_delivery_without_a_message_waits_in_the_index() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    let tried = Delivery {
        attempts: 2,
        ..delivery(1)
    };
    assert!(deliveries.put_waiting(&tried, at(60), at(0)).await.unwrap());
    let expected = DeliveryRecord {
        delivery: tried.clone(),
        state: EventDeliveryState::Waiting,
        attempts: Vec::new(),
        attempts_made: 0,
        due_at: Some(at(60)),
        wake_at: Some(at(60)),
    };
    assert_eq!(read(&deliveries, 1).await, expected);
    // A copy of the event changes nothing.
    assert!(!deliveries.put_waiting(&tried, at(1), at(0)).await.unwrap());
    assert_eq!(read(&deliveries, 1).await, expected);
    deliveries
        .record_attempt(&tried, &attempt(0), WakeAt(at(99)))
        .await
        .unwrap();
    let record = read(&deliveries, 1).await;
    assert_eq!(
        (record.delivery.attempts, record.attempts_made, record.wake_at),
        (3, 1, Some(at(99)))
    );
}

#[tokio::test]
async fn only_what_waits_for_sqs_is_put_into_the_index() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    for (number, then, waits) in [
        (1, InQueue, true),
        (2, WakeAt(at(900)), false),
        (3, Delivered, false),
        (4, Failed, false),
    ] {
        deliveries
            .record_attempt(&delivery(number), &attempt(5), then)
            .await
            .unwrap();
        let before = read(&deliveries, number).await;
        let written = deliveries.put_waiting(&delivery(number), at(60), at(6)).await.unwrap();
        assert_eq!(written, waits, "{then:?}");
        let record = read(&deliveries, number).await;
        if waits {
            assert_eq!((record.due_at, record.wake_at), (Some(at(60)), Some(at(60))));
            assert_eq!((record.delivery.attempts, record.attempts), (1, vec![attempt(5)]));
        } else {
            assert_eq!(record, before);
        }
    }
}

#[tokio::test]
async fn what_waits_for_a_disabled_endpoint_fails() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    assert!(deliveries.put_failed(&delivery(0), at(0)).await.unwrap());
    let record = read(&deliveries, 0).await;
    assert_eq!(
        (record.state, record.attempts_made, record.wake_at),
        (EventDeliveryState::Failed, 0, None)
    );
    for (number, then, fails) in [
        (1, InQueue, true),
        (2, WakeAt(at(900)), true),
        (3, Delivered, false),
        (4, Failed, false),
    ] {
        deliveries
            .record_attempt(&delivery(number), &attempt(5), then)
            .await
            .unwrap();
        assert_eq!(deliveries.put_failed(&delivery(number), at(6)).await.unwrap(), fails);
        let record = read(&deliveries, number).await;
        let state = if then == Delivered {
            EventDeliveryState::Delivered
        } else {
            EventDeliveryState::Failed
        };
        assert_eq!((record.state, record.wake_at, record.attempts_made), (state, None, 1));
    }
    assert_eq!(deliveries.oldest_waiting("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_replay_begins_anew_whatever_the_state() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    for (number, then) in (1..).zip([InQueue, WakeAt(at(900)), Delivered, Failed]) {
        let tried = Delivery {
            attempts: 6,
            ..delivery(number)
        };
        deliveries.record_attempt(&tried, &attempt(5), then).await.unwrap();
        let replayed = deliveries.replay("a", &event(number), at(61), at(60)).await.unwrap();
        let record = read(&deliveries, number).await;
        assert_eq!(replayed.as_ref(), Some(&record));
        assert_eq!(
            (record.state, record.due_at, record.wake_at),
            (EventDeliveryState::Waiting, Some(at(61)), Some(at(61)))
        );
        assert_eq!((record.delivery, record.attempts), (delivery(number), vec![attempt(5)]));
        // An attempt that began before the replay does not end it, unless it succeeds.
        deliveries.record_attempt(&tried, &attempt(59), Failed).await.unwrap();
        assert_eq!(read(&deliveries, number).await.wake_at, Some(at(61)));
        deliveries
            .record_attempt(&delivery(number), &attempt(70), Delivered)
            .await
            .unwrap();
        let record = read(&deliveries, number).await;
        assert_eq!(
            (record.state, record.delivery.attempts, record.attempts_made),
            (EventDeliveryState::Delivered, 1, 3)
        );
    }
    assert_eq!(deliveries.replay("a", &event(9), at(61), at(60)).await.unwrap(), None);
    assert_eq!(store.count(TABLE).await, 4);
}

#[tokio::test]
async fn a_replayed_delivery_is_kept_for_another_fortnight() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    deliveries.put_waiting(&delivery(1), at(0), at(0)).await.unwrap();
    deliveries.replay("a", &event(1), at(5_000), at(5_000)).await.unwrap();
    let scan = store.client().scan().table_name(store.table(TABLE));
    let item = scan.send().await.unwrap().items.unwrap().pop().unwrap();
    assert_eq!(number(&item, "expires_at"), at(5_000 + FORTNIGHT).as_second());
}
