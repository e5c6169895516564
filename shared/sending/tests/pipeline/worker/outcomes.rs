//! What came of an attempt, and what then becomes of the row, the entry, the content and the hint.

use std::time::Duration;

use domain::brake::Brake;
use domain::pacing::UNLIMITED;
use domain::record::{DeliveryState, FailedReason, SenderState, WaitsFor};
use uuid::Uuid;

use crate::network::{Fate, Fault, On};
use crate::working::Batch;
use crate::world::World;

/// The write before SES is called.
const BEGIN: On = On::Saying("UpdateItem", "#lease_until = :new_lease_until");
/// The write that a mail waits again.
const REQUEUE: On = On::Saying("UpdateItem", "#waits_for = :new_waits_for");
/// The write that a mail failed.
const FAIL: On = On::Saying("UpdateItem", "#failed = :new_failed");
/// The write that SES accepted a mail.
const ACCEPTED: On = On::Saying("UpdateItem", "if_not_exists(#ses_id");

const THROTTLED: Fate = Fate::Refused(429, "TooManyRequestsException", "Maximum sending rate exceeded.");

impl World {
    /// Whether nothing is left of a mail in the table of what waits.
    pub(crate) async fn is_gone(&self, id: Uuid) -> bool {
        self.waiting_items(Some(id)).await == 0
    }

    async fn failed(&self, id: Uuid) -> Option<FailedReason> {
        self.row(id).await.unwrap().failed
    }

    async fn waits_for(&self, id: Uuid) -> (SenderState, Option<WaitsFor>) {
        let row = self.row(id).await.unwrap();
        (row.written, row.queued.unwrap().waits_for)
    }
}

#[tokio::test]
async fn a_mail_that_ses_accepts_is_sent_once_and_nothing_is_left_of_it() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let hint = world.hint(id).await;
    for _ in 0..2 {
        let worked = world.work(&Batch::of(std::slice::from_ref(&hint))).await;
        assert!(worked.is_acknowledged() && worked.hints.is_empty(), "{worked:?}");
        let row = world.row(id).await.unwrap();
        assert_eq!(row.state(world.clock.now()), DeliveryState::Sent);
        // Acceptance counted the first attempt.
        assert_eq!(row.attempt, 2);
        assert_eq!(world.mails("k/0").len(), 1);
        assert!(world.is_gone(id).await);
    }
}

