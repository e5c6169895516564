//! Acceptance into the queue: what waits, what is answered, and what a lost answer leaves.

use std::time::Duration;

use domain::brake::Brake;
use domain::idempotency::{LEASE, nth_id};
use domain::pacing::UNLIMITED;
use domain::queue::WhenBusy;
use domain::record::{DeliveryState, SenderState};
use domain::stream::Stream;
use sending::{Became, Busy, Invalid, NotSent, Unavailable};

use crate::network::{Call, Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::waiting::to_queue;
use crate::world::World;

#[tokio::test]
async fn mail_without_room_waits_with_its_row_its_entry_its_content_and_a_hint() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let ended = world.submit(&to_queue("k")).await;
    let receipt = ended.only().clone().unwrap();
    assert_eq!((receipt.became, receipt.ses_id), (Became::Queued, None));
    assert_eq!(receipt.recipients[0].status, "accepted");
    let row = world.row(receipt.id).await.unwrap();
    let queued = row.queued.clone().unwrap();
    assert_eq!(
        (row.written, row.attempt, queued.scheduled_at),
        (SenderState::Queued, 1, None)
    );
    let entry = world.entry(receipt.id).await.unwrap();
    assert_eq!(
        (entry.deadline, entry.content.nonce),
        (queued.deadline, queued.content_nonce)
    );
    // The deployment's default for transactional mail; the sweep comes after the hint had its time.
    assert_eq!(queued.deadline.duration_since(ended.at).as_hours(), 24);
    assert_eq!(entry.wake_at.duration_since(queued.queued_at).as_secs(), 120);
    let content = world.outbox().content(receipt.id, &entry.content).await.unwrap();
    assert_eq!(content.mail.subject(), "k/0");
    let [(hint, 0)] = &world.hints()[..] else {
        panic!("{:?}", world.hints())
    };
    assert_eq!((hint.id, hint.content_nonce), (receipt.id, queued.content_nonce));
    assert_eq!(ended.count("SendEmail"), 0);
}

#[tokio::test]
async fn every_lack_of_room_lets_mail_wait_and_other_refusals_do_not() {
    let world = Box::pin(World::start()).await;
    let ses = |status, code, text| Some(Fate::Refused(status, code, text));
    let throttled = ses(429, "TooManyRequestsException", "Maximum sending rate exceeded.");
    let quota = ses(429, "TooManyRequestsException", "Daily message quota exceeded.");
    for (name, gate, fate, attempt) in [
        ("quota", Some((0, Brake::None)), None, 1),
        ("brake", Some((UNLIMITED, Brake::All)), None, 1),
        // The row of the attempt is refused first, and the mail follows it.
        ("SES throttles", None, throttled, 2),
        ("SES's quota", None, quota, 2),
    ] {
        world.new_gate().await;
        if let Some((left, brake)) = gate {
            world.set_gate(1, left, brake).await;
        }
        let mut request = to_queue(name);
        request.faults.extend(fate.map(|fate| Fault::always(On::Ses, fate)));
        let ended = world.submit(&request).await;
        let row = world.row(ended.id()).await.unwrap();
        assert_eq!((row.written, row.attempt), (SenderState::Queued, attempt), "{name}");
        assert!(world.entry(row.id).await.is_some(), "{name}");
    }
    world.new_gate().await;
    for (name, fate) in [
        ("rejected", Fate::Refused(400, "MessageRejected", "No")),
        ("down", Fate::Refused(503, "ServiceUnavailable", "No")),
        ("unclear", Fate::CutAfter),
    ] {
        let ended = world.submit(&to_queue(name).with(Fault::always(On::Ses, fate))).await;
        assert!(
            ended.only().is_err() && ended.count("TransactWriteItems") == 0,
            "{name}"
        );
    }
}

/// A row that may still say that the mail is being sent is not followed by a second one.
#[tokio::test]
async fn an_attempt_that_is_not_confirmed_as_refused_is_answered_as_busy() {
    let world = Box::pin(World::start()).await;
    let quota = Fate::Refused(429, "TooManyRequestsException", "Daily message quota exceeded.");
    let unsettled = Fault::at(On::Refusal, 0, 1, Fate::CutBefore);
    let request = to_queue("k").with(Fault::always(On::Ses, quota)).with(unsettled);
    let ended = world.submit(&request).await;
    assert!(matches!(ended.only(), Err(NotSent::Busy(Busy::Ses(_)))), "{ended:?}");
    assert_eq!(ended.count("TransactWriteItems"), 0);
}

