//! An operator's decision on the brake, beside the reports that set the same gate.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::{GateSet, GateState, OverrideInGate, Usage};
use domain::account::AccountHealth;
use domain::brake::Brake;
use domain::brake::BrakeOverride;
use domain::pacing::GateSettings;

use crate::support::{Store, at, closed_port, n, number, s, text};

const TABLE: &str = "UsageTable";
const PK: &str = "gate#us-east-1";
const SETTINGS: GateSettings = GateSettings {
    slot_interval: 75_188,
    ceiling_all: 1_000,
    ceiling_bulk: 800,
};

/// An operator's decision, so many milliseconds after the time that all tests share.
fn word(word: &str, milliseconds: i64) -> BrakeOverride {
    BrakeOverride {
        setting: word.to_owned(),
        by: "anna".to_owned(),
        why: "a bad list".to_owned(),
        at: Some(at(milliseconds)),
    }
}

/// The brake that the gate has.
async fn brake(store: &Store) -> i64 {
    number(
        &store.item(TABLE, &[("pk", PK), ("sk", "gate")]).await.unwrap(),
        "brake",
    )
}

/// Sets the gate as a report does that has read this.
async fn report(usage: &Usage, read: &GateState, milliseconds: i64) -> GateSet {
    let word = read.brake_override.as_ref().and_then(BrakeOverride::brake);
    let brake = word.unwrap_or(AccountHealth::Healthy.into());
    let set = usage.set_gate(SETTINGS, brake, read.overridden_at, at(milliseconds));
    set.await.unwrap()
}

#[tokio::test]
async fn an_override_is_kept_with_author_reason_and_time() {
    let store = Store::start().await;
    let usage = store.usage();
    assert!(usage.put_brake_override(&word("all", 5)).await.unwrap());
    let row = store
        .item(TABLE, &[("pk", PK), ("sk", "brake_override")])
        .await
        .unwrap();
    let texts = ["brake_override", "by", "why"].map(|name| text(&row, name));
    assert_eq!(texts, ["all", "anna", "a bad list"]);
    assert_eq!(number(&row, "at"), at(5).as_millisecond());
    assert!(!row.contains_key("expires_at"), "an operator's decision must never go");
    let read = usage.gate_state().await.unwrap();
    assert_eq!(
        (read.brake_override, read.overridden_at, read.brake),
        (Some(word("all", 5)), Some(at(5)), None)
    );
}

#[tokio::test]
async fn of_two_overrides_the_later_is_kept_in_any_order() {
    let store = Store::start().await;
    let usage = store.usage();
    assert!(usage.put_brake_override(&word("all", 2)).await.unwrap());
    assert!(!usage.put_brake_override(&word("none", 1)).await.unwrap());
    assert!(!usage.put_brake_override(&word("none", 2)).await.unwrap());
    let kept = usage.gate_state().await.unwrap().brake_override;
    assert_eq!(kept, Some(word("all", 2)));
    // One that was written by hand is older than any.
    let by_hand = [
        ("pk", s(PK)),
        ("sk", s("brake_override")),
        ("brake_override", s("bulk")),
    ];
    store.put(TABLE, by_hand).await;
    assert!(usage.put_brake_override(&word("auto", 1)).await.unwrap());
}

#[tokio::test]
async fn an_override_is_in_force_at_once_and_changes_nothing_else_of_the_gate() {
    let store = Store::start().await;
    let usage = store.usage();
    assert_eq!(report(&usage, &GateState::default(), 0).await, GateSet::Done);
    let before = store.item(TABLE, &[("pk", PK), ("sk", "gate")]).await.unwrap();
    let set = usage.set_brake(Brake::All, at(5)).await.unwrap();
    assert_eq!((set, brake(&store).await), (OverrideInGate::InForce, 2));
    let mut after = store.item(TABLE, &[("pk", PK), ("sk", "gate")]).await.unwrap();
    assert_eq!(number(&after, "overridden_at"), at(5).as_millisecond());
    for name in ["brake", "overridden_at"] {
        after.insert(name.to_owned(), before[name].clone());
    }
    assert_eq!(after, before);
    assert_eq!(
        usage.set_brake(Brake::None, at(4)).await.unwrap(),
        OverrideInGate::Overtaken
    );
    assert_eq!(brake(&store).await, 2);
}

#[tokio::test]
async fn a_gate_that_is_not_there_is_not_made_by_half() {
    let store = Store::start().await;
    let set = store.usage().set_brake(Brake::All, at(5)).await.unwrap();
    assert_eq!((set, store.count(TABLE).await), (OverrideInGate::NoGate, 0));
}

