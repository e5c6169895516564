//! Tests the gate's arithmetic against a small model of the table and its expressions, with callers whose clocks are
//! skewed. The adapters' tests check that DynamoDB evaluates the expressions in the same way.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::gate_settings::slot_interval;
use crate::brake::Brake;
use crate::pacing::{
    BulkHeldBack, Gate, GateBranch, GateSettings, GateWrite, PacingPolicy, Permit, PermitRequest, RememberedGate,
    Throttled,
};
use crate::stream::Stream;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;
const STREAMS: [Stream; 2] = [Stream::Transactional, Stream::Bulk];

pub(super) fn policy(burst: i64, wait: i64) -> PacingPolicy {
    let duration = |micros: i64| Duration::from_micros(micros.unsigned_abs());
    PacingPolicy {
        account_share: 1.0,
        burst: duration(burst),
        wait: duration(wait),
        bulk_reserve: 0.2,
    }
}

/// Returns a time that is `micros` microseconds after the start of every test.
pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_micros(micros)
}

pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The table: the gate, and the running total beside it.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) gate: Option<Gate>,
    pub(super) granted: i64,
}

impl Table {
    /// Carries out an attempt as the expressions do. A failed condition returns the gate.
    pub(super) fn write(&mut self, attempt: &GateWrite) -> Result<i64, Option<Gate>> {
        let recipients = attempt.ask.recipients;
        let Some(gate) = &mut self.gate else {
            if attempt.branch != GateBranch::First {
                return Err(None);
            }
            let next_free_slot = attempt.floor + attempt.cost;
            self.granted = recipients;
            self.gate = Some(Gate {
                next_free_slot,
                slot_interval: attempt.slot_interval,
                left_all: -recipients,
                left_bulk: -recipients,
                brake: Brake::None,
                account_read_at: Timestamp::UNIX_EPOCH,
                transactional_until: match attempt.bulk_held_back {
                    BulkHeldBack::Until(until) => until,
                    _ => 0,
                },
            });
            return Ok(next_free_slot);
        };
        let (when, next_free_slot) = match attempt.branch {
            GateBranch::First => (false, 0),
            GateBranch::Busy => (
                (attempt.floor..=attempt.latest).contains(&gate.next_free_slot),
                gate.next_free_slot + attempt.cost,
            ),
            GateBranch::Idle => (gate.next_free_slot < attempt.floor, attempt.floor + attempt.cost),
            GateBranch::TooFar => (
                gate.next_free_slot > attempt.furthest && gate.account_read_at.as_millisecond() <= attempt.ahead_after,
                attempt.now + attempt.cost,
            ),
        };
        let holds = when
            && gate.slot_interval == attempt.slot_interval
            && gate.brake.level() < attempt.brake.level()
            && (attempt.ask.stream != Stream::Bulk
                || gate.transactional_until <= attempt.now
                || gate.transactional_until > attempt.implausible)
            && (gate.left(attempt.ask.stream) >= recipients
                || gate.account_read_at.as_millisecond() < attempt.stale_before);
        if !holds {
            return Err(Some(*gate));
        }
        match attempt.bulk_held_back {
            BulkHeldBack::AsBefore => {}
            BulkHeldBack::Until(until) => gate.transactional_until = until,
            BulkHeldBack::AfterSlots(after) => gate.transactional_until = gate.next_free_slot + after,
        }
        gate.next_free_slot = next_free_slot;
        gate.left_all -= recipients;
        gate.left_bulk -= recipients;
        self.granted += recipients;
        Ok(next_free_slot)
    }

    /// Asks until there is an answer, as the adapter does, and counts the writes.
    pub(super) fn take(
        &mut self,
        ask: PermitRequest,
        policy: &PacingPolicy,
        known: Option<RememberedGate>,
    ) -> (Result<Permit, Throttled>, usize) {
        let mut attempt = GateWrite::first(ask, policy, known);
        for writes in 1.. {
            match self.write(&attempt) {
                Ok(next_free_slot) => return (Ok(attempt.granted(next_free_slot)), writes),
                Err(None) => attempt = GateWrite::first(ask, policy, None),
                Err(Some(gate)) => match GateWrite::after(ask, policy, &gate) {
                    Ok(next) => attempt = next,
                    Err(refusal) => return (Err(refusal), writes),
                },
            }
            assert!(writes < 4, "{ask:?} finds no end on {:?}", self.gate);
        }
        unreachable!()
    }

