//! Simulates direct calls beside a backlog of waiting mail, at three sending rates, and prints what each gets.
//!
//! The permits are those of the model of the gate. Direct callers either go away when they are refused, or come again
//! after the time that they are told. Workers take chunk after chunk from a backlog that never ends.
//!
//! ```sh
//! cargo test -p domain priority_model -- --nocapture
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use jiff::SignedDuration;

use super::gate_settings::slot_interval;
use super::model::{SECOND, Table, at, micros, policy};
use super::random::Random;
use crate::brake::Brake;
use crate::pacing::{Gate, PermitRequest, RememberedGate, Throttled};
use crate::stream::Stream;

/// The shortest wait of a worker that is refused: that of a fresh hint.
const WORKER_AGAIN: i64 = SECOND;
/// How long SES takes for a mail.
const SES: i64 = SECOND / 20;

/// Who calls directly.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Callers {
    /// Nobody.
    None,
    /// Calls come at random, so many for each that the rate lets through. Who is refused goes away.
    GoAway(f64),
    /// So many callers send mail after mail, and pause between two so long on average that they would use this part of
    /// the rate. Who is refused comes again.
    ComeAgain(i64, f64),
}

/// The mails that wait in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backlog {
    Bulk,
    Transactional,
    Both,
}

#[derive(Clone, Copy, Debug)]
enum Actor {
    Caller,
    Worker(Stream),
}

/// The result of a simulation. Shares are of the mail that the rate lets through.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    direct: f64,
    transactional: f64,
    bulk: f64,
    /// The wait for a slot that 99 of 100 direct mails had at most, in seconds.
    p99: f64,
    /// How many direct calls were refused.
    refused: usize,
}

impl Outcome {
    fn used(&self) -> f64 {
        self.direct + self.transactional + self.bulk
    }
}

/// How long it is to the first slot of a permit, and to the end of its last.
#[derive(Clone, Copy)]
struct Granted {
    first: i64,
    over: i64,
}

struct World {
    table: Table,
    random: Random,
}

impl World {
    fn known(&self) -> RememberedGate {
        self.table.gate.unwrap().known()
    }

