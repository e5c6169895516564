//! Calling a mail back and giving it another time.

use aws::NewAttempt;
use domain::idempotency::LEASE;
use domain::queue::Leaving;
use domain::record::{OkiteState, SenderState};
use sending::{Deadlines, NotRecalled, Rescheduling, Unavailable};
use tokio::time::Instant;
use uuid::Uuid;

use std::sync::Arc;
use std::time::Duration;

use crate::network::{Fate, Fault, Network, On};
use crate::request::Request;
use crate::waiting::to_queue;
use crate::world::World;

impl World {
    fn deadlines(&self) -> Deadlines {
        Deadlines::new(self.clock.now(), Instant::now() + Duration::from_secs(29))
    }

    async fn cancel(&self, id: Uuid, faults: &[Fault]) -> Result<(), NotRecalled> {
        let network = Network::new(Arc::clone(&self.shared), 0, faults.to_vec());
        let sending = self.sending(&network);
        sending.cancel(id, self.new_id(), &self.deadlines()).await
    }

    async fn reschedule(&self, id: Uuid, ahead: i64, faults: &[Fault]) -> Result<(), NotRecalled> {
        let network = Network::new(Arc::clone(&self.shared), 0, faults.to_vec());
        let new = Rescheduling {
            id,
            scheduled_at: self.later(ahead),
            token: self.new_id(),
        };
        let sending = self.sending(&network);
        sending.reschedule(new, &self.deadlines()).await
    }

    /// A worker is about to send a mail that waits.
    pub(crate) async fn begin(&self, id: Uuid) {
        let row = self.row(id).await.unwrap();
        let attempt = NewAttempt {
            id,
            leaving: Leaving::Queued {
                attempt: row.attempt,
                content_nonce: row.queued.unwrap().content_nonce,
            },
            nonce: self.new_id(),
            now: self.clock.now(),
            lease_until: self.later(60),
            outcomes: &[],
        };
        self.shared.messages.begin_attempt(&attempt).await.unwrap();
        assert_eq!(self.state(id).await, SenderState::Sending);
    }

    pub(crate) async fn state(&self, id: Uuid) -> SenderState {
        self.row(id).await.unwrap().written
    }
}

#[tokio::test]
async fn a_mail_that_waits_is_called_back_once_and_twice() {
    let world = Box::pin(World::start()).await;
    let id = world.queue("k").await;
    let content = world.entry(id).await.unwrap().content;
    for _ in 0..2 {
        assert_eq!(world.cancel(id, &[]).await, Ok(()));
        assert_eq!(world.state(id).await, SenderState::Canceled);
        assert!(world.entry(id).await.is_none());
        assert!(world.outbox().content(id, &content).await.is_err());
    }
    // It stays so: a repeated request is answered with its id, also when there is room.
    world.new_gate().await;
    world.advance(LEASE);
    assert_eq!(world.submit(&to_queue("k")).await.id(), id);
    assert_eq!(world.mails("k/0"), []);
    let late = world.reschedule(id, 60, &[]).await;
    assert_eq!(late, Err(NotRecalled::TooLate(OkiteState::Canceled)));
}

