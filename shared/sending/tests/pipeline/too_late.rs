//! An email whose time is over is answered from the record of an earlier request, and is never attempted.

use domain::idempotency::LEASE;
use sending::{Became, Invalid, NotSent};

use crate::network::{Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::waiting::to_queue;
use crate::world::World;

/// The same request once the time of its email is over.
fn late(request: &Request) -> Request {
    Request {
        mails: vec![Mail::Late; request.mails.len()],
        scheduled_at: None,
        ..request.clone()
    }
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_although_the_time_is_over() {
    let world = Box::pin(World::start()).await;
    let mut request = to_queue("k");
    let at = world.later(60);
    request.scheduled_at = Some(at);
    let first = world.submit(&request).await;
    assert_eq!(first.only().as_ref().unwrap().became, Became::Scheduled(at));
    world.advance(LEASE * 10);
    let repeat = world.submit(&late(&request)).await;
    assert_eq!((repeat.id(), repeat.count("TransactWriteItems")), (first.id(), 0));

    let direct = world.submit(&to_queue("l")).await;
    assert_eq!(world.submit(&late(&to_queue("l"))).await.only(), direct.only());
    assert_eq!(world.mails("l/0").len(), 1);
}

#[tokio::test]
async fn without_a_record_nothing_is_attempted() {
    let world = Box::pin(World::start()).await;
    let without_key = Request::new(None, "k", &[Mail::Late, Mail::Plain]);
    let ended = world.submit(&without_key).await;
    assert_eq!(ended.each()[0], Err(NotSent::Invalid(Invalid::TooLate)));
    assert!(ended.each()[1].is_ok());
    assert_eq!((world.mails("k/0").len(), world.mails("k/1").len()), (0, 1));
}

/// The first request's transaction is carried out after the repeat has refused its email.
#[tokio::test]
async fn a_refusal_shuts_a_late_acceptance_out() {
    let world = Box::pin(World::start()).await;
    let mut request = to_queue("k");
    request.scheduled_at = Some(world.later(60));
    let lost = request.clone().with(Fault::always(On::Transaction, Fate::Late));
    let first = world.submit(&lost).await;
    assert_eq!(*first.only(), Err(NotSent::Unknown { id: first.message }));
    world.advance(LEASE * 10);
    let repeat = world.submit(&late(&request)).await;
    assert_eq!(*repeat.only(), Err(NotSent::Invalid(Invalid::TooLate)));
    world.shared.carry_out_late().await;
    assert!(world.entry(first.message).await.is_none());
}