    /// Asks for slots, or says how long it is until it is worth asking again.
    fn ask(
        &mut self,
        now: i64,
        stream: Stream,
        mails: usize,
        patience: Duration,
        holds_bulk_back: bool,
    ) -> Result<Granted, i64> {
        let ask = PermitRequest {
            recipients: i64::try_from(mails).unwrap(),
            stream,
            now: at(now),
            patience,
            holds_bulk_back,
        };
        let known = self.known();
        let wait = |of: Duration| super::micros(of);
        match self.table.take(ask, &policy(SECOND, 2 * SECOND), Some(known)).0 {
            Ok(permit) => Ok(Granted {
                first: wait(permit.wait),
                over: wait(permit.wait_after(ask.recipients)),
            }),
            Err(Throttled::Rate { retry_after, .. }) => Err(wait(retry_after)),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Runs a simulation of `seconds`, of which the first tenth does not count.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn simulate(rate: f64, callers: Callers, backlog: Backlog, seconds: i64) -> Outcome {
    let interval = slot_interval(rate);
    let mut world = World {
        table: Table {
            gate: Some(Gate {
                next_free_slot: micros(at(0)),
                slot_interval: interval,
                left_all: i64::MAX / 2,
                left_bulk: i64::MAX / 2,
                brake: Brake::None,
                account_read_at: at(0),
                transactional_until: 0,
            }),
            granted: 0,
        },
        random: Random(7),
    };
    let chunk = world.known().worker_chunk();
    let mails = i64::try_from(chunk).unwrap();
    // ⌈rate × 0.6 s / chunk⌉ + 1, which uses the whole rate.
    let workers = (SECOND * 6 / 10).div_euclid(interval * mails) + 2;
    let mut events = BinaryHeap::new();
    let mut sequence = 0_u64;
    let mut actors = Vec::new();
    let mut add = |actor, events: &mut BinaryHeap<_>, time: i64| {
        actors.push(actor);
        events.push(Reverse((time, actors.len() as u64, actors.len() - 1)));
    };
    match callers {
        Callers::None => {}
        Callers::GoAway(_) => add(Actor::Caller, &mut events, 0),
        Callers::ComeAgain(count, _) => (0..count).for_each(|nth| add(Actor::Caller, &mut events, nth * 1_000)),
    }
    for nth in 0..workers {
        if backlog != Backlog::Bulk {
            add(Actor::Worker(Stream::Transactional), &mut events, nth * 10_000);
        }
        if backlog != Backlog::Transactional {
            add(Actor::Worker(Stream::Bulk), &mut events, nth * 10_000 + 5_000);
        }
    }
    let (end, begin) = (seconds * SECOND, seconds * SECOND / 10);
    let (mut waits, mut refused, mut by_workers) = (Vec::new(), 0, [0_i64; 2]);
    while let Some(Reverse((now, _, index))) = events.pop() {
        if now >= end {
            break;
        }
        let counts = now >= begin;
        let next = match actors[index] {
            Actor::Caller => {
                let asked = world.ask(now, Stream::Transactional, 1, Duration::from_secs(2), false);
                match asked {
                    Ok(granted) if counts => waits.push(granted.first),
                    Err(_) if counts => refused += 1,
                    _ => {}
                }
                match (callers, asked) {
                    (Callers::GoAway(load), _) => now + world.random.pause(interval as f64 / load),
                    (Callers::ComeAgain(count, load), Ok(granted)) => {
                        now + granted.first + SES + world.random.pause(interval as f64 * count as f64 / load)
                    }
                    (_, Err(again)) => now + again + world.random.pause(0.5 * SECOND as f64),
                    (Callers::None, Ok(_)) => end,
                }
            }
            Actor::Worker(stream) => {
                let patience = world.known().worker_patience(stream, mails);
                // Its batch never ends.
                match world.ask(now, stream, chunk, patience, stream == Stream::Transactional) {
                    Ok(granted) => {
                        by_workers[usize::from(stream == Stream::Bulk)] += if counts { mails } else { 0 };
                        now + granted.over
                    }
                    Err(again) => now + again.max(WORKER_AGAIN),
                }
            }
        };
        sequence += 1;
        events.push(Reverse((next.max(now + 1), u64::MAX / 2 + sequence, index)));
    }
    waits.sort_unstable();
    let all = (end - begin) as f64 / interval as f64;
    let p99 = waits.get(waits.len() * 99 / 100).copied().unwrap_or(0);
    Outcome {
        direct: waits.len() as f64 / all,
        transactional: by_workers[0] as f64 / all,
        bulk: by_workers[1] as f64 / all,
        p99: SignedDuration::from_micros(p99).as_secs_f64(),
        refused,
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what the simulation is for")]
fn direct_calls_are_fast_beside_bulk_mail_and_waiting_mail_keeps_a_third() {
    println!("| rate | callers | backlog | direct | transactional | bulk | used | direct p99 | refused |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (rate, seconds, callers) in [(1.0, 4_000, 4), (14.0, 800, 20), (200.0, 120, 200)] {
        for (of, backlog) in [
            (Callers::None, Backlog::Bulk),
            (Callers::None, Backlog::Transactional),
            (Callers::GoAway(0.5), Backlog::Bulk),
            (Callers::ComeAgain(callers, 0.5), Backlog::Bulk),
            (Callers::GoAway(0.5), Backlog::Transactional),
            (Callers::GoAway(3.0), Backlog::Transactional),
            (Callers::ComeAgain(callers, 0.5), Backlog::Transactional),
            (Callers::ComeAgain(10 * callers, 100.0), Backlog::Transactional),
            (Callers::GoAway(0.5), Backlog::Both),
        ] {
            let outcome = simulate(rate, of, backlog, seconds);
            let Outcome {
                direct,
                transactional,
                bulk,
                p99,
                refused,
            } = outcome;
            let used = outcome.used();
            println!(
                "| {rate} | {of:?} | {backlog:?} | {direct:.2} | {transactional:.2} | {bulk:.2} | {used:.2} | {p99:.2} s | {refused} |"
            );
            let shown = format!("{rate} {of:?} {backlog:?} {outcome:?}");
            assert!(used > 0.95 && used < 1.02, "the rate is used and no more: {shown}");
            if backlog == Backlog::Bulk && of != Callers::None {
                assert!(
                    p99 <= if rate > 1.0 { 0.65 } else { 2.0 },
                    "direct calls are fast: {shown}"
                );
            }
            if backlog != Backlog::Bulk {
                assert!(transactional >= 1.0 / 3.0, "waiting mail keeps a third: {shown}");
                let calls = of != Callers::None;
                assert!(!calls || direct >= 0.2, "direct calls have a part too: {shown}");
            }
            if backlog == Backlog::Both {
                assert!(bulk < 0.05, "bulk mail gives way: {shown}");
            }
        }
    }
}
