//! A thousand processes that send, each one request at a time, as Lambda's execution environments do.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::super::gate_settings::slot_interval;
use super::super::model::{SECOND, at, micros, policy};
use super::super::random::Random;
use super::item::{Item, Written};
use super::outcome::{Counts, Outcome};
use crate::brake::Brake;
use crate::pacing::{Gate, GateWrite, PermitRequest, RememberedGate};
use crate::stream::Stream;

/// The processes: the executions of Lambda that an account has by default.
const PROCESSES: usize = 1_000;
/// How long a call of DynamoDB takes, there and back.
const DYNAMODB: (i64, i64) = (3_000, 8_000);
/// How long SES takes for a mail.
const SES: (i64, i64) = (40_000, 60_000);
/// How often the SDK calls in all while DynamoDB throttles.
const CALLS_MAX: u32 = 3;
/// The longest first pause between two of these calls. Each further one is up to twice as long.
const FIRST_PAUSE: f64 = 50_000.0;
/// How many gates share the rate, if there are several.
pub(super) const GATES: usize = 8;

/// How a process comes by slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slots {
    /// One gate, one write for each request, as Okite does it. A request has so many mails.
    OneGate { mails: usize },
    /// One gate. A process takes so many slots, and uses those that are left for its next mails, up to so many
    /// microseconds after their time.
    Leases { slots: usize, time: i64 },
    /// [`GATES`] gates, each with an equal part of the rate. A request takes any of them.
    Gates,
}

/// The process that gets the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Any free one.
    Any,
    /// The free one that was busy last.
    Last,
}

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// The sending rate of the account.
    pub(super) rate: f64,
    /// The mails that come, as a part of those that the gate lets through.
    pub(super) load: f64,
    pub(super) slots: Slots,
    pub(super) next: Next,
    /// How long a request waits for its slot.
    pub(super) patience: Duration,
    /// How long the simulation lasts, of which the first quarter does not count.
    pub(super) seconds: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A request comes from outside.
    Comes,
    /// The write of a process reaches the gate.
    Writes(usize),
    /// A process is free again.
    Free(usize),
}

/// A request that asks the gate.
#[derive(Clone, Copy)]
struct Asking {
    came: i64,
    gate: usize,
    attempt: GateWrite,
    calls: u32,
}

/// A process, and what it remembers of each gate.
#[derive(Clone, Default)]
struct Process {
    known: [Option<(RememberedGate, Timestamp)>; GATES],
    leased: VecDeque<i64>,
    asking: Option<Asking>,
}

