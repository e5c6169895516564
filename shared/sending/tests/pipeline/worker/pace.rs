//! The pace of a worker: chunks, permits, and the end of an invocation.

use std::time::Duration;

use domain::brake::Brake;
use domain::pacing::UNLIMITED;
use domain::queue::Hint;
use domain::record::SenderState;
use domain::stream::Stream;
use uuid::Uuid;

use crate::network::{Call, Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::waiting::to_queue;
use crate::working::{Batch, Worked};
use crate::world::World;

/// How many recipients each permit was for.
fn permits(worked: &Worked) -> Vec<i64> {
    let is_permit = |call: &&Call| call.operation == "UpdateItem" && call.body["Key"].to_string().contains("gate#");
    let recipients = |call: &Call| call.body["ExpressionAttributeValues"][":n"]["N"].as_str()?.parse().ok();
    worked.calls.iter().filter(is_permit).filter_map(recipients).collect()
}

impl World {
    async fn hints_of(&self, name: &str, stream: Stream, mails: &[Mail]) -> Vec<Hint> {
        self.close_gate().await;
        let request = Request {
            mails: mails.to_vec(),
            stream,
            patience: sending::Patience::Within(crate::world::WAIT),
            ..to_queue(name)
        };
        let ended = self.submit(&request).await;
        let mut hints = Vec::new();
        for receipt in ended.each() {
            hints.push(self.hint(receipt.as_ref().unwrap().id).await);
        }
        self.new_gate().await;
        hints
    }
}

#[tokio::test]
async fn a_chunk_is_a_quarter_of_a_second_of_the_rate() {
    let world = Box::pin(World::start()).await;
    let hints = world.hints_of("k", Stream::Transactional, &[Mail::Plain; 7]).await;
    // 12 a second: chunks of 3.
    world.set_gate(83_000, UNLIMITED, Brake::None).await;
    let worked = world.work(&Batch::of(&hints)).await;
    assert!(worked.is_acknowledged(), "{worked:?}");
    assert_eq!(permits(&worked), [3, 3, 1]);
    assert_eq!(worked.count("SendEmail"), 7);
}

#[tokio::test]
async fn a_chunk_counts_recipients_and_has_one_mail_at_least() {
    let world = Box::pin(World::start()).await;
    let hints = world
        .hints_of("k", Stream::Bulk, &[Mail::Two, Mail::Two, Mail::Plain])
        .await;
    // 14 a second: 3 recipients.
    world.set_gate(70_000, UNLIMITED, Brake::None).await;
    let worked = world.work(&Batch::of(&hints)).await;
    assert_eq!(permits(&worked), [2, 3]);
    let hints = world.hints_of("l", Stream::Bulk, &[Mail::Two]).await;
    // Two a second: the mail takes a second, which may always start now.
    world.set_gate(500_000, UNLIMITED, Brake::None).await;
    let worked = world.work(&Batch::of(&hints)).await;
    assert!(worked.is_acknowledged() && worked.count("SendEmail") == 1, "{worked:?}");
}

#[tokio::test]
async fn bulk_mail_waits_for_a_chunk_that_would_not_end_soon_and_transactional_mail_does_not() {
    let world = Box::pin(World::start()).await;
    for (stream, is_sent) in [(Stream::Transactional, true), (Stream::Bulk, false)] {
        let name = stream.as_str();
        let hints = world.hints_of(name, stream, &[Mail::Plain]).await;
        // The next slot is in a second.
        world.fill_gate(Duration::from_secs(1)).await;
        let worked = world.work(&Batch::of(&hints)).await;
        assert!(worked.is_acknowledged(), "{name}: {worked:?}");
        assert_eq!(
            (worked.count("SendEmail") == 1, worked.hints.is_empty()),
            (is_sent, is_sent),
            "{name}"
        );
    }
}

#[tokio::test]
async fn mails_for_which_the_invocation_has_no_time_get_fresh_hints() {
    let world = Box::pin(World::start()).await;
    let hints = world.hints_of("k", Stream::Transactional, &[Mail::Plain; 3]).await;
    let late = Batch {
        timeout: Some(Duration::from_secs(19)),
        ..Batch::of(&hints)
    };
    let worked = world.work(&late).await;
    assert!(worked.is_acknowledged(), "{worked:?}");
    assert_eq!((permits(&worked), worked.count("BatchGetItem")), (vec![], 0));
    let fresh: Vec<(Hint, i64)> = hints.iter().map(|hint| (hint.clone(), 1)).collect();
    assert_eq!(worked.hints, fresh);
    // The slots of the first mail end where the last part begins.
    world.set_gate(2_000_000, UNLIMITED, Brake::None).await;
    let short = Batch {
        timeout: Some(Duration::from_secs(21)),
        ..Batch::of(&hints)
    };
    let worked = world.work(&short).await;
    assert_eq!((permits(&worked), worked.hints.len()), (vec![1], 2), "{worked:?}");
    assert!(worked.hints.iter().all(|(_, delay)| *delay == 2), "{worked:?}");
}

#[tokio::test]
async fn a_permit_that_is_refused_leaves_the_rest_of_the_batch_waiting_without_asking_again() {
    let world = Box::pin(World::start()).await;
    let hints = world.hints_of("k", Stream::Bulk, &[Mail::Plain; 6]).await;
    world.fill_gate(Duration::from_mins(1)).await;
    let worked = world.work(&Batch::of(&hints)).await;
    assert!(worked.is_acknowledged(), "{worked:?}");
    assert_eq!((worked.count("SendEmail"), worked.hints.len()), (0, 6));
    assert_eq!(permits(&worked).len(), 1, "{worked:?}");
}

/// An operator stops all mail while a mail waits for its slot. On a slow machine the slot may come before the worker
/// reads the brake; then another mail is tried.
#[tokio::test]
async fn the_brake_stops_a_mail_that_has_a_slot() {
    let world = Box::pin(World::start()).await;
    for attempt in 0..100 {
        let name = format!("k{attempt}");
        let hints = world.hints_of(&name, Stream::Transactional, &[Mail::Plain]).await;
        world.fill_gate(Duration::from_millis(1_500)).await;
        let reads_brake = Fault::at(On::Gate("GetItem"), 1, 1, Fate::Waits);
        let batch = Batch::of(&hints).with(reads_brake);
        let mut work = Box::pin(world.work(&batch));
        let worked = tokio::select! {
            _ = &mut work => continue,
            () = world.shared.reached.notified() => {
                world.set_gate(1, UNLIMITED, Brake::All).await;
                world.shared.go_on.notify_one();
                work.await
            }
        };
        assert!(worked.is_acknowledged() && worked.count("SendEmail") == 0, "{worked:?}");
        let id: Uuid = hints[0].id;
        assert_eq!(
            (world.state(id).await, world.mails(&format!("{name}/0")).len()),
            (SenderState::Queued, 0)
        );
        return;
    }
    panic!("no worker read the brake before its slot");
}

/// A permit of a worker that leaves mails of its batch waiting holds bulk mail back; the last one of a batch does not.
#[tokio::test]
async fn transactional_mail_that_waits_goes_before_bulk_mail() {
    let world = Box::pin(World::start()).await;
    let bulk = world.hints_of("bulk", Stream::Bulk, &[Mail::Plain]).await;
    for (number, is_held_back) in [(2, true), (1, false)] {
        let name = format!("of {number}");
        let mails = vec![Mail::Plain; number];
        let hints = world.hints_of(&name, Stream::Transactional, &mails).await;
        // Five a second: one mail a chunk.
        world.set_gate(200_000, UNLIMITED, Brake::None).await;
        let sent = world.work(&Batch::of(&hints)).await;
        assert_eq!(permits(&sent).len(), number, "{name}");
        // The slots are over long before the hold is.
        world.advance(Duration::from_secs(1));
        let worked = world.work(&Batch::of(&bulk)).await;
        assert!(worked.is_acknowledged(), "{name}: {worked:?}");
        assert_eq!(worked.count("SendEmail") == 0, is_held_back, "{name}: {worked:?}");
    }
}
