//! Attempts, and what follows each.

use domain::webhook::AfterAttempt::{AsBefore, Delivered, Failed, InQueue, WakeAt};
use domain::webhook::{ANSWER_MAX, ATTEMPTS_KEPT, Attempt, Delivery, DeliveryRecord, EventDeliveryState};

use jiff::SignedDuration;

use super::{FORTNIGHT, TABLE, attempt, delivery, event, read};
use crate::support::{Store, at, closed_port, number};

#[tokio::test]
async fn the_first_attempt_writes_the_delivery() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    let first = Attempt {
        status: None,
        error: Some("the name has no address".to_owned()),
        answer: String::new(),
        ..attempt(5)
    };
    deliveries
        .record_attempt(&delivery(1), &first, WakeAt(at(60)))
        .await
        .unwrap();
    let expected = DeliveryRecord {
        delivery: Delivery {
            attempts: 1,
            ..delivery(1)
        },
        state: EventDeliveryState::Waiting,
        attempts: vec![first],
        attempts_made: 1,
        due_at: Some(at(60)),
        wake_at: Some(at(60)),
    };
    assert_eq!(read(&deliveries, 1).await, expected);
    assert_eq!(deliveries.get("a", &event(2)).await.unwrap(), None);
    assert_eq!(deliveries.get("b", &event(1)).await.unwrap(), None);
}

#[tokio::test]
async fn each_outcome_sets_state_and_index_with_its_attempt() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    let steps = [
        (InQueue, EventDeliveryState::Waiting, None),
        (WakeAt(at(100)), EventDeliveryState::Waiting, Some(at(100))),
        (AsBefore, EventDeliveryState::Waiting, Some(at(100))),
        (WakeAt(at(200)), EventDeliveryState::Waiting, Some(at(200))),
        (Failed, EventDeliveryState::Failed, None),
        (InQueue, EventDeliveryState::Waiting, None),
        (WakeAt(at(300)), EventDeliveryState::Waiting, Some(at(300))),
        (Delivered, EventDeliveryState::Delivered, None),
    ];
    let mut attempts = Vec::new();
    let mut tries = 0;
    for (number, (then, state, wake_at)) in (1..).zip(steps) {
        attempts.push(attempt(number));
        let now = Delivery {
            attempts: tries,
            ..delivery(1)
        };
        deliveries.record_attempt(&now, &attempt(number), then).await.unwrap();
        tries += u32::from(then != AsBefore);
        let record = read(&deliveries, 1).await;
        assert_eq!((record.state, record.wake_at), (state, wake_at), "{then:?}");
        assert_eq!((record.due_at, &record.attempts), (wake_at, &attempts));
        assert_eq!(
            (record.delivery.attempts, record.attempts_made),
            (tries, u32::try_from(number).unwrap())
        );
        let waiting = deliveries.oldest_waiting("a").await.unwrap();
        assert_eq!(waiting.map(|waiting| waiting.wake_at), wake_at, "{then:?}");
    }
}

/// An attempt as a function has it, whose clock is finer than the item's.
fn finer(attempt: Attempt) -> Attempt {
    let at = attempt.at.checked_add(SignedDuration::from_nanos(999_999)).unwrap();
    Attempt { at, ..attempt }
}

#[tokio::test]
async fn an_attempt_is_written_once_though_the_answer_is_lost() {
    let store = Store::start().await;
    for (number, then) in (1..).zip([InQueue, WakeAt(at(9)), Failed, Delivered]) {
        for at in [5, 6] {
            let forgetful = store.losing_an_answer().await.deliveries();
            forgetful
                .record_attempt(&delivery(number), &finer(attempt(at)), then)
                .await
                .unwrap();
        }
        let record = read(&store.deliveries(), number).await;
        assert_eq!((record.attempts.len(), record.attempts_made), (2, 2), "{then:?}");
        let forgetful = store.losing_an_answer().await.deliveries();
        forgetful
            .record_attempt(&delivery(number), &finer(attempt(7)), AsBefore)
            .await
            .unwrap();
        assert_eq!(read(&store.deliveries(), number).await.attempts_made, 3, "{then:?}");
    }
}

#[tokio::test]
async fn a_late_write_of_an_older_attempt_is_kept_in_the_log_alone() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    for (number, then, state) in [
        (1, Delivered, EventDeliveryState::Delivered),
        (2, Failed, EventDeliveryState::Failed),
        (3, WakeAt(at(900)), EventDeliveryState::Waiting),
    ] {
        deliveries
            .record_attempt(&delivery(number), &attempt(50), then)
            .await
            .unwrap();
        let before = read(&deliveries, number).await;
        for (older, late) in [(10, WakeAt(at(60))), (30, InQueue), (20, Failed)] {
            deliveries
                .record_attempt(&delivery(number), &attempt(older), late)
                .await
                .unwrap();
        }
        let record = read(&deliveries, number).await;
        assert_eq!(record.attempts, [10, 20, 30, 50].map(attempt));
        assert_eq!(
            (record.state, record.wake_at, record.due_at),
            (state, before.wake_at, before.due_at)
        );
        assert_eq!((record.delivery, record.attempts_made), (before.delivery, 4));
    }
}

