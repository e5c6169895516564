//! Keys whose 24 hours are over, or about to be.

use std::time::Duration;

use domain::idempotency::LEASE;
use domain::retention::MessageRetention;
use domain::settlement::SETTLED_AFTER;
use sending::NotSent;

use crate::network::{Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::world::World;

const DAY: Duration = Duration::from_hours(24);

/// A request whose mail SES takes without an answer.
fn ambiguous(request: &Request, place: usize) -> Request {
    request.clone().with(Fault::always(On::Mail(place), Fate::CutAfter))
}

#[tokio::test]
async fn an_unknown_mail_keeps_its_key_until_it_is_settled() {
    let world = Box::pin(World::start()).await;
    let request = Request::new(Some("k"), "unknown", &[Mail::Plain]);
    let first = world.submit(&ambiguous(&request, 0)).await;
    let Err(NotSent::Unknown { id }) = *first.only() else {
        panic!("{first:?}")
    };
    for hours in [25, 24, 24 * 20] {
        world.advance(Duration::from_hours(hours));
        world.expire().await;
        let repeated = world.submit(&request).await;
        assert_eq!(*repeated.only(), Err(NotSent::StillUnknown { id }), "{hours}");
        // It may not be corrected either.
        let other = Request::new(Some("k"), "another body", &[Mail::Plain]);
        assert_eq!(*world.submit(&other).await.only(), Err(NotSent::KeyReused));
    }
    // A caller that keeps asking gets the answer once there is one, and no second mail.
    world.deliver(2).await;
    assert_eq!(world.submit(&request).await.only().as_ref().unwrap().id, id);
    assert_eq!(world.mails(&request.subject(0)).len(), 1);
    world.advance(DAY);
    let anew = world.submit(&request).await;
    assert_ne!(anew.only().as_ref().unwrap().id, id);
}

#[tokio::test]
async fn an_unknown_mail_keeps_its_key_no_longer_than_its_record() {
    let world = Box::pin(World::start()).await;
    let request = Request::new(Some("k"), "lapsed", &[Mail::Plain]);
    let first = world.submit(&ambiguous(&request, 0)).await;
    let Err(NotSent::Unknown { id }) = *first.only() else {
        panic!("{first:?}")
    };
    world.advance(Duration::from_mins(30 * 24 * 60 - 1));
    world.expire().await;
    let before = world.submit(&request).await;
    assert_eq!(*before.only(), Err(NotSent::StillUnknown { id }));
    // DynamoDB deletes late, and a record that is there counts.
    world.advance(Duration::from_mins(2));
    let late = world.submit(&request).await;
    assert_eq!(*late.only(), Err(NotSent::StillUnknown { id }));
    world.expire().await;
    assert!(world.submit(&request).await.only().is_ok());
}

/// DynamoDB deletes the rows of a batch one after the other.
#[tokio::test]
async fn an_email_whose_record_has_expired_is_unknown_while_its_key_is_held() {
    let world = Box::pin(World::start()).await;
    let batch = Request::new(Some("k"), "half gone", &[Mail::Plain; 2]);
    let first = world.submit(&ambiguous(&batch, 1)).await;
    let (Ok(sent), Err(NotSent::Unknown { id })) = (&first.each()[0], &first.each()[1]) else {
        panic!("{first:?}")
    };
    world.advance(DAY * 31);
    world.expire_row(sent.id).await;
    let again = world.submit(&batch).await;
    let unknown = [sent.id, *id].map(|id| Err(NotSent::StillUnknown { id }));
    assert_eq!(again.each(), unknown);
    assert_eq!(world.mails(&batch.subject(0)).len(), 1);
}

/// Nothing of the batch that may have gone goes again, and the rest is attempted as ever.
#[tokio::test]
async fn a_batch_with_an_unknown_mail_is_resumed_after_its_day() {
    let world = Box::pin(World::start()).await;
    let batch = Request::new(Some("k"), "batch", &[Mail::Plain; 3]);
    let refused = Fault::always(On::Mail(2), Fate::Refused(400, "MessageRejected", "No"));
    let first = world.submit(&ambiguous(&batch, 0).with(refused)).await;
    assert!(first.each()[1].is_ok(), "{first:?}");
    for hours in [25, 24] {
        world.advance(Duration::from_hours(hours));
        world.expire().await;
        let repeated = world.submit(&batch).await;
        assert!(
            matches!(repeated.each()[0], Err(NotSent::StillUnknown { .. })),
            "{repeated:?}"
        );
        assert_eq!(repeated.each()[1], first.each()[1]);
        assert!(repeated.each()[2].is_ok(), "{repeated:?}");
    }
    world.deliver(1).await;
    assert!(world.submit(&batch).await.each().iter().all(Result::is_ok));
    for place in 0..3 {
        assert_eq!(world.mails(&batch.subject(place)).len(), 1, "{place}");
    }
}

#[tokio::test]
async fn a_batch_that_is_taken_over_in_the_last_seconds_of_its_key_is_remembered_for_another_day() {
    for retention in [1, 30] {
        let world = Box::pin(World::start()).await;
        world.retention.set(MessageRetention::from_days(retention));
        let batch = Request::new(Some("k"), "last seconds", &[Mail::Plain, Mail::Plain]);
        let refused = Fault::always(On::Mail(1), Fate::Refused(400, "MessageRejected", "No"));
        let first = world.submit(&batch.clone().with(refused)).await;
        world.advance(Duration::from_secs(24 * 3_600 - 5));
        let second = world.submit(&batch).await;
        assert_eq!(second.each()[0], first.each()[0]);
        for minutes in [1, 23 * 60 + 50] {
            world.advance(Duration::from_mins(minutes));
            world.expire().await;
            let repeated = world.submit(&batch).await;
            assert_eq!(repeated.each(), second.each(), "{retention} {minutes}");
        }
        for place in 0..2 {
            assert_eq!(world.mails(&batch.subject(place)).len(), 1);
        }
    }
}

#[tokio::test]
async fn an_operators_decision_answers_a_key_whose_day_is_over() {
    let world = Box::pin(World::start()).await;
    let request = Request::new(Some("sent"), "sent", &[Mail::Plain]);
    let first = world.submit(&ambiguous(&request, 0)).await;
    let Err(NotSent::Unknown { id }) = *first.only() else {
        panic!("{first:?}")
    };
    world.advance(DAY * 2);
    world.settle_as_it_is(id).await;
    assert_eq!(world.submit(&request).await.only().as_ref().unwrap().id, id);
    assert_eq!(world.mails(&request.subject(0)).len(), 1);

    for time in [LEASE + SETTLED_AFTER, DAY * 2] {
        let name = format!("not sent {time:?}");
        let request = Request::new(Some(&name), &name, &[Mail::Plain]);
        let lost = Fault::always(On::Ses, Fate::CutBefore);
        let first = world.submit(&request.clone().with(lost)).await;
        let Err(NotSent::Unknown { id }) = *first.only() else {
            panic!("{first:?}")
        };
        world.advance(time);
        world.settle_as_it_is(id).await;
        let repeated = world.submit(&request).await;
        assert_eq!(world.submit(&request).await.only(), repeated.only());
        assert_eq!(world.mails(&request.subject(0)).len(), 1, "{time:?}");
    }
}