#[tokio::test]
async fn the_gate_of_an_earlier_version_accepts_an_override() {
    let store = Store::start().await;
    let old = [
        ("pk", s(PK)),
        ("sk", s("gate")),
        ("brake", n(0)),
        ("account_read_at", n(1)),
    ];
    store.put(TABLE, old).await;
    let usage = store.usage();
    assert_eq!(
        usage.set_brake(Brake::Bulk, at(5)).await.unwrap(),
        OverrideInGate::InForce
    );
    assert_eq!(brake(&store).await, 1);
}

#[tokio::test]
async fn a_report_without_the_override_cannot_undo_it() {
    let store = Store::start().await;
    let usage = store.usage();
    report(&usage, &GateState::default(), 0).await;
    // The report reads; the operator speaks; the report writes.
    let read = usage.gate_state().await.unwrap();
    usage.put_brake_override(&word("all", 5)).await.unwrap();
    assert_eq!(
        usage.set_brake(Brake::All, at(5)).await.unwrap(),
        OverrideInGate::InForce
    );
    assert_eq!(report(&usage, &read, 10).await, GateSet::Overridden);
    assert_eq!(brake(&store).await, 2);
    let again = usage.gate_state().await.unwrap();
    assert_eq!(report(&usage, &again, 10).await, GateSet::Done);
    assert_eq!(brake(&store).await, 2);
    let released = word("none", 20);
    usage.put_brake_override(&released).await.unwrap();
    usage.set_brake(Brake::None, at(20)).await.unwrap();
    let read = usage.gate_state().await.unwrap();
    assert_eq!(
        (report(&usage, &read, 30).await, brake(&store).await),
        (GateSet::Done, 0)
    );
}

#[tokio::test]
async fn an_override_counts_when_a_report_writes_between_its_two_writes() {
    for read_before in [true, false] {
        let store = Store::start().await;
        let usage = store.usage();
        report(&usage, &GateState::default(), 0).await;
        let before = usage.gate_state().await.unwrap();
        usage.put_brake_override(&word("all", 5)).await.unwrap();
        let read = if read_before {
            before
        } else {
            usage.gate_state().await.unwrap()
        };
        // Nothing tells this report yet that its word is old; it has read it, or the second row comes after it.
        assert_eq!(report(&usage, &read, 10).await, GateSet::Done);
        assert_eq!(brake(&store).await, if read_before { 0 } else { 2 });
        assert_eq!(
            usage.set_brake(Brake::All, at(5)).await.unwrap(),
            OverrideInGate::InForce
        );
        assert_eq!(brake(&store).await, 2);
        let read = usage.gate_state().await.unwrap();
        assert_eq!(
            (report(&usage, &read, 20).await, brake(&store).await),
            (GateSet::Done, 2)
        );
    }
}

#[tokio::test]
async fn a_later_report_is_distinguished_from_a_later_override() {
    let store = Store::start().await;
    let usage = store.usage();
    report(&usage, &GateState::default(), 10).await;
    assert_eq!(report(&usage, &GateState::default(), 9).await, GateSet::LaterReport);
    usage.set_brake(Brake::All, at(5)).await.unwrap();
    assert_eq!(report(&usage, &GateState::default(), 9).await, GateSet::LaterReport);
    assert_eq!(report(&usage, &GateState::default(), 11).await, GateSet::Overridden);
}

#[tokio::test]
async fn an_override_written_by_hand_after_another_counts() {
    let store = Store::start().await;
    let usage = store.usage();
    report(&usage, &GateState::default(), 0).await;
    usage.put_brake_override(&word("none", 5)).await.unwrap();
    usage.set_brake(Brake::None, at(5)).await.unwrap();
    let by_hand = [("pk", s(PK)), ("sk", s("brake_override")), ("brake_override", s("all"))];
    store.put(TABLE, by_hand).await;
    let read = usage.gate_state().await.unwrap();
    assert_eq!(
        (report(&usage, &read, 10).await, brake(&store).await),
        (GateSet::Done, 2)
    );
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_repeated_and_counts_once() {
    let store = Store::start().await;
    report(&store.usage(), &GateState::default(), 0).await;
    let losing = store.losing_an_answer().await.usage();
    assert!(losing.put_brake_override(&word("all", 5)).await.unwrap());
    let losing = store.losing_an_answer().await.usage();
    assert_eq!(
        losing.set_brake(Brake::All, at(5)).await.unwrap(),
        OverrideInGate::InForce
    );
    let read = store.usage().gate_state().await.unwrap();
    let losing = store.losing_an_answer().await.usage();
    assert_ne!(report(&losing, &read, 10).await, GateSet::Overridden);
    assert_eq!(brake(&store).await, 2);
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error() {
    let usage = Store::at(&closed_port().await).usage();
    let word = word("all", 5);
    let (kept, set) = tokio::join!(usage.put_brake_override(&word), usage.set_brake(Brake::All, at(5)));
    assert_eq!(kept.unwrap_err().code, "ConnectionFailed");
    assert_eq!(set.unwrap_err().code, "ConnectionFailed");
}
