//! Nothing that may happen to the gate holds mail back for long after a good report: neither figures that are no rates,
//! nor reports and sends by clocks that are wrong by up to a day.

use std::array;

use jiff::Timestamp;
use proptest::prelude::*;

use super::model::{HOUR, SECOND, Table, ask, at, micros, policy};
use crate::account::{Account, EnforcementStatus};
use crate::pacing::{
    GrantTotals, PacingPolicy, REMEMBERED_FOR, RememberedGate, gate_settings, latest_report, taken_back,
};

const DAY: i64 = 24 * HOUR;
/// The processes that send; the clock of the first is right.
const PROCESSES: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// Time passes, in microseconds.
    Passes(i64),
    /// A report reads this rate, by a clock that is so far ahead.
    Report { rate: f64, skew: i64 },
    /// A process sends to so many recipients.
    Send { process: usize, recipients: i64 },
}

/// The gate, and the processes that remember it.
struct World {
    policy: PacingPolicy,
    table: Table,
    now: i64,
    skews: [i64; PROCESSES],
    known: [Option<(RememberedGate, Timestamp)>; PROCESSES],
}

impl World {
    fn new(policy: PacingPolicy, skews: [i64; PROCESSES - 1]) -> Self {
        Self {
            policy,
            table: Table::default(),
            now: 0,
            skews: array::from_fn(|process| if process == 0 { 0 } else { skews[process - 1] }),
            known: [None; PROCESSES],
        }
    }

    fn passes(&mut self, time: i64) {
        self.now += time;
    }

    /// Reports as the reporter does, and returns whether the report took effect.
    fn report(&mut self, rate: f64, skew: i64) -> bool {
        let now = at(self.now + skew);
        let read = self.table.gate.map(|gate| (gate.known(), gate.account_read_at));
        if read.is_some_and(|(_, read_at)| (now..=latest_report(now)).contains(&read_at)) {
            return false;
        }
        let account = Account {
            max_24_hour_send: -1.0,
            sent_last_24_hours: 0.0,
            max_send_rate: rate,
            production_access: true,
            sending_enabled: true,
            enforcement_status: EnforcementStatus::Healthy,
        };
        let interval = read.map(|(gate, _)| gate.slot_interval);
        let settings = gate_settings(&account, &self.policy, GrantTotals::default(), interval);
        self.table.set(settings, now);
        if let Some((read, _)) = read
            && let Some(back) = taken_back(read, settings.slot_interval, &self.policy, now)
            && let Some(gate) = &mut self.table.gate
        {
            gate.next_free_slot = back.to;
        }
        true
    }

    /// Sends as send-api does, and returns whether the mail passed.
    fn sends(&mut self, process: usize, recipients: i64) -> bool {
        let ask = ask(recipients, self.now + self.skews[process], &self.policy);
        let known = self.known[process];
        if known.is_some_and(|(known, seen_at)| known.refusal(&self.policy, ask.patience, seen_at, ask.now).is_some()) {
            return false;
        }
        let (taken, _) = self.table.take(ask, &self.policy, known.map(|(known, _)| known));
        self.known[process] = self.table.gate.map(|gate| (gate.known(), ask.now));
        taken.is_ok()
    }
}

fn any_rate() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::sample::select(vec![0.0, -1.0, f64::NAN, f64::INFINITY, 1e6, 1e-9]),
        0.001..1.0,
        1.0..500.0,
    ]
}

fn any_skew() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), -DAY..=DAY, -60 * SECOND..60 * SECOND]
}

fn any_event() -> impl Strategy<Value = Event> {
    let process = 0..PROCESSES;
    prop_oneof![
        (0..10 * SECOND).prop_map(Event::Passes),
        (0..HOUR).prop_map(Event::Passes),
        (any_rate(), any_skew()).prop_map(|(rate, skew)| Event::Report { rate, skew }),
        (process, 1i64..=50).prop_map(|(process, recipients)| Event::Send { process, recipients }),
    ]
}

