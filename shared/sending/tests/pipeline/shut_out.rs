//! A key that was taken over is freed only when no earlier request can queue its email any more.

use domain::idempotency::LEASE;
use domain::queue::WhenBusy;
use sending::NotSent;

use crate::network::{Fate, Fault, On};
use crate::request::Request;
use crate::waiting::to_queue;
use crate::world::World;

/// The first request's acceptance has no answer. The second takes the key over and is refused. The caller corrects its
/// email, and the acceptance is carried out then.
#[tokio::test]
async fn a_late_acceptance_is_shut_out_before_the_key_is_free() {
    let world = Box::pin(World::start()).await;
    for is_confirmed in [true, false] {
        world.close_gate().await;
        let request = to_queue(&format!("k {is_confirmed}"));
        let first = world
            .submit(&request.clone().with(Fault::always(On::Transaction, Fate::Late)))
            .await;
        assert!(matches!(first.only(), Err(NotSent::Unknown { .. })), "{first:?}");
        world.advance(LEASE);
        world.close_gate().await;
        let mut refused = Request {
            when_busy: WhenBusy::Refuse,
            ..request.clone()
        };
        if !is_confirmed {
            refused.faults.push(Fault::always(On::Row("PutItem"), Fate::CutBefore));
        }
        let second = world.submit(&refused).await;
        assert!(matches!(second.only(), Err(NotSent::Busy(_))), "{second:?}");
        let mut corrected = refused.clone();
        (corrected.body, corrected.faults) = ("corrected".to_owned(), Vec::new());
        world.new_gate().await;
        let third = world.submit(&corrected).await;
        world.shared.carry_out_late().await;
        if is_confirmed {
            assert!(third.only().is_ok(), "{third:?}");
            assert!(world.entry(first.message).await.is_none());
        } else {
            // The email may still be queued, so the key keeps it.
            assert_eq!(*third.only(), Err(NotSent::KeyReused));
            assert!(world.entry(first.message).await.is_some());
            world.advance(LEASE);
            assert_eq!(world.submit(&request).await.id(), first.message);
        }
    }
}