    /// Sets the gate, as the reporter does.
    pub(super) fn set(&mut self, settings: GateSettings, at: Timestamp) {
        self.gate = Some(Gate {
            next_free_slot: self.gate.map_or(0, |gate| gate.next_free_slot),
            slot_interval: settings.slot_interval,
            left_all: settings.ceiling_all - self.granted,
            left_bulk: settings.ceiling_bulk - self.granted,
            brake: Brake::None,
            account_read_at: at,
            transactional_until: self.gate.map_or(0, |gate| gate.transactional_until),
        });
    }
}

fn gate(slot_interval: i64, next_free_slot: i64, left: i64) -> Gate {
    Gate {
        next_free_slot,
        slot_interval,
        left_all: left,
        left_bulk: left,
        brake: Brake::None,
        account_read_at: at(0),
        transactional_until: 0,
    }
}

fn table(gate: Gate) -> Table {
    Table {
        gate: Some(gate),
        granted: 0,
    }
}

pub(super) fn ask(recipients: i64, now: i64, policy: &PacingPolicy) -> PermitRequest {
    PermitRequest {
        recipients,
        stream: Stream::Transactional,
        now: at(now),
        patience: policy.wait,
        holds_bulk_back: false,
    }
}

#[test]
fn five_recipients_pass_at_one_a_second_and_then_nothing_for_five_seconds() {
    let policy = policy(SECOND, 0);
    let mut table = table(gate(slot_interval(1.0), 0, 1_000));
    assert!(table.take(ask(5, 0, &policy), &policy, None).0.is_ok());
    for (now, passes) in [(0, false), (4_999_999, false), (5_263_159, false), (5_263_160, true)] {
        let (taken, _) = table.clone().take(ask(1, now, &policy), &policy, None);
        assert_eq!(taken.is_ok(), passes, "{now}");
    }
}

#[test]
fn a_burst_is_a_second_of_the_rate_and_no_more() {
    let policy = policy(SECOND, 0);
    let mut table = table(gate(100_000, 0, 1_000));
    for _ in 0..10 {
        assert!(table.take(ask(1, 0, &policy), &policy, None).0.is_ok());
    }
    let (refused, _) = table.take(ask(1, 0, &policy), &policy, None);
    let retry_after = Duration::from_millis(100);
    assert_eq!(
        refused,
        Err(Throttled::Rate {
            retry_after,
            slot_interval: 100_000
        })
    );
}

#[test]
fn an_early_send_waits_for_its_slot() {
    let policy = policy(0, 2 * SECOND);
    let mut table = table(gate(SECOND, micros(at(500_000)), 1_000));
    let waits: Vec<_> = (0..3)
        .map(|_| {
            table
                .take(ask(1, 0, &policy), &policy, None)
                .0
                .map(|permit| permit.wait)
        })
        .collect();
    let retry_after = Duration::from_millis(500);
    assert_eq!(
        waits,
        [
            Ok(Duration::from_millis(500)),
            Ok(Duration::from_millis(1_500)),
            Err(Throttled::Rate {
                retry_after,
                slot_interval: SECOND
            })
        ]
    );
}

#[test]
fn before_the_first_report_one_recipient_a_second_passes() {
    let policy = policy(SECOND, 0);
    let mut table = Table::default();
    let passed = (0..100)
        .filter(|tenth| table.take(ask(1, tenth * 100_000, &policy), &policy, None).0.is_ok())
        .count();
    assert_eq!((passed, table.granted), (10, 10));
}