/// Does what happened, then makes a good report, lets every process but the first send once more, and returns after how
/// long the first can send, and the longest that this may take.
fn held_back(mut world: World, events: &[Event], rate: f64) -> (i64, i64) {
    for event in events {
        match *event {
            Event::Passes(time) => world.passes(time),
            Event::Report { rate, skew } => drop(world.report(rate, skew)),
            Event::Send { process, recipients } => drop(world.sends(process, recipients)),
        }
    }
    // A report of a clock that is ahead by less than the tolerance may stand in the way of one.
    while !world.report(rate, 0) {
        world.passes(300 * SECOND);
    }
    for process in 1..PROCESSES {
        world.sends(process, 50);
    }
    let reported_at = world.now;
    let interval = world.table.gate.unwrap().slot_interval;
    let longest = world.policy.furthest(interval) - micros(at(0) + world.policy.wait) + micros(at(0));
    // The longest wait is tried in a hundred steps.
    while !world.sends(0, 1) && world.now - reported_at <= 2 * longest {
        world.passes(longest / 100 + 1);
    }
    // Slots that are a little too far ahead become possible while a process still goes by its memory.
    let remembered = i64::try_from(REMEMBERED_FOR.as_micros()).unwrap();
    (world.now - reported_at, longest + remembered + longest / 100 + 1)
}

#[test]
fn a_rate_of_nothing_holds_nothing_back() {
    let mut world = World::new(policy(SECOND, 2 * SECOND), [0; 3]);
    assert!(world.report(0.0, 0));
    assert!(world.sends(0, 5));
    world.passes(SECOND);
    assert!(world.report(14.0, 0));
    assert!(world.sends(0, 1));
}

#[test]
fn a_clock_an_hour_ahead_holds_nothing_back() {
    for skew in [HOUR, 26 * SECOND, DAY] {
        let mut world = World::new(policy(SECOND, 2 * SECOND), [skew; 3]);
        assert!(world.report(14.0, 0));
        assert!(world.sends(0, 1) && world.sends(1, 50));
        // Even before the next report.
        assert!(world.sends(0, 1), "{skew}");
        world.passes(SECOND);
        assert!(world.sends(2, 50));
        assert!(world.report(14.0, 0));
        assert!(world.sends(0, 1), "{skew}");
    }
}

#[test]
fn a_clock_an_hour_behind_a_report_takes_no_slots_back() {
    let mut world = World::new(policy(SECOND, 2 * SECOND), [-HOUR; 3]);
    assert!(world.report(14.0, 0));
    assert!(world.sends(0, 50));
    let slots = world.table.gate.unwrap().next_free_slot;
    assert!(!world.sends(1, 1));
    assert_eq!(world.table.gate.unwrap().next_free_slot, slots);
}

#[test]
fn a_report_by_a_clock_a_day_ahead_does_not_keep_the_next_out() {
    let mut world = World::new(policy(SECOND, 2 * SECOND), [0; 3]);
    assert!(world.report(1.0, DAY));
    assert!(world.report(14.0, 0));
    assert!(world.sends(0, 50));
    world.passes(SECOND);
    assert!(!world.report(14.0, -60 * SECOND));
}

#[test]
fn what_a_process_remembers_of_a_slower_rate_holds_for_a_second() {
    let mut world = World::new(policy(SECOND, 2 * SECOND), [0; 3]);
    assert!(world.report(1.0, 0));
    assert!(world.sends(0, 50) && !world.sends(0, 1));
    world.passes(1_000);
    assert!(world.report(50.0, 0));
    world.passes(SECOND - 1_001);
    assert!(!world.sends(0, 1));
    world.passes(1);
    assert!(world.sends(0, 1));
}

proptest! {
    #[test]
    fn nothing_holds_mail_back_for_longer_than_a_wait_and_the_largest_slots_after_a_good_report(
        events in prop::collection::vec(any_event(), 0..40), skews in prop::array::uniform3(any_skew()),
        rate in prop_oneof![0.001..1.0, 1.0..500.0, Just(1e6)], burst in 0..2 * SECOND, wait in 0..3 * SECOND,
    ) {
        let world = World::new(policy(burst, wait), skews);
        let (held_back, longest) = held_back(world, &events, rate);
        prop_assert!(held_back <= longest, "{} of {}", held_back, longest);
    }
}
