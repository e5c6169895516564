//! Whether an event is the one that suppressed its address: the same answer for every copy of it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::{Evidence, Recorded, Suppressions};
use domain::suppression::{Register, SuppressionReason};
use uuid::Uuid;

use super::registers::{TABLE, address, item};
use crate::support::{Store, at};

const ANNA: &str = "anna@example.org";
const ID: Uuid = Uuid::from_u128(1);
const NEW: Recorded = Recorded::Suppressed { id: ID };
const BOUNCE: Register = Register::Of(SuppressionReason::Bounce);
const COMPLAINT: Register = Register::Of(SuppressionReason::Complaint);

async fn record(list: &Suppressions, register: Register, time: i64, source: &str) -> Recorded {
    let evidence = Evidence {
        source,
        ..Evidence::default()
    };
    list.record(&address(ANNA), register, at(time), evidence, ID)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_first_event_suppresses_the_address_and_so_do_its_copies() {
    for register in [BOUNCE, COMPLAINT, Register::BounceEcho, Register::ComplaintEcho] {
        let store = Store::start().await;
        let list = store.suppressions();
        for _ in 0..3 {
            assert_eq!(record(&list, register, 5, "f-1").await, NEW, "{register:?}");
        }
        // Neither a later nor an earlier event, nor one of the same time, and no copy of one.
        for (time, source) in [(9, "f-2"), (9, "f-2"), (5, "f-3"), (9, "f-3"), (1, "f-0"), (9, "f-3")] {
            let recorded = record(&list, register, time, source).await;
            assert_eq!(recorded, Recorded::NothingNew, "{register:?} {time} {source}");
        }
    }
}

#[tokio::test]
async fn a_copy_that_comes_after_later_events_is_answered_as_before() {
    let store = Store::start().await;
    let list = store.suppressions();
    assert_eq!(record(&list, BOUNCE, 5, "f-1").await, NEW);
    record(&list, BOUNCE, 9, "f-2").await;
    assert_eq!(record(&list, COMPLAINT, 10, "f-3").await, Recorded::NothingNew);
    assert_eq!(record(&list, COMPLAINT, 10, "f-3").await, Recorded::NothingNew);
    assert_eq!(record(&list, BOUNCE, 5, "f-1").await, NEW);
}

#[tokio::test]
async fn an_address_that_was_lifted_can_be_suppressed_anew() {
    let store = Store::start().await;
    let list = store.suppressions();
    record(&list, BOUNCE, 5, "f-1").await;
    assert!(list.lift(&address(ANNA), at(7)).await.unwrap());
    for _ in 0..2 {
        assert_eq!(
            record(&list, BOUNCE, 6, "f-2").await,
            Recorded::NothingNew,
            "before the lift"
        );
        // SES's list may still have the address: it stays lifted.
        assert_eq!(
            record(&list, Register::BounceEcho, 8, "f-3").await,
            Recorded::NothingNew
        );
    }
    for _ in 0..2 {
        assert_eq!(record(&list, BOUNCE, 10, "f-4").await, NEW);
        assert_eq!(record(&list, BOUNCE, 11, "f-5").await, Recorded::NothingNew);
        assert_eq!(record(&list, BOUNCE, 6, "f-2").await, Recorded::NothingNew);
    }
    let lifted = list.record_lift(&address(ANNA), at(12), ID).await;
    lifted.unwrap();
    for _ in 0..2 {
        assert_eq!(record(&list, BOUNCE, 11, "f-5").await, Recorded::NothingNew);
        assert_eq!(record(&list, BOUNCE, 13, "f-6").await, NEW);
        assert_eq!(record(&list, BOUNCE, 14, "f-7").await, Recorded::NothingNew);
    }
}

/// The function dies between the two writes of an event that suppresses an address anew. A copy of the event, or
/// another event, is told then.
#[tokio::test]
async fn a_suppression_after_a_late_event_is_told_although_a_write_is_lost() {
    for (time, source) in [(10, "f-4"), (11, "f-5")] {
        let store = Store::start().await;
        let list = store.suppressions();
        record(&list, BOUNCE, 5, "f-1").await;
        assert!(list.lift(&address(ANNA), at(7)).await.unwrap());
        record(&list, BOUNCE, 6, "f-2").await;
        let stale = item(&store, ANNA).await["bounce_since"].clone();
        assert_eq!(record(&list, BOUNCE, 10, "f-4").await, NEW);
        let mut entry = item(&store, ANNA).await;
        entry.insert("bounce_since".to_owned(), stale);
        store
            .put(TABLE, entry.iter().map(|(name, value)| (name.as_str(), value.clone())))
            .await;
        assert_eq!(record(&list, BOUNCE, time, source).await, NEW, "{source}");
        assert_eq!(record(&list, BOUNCE, 12, "f-6").await, Recorded::NothingNew);
        assert_eq!(record(&list, BOUNCE, time, source).await, NEW, "{source}");
    }
}

#[tokio::test]
async fn a_suppression_by_hand_is_the_first_one_while_it_lasts() {
    for (end, expected) in [
        (None, Recorded::NothingNew),
        (Some(8), Recorded::NothingNew),
        (Some(6), NEW),
    ] {
        let store = Store::start().await;
        let list = store.suppressions();
        let evidence = Evidence::default();
        list.record_manual(&address(ANNA), at(5), end.map(at), evidence, ID)
            .await
            .unwrap();
        for _ in 0..2 {
            assert_eq!(record(&list, BOUNCE, 7, "f-1").await, expected, "{end:?}");
        }
    }
}

#[tokio::test]
async fn blocks_and_soft_bounces_suppress_nobody_for_good() {
    let store = Store::start().await;
    let list = store.suppressions();
    for reason in [SuppressionReason::Blocked, SuppressionReason::Soft] {
        assert_eq!(record(&list, reason.into(), 1, "f-1").await, Recorded::NothingNew);
    }
    // SES lists blocked addresses too, so the echo proves no bounce.
    assert_eq!(
        record(&list, Register::BounceEcho, 2, "f-2").await,
        Recorded::NothingNew
    );
    assert_eq!(record(&list, BOUNCE, 3, "f-3").await, NEW);
}