#[test]
fn a_report_takes_over_from_the_gate_that_sends_made() {
    let policy = policy(SECOND, 0);
    let mut table = Table::default();
    table.take(ask(3, 0, &policy), &policy, None).0.unwrap();
    let before = table.gate.unwrap().next_free_slot;
    table.set(
        GateSettings {
            slot_interval: 75_188,
            ceiling_all: 100,
            ceiling_bulk: 80,
        },
        at(1),
    );
    let gate = table.gate.unwrap();
    assert_eq!(
        (gate.left_all, gate.left_bulk, gate.next_free_slot, table.granted),
        (97, 77, before, 3)
    );
}

#[test]
fn a_refusal_says_when_a_send_with_the_same_patience_passes() {
    let policy = policy(0, 2 * SECOND);
    for patience in [0_i64, 500_000, 3 * SECOND] {
        let mut table = table(gate(100_000, micros(at(5 * SECOND)), 1_000));
        let known = table.gate.unwrap().known();
        let send = |now| PermitRequest {
            patience: Duration::from_micros(patience.unsigned_abs()),
            ..ask(1, now, &policy)
        };
        let wait = 5 * SECOND - patience;
        let refused = table.take(send(0), &policy, None).0.unwrap_err();
        let Throttled::Rate { retry_after, .. } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(super::micros(retry_after), wait);
        // A process that remembers the gate says the same.
        assert_eq!(known.refusal(&policy, send(0).patience, at(0), at(0)), Some(refused));
        assert!(table.take(send(wait - 1), &policy, None).0.is_err());
        assert!(table.take(send(wait), &policy, None).0.is_ok());
    }
}

#[test]
fn bulk_mail_passes_again_when_nobody_waits_any_more() {
    let policy = policy(SECOND, 2 * SECOND);
    let mut table = table(gate(100_000, 0, 1_000));
    let waiting = PermitRequest {
        holds_bulk_back: true,
        ..ask(5, 0, &policy)
    };
    let bulk = |now| PermitRequest {
        stream: Stream::Bulk,
        ..ask(1, now, &policy)
    };
    assert!(table.take(waiting, &policy, None).0.is_ok());
    let refused = table.take(bulk(500_000), &policy, None).0.unwrap_err();
    assert!(matches!(refused, Throttled::Rate { retry_after, .. } if retry_after == Duration::from_millis(1_500)));
    assert!(table.take(ask(1, 500_000, &policy), &policy, None).0.is_ok());
    assert!(table.take(bulk(2 * SECOND), &policy, None).0.is_ok());
}

#[test]
fn the_quota_is_granted_to_the_last_recipient() {
    let policy = policy(SECOND, 0);
    let mut table = table(gate(1, 0, 7));
    for (recipients, granted) in [(5, true), (3, false), (2, true), (1, false)] {
        let (taken, _) = table.take(ask(recipients, 0, &policy), &policy, None);
        assert_eq!(taken.is_ok(), granted);
        if !granted {
            assert_eq!(taken, Err(Throttled::Quota { reserved: false }));
        }
    }
    assert_eq!((table.granted, table.gate.unwrap().left_all), (7, 0));
}

#[test]
fn the_reserve_stops_bulk_mail_only_and_is_named() {
    let policy = policy(SECOND, 0);
    let mut table = table(Gate {
        left_bulk: 4,
        ..gate(1, 0, 10)
    });
    let bulk = PermitRequest {
        stream: Stream::Bulk,
        ..ask(5, 0, &policy)
    };
    assert_eq!(
        table.take(bulk, &policy, None).0,
        Err(Throttled::Quota { reserved: true })
    );
    assert!(
        table
            .take(PermitRequest { recipients: 4, ..bulk }, &policy, None)
            .0
            .is_ok()
    );
    assert!(table.take(ask(6, 0, &policy), &policy, None).0.is_ok());
    assert_eq!(
        table.take(bulk, &policy, None).0,
        Err(Throttled::Quota { reserved: false })
    );
}

