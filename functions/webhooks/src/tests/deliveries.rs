//! Single deliveries: their attempts, their records and the waits between.

use std::time::Duration;

use domain::webhook::signature::signatures;
use domain::webhook::{DeliveryState, Secrets};
use jiff::{SignedDuration, Timestamp};

use super::world::{Outage, Queued, UNLIMITED, World, at, delivery, secret, stored, whole};
use crate::receiver::{Receiver, Reply};
use crate::state::Limits;

const SHORT: Duration = Duration::from_millis(300);

/// A receiver that always answers so, and its endpoint `a`.
async fn receiving(world: &World, reply: Reply) -> Receiver {
    let receiver = Receiver::start(move |_, _| reply.clone()).await;
    world.endpoint("a", &receiver.url()).await;
    receiver
}

#[tokio::test]
async fn an_event_is_delivered_once_with_a_signature_and_a_record() {
    let world = World::start().await;
    let receiver = receiving(&world, Reply::status(200)).await;
    let delivery = delivery("a", 1);
    assert_eq!(world.deliver(&[whole(&delivery)], at(0)).await, [0; 0]);
    let [request] = &receiver.received()[..] else {
        panic!("{:?}", receiver.received());
    };
    assert_eq!(request.body, delivery.body);
    let seconds: i64 = request.header("webhook-timestamp").unwrap().parse().unwrap();
    let secrets = Secrets {
        current: secret(),
        previous: None,
    };
    let sent_at = Timestamp::from_second(seconds).unwrap();
    assert!(sent_at >= at(0));
    let expected = signatures(&secrets, &delivery.event, sent_at, &delivery.body);
    for name in ["webhook-signature", "svix-signature"] {
        assert_eq!(request.header(name), Some(expected.as_str()), "{name}");
    }
    let record = world.record(&delivery).await.unwrap();
    assert_eq!((record.state, record.attempts_made), (DeliveryState::Delivered, 1));
    let [attempt] = &record.attempts[..] else {
        panic!("{record:?}");
    };
    assert_eq!((attempt.status, attempt.error.as_deref()), (Some(200), None));
    assert_eq!(attempt.answer, "body");
    assert_eq!(world.queued(), []);
}

#[tokio::test]
async fn both_secrets_sign_after_a_rotation() {
    let world = World::start().await;
    let receiver = receiving(&world, Reply::status(200)).await;
    let new = domain::webhook::SigningSecret::from_random([8; 32]);
    let secrets = world.webhooks.rotate("a", &new, at(0)).await.unwrap().unwrap();
    let delivery = delivery("a", 1);
    world.deliver(&[whole(&delivery)], at(10)).await;
    let request = &receiver.received()[0];
    let sent_at = Timestamp::from_second(request.header("webhook-timestamp").unwrap().parse().unwrap()).unwrap();
    let signature = request.header("webhook-signature").unwrap();
    assert_eq!(
        signature,
        signatures(&secrets, &delivery.event, sent_at, &delivery.body)
    );
    assert_eq!(signature.split(' ').count(), 2);
}

#[tokio::test]
async fn a_failed_delivery_comes_again_with_the_same_id_and_body() {
    let world = World::start().await;
    let receiver = Receiver::start(|nth, _| Reply::status(if nth < 2 { 500 } else { 200 })).await;
    world.endpoint("a", &receiver.url()).await;
    let delivery = delivery("a", 1);
    assert_eq!(world.deliver(&[whole(&delivery)], at(0)).await, [0; 0]);
    let record = world.record(&delivery).await.unwrap();
    assert_eq!((record.state, record.due_at), (DeliveryState::Waiting, None));
    let queued = |delay| Queued {
        message: stored(&delivery),
        delay: Duration::from_secs(delay),
    };
    assert_eq!(world.queued(), [queued(5)]);
    assert_eq!(world.deliver(&[stored(&delivery)], at(5)).await, [0; 0]);
    assert_eq!(world.queued(), [queued(5), queued(300)]);
    assert_eq!(world.deliver(&[stored(&delivery)], at(305)).await, [0; 0]);
    let record = world.record(&delivery).await.unwrap();
    assert_eq!((record.state, record.attempts_made), (DeliveryState::Delivered, 3));
    let statuses: Vec<Option<u16>> = record.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(500), Some(500), Some(200)]);
    let requests = receiver.received();
    assert!(requests.iter().all(|request| request.body == delivery.body));
    assert_eq!(receiver.ids(), [delivery.event.as_str(); 3]);
    assert_eq!(world.webhooks.health("a").await.unwrap().unwrap().failures, 0);
}

