//! Okite's own events about mails: when each is emitted, and what follows if it cannot be.

use std::time::Duration;

use domain::record::SenderState;
use domain::webhook::EventKind::{self, EmailCanceled, EmailFailed, EmailQueued, EmailScheduled, EmailSuppressed};
use uuid::Uuid;

use crate::network::{Call, Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::waiting::to_queue;
use crate::working::Batch;
use crate::world::{Ended, SUPPRESSED, World};

const ANNA: &str = "anna0@example.net";
/// A service that is down.
const DOWN: Fate = Fate::Refused(500, "InternalServerError", "x");
const SQS_IS_DOWN: Fault = Fault {
    on: On::Event,
    skip: 0,
    calls: u32::MAX,
    attempts: u32::MAX,
    fate: DOWN,
};
const TABLES_ARE_DOWN: Fault = Fault {
    on: On::Webhooks,
    ..SQS_IS_DOWN
};

/// A world with an endpoint that wants every kind of events.
async fn listening() -> World {
    let world = Box::pin(World::start()).await;
    world.listen();
    world
}

impl World {
    /// The events about a mail so far, sorted.
    async fn told(&self, id: Uuid) -> Vec<(EventKind, String)> {
        self.hear().await.unwrap();
        let heard = self.heard.borrow();
        sorted(heard.of(id).map(|(_, heard)| (heard.kind, heard.to.clone())).collect())
    }

    /// Queues a mail, one of whose recipients is suppressed.
    async fn queue_part(&self, key: &str) -> Uuid {
        self.close_gate().await;
        let request = Request {
            mails: vec![Mail::Part],
            ..to_queue(key)
        };
        self.submit(&request).await.id()
    }
}

fn to(kind: EventKind, recipients: &[&str]) -> Vec<(EventKind, String)> {
    let mut events: Vec<_> = recipients.iter().map(|to| (kind, (*to).to_owned())).collect();
    events.sort();
    events
}

fn sorted(mut events: Vec<(EventKind, String)>) -> Vec<(EventKind, String)> {
    events.sort();
    events
}

/// The places of the calls that emit an event, and of those that the test looks for.
fn places(ended: &[Call], is: impl Fn(&Call) -> bool) -> Vec<usize> {
    let calls = ended.iter().enumerate();
    calls.filter(|(_, call)| is(call)).map(|(place, _)| place).collect()
}

fn webhook_calls(ended: &Ended) -> usize {
    places(&ended.calls, |call| call.is_on_webhooks() || call.is_event()).len()
}

#[tokio::test]
async fn a_mail_to_recipients_that_are_not_suppressed_costs_not_one_call_more() {
    let world = Box::pin(World::start()).await;
    let request = |key: &str| Request::new(Some(key), key, &[Mail::Two, Mail::Plain]);
    let without = world.submit(&request("a")).await;
    world.listen();
    let with = world.submit(&request("b")).await;
    assert!(with.each().iter().all(Result::is_ok));
    assert_eq!(webhook_calls(&with), 0);
    let operations = |ended: &Ended| {
        ended
            .calls
            .iter()
            .map(|call| call.operation.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(sorted_texts(operations(&with)), sorted_texts(operations(&without)));
    // A repeat of it neither.
    assert_eq!(webhook_calls(&world.submit(&request("b")).await), 0);
}

fn sorted_texts(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[tokio::test]
async fn a_suppressed_recipient_is_told_of_once_the_row_is_settled_and_again_by_a_repeat() {
    let world = listening().await;
    let request = Request::new(Some("k"), "k", &[Mail::Part]);
    let ended = world.submit(&request).await;
    assert_eq!(world.told(ended.id()).await, to(EmailSuppressed, &[SUPPRESSED]));
    let settled = places(&ended.calls, |call| {
        call.body.to_string().contains("if_not_exists(#ses_id")
    });
    let emitted = places(&ended.calls, Call::is_event);
    assert!(settled[0] < emitted[0], "{:?}", ended.calls);
    // The list of endpoints, and one call with all events of the request.
    assert_eq!(webhook_calls(&ended), 2);
    let before = world.heard.take();
    assert_eq!(webhook_calls(&world.submit(&request).await), 2);
    world.hear().await.unwrap();
    assert_eq!(world.heard.borrow().0, before.0);
}

#[tokio::test]
async fn a_mail_that_nobody_is_left_for_or_that_may_have_been_sent_tells_of_its_suppressed_recipients() {
    let world = listening().await;
    let ended = world.submit(&Request::new(None, "nobody", &[Mail::Nobody])).await;
    assert_eq!(world.told(ended.id()).await, to(EmailSuppressed, &[SUPPRESSED]));
    let unclear = Request::new(Some("k"), "unclear", &[Mail::Part]).with(Fault::always(On::Ses, Fate::CutAfter));
    let ended = world.submit(&unclear).await;
    assert!(ended.only().is_err());
    assert_eq!(world.told(ended.message).await, to(EmailSuppressed, &[SUPPRESSED]));
}

#[tokio::test]
async fn a_mail_that_is_refused_at_once_tells_nobody() {
    let world = listening().await;
    for (body, fate) in [
        ("mail", Fate::Refused(400, "MessageRejected", "No")),
        ("deployment", Fate::Refused(403, "AccessDeniedException", "No")),
    ] {
        let request = Request::new(None, body, &[Mail::Part]).with(Fault::always(On::Ses, fate));
        let ended = world.submit(&request).await;
        assert!(ended.only().is_err());
        assert_eq!(webhook_calls(&ended), 0, "{body}");
    }
    let ended = world.submit(&Request::new(None, "reject", &[Mail::Reject])).await;
    assert_eq!(webhook_calls(&ended), 0);
}

#[tokio::test]
async fn an_answer_stands_though_its_events_are_lost() {
    let world = listening().await;
    let lost = |request: Request| request.with(SQS_IS_DOWN).with(TABLES_ARE_DOWN);
    let ended = world.submit(&lost(Request::new(Some("k"), "k", &[Mail::Part]))).await;
    assert!(ended.only().is_ok());
    assert_eq!(world.told(ended.id()).await, []);
    let id = world.queue("q").await;
    assert_eq!(world.told(id).await, to(EmailQueued, &[ANNA]));
    assert_eq!(world.cancel(id, &[SQS_IS_DOWN, TABLES_ARE_DOWN]).await, Ok(()));
    assert_eq!(world.told(id).await.len(), 1);
    // A repeated call tells of it.
    assert_eq!(world.cancel(id, &[SQS_IS_DOWN]).await, Ok(()));
    assert_eq!(world.told(id).await[1..], to(EmailCanceled, &[ANNA]));
}

#[tokio::test]
async fn a_mail_that_waits_is_judged_again_before_it_tells_who_is_suppressed() {
    let world = listening().await;
    let id = world.queue_part("k").await;
    let waiting = to(EmailQueued, &[ANNA, SUPPRESSED]);
    assert_eq!(world.told(id).await, waiting);
    world.new_gate().await;
    let worked = world.work_on(id, &[]).await;
    assert!(worked.is_acknowledged());
    let told = world.told(id).await;
    assert_eq!(told, sorted([waiting, to(EmailSuppressed, &[SUPPRESSED])].concat()));
    let settled = places(&worked.calls, |call| {
        call.body.to_string().contains("if_not_exists(#ses_id")
    });
    let emitted = places(&worked.calls, Call::is_event);
    let deleted = places(&worked.calls, |call| call.body.to_string().contains("DeleteRequest"));
    assert!(settled[0] < emitted[0] && emitted[0] < deleted[0], "{:?}", worked.calls);
}

#[tokio::test]
async fn a_mail_that_a_worker_sends_to_everybody_costs_not_one_call_more() {
    let world = listening().await;
    let id = world.waiting("k").await;
    let worked = world.work_on(id, &[]).await;
    let calls = places(&worked.calls, |call| call.is_on_webhooks() || call.is_event());
    assert_eq!((calls.len(), worked.is_acknowledged()), (0, true));
    let rows = places(&worked.calls, |call| {
        call.operation == "GetItem" && call.body["Key"].to_string().contains("\"mail#")
    });
    assert_eq!(rows.len(), 1, "{:?}", worked.calls);
}

#[tokio::test]
async fn a_worker_keeps_the_entry_until_the_end_is_told_of() {
    let world = listening().await;
    let id = world.waiting("k").await;
    let refused = Fault::always(On::Ses, Fate::Refused(400, "MessageRejected", "No"));
    let hint = world.hint(id).await;
    let worked = world.work_on(id, &[refused, SQS_IS_DOWN, TABLES_ARE_DOWN]).await;
    assert_eq!(worked.again, Some(vec!["0".to_owned()]));
    assert_eq!(world.state(id).await, SenderState::Failed);
    assert!(world.entry(id).await.is_some());
    assert_eq!(world.told(id).await, to(EmailQueued, &[ANNA]));
    world.advance(Duration::from_mins(6));
    assert!(world.work(&Batch::of(&[hint])).await.is_acknowledged());
    let told = world.told(id).await;
    assert_eq!(
        told,
        sorted([to(EmailQueued, &[ANNA]), to(EmailFailed, &[ANNA])].concat())
    );
    assert_eq!(world.waiting_items(Some(id)).await, 0);
    let row = world.row(id).await.unwrap();
    world
        .heard
        .borrow()
        .check_has(&row.end_events(world.clock.now()))
        .unwrap();
}

#[tokio::test]
async fn the_sweep_keeps_the_entry_until_the_end_is_told_of_whoever_wrote_it() {
    let world = listening().await;
    let (swept, read) = (world.queue("swept").await, world.queue("read").await);
    // SQS keeps nothing for so long.
    world.hear().await.unwrap();
    world.advance(Duration::from_hours(25));
    // Somebody reads the mail, which settles it.
    let messages = &world.shared.messages;
    messages.expire_queued(read, world.clock.now()).await.unwrap();
    world.advance(Duration::from_mins(1));
    let report = world.sweep_under(&[SQS_IS_DOWN, TABLES_ARE_DOWN]).await.transactional;
    assert_eq!((report.expired, report.failed), (0, 2));
    for id in [swept, read] {
        assert!(world.entry(id).await.is_some());
        assert_eq!(world.told(id).await, to(EmailQueued, &[ANNA]));
    }
    world.advance(Duration::from_mins(1));
    let report = world.sweep_under(&[SQS_IS_DOWN]).await.transactional;
    assert_eq!((report.expired, report.failed), (2, 0));
    for id in [swept, read] {
        let told = world.told(id).await;
        assert_eq!(
            told,
            sorted([to(EmailQueued, &[ANNA]), to(EmailFailed, &[ANNA])].concat())
        );
        let row = world.row(id).await.unwrap();
        world
            .heard
            .borrow()
            .check_has(&row.end_events(world.clock.now()))
            .unwrap();
        assert_eq!(world.waiting_items(Some(id)).await, 0);
    }
}

#[tokio::test]
async fn a_mail_is_scheduled_and_called_back_and_a_repeated_call_tells_the_same() {
    let world = listening().await;
    let request = Request {
        scheduled_at: Some(world.later(600)),
        ..to_queue("k")
    };
    let id = world.submit(&request).await.id();
    assert_eq!(world.told(id).await, to(EmailScheduled, &[ANNA]));
    world.advance(Duration::from_secs(1));
    world.reschedule(id, 900, &[]).await.unwrap();
    // The same kind, and another event.
    assert_eq!(world.told(id).await, to(EmailScheduled, &[ANNA, ANNA]));
    world.advance(Duration::from_secs(1));
    world.reschedule(id, 0, &[]).await.unwrap();
    assert_eq!(world.told(id).await[2..], to(EmailQueued, &[ANNA]));
    world.cancel(id, &[]).await.unwrap();
    let told = world.told(id).await;
    assert_eq!(told[3..], to(EmailCanceled, &[ANNA]));
    world.advance(Duration::from_secs(1));
    world.cancel(id, &[]).await.unwrap();
    // The request that queued it is repeated, too.
    let repeated = world.submit(&request).await;
    assert_eq!(repeated.id(), id);
    assert_eq!(world.told(id).await, told);
}