#[test]
fn a_report_of_more_than_an_hour_ago_keeps_the_rate_and_leaves_the_quota_to_ses() {
    let policy = policy(0, 0);
    for (now, passes) in [(HOUR, false), (HOUR + 1_000, true)] {
        let mut table = table(gate(SECOND, 0, 0));
        let (taken, _) = table.take(ask(2, now, &policy), &policy, None);
        assert_eq!(taken.is_ok(), passes, "{now}");
        if passes {
            assert_eq!((table.granted, table.gate.unwrap().left_all), (2, -2));
            let (refused, _) = table.take(ask(1, now, &policy), &policy, None);
            assert!(matches!(refused, Err(Throttled::Rate { .. })));
        }
    }
}

#[test]
fn the_brake_stops_the_streams_that_it_names_and_no_other_even_when_it_is_old() {
    let policy = policy(0, 0);
    for now in [0, 2 * HOUR] {
        for (brake, transactional, bulk) in [
            (Brake::None, true, true),
            (Brake::Bulk, true, false),
            (Brake::All, false, false),
        ] {
            for (stream, passes) in STREAMS.into_iter().zip([transactional, bulk]) {
                let mut table = table(Gate {
                    brake,
                    ..gate(1, 0, 10)
                });
                let (taken, _) = table.take(
                    PermitRequest {
                        stream,
                        ..ask(1, now, &policy)
                    },
                    &policy,
                    None,
                );
                assert_eq!(taken.is_ok(), passes, "{brake:?} {stream:?}");
                if !passes {
                    assert_eq!(taken, Err(Throttled::Brake(brake)));
                }
            }
        }
    }
}

/// Any gate, as it may be at time 0.
fn any_gate() -> impl Strategy<Value = Gate> {
    let brake = prop_oneof![Just(Brake::None), Just(Brake::Bulk), Just(Brake::All)];
    (
        1..5 * SECOND,
        -300 * SECOND..300 * SECOND,
        -10i64..100,
        0i64..100,
        brake,
        -2 * HOUR..0,
    )
        .prop_map(
            |(slot_interval, next_free_slot, left, reserve, brake, account_read_at)| Gate {
                next_free_slot: micros(at(next_free_slot)),
                left_bulk: left - reserve,
                brake,
                account_read_at: Timestamp::from_millisecond(at(account_read_at).as_millisecond()).unwrap(),
                ..gate(slot_interval, 0, left)
            },
        )
}

