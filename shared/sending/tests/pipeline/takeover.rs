//! A key that changes hands while answers are lost.

use sending::{NotSent, Unavailable};

use crate::network::{Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::world::World;

/// One email of a batch was sent and SES refused the other. The request that takes the key over never learns that it
/// has it, and must not free a key that remembers a mail.
#[tokio::test]
async fn a_takeover_with_a_lost_answer_keeps_the_key_of_sent_emails() {
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
async fn a_repeat_that_submits_fewer_emails_keeps_the_key_of_the_sent_ones() {
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

/// A write that is carried out after its request has given it up must not make an email look as if it were being sent.
#[tokio::test]
async fn a_row_that_is_written_too_late_leaves_no_email_in_doubt() {
    for key in [Some("k"), None] {
        let world = World::start().await;
        let request = Request::new(key, "late row", &[Mail::Plain]);
        let late = Fault::at(On::Row("PutItem"), 0, 1, Fate::Late);
        let ended = world.submit(&request.clone().with(late)).await;
        assert_eq!(*ended.only(), Err(NotSent::Unavailable(Unavailable::Store)));
        world.shared.carry_out_late().await;
        let record = world.shared.messages.read(ended.message).await.unwrap().unwrap();
        assert_eq!(record.written, domain::record::SenderState::Refused, "{key:?}");
        assert!(world.submit(&request).await.only().is_ok());
        assert_eq!(world.mails(&request.subject(0)).len(), 1);
    }
}

/// The request that holds a key has refused its first email and is about to attempt those of its second chunk,
/// which a repeat does not submit.
#[tokio::test]
async fn a_repeat_that_submits_only_refused_emails_waits_for_the_request_that_holds_the_key() {
    let world = World::start().await;
    let batch = Request::new(Some("k"), "at work", &[Mail::Plain; 26]);
    let refused = Fault::always(On::Mail(0), Fate::Refused(400, "MessageRejected", "No"));
    let dies = Fault::at(On::Row("PutItem"), 25, 1, Fate::DiesBefore);
    assert!(
        world
            .submit(&batch.clone().with(refused).with(dies))
            .await
            .outcomes
            .is_none()
    );
    let mut fewer = batch.clone();
    fewer.mails[1..].fill(Mail::Invalid);
    let second = world.submit(&fewer).await;
    assert!(matches!(second.only(), Err(NotSent::InFlight { .. })), "{second:?}");
}

/// The first request sends another email, so its key is not freed.
#[tokio::test]
async fn a_repeat_answers_an_email_to_nobody_whose_row_could_not_be_written() {
    let world = Box::pin(World::start()).await;
    let request = Request::new(Some("nobody"), "nobody", &[Mail::Nobody, Mail::Plain]);
    let row = Fault::at(On::Row("PutItem"), 0, 1, Fate::CutBefore);
    let ended = world.submit(&request.clone().with(row)).await;
    assert_eq!(ended.each()[0], Err(NotSent::Unavailable(Unavailable::Store)));
    let ended = world.submit(&request).await;
    let receipt = ended.each()[0].as_ref().unwrap();
    assert_eq!(receipt.ses_id, None);
    assert_eq!(receipt.recipients[0].status, "suppressed");
}
