//! Simulates a thousand processes that ask the gate at once, at four sending rates, and prints what becomes of the
//! mail.
//!
//! The permits are those of the model of the gate. Each write takes some milliseconds, and a unit of what DynamoDB
//! takes for one item. Beside the gate as it is, leases of slots and several gates that share the rate are simulated.
//!
//! ```sh
//! cargo test -p domain scale_model -- --nocapture
//! ```

mod item;
mod outcome;
mod world;

use std::iter;
use std::time::Duration;

use outcome::Outcome;
use world::{Next, Setting, Slots, World};

const RATES: [f64; 4] = [14.0, 200.0, 1_000.0, 5_000.0];
/// How long a request waits for its slot by default.
const PATIENCE: Duration = Duration::from_secs(2);

/// A way to come by slots, with its name.
type Way = (&'static str, Slots, Next);

const ONE_GATE: Way = ("one gate", Slots::OneGate { mails: 1 }, Next::Any);
const ONE_GATE_LAST: Way = ("one gate, the last process", Slots::OneGate { mails: 1 }, Next::Last);
const BATCHES: Way = (
    "one gate, requests of 25 mails",
    Slots::OneGate { mails: 25 },
    Next::Any,
);
const LEASES: Way = (
    "leases of 2 slots, 100 ms",
    Slots::Leases {
        slots: 2,
        time: 100_000,
    },
    Next::Any,
);
const LEASES_LAST: Way = ("the same, the last process", LEASES.1, Next::Last);
const SHORT_LEASES_LAST: Way = (
    "leases of 2 slots, 50 ms, the last process",
    Slots::Leases { slots: 2, time: 50_000 },
    Next::Last,
);
const EIGHT_GATES: Way = ("8 gates", Slots::Gates, Next::Any);
const WAYS: [Way; 7] = [
    ONE_GATE,
    ONE_GATE_LAST,
    LEASES,
    LEASES_LAST,
    SHORT_LEASES_LAST,
    EIGHT_GATES,
    BATCHES,
];

fn simulate((name, slots, next): Way, rate: f64, load: f64, patience: Duration) -> Outcome {
    let seconds = match rate {
        ..100.0 => 240,
        100.0..1_000.0 => 24,
        _ => 4,
    };
    let setting = Setting {
        rate,
        load,
        slots,
        next,
        patience,
        seconds,
    };
    let outcome = World::new(setting).run();
    let shown = format!("{name}: {setting:?} {outcome:?}");
    assert_eq!(outcome.over_by_slots, 0, "the slots are within the rate: {shown}");
    assert_eq!(outcome.over, 0, "the mails leave within the rate: {shown}");
    assert!(outcome.used < 1.02, "no more than the rate is used: {shown}");
    outcome
}

/// Makes a table of all ways and rates.
fn table(of: &str, outcomes: &[[Outcome; RATES.len()]], cell: impl Fn(&Outcome) -> String) -> String {
    let rates = RATES.map(|rate| format!("{rate}/s")).join(" | ");
    let rows = WAYS.iter().zip(outcomes).map(|((name, ..), outcomes)| {
        let cells = outcomes.each_ref().map(&cell).join(" | ");
        format!("| {name} | {cells} |\n")
    });
    let header = format!("\n| {of} | {rates} |\n|---|--:|--:|--:|--:|\n");
    iter::once(header).chain(rows).collect()
}

/// Prints tables at once, so that the output of another test does not come between.
#[expect(clippy::print_stdout, reason = "the tables are what the simulation is for")]
fn print(tables: &str) {
    println!("{tables}");
}

#[test]
fn one_gate_is_enough_until_its_item_takes_no_more_writes() {
    let outcomes = WAYS.map(|way| RATES.map(|rate| simulate(way, rate, 0.9, PATIENCE)));
    let sent = table("sent of the mails that came", &outcomes, |outcome| {
        format!("{:.0} %", outcome.sent * 100.0)
    });
    let waits = table("wait until the mail leaves, p50 / p99", &outcomes, |outcome| {
        format!("{} / {} ms", outcome.p50, outcome.p99)
    });
    let writes = table("writes a mail, those that failed", &outcomes, |outcome| {
        format!("{:.2}, {:.2}", outcome.writes, outcome.failed_writes)
    });
    print(&[sent, waits, writes].concat());
    let of = |way: Way, rate: usize| outcomes[WAYS.iter().position(|other| *other == way).unwrap()][rate];
    for rate in [0, 1] {
        for way in [ONE_GATE, ONE_GATE_LAST] {
            let outcome = of(way, rate);
            assert!(outcome.sent > 0.99 && outcome.unavailable == 0.0, "{way:?} {outcome:?}");
        }
    }
    // A mail waits for the slot of its own gate while others have free ones.
    assert!(of(EIGHT_GATES, 0).sent < 0.97);
    for rate in [2, 3] {
        assert!(of(ONE_GATE, rate).unavailable > 0.1);
        assert!(of(EIGHT_GATES, rate).sent > 0.99 && of(BATCHES, rate).sent > 0.99);
        // A process has no second mail within the time of a lease.
        assert!(of(LEASES, rate).used < of(EIGHT_GATES, rate).used - 0.1);
    }
}

/// A request that waits for its slot occupies a process.
#[test]
fn a_shorter_wait_leaves_processes_to_others() {
    let mut rows = vec![String::from(
        "\n| rate | way | wait | sent of the rate | refused | throttled | no process | processes busy |\n|---|---|---|--:|--:|--:|--:|--:|\n",
    )];
    for rate in RATES {
        for way in [ONE_GATE, EIGHT_GATES] {
            for patience in [PATIENCE, PATIENCE / 20] {
                let outcome = simulate(way, rate, 1.5, patience);
                let shares = [
                    outcome.used,
                    outcome.refused,
                    outcome.unavailable,
                    outcome.without_process,
                ];
                let shares = shares.map(|share| format!("{:.0} %", share * 100.0)).join(" | ");
                let (name, busy) = (way.0, outcome.busy);
                rows.push(format!("| {rate}/s | {name} | {patience:?} | {shares} | {busy} |\n"));
                let is_too_long = rate >= 1_000.0 && patience == PATIENCE && way == EIGHT_GATES;
                assert_eq!(
                    outcome.without_process > 0.0,
                    is_too_long,
                    "{way:?} {patience:?} {outcome:?}"
                );
            }
        }
    }
    print(&rows.concat());
}
