//! The gate as sends pass it: its expressions on a database, one caller at a time and a hundred at once.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use aws::{PermitError, Permits};
use domain::account::{Account, EnforcementStatus};
use domain::brake::Brake;
use domain::pacing::{
    self, Gate, GateBranch, GateSettings, GateWrite, GrantTotals, PacingPolicy, Permit, PermitRequest, Throttled,
    UNLIMITED,
};
use domain::stream::Stream;
use tokio::task::JoinSet;

use crate::support::{Item, REGION, Store, at, closed_port, n, number, s};

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
const HOUR: i64 = 3_600_000;
pub(super) const SECOND: i64 = 1_000_000;

/// A container that knows nothing yet.
pub(super) fn permits(store: &Store) -> Permits {
    permits_by(store, POLICY)
}

fn permits_by(store: &Store, policy: PacingPolicy) -> Permits {
    Permits::new(store.client().clone(), store.table(TABLE), REGION, policy)
}

/// A store whose gate was set at time 0.
pub(super) async fn store_with(settings: GateSettings, brake: Brake) -> Store {
    let store = Store::start().await;
    store.usage().set_gate(settings, brake, None, at(0)).await.unwrap();
    store
}

async fn gate(store: &Store) -> Item {
    store.item(TABLE, &[("pk", PK), ("sk", "gate")]).await.unwrap()
}

pub(super) async fn numbers<const N: usize>(store: &Store, names: [&str; N]) -> [i64; N] {
    let gate = gate(store).await;
    names.map(|name| number(&gate, name))
}

/// What so many recipients of transactional mail ask for, so many milliseconds after time 0.
pub(super) fn ask(recipients: i64, milliseconds: i64) -> PermitRequest {
    PermitRequest {
        recipients,
        stream: Stream::Transactional,
        now: at(milliseconds),
        patience: POLICY.wait,
        holds_bulk_back: false,
    }
}

pub(super) fn bulk(recipients: i64, milliseconds: i64) -> PermitRequest {
    PermitRequest {
        stream: Stream::Bulk,
        ..ask(recipients, milliseconds)
    }
}

#[track_caller]
fn refused(taken: Result<Permit, PermitError>) -> Throttled {
    match taken {
        Err(PermitError::Refused(refusal)) => refusal,
        taken => panic!("{taken:?}"),
    }
}

#[tokio::test]
async fn after_a_pause_slots_begin_a_burst_ago() {
    let store = store_with(SETTINGS, Brake::None).await;
    let permit = permits(&store).take(ask(3, 0)).await.unwrap();
    assert_eq!(permit.wait, Duration::ZERO);
    let next_free_slot = at(0).as_microsecond() - SECOND + 4 * 100_000;
    let taken = numbers(&store, ["next_free_slot", "left_all", "left_bulk", "granted"]).await;
    assert_eq!(taken, [next_free_slot, 997, 797, 3]);
}

#[tokio::test]
async fn after_a_busy_moment_slots_follow_those_that_are_taken_and_are_waited_for() {
    let store = store_with(SETTINGS, Brake::None).await;
    let permits = permits(&store);
    permits.take(ask(30, 0)).await.unwrap();
    let before = numbers(&store, ["next_free_slot"]).await[0];
    assert_eq!(before, at(2_100).as_microsecond());
    let permit = permits.take(bulk(5, 200)).await.unwrap();
    assert_eq!(permit.wait, Duration::from_millis(1_900));
    let taken = numbers(&store, ["next_free_slot", "left_all", "left_bulk", "granted"]).await;
    assert_eq!(taken, [before + 500_000, 965, 765, 35]);
}

