//! A model of the queue in memory, and what holds in every history of it.
//!
//! The tables are in memory, and each write has the conditions of its adapter. The actors take the steps of the code:
//! requests with one key, those who cancel, reschedule and replace a content, workers with the real `next_step`,
//! `retry_wait` and hints, the sweep, SES and its events. A history chooses the next actor, and the calls that have no
//! answer, are carried out late or are carried out twice. It also chooses when an actor dies, how far the clock leaps,
//! and the hints that are lost, doubled or late. After that there are no more faults, and every mail must settle.
//!
//! | module | concept |
//! |---|---|
//! | `write`, `condition` | the writes, and the name of each of their conditions |
//! | `store` | the tables, and what each write does |
//! | `choices` | random choices, and how a failing history is made small |
//! | `world` | what a call of an actor meets |
//! | `actors` | the steps of each actor |
//! | `theme`, `history` | what happens in a history, and in which order |
//! | `invariants` | what every history must keep |
//! | `removals` | each condition taken away in turn |
//! | `agreement` | the same writes by the model and by the adapters |
//!
//! More of them, from another seed, and ten times as fast as without optimisation:
//!
//! ```sh
//! QUEUE_HISTORIES=1000000 QUEUE_FIRST=5000 cargo test --workspace --locked --test queue_model no_history \
//!     --config 'profile.dev.package.aws.opt-level=1' --config 'profile.dev.package.domain.opt-level=1' \
//!     --config 'profile.dev.package.jiff.opt-level=1'
//! ```
//!
//! `QUEUE_AGREEMENTS=20000` lets that many sequences of writes be compared, and `QUEUE_REMOVALS=100000` tries that many
//! histories without each condition.
//!
//! The model has no batches of mails, no TTL, no clocks that differ, and no budget of the sweep. Its only faults of a
//! read are that it has no answer.

#![expect(clippy::unwrap_used, clippy::unreachable, reason = "what fails here fails the test")]

mod actors;
mod agreement;
mod choices;
mod condition;
mod history;
mod invariants;
mod removals;
mod store;
#[expect(dead_code, reason = "the tests of the adapters need more of it")]
#[path = "../adapters/support.rs"]
mod support;
mod theme;
mod world;
mod write;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many histories run in a normal test.
const HISTORIES: u64 = 6_000;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// The seeds of a test: as many as `variable` says, from `QUEUE_FIRST` on.
fn seeds(variable: &str, default: u64) -> Range<u64> {
    let first = number("QUEUE_FIRST", 0);
    first..first + number(variable, default)
}

/// The promises are in [`invariants`].
#[test]
fn no_history_breaks_a_promise() {
    let seeds = seeds("QUEUE_HISTORIES", HISTORIES);
    let (count, next) = (seeds.end, AtomicU64::new(seeds.start));
    let broken = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= count {
                            return None;
                        }
                        let ended = history::random(seed, None);
                        if ended.violation.is_some() {
                            next.store(count, Ordering::Relaxed);
                            return Some((seed, ended));
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().find_map(|thread| thread.join().unwrap())
    });
    if let Some((seed, ended)) = broken {
        panic!("history {seed}: {}", history::tell(ended, None));
    }
}
