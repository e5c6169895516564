//! Slow endpoints: one worker at a time waits for them, and the others deliver meanwhile.

use std::time::Duration;

use domain::webhook::EventDeliveryState::{Delivered, Waiting};
use domain::webhook::{DeliveryMessage, TIME_OUTS_TO_PARK};

use super::endpoints::{new, states, waiting};
use super::world::{Outage, UNLIMITED, World, at, delivery, stored};
use crate::receiver::{Receiver, Reply};
use crate::state::Limits;

/// A quick answer comes in time on a busy machine too. A test that waits for a late one to end takes too long.
const IMPATIENT: Limits = Limits {
    quick: Duration::from_secs(3),
    request: Duration::from_secs(30),
    ..UNLIMITED
};

/// An endpoint `a` that answers no request before the one with this number.
async fn silent_until(world: &mut World, limits: Limits, number: usize) -> Receiver {
    let receiver = Receiver::start(
        move |nth, _| {
            if nth < number { Reply::Never } else { Reply::status(200) }
        },
    )
    .await;
    world.endpoint("a", &receiver.url()).await;
    world.restart(Outage::default(), limits);
    receiver
}

#[tokio::test]
async fn a_worker_does_not_wait_while_another_one_does() {
    let mut world = World::start().await;
    let slow = silent_until(&mut world, IMPATIENT, 2).await;
    let fast = Receiver::start(|_, _| Reply::status(200)).await;
    world.endpoint("b", &fast.url()).await;
    assert!(world.webhooks.take_turn("another", at(0), at(20)).await.unwrap());
    let both = |numbers: std::ops::Range<u32>| [new("a", numbers.clone()), new("b", numbers)].concat();
    assert_eq!(world.deliver(&both(0..5), at(0)).await, [0; 0]);
    // Two requests were late. The endpoint is slow since, so it got no other one, and all wait without an attempt.
    assert_eq!((slow.received().len(), fast.received().len()), (2, 5));
    assert_eq!(states(&world, "a", 0..5).await, [Some(Waiting); 5]);
    assert_eq!(states(&world, "b", 0..5).await, [Some(Delivered); 5]);
    let record = world.record(&delivery("a", 0)).await.unwrap();
    assert_eq!((record.attempts_made, record.delivery.attempts), (0, 0));
    assert_eq!(world.webhooks.health("a").await.unwrap().unwrap().failures, 0);
    assert_eq!(world.deliver(&both(5..8), at(5)).await, [0; 0]);
    assert_eq!((slow.received().len(), fast.received().len()), (2, 8));
    // The sweep finds all of them.
    assert_eq!(world.deliveries.due("a", at(60), 100).await.unwrap().len(), 8);
    assert_eq!(world.queued(), []);
}

#[tokio::test]
async fn a_slow_endpoint_gets_its_events_from_the_worker_that_may_wait() {
    let mut world = World::start().await;
    let receiver = silent_until(&mut world, IMPATIENT, 2).await;
    assert!(world.webhooks.take_turn("another", at(0), at(20)).await.unwrap());
    world.deliver(&new("a", 0..3), at(0)).await;
    let messages: Vec<DeliveryMessage> = (0..3).map(|number| stored(&delivery("a", number))).collect();
    // A delivery that was handed over stays in the table as it is.
    let before = world.record(&delivery("a", 0)).await;
    assert_eq!(world.deliver(&messages, at(10)).await, [0; 0]);
    assert_eq!(
        (receiver.received().len(), world.record(&delivery("a", 0)).await),
        (2, before)
    );
    // The turn of the other one is over.
    assert_eq!(world.deliver(&messages, at(20)).await, [0; 0]);
    assert_eq!(states(&world, "a", 0..3).await, [Some(Delivered); 3]);
    // A quick answer ended the slowness, so the turn matters no more.
    assert!(world.webhooks.take_turn("another", at(60), at(80)).await.unwrap());
    assert_eq!(world.deliver(&new("a", 3..4), at(61)).await, [0; 0]);
    assert_eq!(states(&world, "a", 3..4).await, [Some(Delivered)]);
}

#[tokio::test]
async fn a_parked_endpoint_that_is_slow_is_probed_by_the_worker_that_may_wait() {
    let mut world = World::start().await;
    let receiver = silent_until(&mut world, IMPATIENT, 1).await;
    super::endpoints::park(&world, "a", at(0)).await;
    waiting(&world, 0, at(0), at(3_600)).await;
    assert!(world.webhooks.take_turn("another", at(60), at(80)).await.unwrap());
    let probe = [stored(&delivery("a", 0))];
    let before = world.record(&delivery("a", 0)).await;
    assert_eq!(world.deliver(&probe, at(60)).await, [0; 0]);
    assert_eq!(
        (receiver.received().len(), world.record(&delivery("a", 0)).await),
        (1, before)
    );
    assert!(world.webhooks.health("a").await.unwrap().unwrap().is_parked());
    assert_eq!(world.deliver(&probe, at(120)).await, [0; 0]);
    assert_eq!(states(&world, "a", 0..1).await, [Some(Delivered)]);
    assert!(!world.webhooks.health("a").await.unwrap().unwrap().is_parked());
}

#[tokio::test]
async fn three_time_outs_in_a_row_park_an_endpoint() {
    let mut world = World::start().await;
    let limits = Limits {
        quick: Duration::from_millis(50),
        request: Duration::from_secs(1),
        begin_within: Duration::ZERO,
    };
    let receiver = silent_until(&mut world, limits, usize::MAX).await;
    assert_eq!(world.deliver(&new("a", 0..6), at(0)).await, [0; 0]);
    // The worker has the turn, so it begins the second pair although the time for others is over.
    assert_eq!(receiver.received().len(), 4);
    let health = world.webhooks.health("a").await.unwrap().unwrap();
    assert!(health.is_parked() && health.failures >= TIME_OUTS_TO_PARK, "{health:?}");
    assert_eq!(states(&world, "a", 0..6).await, [Some(Waiting); 6]);
    // The last two wait in the table, and have not been tried.
    for number in [4, 5] {
        let record = world.record(&delivery("a", number)).await.unwrap();
        assert_eq!((record.attempts_made, record.due_at.is_some()), (0, true));
    }
    assert!(!world.webhooks.take_turn("another", at(0), at(1)).await.unwrap());
}