#[tokio::test]
async fn without_a_queue_or_the_wish_mail_is_refused() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let mut request = to_queue("k");
    world.has_queue.set(false);
    assert!(matches!(world.submit(&request).await.only(), Err(NotSent::Busy(_))));
    // A mail that cannot wait is never sent at once instead.
    world.new_gate().await;
    request.scheduled_at = Some(world.later(60));
    let ended = world.submit(&request).await;
    let refused = NotSent::Unavailable(Unavailable::StoreRefused);
    assert_eq!((ended.only(), ended.count("SendEmail")), (&Err(refused), 0));

    world.has_queue.set(true);
    world.close_gate().await;
    for when_busy in [WhenBusy::Refuse, WhenBusy::Wait] {
        let request = Request {
            when_busy,
            ..to_queue("l")
        };
        let ended = world.submit(&request).await;
        assert!(matches!(ended.only(), Err(NotSent::Busy(_))), "{when_busy:?}");
        assert_eq!(world.row(ended.message).await, None);
    }
}

#[tokio::test]
async fn mail_that_waits_for_room_is_sent_when_there_is_some() {
    let world = Box::pin(World::start()).await;
    world.set_gate(400_000, UNLIMITED, Brake::None).await;
    // The slots of the next second are taken, which is longer than one attempt waits.
    let taken = Request::new(None, "taken", &[Mail::Plain; 3]);
    assert!(world.submit(&taken).await.each().iter().all(Result::is_ok));
    let request = Request {
        when_busy: WhenBusy::Wait,
        ..to_queue("k")
    };
    let throttled = Fate::Refused(429, "TooManyRequestsException", "Maximum sending rate exceeded.");
    let request = request.with(Fault::at(On::Ses, 0, 2, throttled));
    let ended = world.submit(&request).await;
    assert_eq!(ended.only().as_ref().unwrap().became, Became::Sent, "{ended:?}");
    assert_eq!(world.mails(&request.subject(0)).len(), 1);
}

#[tokio::test]
async fn a_scheduled_mail_asks_nobody_for_room() {
    let world = Box::pin(World::start()).await;
    for (name, stream, ahead, hint) in [
        ("soon", Stream::Transactional, 600, Some(600)),
        ("late", Stream::Transactional, 100_000, None),
        ("bulk", Stream::Bulk, 600, None),
    ] {
        let at = world.later(ahead);
        let request = Request {
            when_busy: WhenBusy::Refuse,
            scheduled_at: Some(at),
            stream,
            ..to_queue(name)
        };
        let before = world.hints().len();
        let ended = world.submit(&request).await;
        assert_eq!(ended.only().as_ref().unwrap().became, Became::Scheduled(at), "{name}");
        assert_eq!(ended.count("UpdateItem") + ended.count("SendEmail"), 0, "{name}");
        let entry = world.entry(ended.id()).await.unwrap();
        assert_eq!(entry.wake_at, domain::time::clamped(at), "{name}");
        let hints = world.hints().split_off(before);
        let delays: Vec<i64> = hints.iter().map(|(_, delay)| *delay).collect();
        assert_eq!(delays, Vec::from_iter(hint), "{name}");
        // The key is remembered for a day after the deadline.
        let claim_id = world.row(ended.id()).await.unwrap().queued.unwrap().claim_id.unwrap();
        let claim = world
            .sending(&world.shared.connector)
            .claims
            .get(&claim_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(claim.expires.duration_since(entry.deadline).as_hours(), 24, "{name}");
        assert!(claim.kept_until > claim.expires);
    }
    let now = Request {
        scheduled_at: Some(world.clock.now()),
        ..to_queue("now")
    };
    assert_eq!(world.submit(&now).await.only().as_ref().unwrap().became, Became::Sent);
    let rejected = Request {
        scheduled_at: Some(world.later(60)),
        mails: vec![Mail::Reject],
        ..to_queue("rejected")
    };
    let ended = world.submit(&rejected).await;
    assert!(matches!(ended.only(), Err(NotSent::Invalid(Invalid::Suppressed(_)))));
}

#[tokio::test]
async fn the_emails_of_a_batch_for_which_there_is_no_room_wait_and_the_others_are_sent() {
    let world = Box::pin(World::start()).await;
    world.set_gate(1, 2, Brake::None).await;
    let request = Request {
        when_busy: WhenBusy::Queue,
        ..Request::new(
            Some("k"),
            "batch",
            &[Mail::Plain, Mail::Nobody, Mail::Plain, Mail::Part, Mail::Plain],
        )
    };
    let first = world.submit(&request).await;
    let became = |place: usize| first.each()[place].as_ref().unwrap().became;
    let each: Vec<Became> = (0..5).map(became).collect();
    assert_eq!(
        each.iter().filter(|became| **became == Became::Sent).count(),
        2,
        "{each:?}"
    );
    assert_eq!(
        each.iter().filter(|became| **became == Became::Queued).count(),
        2,
        "{each:?}"
    );
    assert_eq!(each[1], Became::Suppressed);
    world.new_gate().await;
    let second = world.submit(&request).await;
    assert_eq!(second.each(), first.each());
    assert_eq!(second.count("SendEmail"), 0);
}

/// Each call of DynamoDB and SQS fails in turn. Whatever is answered agrees with what waits.
#[tokio::test]
async fn an_acceptance_whose_answer_is_lost_is_repeated_or_unknown_and_keeps_its_key() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    for fate in [Fate::CutBefore, Fate::CutAfter, Fate::Late] {
        // One call, with all attempts of the SDK, is lost: the next one has its answer.
        let lost = Fault::at(On::Transaction, 0, 1, fate);
        let ended = world.submit(&to_queue(&format!("once {fate:?}")).with(lost)).await;
        assert_eq!(ended.only().as_ref().unwrap().became, Became::Queued, "{fate:?}");
        assert_eq!(ended.count("TransactWriteItems"), 2, "{fate:?}");
        world.shared.carry_out_late().await;

        // All are.
        let request = to_queue(&format!("always {fate:?}"));
        let first = world
            .submit(&request.clone().with(Fault::always(On::Transaction, fate)))
            .await;
        assert_eq!(*first.only(), Err(NotSent::Unknown { id: first.message }), "{fate:?}");
        let mut other = request.clone();
        other.body = "another".to_owned();
        assert_eq!(*world.submit(&other).await.only(), Err(NotSent::KeyReused), "{fate:?}");
        let second = world.submit(&request).await;
        if fate == Fate::CutAfter {
            assert_eq!(second.id(), first.message);
        } else {
            assert!(
                matches!(second.only(), Err(NotSent::InFlight { .. })),
                "{fate:?} {second:?}"
            );
        }
        world.shared.carry_out_late().await;
        world.advance(LEASE);
        // The row is found, or there is none and the key is taken over: either way the mail waits once, under its id.
        world.close_gate().await;
        assert_eq!(world.submit(&request).await.id(), first.message, "{fate:?}");
        let row = world.row(first.message).await.unwrap();
        let entry = world.entry(first.message).await.unwrap();
        assert_eq!(row.queued.unwrap().content_nonce, entry.content.nonce, "{fate:?}");
    }
}

