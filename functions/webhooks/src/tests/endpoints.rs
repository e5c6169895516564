//! Endpoints: how many deliveries one gets, when one is parked, and when one gets none.

use std::time::Duration;

use domain::webhook::{
    AfterAttempt, Attempt, DeliveryMessage, DisabledBecause, EndpointChange, EndpointState, EventDeliveryState,
    FAILURES_TO_PARK, LastFailure, Target,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::Instant;

use super::world::{Outage, UNLIMITED, World, at, delivery, stored, whole};
use crate::receiver::{Receiver, Reply};
use crate::state::Limits;

const HURRIED: Limits = Limits {
    begin_within: Duration::ZERO,
    ..UNLIMITED
};

/// Messages about new deliveries with these numbers.
pub(super) fn new(endpoint: &str, numbers: std::ops::Range<u32>) -> Vec<DeliveryMessage> {
    numbers.map(|number| whole(&delivery(endpoint, number))).collect()
}

/// Lets an endpoint fail as often as it takes to park it.
pub(super) async fn park(world: &World, endpoint: &str, now: Timestamp) {
    for _ in 0..FAILURES_TO_PARK {
        let seen = world.webhooks.health(endpoint).await.unwrap().unwrap();
        let failure = LastFailure {
            at: now,
            status: Some(500),
            error: None,
        };
        world
            .webhooks
            .failed(endpoint, &failure, FAILURES_TO_PARK, &seen)
            .await
            .unwrap();
    }
}

/// Lets a delivery wait in the table until it is due, after an attempt at `now`.
pub(super) async fn waiting(world: &World, number: u32, now: Timestamp, due_at: Timestamp) {
    let attempt = Attempt {
        at: now,
        status: Some(500),
        error: None,
        duration: Duration::ZERO,
        answer: String::new(),
    };
    let then = AfterAttempt::WakeAt(due_at);
    world
        .deliveries
        .record_attempt(&delivery("a", number), &attempt, then)
        .await
        .unwrap();
}

pub(super) async fn states(
    world: &World,
    endpoint: &str,
    numbers: std::ops::Range<u32>,
) -> Vec<Option<EventDeliveryState>> {
    let mut states = Vec::new();
    for number in numbers {
        states.push(
            world
                .record(&delivery(endpoint, number))
                .await
                .map(|record| record.state),
        );
    }
    states
}

#[tokio::test]
async fn what_an_invocation_has_no_time_for_goes_back_to_the_queue() {
    let mut world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    world.endpoint("a", &receiver.url()).await;
    world.restart(Outage::default(), HURRIED);
    assert_eq!(world.deliver(&new("a", 0..5), at(0)).await, [0; 0]);
    assert_eq!(receiver.received().len(), 2);
    let queued = world.queued();
    assert_eq!(
        queued.iter().map(|queued| queued.delay).collect::<Vec<_>>(),
        [Duration::from_secs(5); 3]
    );
    let back: Vec<DeliveryMessage> = queued.into_iter().map(|queued| queued.message).collect();
    assert_eq!(back, new("a", 2..5));
}

#[tokio::test]
async fn what_the_queue_does_not_take_back_comes_again() {
    let mut world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    world.endpoint("a", &receiver.url()).await;
    let outage = Outage {
        queue: true,
        deliveries: false,
    };
    world.restart(outage, HURRIED);
    assert_eq!(world.deliver(&new("a", 0..4), at(0)).await, [2, 3]);
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn two_deliveries_to_an_endpoint_are_attempted_at_a_time() {
    let mut world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::Never).await;
    world.endpoint("a", &receiver.url()).await;
    let limits = Limits {
        request: Duration::from_millis(200),
        ..UNLIMITED
    };
    world.restart(Outage::default(), limits);
    let began = Instant::now();
    assert_eq!(world.deliver(&new("a", 0..4), at(0)).await, [0; 0]);
    // Each of them takes its whole time, so there were two pairs of them, one after the other.
    assert!(began.elapsed() >= 2 * limits.request);
    assert_eq!(receiver.received().len(), 4);
    assert_eq!(states(&world, "a", 0..4).await, [Some(EventDeliveryState::Waiting); 4]);
}

#[tokio::test]
async fn a_slow_endpoint_does_not_hold_up_another() {
    let mut world = World::start().await;
    let slow = Receiver::start(|_, _| Reply::Never).await;
    let fast = Receiver::start(|_, _| Reply::status(200)).await;
    world.endpoint("a", &slow.url()).await;
    world.endpoint("b", &fast.url()).await;
    let limits = Limits {
        request: Duration::from_secs(1),
        begin_within: Duration::ZERO,
        ..UNLIMITED
    };
    world.restart(Outage::default(), limits);
    let messages = [new("a", 0..4), new("b", 0..2)].concat();
    assert_eq!(world.deliver(&messages, at(0)).await, [0; 0]);
    assert_eq!((slow.received().len(), fast.received().len()), (2, 2));
    assert_eq!(
        states(&world, "b", 0..2).await,
        [Some(EventDeliveryState::Delivered); 2]
    );
}

#[tokio::test]
async fn twenty_failures_in_a_row_park_an_endpoint() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(500)).await;
    world.endpoint("a", &receiver.url()).await;
    for batch in 0..2 {
        world
            .deliver(&new("a", batch * 10..(batch + 1) * 10), at(batch.into()))
            .await;
    }
    assert_eq!(receiver.received().len(), 20);
    let health = world.webhooks.health("a").await.unwrap().unwrap();
    assert_eq!((health.failures, health.is_parked()), (20, true));
    // New deliveries and retries out of SQS wait in the table from now on.
    let first = delivery("a", 0);
    assert_eq!(
        world
            .deliver(&[new("a", 20..25), vec![stored(&first)]].concat(), at(5))
            .await,
        [0; 0]
    );
    assert_eq!(receiver.received().len(), 20);
    assert_eq!(
        states(&world, "a", 20..25).await,
        [Some(EventDeliveryState::Waiting); 5]
    );
    let record = world.record(&first).await.unwrap();
    assert_eq!((record.attempts_made, record.due_at.is_some()), (1, true));
    let due = world.deliveries.due("a", at(60), 100).await.unwrap();
    // The last failure, which parked it, put its own delivery there.
    assert_eq!(due.len(), 7);
}