#[tokio::test]
async fn a_send_that_cannot_wait_is_refused_with_a_time_and_takes_no_slot() {
    let store = store_with(SETTINGS, Brake::None).await;
    let permits = permits(&store);
    permits.take(ask(50, 0)).await.unwrap();
    let before = gate(&store).await;
    let retry_after = Duration::from_millis(2_100);
    let refusal = refused(permits.take(ask(1, 0)).await);
    assert_eq!(
        refusal,
        Throttled::Rate {
            retry_after,
            slot_interval: 100_000
        }
    );
    assert_eq!(gate(&store).await, before);
    // A process that remembers says the same without asking, for a second, and not for a moment too long.
    assert_eq!(permits.known_refusal(POLICY.wait, at(0)), Some(refusal));
    assert!(permits.known_refusal(POLICY.wait, at(999)).is_some());
    assert_eq!(permits.known_refusal(POLICY.wait, at(1_000)), None);
    refused(permits.take(ask(1, 1_200)).await);
    assert!(permits.known_refusal(POLICY.wait, at(2_099)).is_some());
    assert_eq!(permits.known_refusal(POLICY.wait, at(2_100)), None);
    assert_eq!(permits.take(ask(1, 2_100)).await.unwrap().wait, POLICY.wait);
}

#[tokio::test]
async fn less_patience_is_less_time_to_wait() {
    let store = store_with(SETTINGS, Brake::None).await;
    let permits = permits(&store);
    permits.take(ask(20, 0)).await.unwrap();
    let hasty = PermitRequest {
        patience: Duration::from_millis(500),
        ..ask(1, 0)
    };
    assert!(matches!(refused(permits.take(hasty).await), Throttled::Rate { .. }));
    assert!(permits.take(ask(1, 0)).await.is_ok());
}

#[tokio::test]
async fn the_quota_goes_to_the_last_recipient_and_the_reserve_to_transactional_mail() {
    let settings = GateSettings {
        slot_interval: 1,
        ceiling_all: 10,
        ceiling_bulk: 4,
    };
    let store = store_with(settings, Brake::None).await;
    let permits = permits(&store);
    assert_eq!(
        refused(permits.take(bulk(5, 0)).await),
        Throttled::Quota { reserved: true }
    );
    permits.take(bulk(4, 0)).await.unwrap();
    assert_eq!(
        refused(permits.take(ask(7, 0)).await),
        Throttled::Quota { reserved: false }
    );
    permits.take(ask(6, 0)).await.unwrap();
    for (ask, reserved) in [(ask(1, 0), false), (bulk(1, 0), false)] {
        assert_eq!(refused(permits.take(ask).await), Throttled::Quota { reserved });
    }
    assert_eq!(numbers(&store, ["left_all", "left_bulk", "granted"]).await, [0, -6, 10]);
    // The next report is obeyed at once.
    let more = GateSettings {
        ceiling_all: 11,
        ..settings
    };
    store.usage().set_gate(more, Brake::None, None, at(1)).await.unwrap();
    permits.take(ask(1, 0)).await.unwrap();
}

#[tokio::test]
async fn a_brake_stops_bulk_mail_or_all_and_is_off_with_the_next_report() {
    let store = store_with(SETTINGS, Brake::Bulk).await;
    let permits = permits(&store);
    permits.take(ask(1, 0)).await.unwrap();
    assert_eq!(refused(permits.take(bulk(1, 0)).await), Throttled::Brake(Brake::Bulk));
    store.usage().set_gate(SETTINGS, Brake::All, None, at(1)).await.unwrap();
    for ask in [ask(1, 0), bulk(1, 0), ask(1, 2 * HOUR)] {
        assert_eq!(refused(permits.take(ask).await), Throttled::Brake(Brake::All));
    }
    store
        .usage()
        .set_gate(SETTINGS, Brake::None, None, at(2))
        .await
        .unwrap();
    permits.take(bulk(1, 0)).await.unwrap();
    assert_eq!(numbers(&store, ["granted"]).await, [2]);
}

#[tokio::test]
async fn a_report_of_more_than_an_hour_ago_keeps_the_rate_and_not_the_quota_and_all_is_counted() {
    let settings = GateSettings {
        ceiling_all: 0,
        ceiling_bulk: 0,
        ..SETTINGS
    };
    let store = store_with(settings, Brake::None).await;
    let permits = permits(&store);
    assert_eq!(
        refused(permits.take(ask(1, HOUR)).await),
        Throttled::Quota { reserved: false }
    );
    permits.take(ask(40, HOUR + 1)).await.unwrap();
    assert!(matches!(
        refused(permits.take(bulk(1, HOUR + 1)).await),
        Throttled::Rate { .. }
    ));
    permits.take(bulk(1, HOUR + 5_000)).await.unwrap();
    assert_eq!(
        numbers(&store, ["left_all", "left_bulk", "granted"]).await,
        [-41, -41, 41]
    );
}

