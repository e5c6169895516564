//! What is judged again when a mail is sent: its deadline and its time, its content, its key, and its recipients.

use std::time::Duration;

use aws::Evidence;
use domain::address::Mailbox;
use domain::api_key::ApiKeyRecord;
use domain::brake::Brake;
use domain::pacing::UNLIMITED;
use domain::record::{DeliveryState, FailedReason, OkiteState, SenderState};
use domain::stream::Stream;
use uuid::Uuid;

use crate::network::{Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::waiting::to_queue;
use crate::working::{Batch, Worked};
use crate::world::{BULK_HINTS, KEY, World};

impl World {
    /// A mail that waits is not sent, and fails for this reason.
    async fn fails(&self, id: Uuid, reason: FailedReason) {
        let worked = self.work_on(id, &[]).await;
        assert!(
            worked.is_acknowledged() && worked.hints.is_empty(),
            "{reason:?}: {worked:?}"
        );
        assert_eq!(worked.count("SendEmail"), 0, "{reason:?}");
        let row = self.row(id).await.unwrap();
        let state = row.okite_state(self.clock.now());
        assert_eq!(state, (OkiteState::Failed, Some(reason.as_str())));
        assert_eq!(self.waiting_items(Some(id)).await, 0, "{reason:?}");
    }

    /// Queues an email that is sent now if it can be.
    async fn waiting_mail(&self, name: &str, mail: Mail) -> Uuid {
        self.close_gate().await;
        let request = Request {
            mails: vec![mail],
            ..to_queue(name)
        };
        let id = self.submit(&request).await.id();
        self.new_gate().await;
        id
    }

    /// Somebody puts the address of a mail's only recipient on the list.
    async fn suppress(&self, address: &str) {
        let mailbox = Mailbox::parse(address).unwrap();
        let evidence = Evidence {
            subtype: "",
            diagnostic: None,
            bounce_reason: None,
            source: "a test",
        };
        let suppressions = self.sending(&self.shared.connector).suppressions;
        let (at, id) = (self.clock.now(), self.new_id());
        let recorded = suppressions.record_manual(mailbox.address(), at, None, evidence, id);
        recorded.await.unwrap();
    }
}

#[tokio::test]
async fn a_mail_past_its_deadline_fails() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    world.advance(Duration::from_hours(25));
    world.fails(id, FailedReason::Expired).await;
    // Another reader may have settled the row before. The worker still deletes the content and the entry.
    let id = world.waiting("settled").await;
    let hint = world.hint(id).await;
    let messages = &world.shared.messages;
    messages.expire_queued(id, world.later(100_000)).await.unwrap();
    assert!(world.work(&Batch::of(&[hint])).await.is_acknowledged());
    assert_eq!(world.waiting_items(Some(id)).await, 0);
}

#[tokio::test]
async fn an_end_that_is_not_confirmed_delivers_the_hint_again() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    world.advance(Duration::from_hours(25));
    let fails = On::Saying("UpdateItem", "#failed = :new_failed");
    let worked = world.work_on(id, &[Fault::always(fails, Fate::CutBefore)]).await;
    assert_eq!(worked.again.unwrap(), ["0"]);
    assert!(world.entry(id).await.is_some());
    world.fails(id, FailedReason::Expired).await;
}