#[tokio::test]
async fn a_parked_endpoint_gets_one_probe_of_the_table() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(500)).await;
    world.endpoint("a", &receiver.url()).await;
    park(&world, "a", at(0)).await;
    for number in 0..3 {
        waiting(&world, number, at(0), at(3_600)).await;
    }
    let messages: Vec<DeliveryMessage> = (0..3).map(|number| stored(&delivery("a", number))).collect();
    assert_eq!(
        world.deliver(&[new("a", 3..4), messages].concat(), at(60)).await,
        [0; 0]
    );
    assert_eq!(receiver.ids(), [delivery("a", 0).event.as_str()]);
    // The probe is in the log, and costs the delivery no attempt.
    let record = world.record(&delivery("a", 0)).await.unwrap();
    assert_eq!((record.attempts_made, record.delivery.attempts), (2, 1));
    assert_eq!(
        (record.state, record.due_at),
        (EventDeliveryState::Waiting, Some(at(3_600)))
    );
    // One that is due counts.
    world.deliver(&[stored(&delivery("a", 0))], at(3_600)).await;
    let record = world.record(&delivery("a", 0)).await.unwrap();
    assert_eq!(record.delivery.attempts, 2);
    assert!(record.due_at.unwrap() >= at(3_900), "{record:?}");
    assert_eq!(world.queued(), []);
}