#[tokio::test]
async fn a_delivery_has_failed_after_eight_attempts() {
    let world = World::start().await;
    let receiver = receiving(&world, Reply::status(500)).await;
    let delivery = delivery("a", 1);
    world.deliver(&[whole(&delivery)], at(0)).await;
    let mut now = at(0);
    for wait in [5, 300] {
        now += SignedDuration::from_secs(wait);
        world.deliver(&[stored(&delivery)], now).await;
    }
    for minutes in [30, 120, 300, 600, 600] {
        let record = world.record(&delivery).await.unwrap();
        let due_at = record.due_at.unwrap();
        // The wait begins when the attempt has ended.
        assert!(due_at >= now + SignedDuration::from_mins(minutes), "{minutes}");
        // Before it is due, a message changes nothing.
        let attempts = receiver.received().len();
        world
            .deliver(&[stored(&delivery)], due_at - SignedDuration::from_mins(1))
            .await;
        assert_eq!(receiver.received().len(), attempts);
        now = due_at;
        world.deliver(&[stored(&delivery)], now).await;
    }
    let record = world.record(&delivery).await.unwrap();
    assert_eq!((record.state, record.attempts_made), (DeliveryState::Failed, 8));
    assert_eq!((receiver.received().len(), world.queued().len()), (8, 2));
    // A copy of a message finds that it is over.
    assert_eq!(world.deliver(&[stored(&delivery)], now).await, [0; 0]);
    assert_eq!(receiver.received().len(), 8);
}

#[tokio::test]
async fn a_receiver_may_ask_for_a_longer_wait() {
    for (status, wait, queued) in [(429, 60, true), (503, 3_600, false), (500, 3_600, true)] {
        let world = World::start().await;
        let _receiver = receiving(&world, Reply::with_header(status, &format!("retry-after: {wait}"))).await;
        let delivery = delivery("a", 1);
        world.deliver(&[whole(&delivery)], at(0)).await;
        let record = world.record(&delivery).await.unwrap();
        assert_eq!(record.state, DeliveryState::Waiting);
        if queued {
            // Only with 429 and 503 does the header count.
            let expected = if status == 429 { wait } else { 5 };
            assert_eq!(world.queued()[0].delay, Duration::from_secs(expected), "{status}");
        } else {
            assert!(record.due_at.unwrap() >= at(3_600), "{record:?}");
            assert_eq!(world.queued(), []);
        }
    }
}