#[tokio::test]
async fn what_does_not_wait_keeps_its_state() {
    let world = Box::pin(World::start()).await;
    let sent = world.submit(&to_queue("sent")).await.id();
    let at_work = world.queue("at work").await;
    world.begin(at_work).await;
    let expired = world.queue("expired").await;
    world
        .shared
        .messages
        .expire_queued(expired, world.later(100_000))
        .await
        .unwrap();
    for (id, error) in [
        (sent, NotRecalled::TooLate(OkiteState::Sent)),
        (at_work, NotRecalled::TooLate(OkiteState::Sending)),
        (expired, NotRecalled::TooLate(OkiteState::Failed)),
        (Uuid::from_u128(1), NotRecalled::NotFound),
    ] {
        assert_eq!(world.cancel(id, &[]).await, Err(error));
        assert_eq!(world.reschedule(id, 60, &[]).await, Err(error));
    }
    assert!(world.entry(at_work).await.is_some());
    // Past its deadline a mail is not given a new time, although nobody has settled it yet.
    let overdue = world.queue("overdue").await;
    world.advance(Duration::from_hours(25));
    let late = world.reschedule(overdue, 60, &[]).await;
    assert_eq!(late, Err(NotRecalled::TooLate(OkiteState::Failed)));
    world.has_queue.set(false);
    let none = Err(NotRecalled::Unavailable(Unavailable::StoreRefused));
    assert_eq!(world.cancel(overdue, &[]).await, none);
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_repeated_or_unknown() {
    let world = Box::pin(World::start()).await;
    for fate in [Fate::CutBefore, Fate::CutAfter, Fate::Late] {
        let id = world.queue(&format!("once {fate:?}")).await;
        let once = [Fault::at(On::Transaction, 0, 1, fate)];
        assert_eq!(world.reschedule(id, 60, &once).await, Ok(()), "{fate:?}");
        world.shared.carry_out_late().await;
        assert_eq!(world.row(id).await.unwrap().attempt, 2, "{fate:?}");
        assert_eq!(world.cancel(id, &once).await, Ok(()), "{fate:?}");
        world.shared.carry_out_late().await;

        let id = world.queue(&format!("always {fate:?}")).await;
        let always = [Fault::always(On::Transaction, fate)];
        assert_eq!(
            world.reschedule(id, 60, &always).await,
            Err(NotRecalled::Unknown),
            "{fate:?}"
        );
        world.shared.carry_out_late().await;
        assert_eq!(world.cancel(id, &always).await, Err(NotRecalled::Unknown), "{fate:?}");
        world.shared.carry_out_late().await;
        // The request may be repeated whatever became of the first.
        assert_eq!(world.cancel(id, &[]).await, Ok(()), "{fate:?}");
        assert_eq!(world.state(id).await, SenderState::Canceled, "{fate:?}");
    }
    let id = world.queue("unread").await;
    let down = [Fault::always(On::Store, Fate::CutBefore)];
    let unavailable = Err(NotRecalled::Unavailable(Unavailable::Store));
    assert_eq!(world.cancel(id, &down).await, unavailable);
    assert_eq!(world.reschedule(id, 60, &down).await, unavailable);
    assert_eq!(world.state(id).await, SenderState::Queued);
}

#[tokio::test]
async fn a_worker_that_takes_the_mail_meanwhile_wins() {
    let world = Box::pin(World::start()).await;
    for is_cancel in [true, false] {
        let id = world.queue(&format!("raced {is_cancel}")).await;
        let waits = [Fault::at(On::Transaction, 0, 1, Fate::Waits)];
        let change = async {
            if is_cancel {
                world.cancel(id, &waits).await
            } else {
                world.reschedule(id, 60, &waits).await
            }
        };
        let (changed, ()) = tokio::join!(change, async {
            world.shared.reached.notified().await;
            world.begin(id).await;
            world.shared.go_on.notify_one();
        });
        assert_eq!(changed, Err(NotRecalled::TooLate(OkiteState::Sending)));
        assert!(world.entry(id).await.is_some());
    }
}

#[tokio::test]
async fn a_new_time_moves_row_entry_and_claim_and_is_hinted_when_it_is_near() {
    let world = Box::pin(World::start()).await;
    let request = Request {
        scheduled_at: Some(world.later(3_600)),
        deadline: Some(world.later(3_600 + 7_200)),
        ..to_queue("k")
    };
    let id = world.submit(&request).await.id();
    let claims = world.sending(&world.shared.connector).claims;
    let claim_id = world.row(id).await.unwrap().queued.unwrap().claim_id.unwrap();
    let claim = async || claims.get(&claim_id).await.unwrap().unwrap();
    for (attempt, ahead, hint) in [(2, 20 * 86_400, None), (3, 300, Some(300)), (4, 0, Some(0))] {
        let (before, hints) = (claim().await, world.hints().len());
        assert_eq!(world.reschedule(id, ahead, &[]).await, Ok(()));
        let (row, entry) = (world.row(id).await.unwrap(), world.entry(id).await.unwrap());
        let queued = row.queued.unwrap();
        assert_eq!((row.written, row.attempt), (SenderState::Queued, attempt));
        let at = queued.scheduled_at.unwrap();
        assert!(at.duration_since(world.later(ahead)).as_secs().abs() <= 1);
        // The span to the deadline stays, to the tick of the clock.
        assert!((queued.deadline.duration_since(at).as_secs() - 7_200).abs() <= 1);
        assert_eq!(entry.deadline, queued.deadline);
        assert!(ahead == 0 || entry.wake_at == at);
        // The claim only grows, and its records outlive it.
        let after = claim().await;
        assert!(after.expires >= before.expires && after.kept_until >= before.kept_until);
        assert!(after.expires.duration_since(queued.deadline).as_hours() >= 24);
        assert!(after.kept_until > after.expires);
        let delays: Vec<i64> = world.hints().split_off(hints).iter().map(|(_, delay)| *delay).collect();
        assert_eq!(delays, Vec::from_iter(hint));
    }
}
