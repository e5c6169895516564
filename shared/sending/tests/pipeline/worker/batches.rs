//! A batch of hints: what befalls one mail does not befall the others.

use domain::queue::Hint;
use domain::record::{DeliveryState, FailedReason, SenderState};
use uuid::Uuid;

use crate::network::{Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::waiting::to_queue;
use crate::working::Batch;
use crate::world::World;

const COUNT: On = On::Saying("UpdateItem", "#crashes = if_not_exists");

impl World {
    /// Queues some mails of one request, opens the gate, and returns their ids with their hints.
    pub(crate) async fn waiting_mails(&self, name: &str, number: usize) -> Vec<(Uuid, Hint)> {
        self.close_gate().await;
        let request = Request {
            mails: vec![Mail::Plain; number],
            // A batch is as patient as its invocation.
            patience: sending::Patience::Within(crate::world::WAIT),
            ..to_queue(name)
        };
        let ended = self.submit(&request).await;
        let mut mails = Vec::new();
        for receipt in ended.each() {
            let id = receipt.as_ref().unwrap().id;
            mails.push((id, self.hint(id).await));
        }
        self.new_gate().await;
        mails
    }

    async fn crashes(&self, id: Uuid) -> u32 {
        self.entry(id).await.unwrap().crashes
    }
}

fn batch(mails: &[(Uuid, Hint)]) -> Batch {
    let hints: Vec<Hint> = mails.iter().map(|(_, hint)| hint.clone()).collect();
    Batch::of(&hints)
}

#[tokio::test]
async fn a_batch_is_sent_with_one_permit_and_one_reading_of_the_key() {
    let world = Box::pin(World::start()).await;
    let mails = world.waiting_mails("k", 10).await;
    let worked = world.work(&batch(&mails)).await;
    assert!(worked.is_acknowledged(), "{worked:?}");
    assert_eq!(
        (worked.count("SendEmail"), worked.saying("UpdateItem", "gate#")),
        (10, 1)
    );
    assert_eq!(worked.saying("GetItem", "ApiKeys"), 1);
    assert_eq!(world.waiting_items(None).await, 0);
}

#[tokio::test]
async fn a_mail_that_is_hinted_twice_is_worked_on_once() {
    let world = Box::pin(World::start()).await;
    let mails = world.waiting_mails("k", 1).await;
    let twice = [mails.clone(), mails.clone()].concat();
    let lost = Fault::always(On::Hint, Fate::CutBefore);
    let denied = Fault::always(On::Ses, Fate::Refused(503, "ServiceUnavailable", "No"));
    let worked = world.work(&batch(&twice).with(denied).with(lost)).await;
    // Both hints have the same fate.
    assert_eq!(
        (worked.again.as_ref().unwrap().len(), worked.count("SendEmail")),
        (2, 1)
    );
    let worked = world.work(&batch(&twice)).await;
    assert!(worked.is_acknowledged() && worked.count("SendEmail") == 1, "{worked:?}");
}

#[tokio::test]
async fn a_panic_fails_its_own_hint_alone() {
    let world = Box::pin(World::start()).await;
    let reads = [
        On::Saying("GetItem", "\"entry\""),
        On::Saying("BatchGetItem", "#content"),
        On::Saying("UpdateItem", "#lease_until = :new_lease_until"),
        On::Ses,
    ];
    for on in reads {
        let name = format!("{on:?}");
        let mails = world.waiting_mails(&name, 3).await;
        let worked = world.work(&batch(&mails).with(Fault::at(on, 1, 1, Fate::Panics))).await;
        assert_eq!(worked.again.as_ref().unwrap().len(), 1, "{name}: {worked:?}");
        let sent = (0..3).map(|place| world.mails(&format!("{name}/{place}")).len());
        assert_eq!(sent.sum::<usize>(), 2, "{name}");
    }
}

#[tokio::test]
async fn a_mail_with_which_workers_died_is_worked_on_alone_and_counted() {
    let world = Box::pin(World::start()).await;
    let mails = world.waiting_mails("k", 2).await;
    let mut hints = batch(&mails);
    hints.hints[0].receive_count = 3;
    let contents = On::Saying("BatchGetItem", "#content");
    let dies = Fault::at(contents, 1, 1, Fate::DiesBefore);
    let worked = world.work(&hints.clone().with(dies)).await;
    // The other mail was sent before, so that it is not taken along.
    assert_eq!((worked.again, world.mails("k/1").len()), (None, 1));
    assert_eq!(world.crashes(mails[0].0).await, 1);
    // An orderly end, here that of a mail that waits again, begins to count anew.
    world.close_gate().await;
    assert!(world.work(&hints).await.is_acknowledged());
    assert_eq!(world.crashes(mails[0].0).await, 0);
    world.new_gate().await;
    assert!(world.work(&hints).await.is_acknowledged());
    assert_eq!(world.mails("k/0").len(), 1);
}

#[tokio::test]
async fn a_mail_fails_before_its_content_is_read_a_fifth_time() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let hint = world.hint(id).await;
    let contents = On::Saying("BatchGetItem", "#content");
    for crashes in 1..=4 {
        let fate = if crashes % 2 == 0 {
            Fate::Panics
        } else {
            Fate::DiesBefore
        };
        // Once counted, it is worked on alone however often its hint came.
        let times = if crashes == 1 { 3 } else { 1 };
        let batch = Batch::of(std::slice::from_ref(&hint)).received(times);
        let worked = world.work(&batch.with(Fault::always(contents, fate))).await;
        assert!(!worked.is_acknowledged());
        assert_eq!(world.crashes(id).await, crashes);
    }
    let worked = world.work(&Batch::of(&[hint]).received(3)).await;
    assert!(worked.is_acknowledged() && worked.count("SendEmail") == 0, "{worked:?}");
    assert_eq!(worked.saying("BatchGetItem", "#content"), 0);
    assert_eq!(world.row(id).await.unwrap().failed, Some(FailedReason::Crashed));
    assert_eq!(world.waiting_items(Some(id)).await, 0);
}

