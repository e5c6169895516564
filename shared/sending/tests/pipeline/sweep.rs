//! The sweep: what it hands over, what it leaves, and what it settles.

use std::sync::Arc;
use std::time::Duration;

use aws::{Cancel, ContentSwitch, Moved, WaitingMails};
use domain::address::EmailAddress;
use domain::brake::Brake;
use domain::pacing::UNLIMITED;
use domain::queue::{ContentRef, QueueDepth, WhenBusy};
use domain::record::{FailedReason, SenderState};
use domain::stream::Stream;
use jiff::Timestamp;
use sending::{Deadlines, DueMails, StreamReport, SweepReport};
use tokio::time::Instant;
use uuid::Uuid;

use crate::network::{Fate, Fault, Network, On};
use crate::request::{Mail, Request};
use crate::waiting::to_queue;
use crate::working::Batch;
use crate::world::{BULK_HINTS, HINTS, World};

const MINUTE: Duration = Duration::from_mins(1);
/// The time that an invocation of the sweep has.
const TIMEOUT: Duration = Duration::from_mins(1);

impl World {
    async fn sweep(&self) -> SweepReport {
        self.sweep_under(&[]).await
    }

    pub(crate) async fn sweep_under(&self, faults: &[Fault]) -> SweepReport {
        let network = Network::new(Arc::clone(&self.shared), 0, faults.to_vec());
        let deadlines = Deadlines::new(self.clock.now(), Instant::now() + TIMEOUT);
        Box::pin(self.worker(&network).sweep(&deadlines)).await
    }

    /// Queues a bulk mail, which gets no hint of acceptance.
    async fn queue_bulk(&self, key: &str, change: impl FnOnce(&mut Request)) -> Uuid {
        let mut request = Request {
            stream: Stream::Bulk,
            ..to_queue(key)
        };
        change(&mut request);
        self.submit(&request).await.id()
    }

    /// Queues bulk mails, each a second after the one before.
    async fn queue_backlog(&self, mails: usize) -> Vec<Uuid> {
        self.close_gate().await;
        let mut ids = Vec::new();
        for mail in 0..mails {
            ids.push(self.queue_bulk(&format!("k{mail}"), |_| {}).await);
            self.advance(Duration::from_secs(1));
        }
        ids
    }

    /// The ids that hints name, first those of transactional mail, in the order in which SQS took the hints.
    fn hinted(&self) -> Vec<Uuid> {
        let hints = [HINTS, BULK_HINTS].into_iter().flat_map(|queue| self.hints_in(queue));
        hints.map(|(hint, _)| hint.id).collect()
    }

    async fn wake_at(&self, id: Uuid) -> Timestamp {
        self.entry(id).await.unwrap().wake_at
    }

    /// Whether a mail was handed over within the last minute.
    async fn rests(&self, id: Uuid) -> bool {
        let rest = self.wake_at(id).await.duration_since(self.clock.now()).as_secs();
        (29 * 60..=30 * 60).contains(&rest)
    }

    /// Whether a mail failed for its deadline and nothing of it waits.
    async fn is_expired(&self, id: Uuid) -> bool {
        let row = self.row(id).await.unwrap();
        row.written == SenderState::Failed
            && row.failed == Some(FailedReason::Expired)
            && self.entry(id).await.is_none()
            && self.outbox_items().await == 0
    }
}

fn sorted(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    ids.sort();
    ids
}

#[tokio::test]
async fn what_is_due_is_handed_over_once_and_again_half_an_hour_later() {
    let world = Box::pin(World::start()).await;
    let ids = world.queue_backlog(23).await;
    let report = world.sweep().await;
    assert_eq!((report.bulk.handed_over, report.bulk.failed), (23, 0));
    assert_eq!(report.transactional.handed_over, 0);
    assert_eq!(sorted(world.hinted()), sorted(ids.clone()));
    assert!(world.hints_in(BULK_HINTS).iter().all(|(_, delay)| *delay == 0));
    for id in &ids {
        assert!(world.rests(*id).await);
    }
    let report = world.sweep().await.bulk;
    assert_eq!((report.handed_over, report.due), (0, Some(DueMails::default())));
    world.advance(30 * MINUTE);
    // What SQS holds by now counts, and there is room beside it.
    assert_eq!(world.sweep().await.bulk.handed_over, 23);
}