#[tokio::test]
async fn an_unlimited_quota_does_not_run_out() {
    let account = Account {
        max_24_hour_send: -1.0,
        sent_last_24_hours: 1e9,
        max_send_rate: 14.0,
        production_access: true,
        sending_enabled: true,
        enforcement_status: EnforcementStatus::Healthy,
    };
    let settings = pacing::gate_settings(&account, &POLICY, GrantTotals::default(), None);
    let store = store_with(settings, Brake::None).await;
    permits(&store).take(bulk(50, 0)).await.unwrap();
    let left = numbers(&store, ["left_all", "left_bulk"]).await;
    assert_eq!(left, [UNLIMITED - 50, UNLIMITED - 50]);
}

#[tokio::test]
async fn before_the_first_report_one_recipient_a_second_passes() {
    let store = Store::start().await;
    let permits = permits(&store);
    assert_eq!(permits.allowance(at(0)), None);
    assert_eq!(permits.take(ask(1, 0)).await.unwrap().wait, Duration::ZERO);
    assert_eq!(permits.allowance(at(0)).unwrap().limit, 1);
    let second = permits.take(bulk(1, 0)).await.unwrap();
    assert_eq!(second.wait, Duration::from_micros(1_052_632));
    assert!(matches!(refused(permits.take(ask(1, 0)).await), Throttled::Rate { .. }));

    // The report that comes then is right, and what was granted without it is counted.
    let state = store.usage().gate_state().await.unwrap();
    assert_eq!(state.granted, 2);
    store
        .usage()
        .set_gate(SETTINGS, Brake::None, None, at(0))
        .await
        .unwrap();
    let set = numbers(
        &store,
        ["left_all", "left_bulk", "granted", "slot_interval", "account_read_at"],
    )
    .await;
    assert_eq!(set, [998, 798, 2, 100_000, at(0).as_millisecond()]);
}

#[tokio::test]
async fn containers_that_meet_no_gate_make_one_between_them() {
    let store = Arc::new(Store::start().await);
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&store);
        callers.spawn(async move { permits(&store).take(ask(1, 0)).await });
    }
    let waits: Vec<_> = callers
        .join_all()
        .await
        .into_iter()
        .filter_map(|taken| Some(taken.ok()?.wait))
        .collect();
    assert_eq!(waits.len(), 2, "slots at 0 and 1.05 s; the third is 2.1 s ahead");
    assert_eq!(
        numbers(&store, ["granted", "left_all", "account_read_at"]).await,
        [2, -2, 0]
    );
}

#[tokio::test]
async fn a_wrong_memory_of_the_gate_costs_one_write_and_changes_nothing() {
    let store = store_with(SETTINGS, Brake::None).await;
    let (first, second) = (permits(&store), permits(&store));
    for container in [&first, &second] {
        container.take(ask(1, 0)).await.unwrap();
    }
    // Another interval, and the busy branch where the other container knows the idle one.
    let faster = GateSettings {
        slot_interval: 50_000,
        ..SETTINGS
    };
    store.usage().set_gate(faster, Brake::None, None, at(1)).await.unwrap();
    first.take(ask(2, 60_000)).await.unwrap();
    second.take(ask(2, 60_000)).await.unwrap();
    // No gate any more, as after a restore of the table.
    store
        .client()
        .delete_item()
        .table_name(store.table(TABLE))
        .key("pk", s(PK))
        .key("sk", s("gate"))
        .send()
        .await
        .unwrap();
    first.take(ask(1, 120_000)).await.unwrap();
    assert_eq!(numbers(&store, ["granted", "slot_interval"]).await, [1, 1_052_632]);
}