#[tokio::test]
async fn a_probe_that_succeeds_ends_the_parking() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    world.endpoint("a", &receiver.url()).await;
    park(&world, "a", at(0)).await;
    waiting(&world, 0, at(0), at(3_600)).await;
    waiting(&world, 1, at(0), at(30)).await;
    // The probe comes first, whatever the order of the batch.
    let messages = [
        new("a", 2..4),
        vec![stored(&delivery("a", 0)), stored(&delivery("a", 1))],
    ]
    .concat();
    assert_eq!(world.deliver(&messages, at(60)).await, [0; 0]);
    assert_eq!(receiver.received().len(), 4);
    assert_eq!(receiver.ids()[0], delivery("a", 0).event.as_str());
    assert_eq!(
        states(&world, "a", 0..4).await,
        [Some(EventDeliveryState::Delivered); 4]
    );
    let health = world.webhooks.health("a").await.unwrap().unwrap();
    assert_eq!((health.failures, health.is_parked()), (0, false));
}

#[tokio::test]
async fn an_endpoint_that_is_parked_for_five_days_is_disabled() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(500)).await;
    world.endpoint("a", &receiver.url()).await;
    park(&world, "a", at(0)).await;
    let five_days = SignedDuration::from_hours(120);
    for number in 0..3 {
        waiting(&world, number, at(0), at(0) + five_days + SignedDuration::from_hours(1)).await;
    }
    let probe = [stored(&delivery("a", 0))];
    world.deliver(&probe, at(-60) + five_days).await;
    assert_eq!(
        world.webhooks.get("a").await.unwrap().unwrap().state,
        EndpointState::Enabled
    );
    world
        .deliver(&[probe.to_vec(), new("a", 3..5)].concat(), at(0) + five_days)
        .await;
    assert_eq!(receiver.received().len(), 2);
    assert_eq!(
        world.webhooks.get("a").await.unwrap().unwrap().state,
        EndpointState::Disabled
    );
    let health = world.webhooks.health("a").await.unwrap().unwrap();
    assert_eq!(health.disabled_because, Some(DisabledBecause::Parked));
    assert_eq!(states(&world, "a", 0..5).await, [Some(EventDeliveryState::Failed); 5]);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(410)).await;
    world.endpoint("a", &receiver.url()).await;
    waiting(&world, 9, at(0), at(3_600)).await;
    world.deliver(&new("a", 0..1), at(0)).await;
    assert_eq!(
        world.webhooks.get("a").await.unwrap().unwrap().state,
        EndpointState::Disabled
    );
    let health = world.webhooks.health("a").await.unwrap().unwrap();
    assert_eq!(health.disabled_because, Some(DisabledBecause::Gone));
    // It is noticed at once, although endpoints are known for some seconds.
    assert_eq!(world.deliver(&new("a", 1..3), at(1)).await, [0; 0]);
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(states(&world, "a", 0..3).await, [Some(EventDeliveryState::Failed); 3]);
    assert_eq!(states(&world, "a", 9..10).await, [Some(EventDeliveryState::Failed)]);
    assert_eq!(world.queued(), []);
}

#[tokio::test]
async fn an_endpoint_that_moved_is_not_gone() {
    let world = World::start().await;
    let before = Receiver::start(|number, _| Reply::status(if number == 0 { 200 } else { 410 })).await;
    let after = Receiver::start(|_, _| Reply::status(200)).await;
    world.endpoint("a", &before.url()).await;
    waiting(&world, 9, at(0), at(3_600)).await;
    world.deliver(&new("a", 0..1), at(0)).await;
    let change = EndpointChange {
        url: Some(after.url()),
        ..EndpointChange::default()
    };
    world.webhooks.update("a", &change).await.unwrap().unwrap();
    // The URL before is known for some seconds.
    world.deliver(&new("a", 1..2), at(1)).await;
    assert_eq!(before.received().len(), 2);
    assert_eq!(
        world.webhooks.get("a").await.unwrap().unwrap().state,
        EndpointState::Enabled
    );
    assert_eq!(states(&world, "a", 9..10).await, [Some(EventDeliveryState::Waiting)]);
    // It is attempted again, where the endpoint is now.
    let queued: Vec<_> = world.queued().into_iter().map(|queued| queued.message).collect();
    assert_eq!(queued, [stored(&delivery("a", 1))]);
    world.deliver(&queued, at(2)).await;
    assert_eq!(after.ids(), [delivery("a", 1).event.as_str()]);
    assert_eq!(
        states(&world, "a", 0..2).await,
        [Some(EventDeliveryState::Delivered); 2]
    );
}