#[tokio::test]
async fn a_content_that_is_not_stored_is_not_queued_and_frees_the_key() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    for (fate, expected) in [
        (Fate::CutBefore, Unavailable::Store),
        (Fate::CutAfter, Unavailable::Store),
        (
            Fate::Refused(400, "AccessDeniedException", "x"),
            Unavailable::StoreRefused,
        ),
    ] {
        let ended = world.submit(&to_queue("k").with(Fault::always(On::Parts, fate))).await;
        assert_eq!(*ended.only(), Err(NotSent::Unavailable(expected)), "{fate:?}");
        assert!(world.row(ended.message).await.is_none() && world.entry(ended.message).await.is_none());
    }
    let mut other = to_queue("k");
    other.body = "another".to_owned();
    assert!(world.submit(&other).await.only().is_ok());
}

#[tokio::test]
async fn a_hint_that_is_lost_changes_nothing() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    for fate in [Fate::CutBefore, Fate::CutAfter, Fate::Refused(403, "AccessDenied", "x")] {
        let request = to_queue(&format!("{fate:?}")).with(Fault::always(On::Hint, fate));
        let ended = world.submit(&request).await;
        assert_eq!(
            (ended.count("SendMessage"), ended.only().is_ok()),
            (1, true),
            "{fate:?}"
        );
        assert!(world.entry(ended.id()).await.is_some());
    }
}

/// The process dies at each await of an acceptance in turn. The repeat ends with one mail that waits.
#[tokio::test]
async fn an_acceptance_that_is_cut_off_anywhere_is_taken_up_by_the_repeat() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let operations = [On::Parts, On::Transaction, On::Hint];
    for (on, fate) in operations
        .into_iter()
        .flat_map(|on| [(on, Fate::DiesBefore), (on, Fate::DiesAfter)])
    {
        let name = format!("{on:?} {fate:?}");
        let request = to_queue(&name);
        let first = world.submit(&request.clone().with(Fault::at(on, 0, 1, fate))).await;
        assert!(first.outcomes.is_none(), "{name}");
        world.shared.carry_out_late().await;
        world.advance(LEASE);
        world.close_gate().await;
        assert_eq!(world.submit(&request).await.id(), first.message, "{name}");
        let row = world.row(first.message).await.unwrap();
        let entry = world.entry(first.message).await.unwrap();
        assert_eq!(
            (row.written, row.queued.unwrap().content_nonce),
            (SenderState::Queued, entry.content.nonce)
        );
    }
}