#[tokio::test]
async fn a_mail_that_is_not_due_waits_for_the_rest_or_for_the_index() {
    let world = Box::pin(World::start()).await;
    for (name, ahead, hint) in [("soon", 600, Some(600)), ("late", 5_000, None)] {
        let request = Request {
            scheduled_at: Some(world.later(ahead)),
            ..to_queue(name)
        };
        let id = world.submit(&request).await.id();
        let wake_at = world.entry(id).await.unwrap().wake_at;
        let worked = world.work_on(id, &[]).await;
        assert!(worked.is_acknowledged(), "{name}");
        let delays: Vec<i64> = worked.hints.iter().map(|(_, delay)| *delay).collect();
        assert_eq!(delays, Vec::from_iter(hint), "{name}");
        // The index brings it back at the time that stands there.
        assert_eq!(world.entry(id).await.unwrap().wake_at, wake_at, "{name}");
        world.advance(Duration::from_secs(ahead.unsigned_abs()));
        world.new_gate().await;
        assert!(world.work_on(id, &[]).await.is_acknowledged(), "{name}");
        assert_eq!(world.mails(&format!("{name}/0")).len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_hint_of_nothing_is_acknowledged() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let hint = world.hint(id).await;
    assert_eq!(world.cancel(id, &[]).await, Ok(()));
    let nobody = domain::queue::Hint::new(Uuid::from_u128(7), Uuid::from_u128(8));
    let worked = world.work(&Batch::of(&[hint, nobody])).await;
    assert!(worked.is_acknowledged() && worked.hints.is_empty(), "{worked:?}");
    assert_eq!(world.state(id).await, SenderState::Canceled);
}

#[tokio::test]
async fn a_mail_whose_content_is_gone_or_broken_fails() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("gone").await;
    let content = world.entry(id).await.unwrap().content;
    world.outbox().delete_content(id, &content).await.unwrap();
    world.fails(id, FailedReason::ContentMissing).await;

    let id = world.waiting("broken").await;
    world.overwrite_content(id, b"no content".to_vec()).await;
    world.fails(id, FailedReason::ContentMissing).await;
}

#[tokio::test]
async fn a_mail_whose_content_a_newer_version_wrote_waits() {
    let world = Box::pin(World::start()).await;
    let id = world.waiting("k").await;
    let before = world.row(id).await;
    // An empty block of deflate, with the JSON as it is.
    let json = br#"{"version":2}"#;
    let len = u16::try_from(json.len()).unwrap();
    let stored = [&[1], &len.to_le_bytes()[..], &(!len).to_le_bytes(), json].concat();
    world.overwrite_content(id, stored).await;
    let worked = world.work_on(id, &[]).await;
    assert!(worked.is_acknowledged() && worked.hints.is_empty(), "{worked:?}");
    assert_eq!(world.row(id).await, before);
    let entry = world.entry(id).await.unwrap();
    let wait = entry.wake_at.duration_since(world.clock.now()).as_secs();
    assert!((299..=300).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_mail_whose_key_is_revoked_or_may_not_send_from_its_domain_fails() {
    let world = Box::pin(World::start()).await;
    let key = |from_domain: &str| ApiKeyRecord {
        from_domains: vec![from_domain.to_owned()],
        ..world.key()
    };
    let id = world.waiting("elsewhere").await;
    world.keys().put(&key("example.net")).await.unwrap();
    world.fails(id, FailedReason::DomainNotAllowed).await;

    let id = world.waiting("revoked").await;
    world.keys().delete(KEY).await.unwrap();
    world.fails(id, FailedReason::KeyRevoked).await;

    // A key that moved to another stream sends what waits in the stream in which it was accepted.
    let id = world.waiting("moved").await;
    let moved = ApiKeyRecord {
        stream: Stream::Bulk,
        ..key("example.com")
    };
    world.keys().put(&moved).await.unwrap();
    let worked = world.work_on(id, &[]).await;
    assert!(worked.is_acknowledged(), "{worked:?}");
    assert_eq!(worked.saying("SendEmail", "transactional"), 1);
}

#[tokio::test]
async fn recipients_are_judged_again() {
    let world = Box::pin(World::start()).await;
    let nobody = world.waiting("nobody").await;
    let part = world.waiting_mail("part", Mail::Part).await;
    // Part goes to its addressee, without the one who was suppressed before.
    let worked = world.work_on(part, &[]).await;
    assert!(worked.is_acknowledged(), "{worked:?}");
    assert_eq!(worked.saying("SendEmail", "gone@example.net"), 0);

    world.suppress("anna0@example.net").await;
    let worked = world.work_on(nobody, &[]).await;
    assert!(worked.is_acknowledged() && worked.count("SendEmail") == 0, "{worked:?}");
    let row = world.row(nobody).await.unwrap();
    assert_eq!(row.state(world.clock.now()), DeliveryState::Suppressed);
    // The row shows the later outcome.
    assert_eq!(row.recipients[0].status, "suppressed");
    assert_eq!(world.waiting_items(Some(nobody)).await, 0);
}

#[tokio::test]
async fn a_caller_who_wants_all_or_none_gets_none() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let request = Request {
        mails: vec![Mail::Strict],
        ..to_queue("k")
    };
    let id = world.submit(&request).await.id();
    world.new_gate().await;
    world.suppress("anna0@example.net").await;
    world.fails(id, FailedReason::Suppressed).await;
}

/// Each call of DynamoDB before the row says `sending` fails in turn: the row is untouched, and the mail comes back.
#[tokio::test]
async fn a_store_that_is_down_before_the_attempt_leaves_the_row_untouched() {
    let world = Box::pin(World::start()).await;
    let of_hint = |worked: &Worked| worked.hints.iter().map(|(_, delay)| *delay).collect::<Vec<_>>();
    let contents = On::Saying("BatchGetItem", "#content");
    let list = On::Saying("BatchGetItem", "Suppressions");
    let keys = On::Saying("GetItem", "ApiKeys");
    let denied = Fate::Refused(400, "AccessDeniedException", "x");
    for on in [keys, contents, list, On::Gate("UpdateItem")] {
        for (fate, delays) in [(Fate::CutBefore, vec![5]), (denied, vec![])] {
            let name = format!("{on:?} {fate:?}");
            let id = world.waiting(&name).await;
            let before = world.row(id).await;
            let worked = world.work_on(id, &[Fault::always(on, fate)]).await;
            assert!(worked.is_acknowledged(), "{name}: {worked:?}");
            assert_eq!((of_hint(&worked), world.row(id).await), (delays, before), "{name}");
            assert_eq!(worked.count("SendEmail"), 0, "{name}");
        }
    }
    // What it is about is not known, so the hint itself comes again.
    for on in [On::Saying("GetItem", "\"entry\""), On::Saying("GetItem", "\"mail#")] {
        let id = world.waiting(&format!("{on:?}")).await;
        let worked = world.work_on(id, &[Fault::always(on, Fate::CutBefore)]).await;
        assert_eq!(worked.again.unwrap(), ["0"], "{on:?}");
    }
}

#[tokio::test]
async fn bulk_mail_goes_by_its_own_queue_and_its_own_brake() {
    let world = Box::pin(World::start()).await;
    world.close_gate().await;
    let request = Request {
        stream: Stream::Bulk,
        ..to_queue("k")
    };
    let id = world.submit(&request).await.id();
    let worked = world.work_on(id, &[]).await;
    assert!(worked.is_acknowledged());
    assert_eq!(world.hints_in(BULK_HINTS).len(), 1, "{worked:?}");
    world.new_gate().await;
    world.set_gate(1, UNLIMITED, Brake::Bulk).await;
    let worked = world.work_on(id, &[]).await;
    // A stream that is held back is not read: neither contents nor keys.
    assert_eq!((worked.count("BatchGetItem"), worked.count("SendEmail")), (0, 0));
    world.new_gate().await;
    let worked = world.work_on(id, &[]).await;
    assert_eq!(worked.saying("SendEmail", "bulk"), 1);
}
