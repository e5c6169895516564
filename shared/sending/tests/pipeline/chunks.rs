//! How a batch is split, and how long its emails wait.

use std::time::Duration;

use domain::brake::Brake;
use domain::pacing::UNLIMITED;
use sending::{Busy, Invalid, NotSent, Patience};

use crate::world::{Ended, Mail, Request, WAIT, World};

/// How many recipients each chunk had: the list is read once a chunk, by two keys for each address.
fn chunks(ended: &Ended) -> Vec<usize> {
    let lookups = ended.calls.iter().filter(|call| call.operation == "BatchGetItem");
    let keys = |tables: &serde_json::Value| -> usize {
        let tables = tables.as_object().unwrap().values();
        tables.map(|table| table["Keys"].as_array().unwrap().len()).sum()
    };
    lookups.map(|call| keys(&call.body["RequestItems"]) / 2).collect()
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

#[tokio::test]
async fn what_needs_no_slot_is_decided_whatever_the_gate_says() {
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