#[tokio::test]
async fn no_more_is_handed_over_than_goes_out_soon_and_the_oldest_first() {
    let world = Box::pin(World::start()).await;
    let ids = world.queue_backlog(5).await;
    // Two mails in two minutes.
    world.set_gate(60_000_000, UNLIMITED, Brake::None).await;
    let report = world.sweep().await.bulk;
    assert_eq!(report.handed_over, 2);
    assert_eq!(world.hinted(), ids[..2]);
    let due = report.due.unwrap();
    assert!(due.count == 5 && due.oldest >= Duration::from_secs(5), "{due:?}");
    // The queue is full, so the others wait in the index.
    let report = world.sweep().await.bulk;
    let full = QueueDepth {
        visible: 2,
        in_flight: 0,
    };
    assert_eq!((report.handed_over, report.depth), (0, Some(full)));
    assert_eq!(report.due.unwrap().count, 3);
    assert_eq!(world.take_hints().await, 2);
    assert_eq!(world.sweep().await.bulk.handed_over, 2);
    assert_eq!(world.hinted(), ids[2..4]);
}

#[tokio::test]
async fn a_stream_that_brake_or_quota_holds_back_is_not_woken() {
    let world = Box::pin(World::start()).await;
    let bulk = world.queue_backlog(3).await;
    let transactional = world.submit(&to_queue("t")).await.id();
    world.advance(2 * MINUTE);
    assert_eq!(world.take_hints().await, 1);
    world.set_gate(1, 0, Brake::None).await;
    let report = world.sweep().await;
    assert_eq!((report.bulk.handed_over, report.transactional.handed_over), (0, 0));
    assert_eq!(report.transactional.due.unwrap().count, 1);
    world.set_gate(1, UNLIMITED, Brake::Bulk).await;
    let report = world.sweep().await;
    assert_eq!((report.bulk.handed_over, report.transactional.handed_over), (0, 1));
    let due = report.bulk.due.unwrap();
    assert!(due.count == 3 && due.oldest >= 2 * MINUTE, "{due:?}");
    assert_eq!(world.hinted(), [transactional]);
    world.set_gate(1, UNLIMITED, Brake::None).await;
    assert_eq!(world.sweep().await.bulk.handed_over, 3);
    assert_eq!(world.hinted()[1..], bulk);
}

/// A worker has looked at the mail while the gate held it back. The sweep before the release does not hand it over, and
/// the first one after it does.
#[tokio::test]
async fn what_a_worker_found_held_back_leaves_with_the_first_sweep_after_that() {
    let world = Box::pin(World::start()).await;
    for (left, brake) in [(UNLIMITED, Brake::All), (0, Brake::None)] {
        let id = world.queue(&format!("{brake:?}")).await;
        world.set_gate(1, left, brake).await;
        assert!(world.work_on(id, &[]).await.is_acknowledged());
        world.take_hints().await;
        world.advance(Duration::from_secs(2));
        assert_eq!(world.sweep().await.transactional.handed_over, 0, "{brake:?}");
        world.set_gate(1, UNLIMITED, Brake::None).await;
        assert_eq!(world.sweep().await.transactional.handed_over, 1, "{brake:?}");
        let hints = world.hints_in(HINTS);
        let [(hint, delay)] = &hints[..] else {
            panic!("{hints:?}")
        };
        assert!(hint.id == id && *delay <= 60, "{delay}");
        world.advance(MINUTE);
        assert!(world.work_on(id, &[]).await.is_acknowledged());
        assert!(world.is_gone(id).await, "{brake:?}");
        world.take_hints().await;
    }
}

/// The sweep sends the hint of a mail and then puts the mail off for half an hour. A worker that is quicker finds the
/// gate closed, and its own time is a minute away.
#[tokio::test]
async fn the_sweep_does_not_put_off_what_a_worker_found_held_back_meanwhile() {
    let world = Box::pin(World::start()).await;
    let id = world.queue("k").await;
    world.set_gate(1, UNLIMITED, Brake::All).await;
    let entry = world.entry(id).await.unwrap();
    let sweep = async {
        world.shared.reached.notified().await;
        let late = world.later(30 * 60);
        assert!(world.outbox().wake_again(id, entry.wake_at, late).await.unwrap());
        world.shared.go_on.notify_one();
    };
    let waits = [Fault::at(On::Entry("UpdateItem"), 0, 1, Fate::Waits)];
    let (worked, ()) = tokio::join!(world.work_on(id, &waits), sweep);
    assert!(worked.is_acknowledged());
    let rest = world.wake_at(id).await.duration_since(world.clock.now()).as_secs();
    assert!((60..=61).contains(&rest), "{rest}");
}