#[tokio::test]
async fn receivers_that_do_not_answer_have_failed() {
    for reply in [Reply::Never, Reply::Last(Vec::new())] {
        let mut world = World::start().await;
        let limits = Limits {
            request: SHORT,
            ..UNLIMITED
        };
        world.restart(Outage::default(), limits);
        let _receiver = receiving(&world, reply).await;
        let delivery = delivery("a", 1);
        assert_eq!(world.deliver(&[whole(&delivery)], at(0)).await, [0; 0]);
        let record = world.record(&delivery).await.unwrap();
        assert_eq!((record.attempts[0].status, record.attempts_made), (None, 1));
        assert!(record.attempts[0].error.is_some());
        assert_eq!(world.queued().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_to_the_metadata_service_is_a_failure() {
    let world = World::start().await;
    let redirect = Reply::with_header(302, "location: http://169.254.169.254/latest/meta-data/");
    let _receiver = receiving(&world, redirect).await;
    let delivery = delivery("a", 1);
    world.deliver(&[whole(&delivery)], at(0)).await;
    let record = world.record(&delivery).await.unwrap();
    assert_eq!(
        (record.attempts[0].status, record.state),
        (Some(302), DeliveryState::Waiting)
    );
}

#[tokio::test]
async fn a_url_that_is_not_allowed_is_not_called() {
    let world = World::start().await;
    for (id, url) in [
        ("a", "http://10.0.0.1/hook"),
        ("b", "https://169.254.169.254/hook"),
        ("c", "https://localhost/hook"),
    ] {
        world.endpoint(id, url).await;
        let delivery = delivery(id, 1);
        world.deliver(&[whole(&delivery)], at(0)).await;
        let record = world.record(&delivery).await.unwrap();
        let attempt = &record.attempts[0];
        let error = attempt.error.as_deref().unwrap();
        assert!(error.contains("not allowed"), "{url}: {error}");
        assert_eq!((attempt.status, attempt.duration), (None, Duration::ZERO));
    }
}

#[tokio::test]
async fn a_crash_before_the_record_repeats_the_event_with_its_id() {
    let mut world = World::start().await;
    let receiver = receiving(&world, Reply::status(200)).await;
    let delivery = delivery("a", 1);
    world.restart(
        Outage {
            deliveries: true,
            queue: false,
        },
        UNLIMITED,
    );
    // The receiver has the event, and the table does not take the record.
    assert_eq!(world.deliver(&[whole(&delivery)], at(0)).await, [0]);
    assert_eq!(world.record(&delivery).await, None);
    world.restart(Outage::default(), UNLIMITED);
    assert_eq!(world.deliver_received(&[whole(&delivery)], 2, at(360)).await, [0; 0]);
    assert_eq!(receiver.ids(), [delivery.event.as_str(); 2]);
    assert_eq!(world.record(&delivery).await.unwrap().state, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_crash_after_the_record_repeats_nothing() {
    let world = World::start().await;
    let receiver = receiving(&world, Reply::status(200)).await;
    let delivery = delivery("a", 1);
    world.deliver(&[whole(&delivery)], at(0)).await;
    assert_eq!(world.deliver_received(&[whole(&delivery)], 2, at(360)).await, [0; 0]);
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_copy_of_sqs_is_delivered_again_with_the_same_id() {
    let world = World::start().await;
    let receiver = receiving(&world, Reply::status(200)).await;
    let delivery = delivery("a", 1);
    for now in [at(0), at(1)] {
        assert_eq!(world.deliver(&[whole(&delivery)], now).await, [0; 0]);
    }
    assert_eq!(receiver.ids(), [delivery.event.as_str(); 2]);
    assert_eq!(world.record(&delivery).await.unwrap().state, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_retry_that_sqs_does_not_take_waits_in_the_table() {
    let mut world = World::start().await;
    let receiver = Receiver::start(|nth, _| Reply::status(if nth == 0 { 500 } else { 200 })).await;
    world.endpoint("a", &receiver.url()).await;
    let delivery = delivery("a", 1);
    world.restart(
        Outage {
            deliveries: false,
            queue: true,
        },
        UNLIMITED,
    );
    assert_eq!(world.deliver(&[whole(&delivery)], at(0)).await, [0; 0]);
    let due_at = world.record(&delivery).await.unwrap().due_at.unwrap();
    assert!(due_at >= at(5));
    assert_eq!(world.deliveries.due("a", due_at, 10).await.unwrap().len(), 1);
    world.deliver(&[stored(&delivery)], due_at).await;
    assert_eq!(world.record(&delivery).await.unwrap().state, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_delivery_that_has_lapsed_is_dropped() {
    let world = World::start().await;
    let receiver = receiving(&world, Reply::status(200)).await;
    assert_eq!(world.deliver(&[stored(&delivery("a", 1))], at(0)).await, [0; 0]);
    assert_eq!(receiver.received(), []);
}
