//! Others at the same mail: a worker reads the row again where its condition fails, and takes the next step from there.

use std::time::Duration;

use domain::record::{DeliveryState, SenderState};

use crate::network::{Fate, Fault, On};
use crate::working::Batch;
use crate::world::World;

/// The write before SES is called waits until the test lets it go on.
fn begins_late() -> Fault {
    Fault::at(
        On::Saying("UpdateItem", "#lease_until = :new_lease_until"),
        0,
        1,
        Fate::Waits,
    )
}

#[tokio::test]
async fn a_mail_that_is_called_back_before_its_slot_is_not_sent() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let late = [begins_late()];
    let (worked, ()) = tokio::join!(world.work_on(id, &late), async {
        world.shared.reached.notified().await;
        assert_eq!(world.cancel(id, &[]).await, Ok(()));
        world.shared.go_on.notify_one();
    });
    assert!(worked.is_acknowledged() && worked.count("SendEmail") == 0, "{worked:?}");
    assert_eq!(world.state(id).await, SenderState::Canceled);
}

#[tokio::test]
async fn a_mail_that_gets_a_new_time_before_its_slot_keeps_it() {
    let world = Box::pin(World::start()).await;
    for (name, ahead, calls, delays) in [
        ("now", 0, 1, vec![]),
        ("soon", 300, 0, vec![300]),
        ("late", 5_000, 0, vec![]),
    ] {
        let id = world.waiting(name).await;
        let late = [begins_late()];
        let (worked, ()) = tokio::join!(world.work_on(id, &late), async {
            world.shared.reached.notified().await;
            assert_eq!(world.reschedule(id, ahead, &[]).await, Ok(()), "{name}");
            world.shared.go_on.notify_one();
        });
        assert!(worked.is_acknowledged(), "{name}: {worked:?}");
        // A mail that is due all the same is sent with the slot that it has.
        assert_eq!(worked.count("SendEmail"), calls, "{name}: {worked:?}");
        // Behind the hint of the reschedule itself.
        let own: Vec<i64> = worked.hints[usize::from(ahead <= 900)..]
            .iter()
            .map(|(_, delay)| *delay)
            .collect();
        assert_eq!(own, delays, "{name}: {worked:?}");
        world.advance(Duration::from_mins(100));
        world.new_gate().await;
        if calls == 0 {
            assert!(world.work_on(id, &[]).await.is_acknowledged(), "{name}");
        }
        assert_eq!(world.mails(&format!("{name}/0")).len(), 1, "{name}");
    }
}

#[tokio::test]
async fn two_workers_at_one_mail_send_it_once() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let batch = Batch::of(&[world.hint(id).await]);
    let late = batch.clone().with(begins_late());
    let (first, second) = tokio::join!(world.work(&late), async {
        world.shared.reached.notified().await;
        let second = world.work(&batch).await;
        world.shared.go_on.notify_one();
        second
    });
    assert!(
        first.is_acknowledged() && second.is_acknowledged(),
        "{first:?} {second:?}"
    );
    assert_eq!((first.count("SendEmail"), second.count("SendEmail")), (0, 1));
    assert_eq!(
        world.row(id).await.unwrap().state(world.clock.now()),
        DeliveryState::Sent
    );
    assert_eq!(world.mails("k/0").len(), 1);
}

/// The process ends at each call of an invocation in turn. The mail is sent once, or its end is unknown.
#[tokio::test]
async fn a_worker_that_dies_anywhere_doubles_nothing_and_leaves_nothing() {
    let world = Box::pin(World::start()).await;
    for call in 0..14 {
        for fate in [Fate::DiesBefore, Fate::DiesAfter] {
            let name = format!("{call} {fate:?}");
            let id = world.waiting(&name).await;
            let batch = Batch::of(&[world.hint(id).await]);
            world
                .work(&batch.clone().with(Fault::at(On::Store, call, 1, fate)))
                .await;
            world.shared.carry_out_late().await;
            world.work(&batch).await;
            // An hour past any lease.
            world.advance(Duration::from_mins(63));
            world.new_gate().await;
            assert!(world.work(&batch).await.is_acknowledged(), "{name}");
            let row = world.row(id).await.unwrap();
            let sent = world.mails(&format!("{name}/0")).len();
            match row.state(world.clock.now()) {
                DeliveryState::Sent => assert_eq!(sent, 1, "{name}"),
                DeliveryState::Unknown => assert!(sent <= 1 && row.written == SenderState::Unknown, "{name}"),
                state => panic!("{name}: {state:?}"),
            }
            assert_eq!(world.waiting_items(Some(id)).await, 0, "{name}");
        }
    }
}