#[tokio::test]
async fn what_is_scheduled_for_the_next_minute_is_handed_over_with_a_delay() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let (soon, later) = (world.later(40), world.later(100));
    let first = world
        .queue_bulk("soon", |request| request.scheduled_at = Some(soon))
        .await;
    let second = world
        .queue_bulk("later", |request| request.scheduled_at = Some(later))
        .await;
    let report = world.sweep().await.bulk;
    // It is not due yet.
    assert_eq!((report.handed_over, report.due), (1, Some(DueMails::default())));
    let hints = world.hints_in(BULK_HINTS);
    assert_eq!((hints[0].0.id, hints[0].1), (first, 40));
    // Half an hour from when it is due.
    assert_eq!(world.wake_at(first).await.duration_since(soon).as_secs(), 30 * 60);
    assert_eq!(world.wake_at(second).await.as_millisecond(), later.as_millisecond());
}

#[tokio::test]
async fn a_mail_that_is_handed_over_is_looked_at_again_at_its_deadline_at_the_latest() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let deadline = world.later(600);
    let id = world.queue_bulk("k", |request| request.deadline = Some(deadline)).await;
    assert_eq!(world.sweep().await.bulk.handed_over, 1);
    assert_eq!(world.wake_at(id).await.as_millisecond(), deadline.as_millisecond());
}

#[tokio::test]
async fn without_an_answer_about_the_queue_nothing_is_handed_over_this_minute() {
    let world = Box::pin(World::start()).await;
    world.queue_backlog(2).await;
    let silent = Fault::always(On::Depth, Fate::Refused(403, "AccessDenied", "No"));
    let report = world.sweep_under(&[silent]).await.bulk;
    assert_eq!((report.depth, report.handed_over, report.failed), (None, 0, 1));
    assert_eq!(report.due.unwrap().count, 2);
    assert_eq!(world.sweep().await.bulk.handed_over, 2);
}

#[tokio::test]
async fn what_sqs_does_not_take_stays_due() {
    let world = Box::pin(World::start()).await;
    let ids = world.queue_backlog(12).await;
    // The second call.
    let refused = Fault::at(On::Hint, 1, 1, Fate::Refused(403, "AccessDenied", "No"));
    let report = world.sweep_under(&[refused]).await.bulk;
    assert_eq!(report.handed_over + report.failed, 12);
    assert!(report.handed_over == 10 || report.handed_over == 2, "{report:?}");
    world.sweep().await;
    assert_eq!(sorted(world.hinted()), sorted(ids));
}

#[tokio::test]
async fn a_mail_whose_next_time_was_not_written_is_handed_over_again() {
    let world = Box::pin(World::start()).await;
    let [id] = world.queue_backlog(1).await[..] else {
        panic!()
    };
    let refused = Fault::always(On::Entry("UpdateItem"), Fate::Refused(400, "ValidationException", "No"));
    let report = world.sweep_under(&[refused]).await.bulk;
    assert_eq!((report.handed_over, report.failed), (1, 1));
    world.sweep().await;
    world.sweep().await;
    assert_eq!(world.hinted(), [id, id]);
}

#[tokio::test]
async fn what_is_past_its_deadline_fails_even_while_its_stream_is_held_back() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let deadline = world.later(60);
    let bulk = world.queue_bulk("b", |request| request.deadline = Some(deadline)).await;
    world.advance(MINUTE + Duration::from_millis(1));
    world.set_gate(1, UNLIMITED, Brake::All).await;
    let report = world.sweep().await;
    assert_eq!((report.bulk.expired, report.transactional.expired), (1, 0));
    assert!(world.is_expired(bulk).await);
    assert_eq!(world.hinted(), [] as [Uuid; 0]);
    assert_eq!(
        world.sweep().await.bulk,
        StreamReport {
            depth: Some(QueueDepth::default()),
            due: Some(DueMails::default()),
            ..StreamReport::default()
        }
    );
}

#[tokio::test]
async fn a_deadline_is_settled_without_the_gate_and_without_the_queue() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let deadline = world.later(60);
    let id = world.queue_bulk("b", |request| request.deadline = Some(deadline)).await;
    let other = world.queue_bulk("c", |_| {}).await;
    world.advance(2 * MINUTE);
    let down = [
        Fault::always(On::Gate("GetItem"), Fate::Refused(400, "AccessDeniedException", "No")),
        Fault::always(On::Depth, Fate::CutBefore),
    ];
    let report = world.sweep_under(&down).await.bulk;
    assert_eq!((report.expired, report.handed_over), (1, 0));
    assert_eq!(world.row(id).await.unwrap().written, SenderState::Failed);
    assert_eq!(world.state(other).await, SenderState::Queued);
}

