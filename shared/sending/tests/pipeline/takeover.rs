//! A key that changes hands while answers are lost.

use sending::{NotSent, Unavailable};

use crate::network::{Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::world::World;

/// One email of a batch was sent and SES refused the other. The request that takes the key over never learns that it
/// has it, and must not free a key that remembers a mail.
#[tokio::test]
async fn a_takeover_whose_answer_is_lost_keeps_the_key_of_what_was_sent() {
    let world = World::start().await;
    let batch = Request::new(Some("k"), "lost takeover", &[Mail::Plain, Mail::Plain]);
    let refused = Fault::always(On::Mail(1), Fate::Refused(400, "MessageRejected", "No"));
    let first = world.submit(&batch.clone().with(refused)).await;
    assert!(first.each()[0].is_ok() && first.each()[1].is_err(), "{first:?}");

    for fate in [Fate::CutAfter, Fate::CutBefore, Fate::Late] {
        let lost = Fault::at(On::Claim("UpdateItem"), 0, 1, fate);
        let second = world.submit(&batch.clone().with(lost)).await;
        assert_eq!(
            *second.only(),
            Err(NotSent::Unavailable(Unavailable::Store)),
            "{fate:?}"
        );
        world.shared.carry_out_late().await;
    }

    world.advance(domain::idempotency::LEASE);
    let last = world.submit(&batch).await;
    assert_eq!(last.each()[0], first.each()[0]);
    assert!(last.each()[1].is_ok());
    assert_eq!(world.mails(&batch.subject(0)).len(), 1);
    assert_eq!(world.mails(&batch.subject(1)).len(), 1);
}

/// A refusal that an earlier request left is no word on the request that holds the key now: it may be about to attempt
/// the email again.
#[tokio::test]
async fn a_request_that_has_taken_over_is_in_flight_before_it_writes_its_row() {
    let world = World::start().await;
    let request = Request::new(Some("k"), "about to attempt", &[Mail::Plain]);
    let refused = Fault::always(On::Ses, Fate::Refused(400, "MessageRejected", "No"));
    let kept = Fault::always(On::Claim("DeleteItem"), Fate::CutBefore);
    let first = world.submit(&request.clone().with(refused).with(kept)).await;
    assert!(matches!(first.only(), Err(NotSent::Rejected(_))), "{first:?}");

    let dies = Fault::at(On::Claim("UpdateItem"), 0, 1, Fate::DiesAfter);
    assert!(world.submit(&request.clone().with(dies)).await.outcomes.is_none());
    let third = world.submit(&request).await;
    assert!(matches!(third.only(), Err(NotSent::InFlight { .. })), "{third:?}");

    world.advance(domain::idempotency::LEASE);
    assert!(world.submit(&request).await.only().is_ok());
    assert_eq!(world.mails(&request.subject(0)).len(), 1);
}

/// Headers and the rights of the API key also decide which emails of a body are valid. A request that submits fewer of
/// them must not free a key that remembers a mail of the others.
#[tokio::test]
async fn a_repeat_that_submits_fewer_emails_keeps_the_key_of_what_was_sent() {
    let world = World::start().await;
    let batch = Request::new(Some("k"), "fewer", &[Mail::Plain, Mail::Plain]);
    let refused = Fault::always(On::Mail(1), Fate::Refused(400, "MessageRejected", "No"));
    let first = world.submit(&batch.clone().with(refused)).await;
    assert!(first.each()[0].is_ok() && first.each()[1].is_err(), "{first:?}");

    let mut fewer = batch.clone();
    fewer.mails[0] = Mail::Invalid;
    let refused = Fault::always(On::Ses, Fate::Refused(400, "MessageRejected", "No"));
    let second = world.submit(&fewer.with(refused)).await;
    assert!(matches!(second.only(), Err(NotSent::Rejected(_))), "{second:?}");

    let third = world.submit(&batch).await;
    assert_eq!(third.each()[0], first.each()[0]);
    assert!(third.each()[1].is_ok(), "{third:?}");
    assert_eq!(world.mails(&batch.subject(0)).len(), 1);
    assert_eq!(world.mails(&batch.subject(1)).len(), 1);
}