#[tokio::test]
async fn a_repeat_is_answered_with_the_id_whatever_became_of_the_mail() {
    let world = Box::pin(World::start()).await;
    let id = world.queue("k").await;
    let request = to_queue("k");
    // The gate is open, and the mail is not sent by the repeat.
    world.new_gate().await;
    for _ in 0..2 {
        let repeat = world.submit(&request).await;
        assert_eq!((repeat.id(), repeat.count("SendEmail")), (id, 0));
        world.advance(LEASE);
    }
    let mut other = request.clone();
    other.body = "another".to_owned();
    assert_eq!(*world.submit(&other).await.only(), Err(NotSent::KeyReused));
    world
        .shared
        .messages
        .expire_queued(id, world.later(100_000))
        .await
        .unwrap();
    assert_eq!(
        world.row(id).await.unwrap().state(world.clock.now()),
        DeliveryState::Failed
    );
    assert_eq!(world.submit(&request).await.id(), id);
    // The time of the key is over a day after the deadline.
    world.advance(Duration::from_hours(47));
    assert_eq!(*world.submit(&other).await.only(), Err(NotSent::KeyReused));
    world.advance(Duration::from_hours(1));
    assert!(world.submit(&other).await.only().is_ok());
}

/// The first request's transaction is carried out after another request has sent the mail under the same id.
#[tokio::test]
async fn a_direct_request_that_takes_over_shuts_a_late_acceptance_out() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let request = to_queue("k");
    let first = world
        .submit(&request.clone().with(Fault::always(On::Transaction, Fate::Late)))
        .await;
    assert_eq!(*first.only(), Err(NotSent::Unknown { id: first.message }));
    world.advance(LEASE);
    world.new_gate().await;
    let second = world.submit(&request).await;
    assert_eq!(second.only().as_ref().unwrap().became, Became::Sent);
    world.shared.carry_out_late().await;
    assert!(world.entry(first.message).await.is_none());
    assert_eq!(
        world.row(first.message).await.unwrap().state(world.clock.now()),
        DeliveryState::Sent
    );
    assert_eq!(world.mails(&request.subject(0)).len(), 1);
}

/// Two requests are at one email: the second has taken the key over while the first is slow.
#[tokio::test]
async fn a_row_that_is_there_decides_the_answer_of_an_acceptance() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let request = to_queue("k");
    let slow = request.clone().with(Fault::at(On::Transaction, 0, 1, Fate::Waits));
    let (first, ()) = tokio::join!(world.submit(&slow), async {
        world.shared.reached.notified().await;
        world.advance(LEASE);
        world.new_gate().await;
        let second = world.submit(&request).await;
        assert_eq!(second.only().as_ref().unwrap().became, Became::Sent);
        world.shared.go_on.notify_one();
    });
    let receipt = first.only().as_ref().unwrap();
    assert_eq!((receipt.became, receipt.id), (Became::Sent, nth_id(first.message, 0)));
    assert!(world.entry(first.message).await.is_none());
    assert_eq!(world.mails(&request.subject(0)).len(), 1);
}

#[tokio::test]
async fn a_mail_whose_deadline_went_by_while_the_gate_was_asked_is_refused_instead() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let mut request = to_queue("k");
    request.deadline = Some(world.later(0));
    let ended = world.submit(&request).await;
    assert!(matches!(ended.only(), Err(NotSent::Busy(Busy::Gate(_)))), "{ended:?}");
    assert_eq!((world.entries().await, ended.count("TransactWriteItems")), (0, 0));
}

#[tokio::test]
async fn a_batch_whose_mail_may_wait_takes_a_quarter_of_a_second_of_slots_at_a_time() {
    let world = Box::pin(World::start()).await;
    let mails = [Mail::Plain; 6];
    for (when_busy, permits) in [(WhenBusy::Queue, 3), (WhenBusy::Refuse, 1)] {
        world.new_gate().await;
        // Ten recipients a second.
        world.set_gate(100_000, UNLIMITED, Brake::None).await;
        let request = Request {
            when_busy,
            ..Request::new(None, when_busy.as_str(), &mails)
        };
        let ended = world.submit(&request).await;
        let is_gate = |call: &&Call| call.operation == "UpdateItem" && call.body["Key"].to_string().contains("gate#");
        let asked = ended.calls.iter().filter(is_gate).count();
        assert_eq!((asked, ended.count("SendEmail")), (permits, 6), "{when_busy:?}");
    }
}