#[tokio::test]
async fn content_that_was_not_deleted_with_its_mail_is_deleted_by_the_next_sweep() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let deadline = world.later(60);
    let id = world.queue_bulk("b", |request| request.deadline = Some(deadline)).await;
    world.advance(2 * MINUTE);
    let kept = Fault::always(On::Entry("DeleteItem"), Fate::Refused(400, "ValidationException", "No"));
    let report = world.sweep_under(&[kept]).await.bulk;
    assert_eq!((report.expired, report.failed), (0, 1));
    assert!(world.entry(id).await.is_some());
    assert_eq!(world.sweep().await.bulk.expired, 1);
    assert!(world.is_expired(id).await);
}

#[tokio::test]
async fn a_mail_past_its_deadline_that_is_being_sent_is_left_to_the_worker() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let deadline = world.later(60);
    let id = world.queue_bulk("b", |request| request.deadline = Some(deadline)).await;
    world.begin(id).await;
    world.advance(2 * MINUTE);
    world.set_gate(1, UNLIMITED, Brake::All).await;
    let report = world.sweep().await.bulk;
    assert_eq!((report.expired, report.handed_over, report.failed), (0, 1, 0));
    assert_eq!(
        (world.hinted(), world.state(id).await),
        (vec![id], SenderState::Sending)
    );
    assert!(world.entry(id).await.is_some());
}

/// An address is forgotten, and the mail gets another content, while the sweep settles it.
#[tokio::test]
async fn the_content_that_a_mail_has_when_it_expires_is_deleted() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let deadline = world.later(60);
    let id = world.queue_bulk("b", |request| request.deadline = Some(deadline)).await;
    world.advance(2 * MINUTE);
    let late = [Fault::at(
        On::Saying("UpdateItem", "#failed = :new_failed"),
        0,
        1,
        Fate::Waits,
    )];
    let (report, ()) = tokio::join!(world.sweep_under(&late), async {
        world.shared.reached.notified().await;
        let outbox = world.worker(&world.shared.connector).outbox;
        let entry = outbox.entry(id).await.unwrap().unwrap();
        let content = outbox.content(id, &entry.content).await.unwrap();
        let put = outbox.put_content(id, world.new_id(), &content, entry.expires_at);
        let switch = ContentSwitch {
            id,
            from: entry.content.nonce,
            to: put.await.unwrap(),
            wake_at: world.clock.now(),
        };
        let switched = world.shared.messages.switch_content(&outbox, &switch).await;
        assert_eq!(switched.unwrap(), Moved::Done);
        outbox.delete_content(id, &entry.content).await.unwrap();
        world.shared.go_on.notify_one();
    });
    assert_eq!((report.bulk.expired, report.bulk.failed), (1, 0));
    assert!(world.is_expired(id).await);
}

/// Its hints are of its old content, and nobody sends a new one.
#[tokio::test]
async fn a_mail_that_forgets_an_address_leaves_at_its_time() {
    let world = Box::pin(World::start()).await;
    let outbox = world.outbox();
    for (ahead, advance) in [(600, 550), (0, 0)] {
        world.close_gate().await;
        let request = Request {
            scheduled_at: Some(world.later(ahead)),
            when_busy: WhenBusy::Queue,
            ..Request::new(None, &format!("{ahead}"), &[Mail::Two])
        };
        let id = world.submit(&request).await.id();
        let waiting = WaitingMails {
            outbox: &outbox,
            now: world.clock.now(),
            new_nonce: &|| Uuid::from_u128(u128::from(advance)),
        };
        let address = EmailAddress::parse("bert@example.net").unwrap();
        let forgotten = world
            .shared
            .messages
            .forget_sent_to(&address, None, Some(&waiting))
            .await;
        assert_eq!(forgotten.unwrap().contents, 1);
        world.new_gate().await;
        let before = world.hints_in(HINTS).len();
        world.advance(Duration::from_secs(advance));
        assert_eq!(world.sweep().await.transactional.handed_over, 1, "{ahead}");
        let (hint, delay) = world.hints_in(HINTS).remove(before);
        assert_eq!(hint, world.hint(id).await);
        let left = ahead - i64::try_from(advance).unwrap();
        assert!((left - 5..=left).contains(&delay), "{ahead} {delay}");
        world.advance(Duration::from_secs(left.unsigned_abs()));
        assert!(world.work(&Batch::of(&[hint])).await.is_acknowledged());
        assert!(world.is_gone(id).await, "{ahead}");
    }
}