#[tokio::test]
async fn a_permit_whose_answer_was_lost_costs_its_slots_and_grants_nothing_twice() {
    let store = store_with(SETTINGS, Brake::None).await;
    // The first answer to be lost is that of the first try, which grants nothing; the second is a permit.
    let known = permits(&store.losing_an_answer().await).take(ask(1, 0)).await.unwrap();
    assert_eq!(numbers(&store, ["granted", "left_all"]).await, [1, 999]);
    assert_eq!(known.known.next_free_slot, numbers(&store, ["next_free_slot"]).await[0]);

    let empty = Store::start().await;
    let permit = permits(&empty.losing_an_answer().await).take(ask(1, 0)).await.unwrap();
    assert_eq!(
        permit.wait,
        Duration::from_micros(1_052_632),
        "the slots after those that were lost"
    );
    assert_eq!(numbers(&empty, ["granted", "left_all"]).await, [2, -2]);
}

#[tokio::test]
async fn no_send_passes_a_gate_that_cannot_be_reached() {
    let down = permits(&Store::at(&closed_port().await)).take(ask(1, 0)).await;
    assert!(matches!(down, Err(PermitError::Store(error)) if error.never_connected()));

    let store = Store::start().await;
    store
        .put(
            TABLE,
            [
                ("pk", s(PK)),
                ("sk", s("gate")),
                ("next_free_slot", n(0)),
                ("slot_interval", s("fast")),
            ],
        )
        .await;
    let broken = permits(&store).take(ask(1, 0)).await;
    assert!(matches!(broken, Err(PermitError::Store(error)) if error.code == "GateUnreadable"));
}

#[tokio::test]
async fn slots_that_a_wrong_clock_took_stop_nobody() {
    let store = store_with(SETTINGS, Brake::None).await;
    let right = permits(&store);
    right.take(ask(1, 0)).await.unwrap();
    for skew in [HOUR, 24 * HOUR] {
        let wrong = permits(&store);
        wrong.take(ask(50, skew)).await.unwrap();
        assert!(numbers(&store, ["next_free_slot"]).await[0] > at(skew).as_microsecond());
        let permit = right.take(ask(5, 1)).await.unwrap();
        assert_eq!(permit.wait, Duration::ZERO);
        let slots = numbers(&store, ["next_free_slot"]).await;
        assert_eq!(slots, [at(1).as_microsecond() + 500_000]);
    }
    assert_eq!(numbers(&store, ["granted"]).await, [111]);
}

#[tokio::test]
async fn a_clock_that_is_behind_the_last_report_takes_no_slots_back() {
    let store = store_with(SETTINGS, Brake::None).await;
    permits(&store).take(ask(50, 0)).await.unwrap();
    let before = gate(&store).await;
    let refusal = refused(permits(&store).take(ask(1, -HOUR)).await);
    // The caller comes again when another process may answer, and not in an hour.
    assert!(
        matches!(refusal, Throttled::Rate { retry_after, .. } if retry_after == Duration::from_secs(20)),
        "{refusal:?}"
    );
    assert_eq!(gate(&store).await, before);
}

#[tokio::test]
async fn what_a_process_remembers_of_slots_that_are_too_far_ahead_refuses_nobody() {
    let store = store_with(SETTINGS, Brake::None).await;
    let permits = permits(&store);
    permits.take(ask(50, HOUR)).await.unwrap();
    assert!(permits.known_refusal(POLICY.wait, at(HOUR)).is_some());
    for now in [0, HOUR - 60_000] {
        assert_eq!(permits.known_refusal(POLICY.wait, at(now)), None);
    }
}

#[tokio::test]
async fn more_recipients_than_a_send_may_have_take_no_slots() {
    let store = store_with(SETTINGS, Brake::None).await;
    let permits = permits(&store);
    let before = gate(&store).await;
    for _ in 0..2 {
        let refusal = refused(permits.take(ask(221, 0)).await);
        assert!(matches!(refusal, Throttled::Rate { .. }), "{refusal:?}");
    }
    assert_eq!(gate(&store).await, before);
    permits.take(ask(220, 0)).await.unwrap();
}