#[tokio::test]
async fn what_the_gate_refuses_is_untouched_and_waits_by_its_cause() {
    let world = Box::pin(World::start()).await;
    for (name, gate, hint, wakes_in) in [
        ("rate", None, Some(30), None),
        // Longer than a minute: by the index.
        ("quota", Some((0, Brake::None)), None, Some(61)),
        ("brake", Some((UNLIMITED, Brake::All)), None, Some(61)),
    ] {
        let id = world.queue(name).await;
        let before = world.row(id).await;
        if let Some((left, brake)) = gate {
            world.new_gate().await;
            world.set_gate(1, left, brake).await;
        }
        let worked = world.work_on(id, &[]).await;
        assert!(worked.is_acknowledged(), "{name}: {worked:?}");
        assert_eq!(world.row(id).await, before, "{name}");
        match (hint, &worked.hints[..]) {
            (Some(least), [(hint, delay)]) => {
                assert!((least..=60).contains(delay), "{name} {delay}");
                assert_eq!(*hint, world.hint(id).await);
            }
            (None, []) => {
                let wake_at = world.entry(id).await.unwrap().wake_at;
                let wait = wake_at.duration_since(world.clock.now()).as_secs();
                assert!(
                    wakes_in.is_some_and(|wakes_in: i64| (wait - wakes_in).abs() <= 1),
                    "{name} {wait}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// A login code does not wait for half of its time.
#[tokio::test]
async fn a_mail_whose_deadline_is_near_comes_back_after_a_quarter_of_its_time() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let request = crate::request::Request {
        deadline: Some(world.later(100)),
        ..crate::waiting::to_queue("code")
    };
    let id = world.submit(&request).await.id();
    world.new_gate().await;
    world.set_gate(1, 0, Brake::None).await;
    let worked = world.work_on(id, &[]).await;
    assert!(matches!(worked.hints[..], [(_, 24 | 25)]), "{worked:?}");
    world.advance(Duration::from_secs(96));
    let worked = world.work_on(id, &[]).await;
    assert!(matches!(worked.hints[..], [(_, 1)]), "{worked:?}");
}

#[tokio::test]
async fn what_ses_refuses_for_now_is_queued_again_with_what_it_waits_for() {
    let world = Box::pin(World::start()).await;
    let quota = Fate::Refused(429, "TooManyRequestsException", "Daily message quota exceeded.");
    let paused = Fate::Refused(400, "SendingPausedException", "Paused");
    let denied = Fate::Refused(403, "AccessDeniedException", "No");
    let down = Fate::Refused(503, "ServiceUnavailable", "No");
    for (name, fate, waits_for, wait) in [
        ("throttled", THROTTLED, WaitsFor::Rate, 1),
        ("quota", quota, WaitsFor::Quota, 300),
        ("paused", paused, WaitsFor::Account, 300),
        ("denied", denied, WaitsFor::Deployment, 300),
        ("down", down, WaitsFor::Service, 5),
    ] {
        let id = world.waiting(name).await;
        let worked = world.work_on(id, &[Fault::always(On::Ses, fate)]).await;
        assert!(worked.is_acknowledged(), "{name}: {worked:?}");
        assert_eq!(
            world.waits_for(id).await,
            (SenderState::Queued, Some(waits_for)),
            "{name}"
        );
        let wake_at = world.entry(id).await.unwrap().wake_at;
        match &worked.hints[..] {
            [(hint, delay)] => assert_eq!((*delay, hint.released.len()), (wait, 0), "{name}"),
            [] => assert!(
                (wake_at.duration_since(world.clock.now()).as_secs() - wait).abs() <= 1,
                "{name}"
            ),
            other => panic!("{name}: {other:?}"),
        }
        // The next worker sends it.
        assert!(world.work_on(id, &[]).await.is_acknowledged(), "{name}");
        assert_eq!(world.mails(&format!("{name}/0")).len(), 1, "{name}");
        assert!(world.is_gone(id).await, "{name}");
    }
}

#[tokio::test]
async fn a_mail_that_ses_throttles_is_called_again_within_its_patience() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let worked = world.work_on(id, &[Fault::at(On::Ses, 0, 1, THROTTLED)]).await;
    assert_eq!(worked.count("SendEmail"), 2);
    assert_eq!(world.mails("k/0").len(), 1);
}

#[tokio::test]
async fn a_mail_that_is_itself_at_fault_fails_with_its_reason() {
    let world = Box::pin(World::start()).await;
    let sender = "Email address is not verified. The following identities failed the check in region US-EAST-1: acme@example.com";
    let recipient = "Email address is not verified. The following identities failed the check in region US-EAST-1: anna0@example.net";
    for (name, text, reason) in [
        ("content", "No", FailedReason::Rejected),
        ("sender", sender, FailedReason::SenderNotVerified),
        ("recipient", recipient, FailedReason::RecipientNotVerified),
    ] {
        let id = world.waiting(name).await;
        let rejected = Fault::always(On::Ses, Fate::Refused(400, "MessageRejected", text));
        let worked = world.work_on(id, &[rejected]).await;
        assert!(
            worked.is_acknowledged() && worked.hints.is_empty(),
            "{name}: {worked:?}"
        );
        assert_eq!(world.failed(id).await, Some(reason), "{name}");
        assert!(world.is_gone(id).await, "{name}");
    }
}

#[tokio::test]
async fn an_unclear_answer_is_never_followed_by_a_second_call_and_ends_as_unknown() {
    let world = Box::pin(World::start()).await;
    for (name, fate, is_sent) in [("before", Fate::CutBefore, false), ("after", Fate::CutAfter, true)] {
        let id = world.waiting(name).await;
        let hint = world.hint(id).await;
        let worked = world.work_on(id, &[Fault::always(On::Ses, fate)]).await;
        assert!(
            worked.is_acknowledged() && worked.hints.is_empty(),
            "{name}: {worked:?}"
        );
        let lease_until = world.row(id).await.unwrap().lease_until.unwrap();
        let lease = lease_until.duration_since(world.clock.now()).as_secs();
        // The end of the invocation and five seconds.
        assert!((60..=65).contains(&lease), "{lease}");
        for (minutes, state) in [
            (0, DeliveryState::Unknown),
            (30, DeliveryState::Unknown),
            (60, DeliveryState::Unknown),
        ] {
            world.advance(Duration::from_mins(minutes) + Duration::from_secs(65));
            let worked = world.work(&Batch::of(std::slice::from_ref(&hint))).await;
            assert!(worked.is_acknowledged() && worked.count("SendEmail") == 0, "{name}");
            assert_eq!(world.row(id).await.unwrap().state(world.clock.now()), state, "{name}");
        }
        assert_eq!(world.row(id).await.unwrap().written, SenderState::Unknown);
        assert!(world.is_gone(id).await, "{name}");
        world.deliver(1).await;
        let state = world.row(id).await.unwrap().state(world.clock.now());
        let expected = if is_sent {
            DeliveryState::Sent
        } else {
            DeliveryState::Unknown
        };
        assert_eq!(state, expected, "{name}");
    }
}

#[tokio::test]
async fn an_event_ends_the_wait_of_an_unclear_answer() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let hint = world.hint(id).await;
    world.work_on(id, &[Fault::always(On::Ses, Fate::CutAfter)]).await;
    world.advance(Duration::from_secs(70));
    world.deliver(1).await;
    assert!(world.work(&Batch::of(&[hint])).await.is_acknowledged());
    assert!(world.is_gone(id).await);
    assert_eq!(world.mails("k/0").len(), 1);
}

/// Whatever became of the write before SES, or of the one after a refusal, the next worker sends the mail once.
#[tokio::test]
async fn an_attempt_without_an_answer_is_released_by_the_fresh_hint() {
    let world = Box::pin(World::start()).await;
    let throttled = Fault::always(On::Ses, THROTTLED);
    for (on, ses) in [(BEGIN, None), (REQUEUE, Some(throttled))] {
        for fate in [Fate::CutBefore, Fate::CutAfter, Fate::Late] {
            let name = format!("{on:?} {fate:?}");
            let id = world.waiting(&name).await;
            let mut faults = vec![Fault::always(on, fate)];
            faults.extend(ses);
            let worked = world.work_on(id, &faults).await;
            assert!(worked.is_acknowledged(), "{name}: {worked:?}");
            let [(hint, _)] = &worked.hints[..] else {
                panic!("{name}: {worked:?}")
            };
            assert_eq!(hint.released.len(), 1, "{name}");
            // A worker with the hint of before does not take it over.
            if world.state(id).await == SenderState::Sending {
                let other = world.work_on(id, &[]).await;
                assert!(other.is_acknowledged() && other.count("SendEmail") == 0, "{name}");
            }
            let taken = world.work(&Batch::of(std::slice::from_ref(hint))).await;
            assert!(taken.is_acknowledged() && taken.hints.is_empty(), "{name}: {taken:?}");
            // A write that comes late changes nothing any more.
            world.shared.carry_out_late().await;
            assert_eq!(
                world.row(id).await.unwrap().state(world.clock.now()),
                DeliveryState::Sent,
                "{name}"
            );
            assert_eq!(world.mails(&format!("{name}/0")).len(), 1, "{name}");
            assert!(world.is_gone(id).await, "{name}");
        }
    }
}

#[tokio::test]
async fn a_fresh_hint_carries_on_what_its_hint_released_and_is_always_a_hint() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let released = Uuid::from_u128(7);
    let hint = world.hint(id).await.releasing(released);
    // The quota asks for more than a minute.
    world.set_gate(1, 0, Brake::None).await;
    let worked = world.work(&Batch::of(std::slice::from_ref(&hint))).await;
    assert_eq!(worked.hints, [(hint.clone(), 61)]);
    world.new_gate().await;
    let lost = Fault::always(BEGIN, Fate::CutAfter);
    let worked = world.work(&Batch::of(&[hint]).with(lost)).await;
    let [(fresh, _)] = &worked.hints[..] else {
        panic!("{worked:?}")
    };
    assert_eq!((fresh.released.len(), fresh.released[0]), (2, released));
    // Past its deadline the row that the hint releases fails.
    world.advance(Duration::from_hours(25));
    assert!(
        world
            .work(&Batch::of(std::slice::from_ref(fresh)))
            .await
            .is_acknowledged()
    );
    assert_eq!(world.failed(id).await, Some(FailedReason::Expired));
    assert!(world.is_gone(id).await);
}

/// SQS gives a hint up after ten deliveries. What it releases would be lost with it.
#[tokio::test]
async fn what_a_hint_releases_outlives_a_table_that_does_not_answer() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let worked = world.work_on(id, &[Fault::always(BEGIN, Fate::CutAfter)]).await;
    let (mut hint, _) = worked.hints[0].clone();
    let released = hint.released.clone();
    let denied = Fate::Refused(400, "AccessDeniedException", "No");
    let odd = Fate::Refused(400, "ValidationException", "No");
    for (on, fate, wait) in [
        (On::Entry("GetItem"), denied, 300),
        (On::Entry("GetItem"), odd, 5),
        // The row is read after the entry.
        (On::Saying("GetItem", "\"mail#"), denied, 300),
    ] {
        for _ in 0..4 {
            let batch = Batch::of(&[hint]).received(10).with(Fault::always(on, fate));
            let worked = world.work(&batch).await;
            assert!(worked.is_acknowledged(), "{on:?}: {worked:?}");
            let [(fresh, delay)] = &worked.hints[..] else {
                panic!("{on:?}: {worked:?}")
            };
            assert_eq!((&fresh.released, *delay), (&released, wait), "{on:?}");
            hint = fresh.clone();
        }
    }
    // A fresh hint that SQS does not confirm takes nobody's place.
    let silent = [
        Fault::always(On::Entry("GetItem"), denied),
        Fault::always(On::Hint, denied),
    ];
    let batch = Batch {
        faults: silent.to_vec(),
        ..Batch::of(std::slice::from_ref(&hint))
    };
    assert_eq!(world.work(&batch).await.again.as_deref(), Some(&["0".to_owned()][..]));
    // A hint that releases nothing is delivered again: the index has its mail.
    let worked = world.work_on(id, &silent[..1]).await;
    assert_eq!(
        (worked.again.map(|again| again.len()), worked.hints.len()),
        (Some(1), 0)
    );
    assert!(world.work(&Batch::of(&[hint])).await.is_acknowledged());
    assert_eq!(
        world.row(id).await.unwrap().state(world.clock.now()),
        DeliveryState::Sent
    );
    assert_eq!(world.mails("k/0").len(), 1);
    assert!(world.is_gone(id).await);
}