#[tokio::test]
async fn an_endpoint_that_recovers_before_it_is_disabled_keeps_its_deliveries() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(500)).await;
    world.endpoint("a", &receiver.url()).await;
    park(&world, "a", at(0)).await;
    let five_days = SignedDuration::from_hours(120);
    for number in 0..2 {
        waiting(&world, number, at(0), at(0) + five_days + SignedDuration::from_hours(1)).await;
    }
    let hold = json!({ "operation": "TransactWriteItems", "table": "WebhooksTable", "hold": "before" });
    world.faults.add(serde_json::from_value(hold).unwrap());
    let probe = [stored(&delivery("a", 0))];
    let enabling = async {
        while world.faults.held().is_empty() {
            tokio::task::yield_now().await;
        }
        let change = EndpointChange {
            state: Some(EndpointState::Enabled),
            ..EndpointChange::default()
        };
        world.webhooks.update("a", &change).await.unwrap().unwrap();
        world.faults.release().await;
    };
    tokio::join!(world.deliver(&probe, at(0) + five_days), enabling);
    assert_eq!(
        world.webhooks.get("a").await.unwrap().unwrap().state,
        EndpointState::Enabled
    );
    assert_eq!(states(&world, "a", 0..2).await, [Some(EventDeliveryState::Waiting); 2]);
}

#[tokio::test]
async fn an_endpoint_that_is_enabled_again_gets_its_next_delivery() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    world.endpoint("a", &receiver.url()).await;
    let set = async |state| {
        let change = EndpointChange {
            state: Some(state),
            ..EndpointChange::default()
        };
        world.webhooks.update("a", &change).await.unwrap().unwrap();
    };
    set(EndpointState::Disabled).await;
    world.deliver(&new("a", 0..1), at(0)).await;
    set(EndpointState::Enabled).await;
    world.deliver(&new("a", 1..2), at(1)).await;
    assert_eq!(
        states(&world, "a", 0..2).await,
        [Some(EventDeliveryState::Failed), Some(EventDeliveryState::Delivered)]
    );
}

#[tokio::test]
async fn a_change_by_the_owner_is_noticed_within_ten_seconds() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    world.endpoint("a", &receiver.url()).await;
    world.deliver(&new("a", 0..1), at(0)).await;
    let change = EndpointChange {
        state: Some(EndpointState::Disabled),
        ..EndpointChange::default()
    };
    world.webhooks.update("a", &change).await.unwrap().unwrap();
    world.deliver(&new("a", 1..2), at(1)).await;
    world.deliver(&new("a", 2..3), at(11)).await;
    assert_eq!(receiver.received().len(), 2);
    assert_eq!(states(&world, "a", 2..3).await, [Some(EventDeliveryState::Failed)]);
}

#[tokio::test]
async fn the_deliveries_of_a_deleted_endpoint_are_dropped() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    world.endpoint("a", &receiver.url()).await;
    assert!(world.webhooks.delete("a").await.unwrap());
    assert_eq!(world.deliver(&new("a", 0..2), at(0)).await, [0; 0]);
    assert_eq!(
        (receiver.received().len(), states(&world, "a", 0..2).await),
        (0, vec![None; 2])
    );
}

#[tokio::test]
async fn the_deliveries_of_a_listener_wait_for_it() {
    let world = World::start().await;
    world.target("a", Target::Listener { until: at(60) }).await;
    assert_eq!(world.deliver(&new("a", 0..2), at(0)).await, [0; 0]);
    assert_eq!(states(&world, "a", 0..2).await, [Some(EventDeliveryState::Waiting); 2]);
    assert_eq!(world.deliveries.due("a", at(60), 10).await.unwrap().len(), 2);
}