pub(super) struct World {
    setting: Setting,
    gates: Vec<Item>,
    processes: Vec<Process>,
    free: Vec<usize>,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    order: u64,
    random: Random,
    counts: Counts,
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        let parts = match setting.slots {
            Slots::Gates => GATES,
            Slots::OneGate { .. } | Slots::Leases { .. } => 1,
        };
        #[expect(clippy::cast_precision_loss, reason = "a few gates")]
        let interval = slot_interval(setting.rate / parts as f64);
        let gate = Gate {
            next_free_slot: micros(at(0)),
            slot_interval: interval,
            left_all: i64::MAX / 2,
            left_bulk: i64::MAX / 2,
            brake: Brake::None,
            account_read_at: at(0),
            transactional_until: 0,
        };
        Self {
            setting,
            gates: (0..parts).map(|_| Item::new(gate)).collect(),
            // Every process has looked at the gates when it started.
            processes: vec![
                Process {
                    known: [Some((gate.known(), at(-SECOND))); GATES],
                    ..Process::default()
                };
                PROCESSES
            ],
            free: (0..PROCESSES).collect(),
            events: BinaryHeap::new(),
            order: 0,
            random: Random(7),
            counts: Counts::new(setting.seconds * SECOND / 4),
        }
    }

    /// Runs the simulation to its end.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    pub(super) fn run(mut self) -> Outcome {
        let end = self.setting.seconds * SECOND;
        let lets_through = SECOND as f64 / slot_interval(self.setting.rate) as f64;
        let pause = self.mails() as f64 * SECOND as f64 / (lets_through * self.setting.load);
        self.at(0, Event::Comes);
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            if now >= end {
                break;
            }
            match event {
                Event::Comes => {
                    let next = now + self.random.pause(pause).max(1);
                    self.at(next, Event::Comes);
                    self.comes(now);
                }
                Event::Writes(process) => self.writes(now, process),
                Event::Free(process) => self.free.push(process),
            }
        }
        self.counts.outcome(self.setting.rate, lets_through, end)
    }

    /// How many mails a request has.
    fn mails(&self) -> usize {
        match self.setting.slots {
            Slots::OneGate { mails } => mails,
            Slots::Leases { .. } | Slots::Gates => 1,
        }
    }

    fn at(&mut self, time: i64, event: Event) {
        self.order += 1;
        self.events.push(Reverse((time, self.order, event)));
    }

    fn between(&mut self, (from, to): (i64, i64)) -> i64 {
        from + self.random.below(to - from)
    }

    /// Gives a request to a free process, which uses a slot of its lease or asks a gate.
    fn comes(&mut self, now: i64) {
        let Some(process) = self.take_process() else {
            self.counts.without_process(now, self.mails());
            return;
        };
        self.counts.busy(PROCESSES - self.free.len());
        if let Slots::Leases { time, .. } = self.setting.slots {
            let leased = &mut self.processes[process].leased;
            while let Some(slot) = leased.pop_front() {
                if slot >= now - time {
                    self.sends(process, now, now, &[slot]);
                    return;
                }
            }
        }
        let gate = self.random.index(self.gates.len());
        let recipients = match self.setting.slots {
            Slots::Leases { slots, .. } => slots,
            _ => self.mails(),
        };
        let ask = PermitRequest {
            recipients: i64::try_from(recipients).unwrap(),
            stream: Stream::Transactional,
            now: at(now),
            patience: self.setting.patience,
            holds_bulk_back: false,
        };
        let (policy, known) = (policy(SECOND, 2 * SECOND), self.processes[process].known[gate]);
        if known.is_some_and(|(known, seen_at)| known.refusal(&policy, ask.patience, seen_at, ask.now).is_some()) {
            self.counts.refused(now, self.mails());
            self.free.push(process);
            return;
        }
        self.processes[process].asking = Some(Asking {
            came: now,
            gate,
            attempt: GateWrite::first(ask, &policy, known.map(|(known, _)| known)),
            calls: 1,
        });
        let there = self.between(DYNAMODB) / 2;
        self.at(now + there, Event::Writes(process));
    }

    fn take_process(&mut self) -> Option<usize> {
        match self.setting.next {
            Next::Last => self.free.pop(),
            Next::Any if self.free.is_empty() => None,
            Next::Any => {
                let index = self.random.index(self.free.len());
                Some(self.free.swap_remove(index))
            }
        }
    }

    /// Carries out the write of a process, which has the answer half a call later.
    fn writes(&mut self, now: i64, process: usize) {
        let Asking {
            came,
            gate,
            attempt,
            calls,
        } = self.processes[process].asking.unwrap();
        let answered = now + self.between(DYNAMODB) / 2;
        let policy = policy(SECOND, 2 * SECOND);
        match self.gates[gate].write(now, &attempt) {
            Written::Taken(next_free_slot) => {
                self.counts.write(now, true);
                let permit = attempt.granted(next_free_slot);
                self.processes[process].known[gate] = Some((permit.known, attempt.ask.now));
                let slots: Vec<i64> = (0..attempt.ask.recipients)
                    .map(|before| came + super::super::micros(permit.wait_after(before)))
                    .collect();
                if matches!(self.setting.slots, Slots::Leases { .. }) {
                    self.processes[process].leased = slots[1..].iter().copied().collect();
                    self.sends(process, came, answered, &slots[..1]);
                } else {
                    self.sends(process, came, answered, &slots);
                }
            }
            Written::Failed(found) => {
                self.counts.write(now, false);
                self.processes[process].known[gate] = Some((found.known(), attempt.ask.now));
                let Ok(next) = GateWrite::after(attempt.ask, &policy, &found) else {
                    self.counts.refused(came, self.mails());
                    self.at(answered, Event::Free(process));
                    return;
                };
                self.processes[process].asking = Some(Asking {
                    attempt: next,
                    came,
                    gate,
                    calls: 1,
                });
                let there = self.between(DYNAMODB) / 2;
                self.at(answered + there, Event::Writes(process));
            }
            Written::Throttled if calls < CALLS_MAX => {
                let asking = self.processes[process].asking.as_mut().unwrap();
                asking.calls += 1;
                let there = self.between(DYNAMODB) / 2;
                #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second")]
                let pause = (self.random.next() * FIRST_PAUSE * f64::from(1 << (calls - 1))) as i64;
                self.at(answered + pause + there, Event::Writes(process));
            }
            Written::Throttled => {
                self.counts.unavailable(came, self.mails());
                self.at(answered, Event::Free(process));
            }
        }
    }

    /// Sends the mails of a request, each at its slot, after their rows are written. `known` is when the slots are
    /// known.
    fn sends(&mut self, process: usize, came: i64, known: i64, slots: &[i64]) {
        let written = known + self.between(DYNAMODB);
        let mut last = written;
        for slot in slots {
            let leaves = written.max(*slot);
            self.counts.sent(came, *slot, leaves);
            last = last.max(leaves);
        }
        let over = last + self.between(SES) + self.between(DYNAMODB);
        self.at(over, Event::Free(process));
    }
}