#[tokio::test]
async fn what_has_ended_is_tidied_up_while_its_stream_is_held_back() {
    let world = Box::pin(World::start()).await;
    let ids = world.queue_backlog(4).await;
    world.begin(ids[0]).await;
    let content = world.entry(ids[2]).await.unwrap().content;
    // A content that is too large for the transaction, as far as the transaction is told.
    let cancel = Cancel {
        id: ids[2],
        content: ContentRef {
            size: u64::MAX,
            ..content
        },
        now: world.clock.now(),
        token: world.new_id(),
    };
    let outbox = world.worker(&world.shared.connector).outbox;
    let canceled = world.shared.messages.cancel(&outbox, &cancel).await;
    assert_eq!(canceled.unwrap(), Moved::Done);
    world.advance(62 * MINUTE);
    world.set_gate(1, UNLIMITED, Brake::All).await;
    let waiting = [world.wake_at(ids[1]).await, world.wake_at(ids[3]).await];
    let report = world.sweep().await.bulk;
    assert_eq!((report.handed_over, report.failed), (2, 0));
    let due = report.due.unwrap();
    assert!(due.count == 4 && due.oldest >= 62 * MINUTE, "{due:?}");
    assert_eq!(sorted(world.hinted()), sorted(vec![ids[0], ids[2]]));
    for (hint, _) in world.hints_in(BULK_HINTS) {
        assert!(world.work(&Batch::of(&[hint])).await.is_acknowledged());
    }
    for (id, state) in [(ids[0], SenderState::Unknown), (ids[2], SenderState::Canceled)] {
        assert_eq!((world.state(id).await, world.waiting_items(Some(id)).await), (state, 0));
    }
    // The others keep their place and their age.
    assert_eq!([world.wake_at(ids[1]).await, world.wake_at(ids[3]).await], waiting);
    assert_eq!(world.sweep().await.bulk.handed_over, 0);
}

#[tokio::test]
async fn a_sweep_without_time_begins_nothing() {
    let world = Box::pin(World::start()).await;
    world.queue_backlog(2).await;
    let deadlines = Deadlines::new(world.clock.now(), Instant::now() + Duration::from_secs(15));
    let worker = world.worker(&world.shared.connector);
    let report = Box::pin(worker.sweep(&deadlines)).await.bulk;
    assert_eq!((report.handed_over, report.failed), (0, 0));
    assert_eq!(world.hinted(), [] as [Uuid; 0]);
}

#[tokio::test]
async fn before_the_first_report_mail_is_handed_over_at_the_rate_of_a_new_account() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let id = world.queue_bulk("k", |_| {}).await;
    world.forget_gate();
    assert_eq!(world.sweep().await.bulk.handed_over, 1);
    assert_eq!(world.hinted(), [id]);
}

#[tokio::test]
async fn two_sweeps_at_once_lose_and_double_nothing_in_the_table() {
    let world = Box::pin(World::start()).await;
    let ids = world.queue_backlog(15).await;
    let (one, other) = tokio::join!(world.sweep(), world.sweep());
    // Each hands over what it found; a hint that comes twice does no harm.
    assert!(one.bulk.handed_over + other.bulk.handed_over >= 15);
    assert_eq!((one.bulk.failed, other.bulk.failed), (0, 0));
    for id in ids {
        assert!(world.rests(id).await);
        assert!(world.hinted().contains(&id));
    }
}

/// Mail that nobody could send for thirty days has failed, and nothing of it is left.
#[tokio::test]
async fn nothing_waits_for_ever() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let month = world.later(30 * 24 * 60 * 60);
    for (place, stream) in [Stream::Transactional, Stream::Bulk].into_iter().enumerate() {
        for (number, scheduled_at) in [None, Some(month)].into_iter().enumerate() {
            let request = Request {
                stream,
                scheduled_at,
                when_busy: WhenBusy::Queue,
                ..Request::new(None, &format!("{place}{number}"), &[Mail::Plain])
            };
            world.submit(&request).await.id();
        }
    }
    assert_eq!(world.outbox_items().await, 8);
    world.advance(Duration::from_hours(34 * 24));
    let report = world.sweep().await;
    assert_eq!((report.transactional.expired, report.bulk.expired), (2, 2));
    assert_eq!(world.outbox_items().await, 0);
}