proptest! {
    /// A container without a memory of the gate, or with an old one, gets the same answer after at most two writes.
    #[test]
    fn the_memory_of_the_gate_changes_the_number_of_writes_and_not_the_answer(
        gate in any_gate(), recipients in 1i64..=50, stream in prop::sample::select(STREAMS.as_slice()),
        burst in 0..2 * SECOND, wait in 0..3 * SECOND, old in 0..10 * SECOND, other in 1..5 * SECOND,
    ) {
        let policy = policy(burst, wait);
        let ask = PermitRequest { stream, ..ask(recipients, 0, &policy) };
        let fresh = Some(gate.known());
        let (answer, writes) = table(gate).take(ask, &policy, fresh);
        prop_assert_eq!(writes, 1);
        for known in [None, Some(RememberedGate { next_free_slot: gate.next_free_slot - old, ..gate.known() }), Some(RememberedGate { slot_interval: other, next_free_slot: gate.next_free_slot - old })] {
            let mut table = table(gate);
            let (taken, writes) = table.take(ask, &policy, known);
            prop_assert_eq!(taken, answer);
            prop_assert!(writes <= 2, "{} writes", writes);
            prop_assert_eq!(table.granted, if answer.is_ok() { recipients } else { 0 });
        }
    }

    /// A repeated request passes after `retry_after`, and no earlier.
    #[test]
    fn the_time_to_retry_is_exact(
        ahead in 1..14 * SECOND, slot_interval in 1..5 * SECOND, recipients in 1i64..=50,
        burst in 0..2 * SECOND, wait in 0..3 * SECOND,
    ) {
        let policy = policy(burst, wait);
        let mut table = table(gate(slot_interval, micros(at(wait + ahead)), 1_000));
        let (refused, _) = table.take(ask(recipients, 0, &policy), &policy, None);
        let Err(Throttled::Rate { retry_after, .. }) = refused else { panic!("{refused:?}") };
        prop_assert_eq!(retry_after, Duration::from_micros(ahead.unsigned_abs()));
        let known = table.gate.unwrap().known();
        prop_assert_eq!(known.refusal(&policy, policy.wait, at(0), at(0)), refused.err());
        for (now, passes) in [(ahead - 1, false), (ahead, true)] {
            let (taken, _) = table.clone().take(ask(recipients, now, &policy), &policy, Some(known));
            prop_assert_eq!(taken.is_ok(), passes);
            prop_assert_eq!(known.refusal(&policy, policy.wait, at(now), at(now)).is_none(), passes);
        }
    }

    /// For all callers and clocks: each slot is taken once, and a second holds no more than its bound.
    #[test]
    fn a_second_holds_the_rate_and_the_burst_and_the_largest_weight_less_one(
        slot_interval in 1_000..SECOND, burst in 0..2 * SECOND, wait in 0..3 * SECOND,
        callers in prop::collection::vec((0i64..200_000, -400_000i64..400_000, 1i64..=50, any::<bool>()), 1..200),
    ) {
        let policy = policy(burst, wait);
        let mut table = table(gate(slot_interval, 0, 1_000_000));
        let (mut time, mut slots, mut taken_until) = (0, Vec::new(), 0);
        for (pause, skew, recipients, forgetful) in callers {
            time += pause;
            let ask = ask(recipients, time + skew, &policy);
            let known = table.gate.filter(|_| !forgetful).map(|gate| gate.known());
            if let Ok(permit) = table.take(ask, &policy, known).0 {
                let first = permit.known.next_free_slot - recipients * slot_interval;
                prop_assert!(first >= taken_until, "a slot is taken twice");
                taken_until = permit.known.next_free_slot;
                prop_assert!(permit.wait <= policy.wait);
                slots.push((micros(ask.now + permit.wait), recipients));
            }
        }
        let granted: i64 = slots.iter().map(|(_, recipients)| recipients).sum();
        prop_assert_eq!((table.granted, table.gate.unwrap().left_all), (granted, 1_000_000 - granted));
        let largest = slots.iter().map(|(_, recipients)| *recipients).max().unwrap_or(0);
        let bound = (SECOND + (burst - slot_interval).max(0)) / slot_interval + largest;
        for (begin, _) in &slots {
            let second = slots.iter().filter(|(slot, _)| (*begin..*begin + SECOND).contains(slot));
            let recipients: i64 = second.map(|(_, recipients)| recipients).sum();
            prop_assert!(recipients <= bound, "{} in a second, {} allowed", recipients, bound);
        }
    }

    /// SES's own rate limit, a bucket of one second that a mail may overdraw, never refuses a mail that the gate
    /// admitted.
    #[test]
    fn ses_never_refuses_a_mail_that_the_gate_admitted_at_its_slot(
        rate in 0.1f64..500.0, callers in prop::collection::vec((0i64..500_000, 1i64..=50), 1..100),
    ) {
        let policy = policy(SECOND, 2 * SECOND);
        let mut table = table(gate(slot_interval(rate), 0, 1_000_000));
        let capacity = rate.max(1.0);
        let (mut time, mut tokens, mut filled) = (0, capacity, 0);
        for (pause, recipients) in callers {
            time += pause;
            if let Ok(permit) = table.take(ask(recipients, time, &policy), &policy, None).0 {
                let slot = time + micros(at(0) + permit.wait) - micros(at(0));
                #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
                let (passed, weight) = ((slot - filled) as f64 / 1e6, recipients as f64);
                tokens = capacity.min(tokens + passed * rate);
                prop_assert!(tokens > 1.0 - 1e-6, "{} tokens", tokens);
                tokens -= weight;
                filled = slot;
            }
        }
    }
}
