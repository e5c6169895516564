//! Transactional mail that waits holds bulk mail back: the expressions on a database, and the arithmetic behind them.

use std::time::Duration;

use aws::PermitError;
use domain::brake::Brake;
use domain::pacing::{BulkHeldBack, Gate, GateBranch, GateSettings, GateWrite, PacingPolicy, PermitRequest, Throttled};
use domain::stream::Stream;

use super::permits::{SECOND, ask, bulk, numbers, permits, store_with};
use crate::support::{Store, at, n, number, s};

const TABLE: &str = "UsageTable";
const PK: &str = "gate#us-east-1";
const POLICY: PacingPolicy = PacingPolicy {
    account_share: 1.0,
    burst: Duration::from_secs(1),
    wait: Duration::from_secs(2),
    bulk_reserve: 0.2,
};
/// A tenth of a second a recipient.
const SETTINGS: GateSettings = GateSettings {
    slot_interval: 100_000,
    ceiling_all: 1_000,
    ceiling_bulk: 800,
};

/// The request of a worker that leaves mails of its batch waiting.
fn leaving_some(recipients: i64, milliseconds: i64) -> PermitRequest {
    PermitRequest {
        holds_bulk_back: true,
        ..ask(recipients, milliseconds)
    }
}

async fn held_until(store: &Store) -> i64 {
    numbers(store, ["transactional_until"]).await[0] - at(0).as_microsecond()
}

#[tokio::test]
async fn bulk_mail_is_held_back_until_two_seconds_after_the_last_slot() {
    let store = store_with(SETTINGS, Brake::None).await;
    let permits = permits(&store);
    // The slots begin before now.
    permits.take(leaving_some(3, 0)).await.unwrap();
    assert_eq!(held_until(&store).await, 2 * SECOND);
    // They are taken until -0.6 s, and the last of these is at 2.3 s.
    permits.take(leaving_some(30, 0)).await.unwrap();
    assert_eq!(held_until(&store).await, 4_300_000);
    for (milliseconds, retry_after) in [(500, 3_800), (4_299, 1)] {
        match permits.take(bulk(1, milliseconds)).await {
            Err(PermitError::Refused(Throttled::Rate { retry_after: after, .. })) => {
                assert_eq!(after, Duration::from_millis(retry_after));
            }
            taken => panic!("{taken:?}"),
        }
    }
    // Other mail passes, and one that leaves nothing waiting holds nobody back.
    permits.take(ask(1, 1_000)).await.unwrap();
    assert_eq!(held_until(&store).await, 4_300_000);
    permits.take(bulk(1, 4_300)).await.unwrap();
}

#[tokio::test]
async fn bulk_mail_is_held_back_for_ten_seconds_at_most() {
    let store = store_with(SETTINGS, Brake::None).await;
    let permits = permits(&store);
    permits.take(ask(1, 0)).await.unwrap();
    permits.take(leaving_some(150, 0)).await.unwrap();
    assert_eq!(held_until(&store).await, 10 * SECOND);
    assert!(permits.take(bulk(1, 9_999)).await.is_err());
    // The slots themselves go on until then, and beyond.
    assert!(permits.take(bulk(1, 14_200)).await.is_ok());
}

#[tokio::test]
async fn the_first_gate_holds_bulk_mail_back_as_well() {
    let store = Store::start().await;
    let permits = permits(&store);
    permits.take(leaving_some(1, 0)).await.unwrap();
    assert_eq!(held_until(&store).await, 2 * SECOND);
    assert!(permits.take(bulk(1, 1_999)).await.is_err());
    permits.take(bulk(1, 2_000)).await.unwrap();
}

/// A report leaves the time as it is.
#[tokio::test]
async fn a_report_holds_nobody_back_and_lets_nobody_pass() {
    let store = store_with(SETTINGS, Brake::None).await;
    let permits = permits(&store);
    permits.take(leaving_some(1, 0)).await.unwrap();
    store
        .usage()
        .set_gate(SETTINGS, Brake::None, None, at(1))
        .await
        .unwrap();
    assert_eq!(held_until(&store).await, 2 * SECOND);
}

#[tokio::test]
async fn the_expressions_agree_with_the_arithmetic_of_priority_at_every_edge() {
    let store = Store::start().await;
    let container = permits(&store);
    let (interval, now) = (100_000, at(2 * 3_600_000));
    let micros = now.as_microsecond();
    let plausible = micros + 30 * SECOND;
    // Idle, busy at both ends, and too far ahead.
    for next_free_slot in [
        micros - SECOND,
        micros - 900_000,
        micros,
        micros + 2 * SECOND,
        micros + 2 * SECOND + 1,
        micros + 3_600 * SECOND,
    ] {
        for until in [
            None,
            Some(0),
            Some(micros),
            Some(micros + 1),
            Some(plausible),
            Some(plausible + 1),
            Some(i64::MAX / 2),
        ] {
            for (stream, recipients, holds_bulk_back) in [
                (Stream::Bulk, 3, false),
                (Stream::Transactional, 3, false),
                (Stream::Transactional, 3, true),
                (Stream::Transactional, 100, true),
            ] {
                let item = [
                    ("pk", s(PK)),
                    ("sk", s("gate")),
                    ("next_free_slot", n(next_free_slot)),
                    ("slot_interval", n(interval)),
                    ("left_all", n(1_000)),
                    ("left_bulk", n(1_000)),
                    ("granted", n(0)),
                    ("brake", n(0)),
                    ("account_read_at", n(now.as_millisecond())),
                ];
                let until_item = until.map(|until| ("transactional_until", n(until)));
                store.put(TABLE, item.into_iter().chain(until_item)).await;
                let gate = Gate {
                    next_free_slot,
                    slot_interval: interval,
                    left_all: 1_000,
                    left_bulk: 1_000,
                    brake: Brake::None,
                    account_read_at: now,
                    transactional_until: until.unwrap_or(0),
                };
                let ask = PermitRequest {
                    stream,
                    now,
                    holds_bulk_back,
                    ..ask(recipients, 0)
                };
                let shown = format!("{gate:?} {ask:?}");
                let taken = container.take(ask).await;
                let gate_item = store.item(TABLE, &[("pk", PK), ("sk", "gate")]).await.unwrap();
                let after = gate_item
                    .contains_key("transactional_until")
                    .then(|| number(&gate_item, "transactional_until"));
                match GateWrite::after(ask, &POLICY, &gate) {
                    Ok(attempt) => {
                        let expected = match attempt.bulk_held_back {
                            BulkHeldBack::AsBefore => until,
                            BulkHeldBack::Until(until) => Some(until),
                            BulkHeldBack::AfterSlots(after) => Some(next_free_slot + after),
                        };
                        assert!(taken.is_ok(), "{shown} {taken:?}");
                        assert_eq!(after, expected, "{shown}");
                        let far = attempt.branch == GateBranch::TooFar;
                        assert!(!holds_bulk_back || far || after.is_some_and(|after| after <= micros + 10 * SECOND));
                    }
                    Err(refusal) => {
                        assert!(
                            matches!(taken, Err(PermitError::Refused(refused)) if refused == refusal),
                            "{shown} {taken:?}"
                        );
                        assert_eq!(after, until, "{shown}");
                    }
                }
            }
        }
    }
}