#[tokio::test]
async fn the_brake_is_read_as_it_is_and_a_gate_that_cannot_be_read_lets_nothing_pass() {
    let store = Store::start().await;
    let permits = permits(&store);
    assert_eq!(permits.brake().await.unwrap(), Brake::None);
    for (time, brake) in [(1, Brake::All), (2, Brake::None), (3, Brake::Bulk)] {
        store.usage().set_gate(SETTINGS, brake, None, at(time)).await.unwrap();
        assert_eq!(permits.brake().await.unwrap(), brake);
    }
    let down = permits_by(&Store::at(&closed_port().await), POLICY).brake().await;
    assert!(down.unwrap_err().never_connected());
}

#[tokio::test]
async fn another_region_has_a_gate_of_its_own() {
    let store = store_with(SETTINGS, Brake::All).await;
    let elsewhere = Permits::new(store.client().clone(), store.table(TABLE), "eu-west-1", POLICY);
    elsewhere.take(ask(1, 0)).await.unwrap();
    assert_eq!(numbers(&store, ["granted"]).await, [0]);
}

#[tokio::test]
async fn the_expressions_agree_with_the_arithmetic_at_every_edge() {
    let store = Store::start().await;
    let container = permits(&store);
    let interval = 100_000;
    let now = at(2 * HOUR);
    let (floor, latest) = (now.as_microsecond() - 900_000, now.as_microsecond() + 2 * SECOND);
    let fresh = now.as_millisecond() - HOUR;
    // A report of a later time shows that the clock of the process is behind.
    let soon = now.as_millisecond() + 120_000;
    // A batch waits for 16 s, the burst is 1 s, and 50 recipients take 5 s.
    let furthest = now.as_microsecond() + 22 * SECOND;
    for next_free_slot in [
        floor - 1,
        floor,
        latest,
        latest + 1,
        furthest,
        furthest + 1,
        i64::MAX / 2,
    ] {
        for (left_all, left_bulk) in [(3, 3), (3, 2), (2, 2)] {
            for (account_read_at, brake) in [
                (fresh, 0),
                (fresh, 1),
                (fresh, 2),
                (fresh - 1, 0),
                (fresh - 1, 2),
                (soon, 0),
                (soon + 1, 0),
            ] {
                for stream in [Stream::Transactional, Stream::Bulk] {
                    let item = [
                        ("pk", s(PK)),
                        ("sk", s("gate")),
                        ("next_free_slot", n(next_free_slot)),
                        ("slot_interval", n(interval)),
                        ("left_all", n(left_all)),
                        ("left_bulk", n(left_bulk)),
                        ("granted", n(10)),
                        ("brake", n(brake)),
                        ("account_read_at", n(account_read_at)),
                    ];
                    store.put(TABLE, item).await;
                    let gate = Gate {
                        next_free_slot,
                        slot_interval: interval,
                        left_all,
                        left_bulk,
                        brake: Brake::from_level(brake),
                        account_read_at: Timestamp::from_millisecond(account_read_at).unwrap(),
                        transactional_until: 0,
                    };
                    let ask = PermitRequest {
                        stream,
                        now,
                        ..ask(3, 0)
                    };
                    let taken = container.take(ask).await;
                    let [left, granted, after] = numbers(&store, ["left_all", "granted", "next_free_slot"]).await;
                    match GateWrite::after(ask, &POLICY, &gate) {
                        Ok(attempt) => {
                            let start = match attempt.branch {
                                GateBranch::TooFar => now.as_microsecond(),
                                _ => next_free_slot.max(floor),
                            };
                            assert_eq!(taken.unwrap().known.next_free_slot, after, "{gate:?} {stream:?}");
                            let taken = (start + 3 * interval, left_all - 3, 13);
                            assert_eq!((after, left, granted), taken, "{gate:?} {stream:?}");
                        }
                        Err(refusal) => {
                            assert_eq!(refused(taken), refusal, "{gate:?} {stream:?}");
                            assert_eq!(
                                (after, left, granted),
                                (next_free_slot, left_all, 10),
                                "{gate:?} {stream:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}