#[tokio::test]
async fn delivered_stays_delivered_whatever_another_attempt_finds() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    deliveries
        .record_attempt(&delivery(1), &attempt(1), Delivered)
        .await
        .unwrap();
    for (at_then, then) in [
        (2, WakeAt(at(60))),
        (3, InQueue),
        (4, Failed),
        (5, AsBefore),
        (6, Delivered),
    ] {
        deliveries
            .record_attempt(&delivery(1), &attempt(at_then), then)
            .await
            .unwrap();
        let record = read(&deliveries, 1).await;
        assert_eq!(
            (record.state, record.wake_at),
            (EventDeliveryState::Delivered, None),
            "{then:?}"
        );
    }
    assert_eq!(read(&deliveries, 1).await.attempts_made, 6);
    assert_eq!(deliveries.oldest_waiting("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_success_counts_even_if_it_is_written_late() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    deliveries
        .record_attempt(&delivery(1), &attempt(2), WakeAt(at(60)))
        .await
        .unwrap();
    deliveries
        .record_attempt(&delivery(1), &attempt(1), Delivered)
        .await
        .unwrap();
    let record = read(&deliveries, 1).await;
    assert_eq!((record.state, record.wake_at), (EventDeliveryState::Delivered, None));
    assert_eq!(record.attempts, [1, 2].map(attempt));
}

#[tokio::test]
async fn the_newest_attempts_are_kept_and_all_are_counted() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    for number in 1..=30 {
        let then = if number == 30 { WakeAt(at(99)) } else { InQueue };
        deliveries
            .record_attempt(&delivery(1), &attempt(number), then)
            .await
            .unwrap();
    }
    let record = read(&deliveries, 1).await;
    assert_eq!((record.attempts.len(), record.attempts_made), (ATTEMPTS_KEPT, 30));
    assert_eq!((record.attempts[0].at, record.attempts[19].at), (at(11), at(30)));
    assert_eq!(
        (record.state, record.wake_at),
        (EventDeliveryState::Waiting, Some(at(99)))
    );
    deliveries
        .record_attempt(&delivery(1), &attempt(31), Delivered)
        .await
        .unwrap();
    let record = read(&deliveries, 1).await;
    assert_eq!(
        (record.state, record.wake_at, record.attempts_made),
        (EventDeliveryState::Delivered, None, 31)
    );
}

#[tokio::test]
async fn a_probe_of_a_delivery_that_has_lapsed_leaves_nothing() {
    let store = Store::start().await;
    let recorded = store
        .deliveries()
        .record_attempt(&delivery(1), &attempt(1), AsBefore)
        .await;
    recorded.unwrap();
    assert_eq!(store.count(TABLE).await, 0);
}

#[tokio::test]
async fn the_largest_log_fits_into_an_item() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    // The cut falls into a letter of three bytes.
    let large = Attempt {
        answer: "あ".repeat(10_000),
        error: Some("x".repeat(10_000)),
        ..attempt(0)
    };
    let whole = Delivery {
        body: "b".repeat(200_000),
        ..delivery(1)
    };
    for number in 1..=25 {
        let attempt = Attempt {
            at: at(number),
            ..large.clone()
        };
        deliveries.record_attempt(&whole, &attempt, InQueue).await.unwrap();
    }
    let record = read(&deliveries, 1).await;
    assert_eq!(record.delivery.body, whole.body);
    assert_eq!(record.attempts.len(), ATTEMPTS_KEPT);
    for attempt in record.attempts {
        assert_eq!(attempt.answer, "あ".repeat(ANSWER_MAX / 3));
        assert_eq!(attempt.error.map(|error| error.len()), Some(ANSWER_MAX));
    }
}

#[tokio::test]
async fn a_delivery_is_kept_for_a_fortnight_after_it_was_written() {
    let store = Store::start().await;
    let deliveries = store.deliveries();
    for number in [3_000, 9_000] {
        deliveries
            .record_attempt(&delivery(1), &attempt(number), InQueue)
            .await
            .unwrap();
    }
    let shard = key(&store).await;
    let item = store
        .item(TABLE, &[("shard", &shard), ("event", event(1).as_str())])
        .await
        .unwrap();
    assert_eq!(number(&item, "expires_at"), at(3_000 + FORTNIGHT).as_second());
}

/// The shard of the only item.
async fn key(store: &Store) -> String {
    let scan = store.client().scan().table_name(store.table(TABLE));
    let item = scan.send().await.unwrap().items.unwrap().pop().unwrap();
    crate::support::text(&item, "shard").to_owned()
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error() {
    let deliveries = Store::at(&closed_port().await).deliveries();
    let recorded = deliveries.record_attempt(&delivery(1), &attempt(1), Delivered).await;
    assert_eq!(recorded.unwrap_err().operation, "UpdateItem");
    assert_eq!(deliveries.get("a", &event(1)).await.unwrap_err().operation, "GetItem");
    assert_eq!(deliveries.due("a", at(0), 1).await.unwrap_err().operation, "Query");
}