#[tokio::test]
async fn a_mail_that_cannot_be_counted_is_not_worked_on() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let batch = Batch::of(&[world.hint(id).await]).received(3);
    let worked = world.work(&batch.with(Fault::always(COUNT, Fate::CutBefore))).await;
    assert!(worked.is_acknowledged() && worked.hints.len() == 1, "{worked:?}");
    assert_eq!(
        (worked.count("BatchGetItem"), world.state(id).await),
        (0, SenderState::Queued)
    );
}

/// Contents that are large once they are inflated: two of them have no room at once.
#[tokio::test]
async fn contents_that_are_too_large_together_are_sent_one_after_the_other() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let request = Request {
        mails: vec![Mail::Large, Mail::Large, Mail::Plain],
        patience: sending::Patience::Within(crate::world::WAIT),
        ..to_queue("k")
    };
    let ended = world.submit(&request).await;
    let mut hints = Vec::new();
    for receipt in ended.each() {
        hints.push(world.hint(receipt.as_ref().unwrap().id).await);
    }
    world.new_gate().await;
    let worked = world.work(&Batch::of(&hints)).await;
    assert!(worked.is_acknowledged(), "{:?}", worked.again);
    assert_eq!(
        (worked.count("SendEmail"), worked.saying("UpdateItem", "gate#")),
        (3, 2)
    );
}

#[tokio::test]
async fn the_rest_of_the_quota_is_for_those_for_whom_it_is_enough() {
    let world = Box::pin(World::start()).await;
    let mails = world.waiting_mails("k", 4).await;
    world.set_gate(1, 3, domain::brake::Brake::None).await;
    let worked = world.work(&batch(&mails)).await;
    assert!(worked.is_acknowledged(), "{worked:?}");
    let mut sent = 0;
    for (id, _) in &mails {
        let state = world.row(*id).await.unwrap().state(world.clock.now());
        sent += usize::from(state == DeliveryState::Sent);
    }
    assert_eq!((sent, worked.count("SendEmail")), (3, 3));
}
