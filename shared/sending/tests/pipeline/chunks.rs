//! How a batch is split, and how long its emails wait.

use std::time::Duration;

use domain::brake::Brake;
use domain::idempotency::nth_id;
use domain::pacing::{Throttled, UNLIMITED};
use domain::record::SenderState;
use sending::{Busy, Invalid, NotSent, Patience, Unavailable};

use crate::network::{Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::world::{Ended, WAIT, World};

/// How many recipients each chunk had: the list is read once a chunk, by a key for each address.
fn chunks(ended: &Ended) -> Vec<usize> {
    let lookups = ended.calls.iter().filter(|call| call.operation == "BatchGetItem");
    let keys = |tables: &serde_json::Value| -> usize {
        let tables = tables.as_object().unwrap().values();
        tables.map(|table| table["Keys"].as_array().unwrap().len()).sum()
    };
    lookups.map(|call| keys(&call.body["RequestItems"])).collect()
}

#[tokio::test]
async fn a_chunk_is_one_email_until_the_gate_is_known_and_25_at_most() {
    let world = Box::pin(World::start()).await;
    for (is_warm, expected) in [(true, vec![25, 2]), (false, vec![1, 25, 1])] {
        let mut request = Request::new(None, &format!("chunks {is_warm}"), &[Mail::Plain; 27]);
        request.is_warm = is_warm;
        let ended = Box::pin(world.submit(&request)).await;
        assert!(ended.each().iter().all(Result::is_ok));
        assert_eq!(chunks(&ended), expected);
    }
}

#[tokio::test]
async fn a_chunk_that_the_quota_is_too_small_for_is_halved() {
    let world = Box::pin(World::start()).await;
    world.set_gate(1, 3, Brake::None).await;
    let ended = world.submit(&Request::new(None, "halved", &[Mail::Plain; 6])).await;
    // Where one recipient has no room, the emails behind have none either.
    assert_eq!(chunks(&ended), [6, 3, 3, 1]);
    assert!(ended.each()[..3].iter().all(Result::is_ok));
    let is_refused = |outcome: &_| matches!(outcome, Err(NotSent::Busy(Busy::Gate(_))));
    assert!(ended.each()[3..].iter().all(is_refused), "{ended:?}");
}

#[tokio::test]
async fn one_email_waits_for_its_patience_and_a_batch_until_its_deadline() {
    let world = Box::pin(World::start()).await;
    for (patience, is_warm, is_sent) in [
        (Patience::Within(WAIT), true, false),
        // It asks the gate.
        (Patience::Within(WAIT), false, false),
        (Patience::UntilDeadline, true, true),
    ] {
        world.new_gate().await;
        world.fill_gate(Duration::from_secs(1)).await;
        let mut request = Request::new(None, &format!("{patience:?} {is_warm}"), &[Mail::Plain]);
        request.patience = patience;
        request.is_warm = is_warm;
        let ended = Box::pin(world.submit(&request)).await;
        assert_eq!(ended.only().is_ok(), is_sent, "{ended:?}");
    }
}

/// Sends a batch, and sets the brake when the batch has its slots and writes its first row.
async fn braked(world: &World, subject: &str, mails: &[Mail], brake: Brake) -> Ended {
    let request = Request::new(None, subject, mails).with(Fault::at(On::Row("PutItem"), 0, 1, Fate::Waits));
    let brakes = async {
        world.shared.reached.notified().await;
        world.set_gate(400_000, UNLIMITED, brake).await;
        world.shared.go_on.notify_one();
    };
    let (ended, ()) = tokio::join!(Box::pin(world.submit(&request)), brakes);
    ended
}

#[tokio::test]
async fn a_brake_holds_back_mail_that_waits_for_its_slot() {
    let world = Box::pin(World::start()).await;
    world.set_gate(400_000, UNLIMITED, Brake::None).await;
    // Slots at 0, 0.4, 0.8, 1.2 and 1.6 s: what is known of the brake holds for a second.
    let ended = braked(&world, "braked", &[Mail::Plain; 5], Brake::All).await;
    let (sent, held_back) = ended.each().split_at(3);
    assert!(sent.iter().all(Result::is_ok), "{ended:?}");
    let is_held_back = |outcome: &_| {
        let error = NotSent::Busy(Busy::Gate(Throttled::Brake(Brake::All)));
        *outcome == Err(error)
    };
    assert!(held_back.iter().all(is_held_back), "{ended:?}");
    assert_eq!(ended.count("SendEmail"), 3);
    for (place, _) in held_back.iter().enumerate() {
        let row = world
            .shared
            .messages
            .get(nth_id(ended.message, 3 + place))
            .await
            .unwrap();
        assert_eq!(row.unwrap().written, SenderState::Refused);
    }
    // The emails of a chunk look once.
    assert_eq!(ended.count("GetItem"), 1);
}

#[tokio::test]
async fn a_brake_of_bulk_mail_lets_transactional_mail_go_on() {
    let world = Box::pin(World::start()).await;
    world.set_gate(400_000, UNLIMITED, Brake::None).await;
    let ended = braked(&world, "going on", &[Mail::Plain; 4], Brake::Bulk).await;
    assert!(ended.each().iter().all(Result::is_ok), "{ended:?}");
    assert_eq!((ended.count("GetItem"), ended.count("SendEmail")), (1, 4));
}

#[tokio::test]
async fn mail_whose_brake_cannot_be_read_is_not_sent() {
    let world = Box::pin(World::start()).await;
    world.set_gate(400_000, UNLIMITED, Brake::None).await;
    let down = Fate::Refused(400, "AccessDeniedException", "No");
    let request = Request::new(None, "unread", &[Mail::Plain; 4]).with(Fault::always(On::Gate("GetItem"), down));
    let ended = Box::pin(world.submit(&request)).await;
    let (sent, unsent) = ended.each().split_at(3);
    assert!(sent.iter().all(Result::is_ok), "{ended:?}");
    assert_eq!(unsent, [Err(NotSent::Unavailable(Unavailable::StoreRefused))]);
}

#[tokio::test]
async fn emails_without_recipients_are_decided_without_the_gate() {
    let world = Box::pin(World::start()).await;
    world.set_gate(1, UNLIMITED, Brake::All).await;
    let mails = [Mail::Plain, Mail::Reject, Mail::Nobody];
    let ended = world.submit(&Request::new(None, "decided", &mails)).await;
    let [plain, rejected, to_nobody] = ended.each() else {
        panic!("{ended:?}");
    };
    assert!(matches!(plain, Err(NotSent::Busy(Busy::Gate(_)))), "{plain:?}");
    assert!(
        matches!(rejected, Err(NotSent::Invalid(Invalid::Suppressed(_)))),
        "{rejected:?}"
    );
    assert!(
        to_nobody.as_ref().is_ok_and(|receipt| receipt.ses_id.is_none()),
        "{to_nobody:?}"
    );
}