#[tokio::test]
async fn a_failure_without_an_answer_is_written_by_the_next_worker() {
    let world = Box::pin(World::start()).await;
    let rejected = Fault::always(On::Ses, Fate::Refused(400, "MessageRejected", "No"));
    for fate in [Fate::CutBefore, Fate::CutAfter, Fate::Late] {
        let name = format!("{fate:?}");
        let id = world.waiting(&name).await;
        let worked = world.work_on(id, &[rejected, Fault::always(FAIL, fate)]).await;
        let [(hint, _)] = &worked.hints[..] else {
            panic!("{name}: {worked:?}")
        };
        let worked = world.work(&Batch::of(std::slice::from_ref(hint)).with(rejected)).await;
        assert!(worked.is_acknowledged(), "{name}: {worked:?}");
        world.shared.carry_out_late().await;
        assert_eq!(world.failed(id).await, Some(FailedReason::Rejected), "{name}");
        assert!(world.is_gone(id).await, "{name}");
    }
}

#[tokio::test]
async fn a_hint_is_delivered_again_while_an_end_is_not_confirmed() {
    let world = Box::pin(World::start()).await;
    let of_content = On::Saying("BatchWriteItem", "DeleteRequest");
    let of_entry = On::Saying("DeleteItem", "\"entry\"");
    for on in [of_content, of_entry] {
        for fate in [Fate::CutBefore, Fate::CutAfter] {
            let name = format!("{on:?} {fate:?}");
            let id = world.waiting(&name).await;
            let batch = Batch::of(&[world.hint(id).await]);
            let worked = world.work(&batch.clone().with(Fault::always(on, fate))).await;
            assert_eq!(worked.again.unwrap(), ["0"], "{name}");
            let again = world.work(&batch).await;
            assert!(again.is_acknowledged() && again.count("SendEmail") == 0, "{name}");
            assert!(world.is_gone(id).await, "{name}");
        }
    }
    // SES's id is lost, so the mail ends as an unknown one, unless an event comes.
    let id = world.waiting("id").await;
    let batch = Batch::of(&[world.hint(id).await]);
    let worked = world
        .work(&batch.clone().with(Fault::always(ACCEPTED, Fate::CutBefore)))
        .await;
    assert_eq!(worked.again.unwrap(), ["0"]);
    let again = world.work(&batch).await;
    assert!(again.is_acknowledged() && again.count("SendEmail") == 0);
    world.deliver(1).await;
    assert!(world.work(&batch).await.is_acknowledged());
    assert!(world.is_gone(id).await);
}

#[tokio::test]
async fn a_hint_is_delivered_again_if_the_fresh_one_is_not_taken() {
    let world = Box::pin(World::start()).await;
    let id = world.queue("k").await;
    let refused = Fault::always(On::Hint, Fate::Refused(403, "AccessDenied", "No"));
    let worked = world.work_on(id, &[refused]).await;
    assert_eq!(worked.again.as_ref().unwrap(), &["0"]);
    assert_eq!(worked.count("SendMessage"), 3);
    // It is tried more than once.
    let once = Fault::at(On::Hint, 0, 1, Fate::CutBefore);
    let worked = world.work_on(id, &[once]).await;
    assert!(worked.is_acknowledged() && worked.hints.len() == 1, "{worked:?}");
    // Nor does the index know of a wait whose write has no answer.
    world.new_gate().await;
    world.set_gate(1, 0, Brake::None).await;
    let wake = Fault::always(On::Saying("UpdateItem", "#wake_at = :wake_at"), Fate::CutBefore);
    assert_eq!(world.work_on(id, &[wake]).await.again.unwrap(), ["0"]);
}
