//! What a simulation counts, and its result.

use super::super::model::SECOND;

/// What happened since the beginning. Requests count by the time that they came, writes by their own.
pub(super) struct Counts {
    begin: i64,
    /// The slots of the mails, whenever they are.
    slots: Vec<i64>,
    /// When the mails leave for SES.
    leaves: Vec<i64>,
    waits: Vec<i64>,
    writes: usize,
    failed_writes: usize,
    refused: usize,
    unavailable: usize,
    without_process: usize,
    busy: usize,
}

impl Counts {
    pub(super) fn new(begin: i64) -> Self {
        Self {
            begin,
            slots: Vec::new(),
            leaves: Vec::new(),
            waits: Vec::new(),
            writes: 0,
            failed_writes: 0,
            refused: 0,
            unavailable: 0,
            without_process: 0,
            busy: 0,
        }
    }

    fn if_counted(&self, time: i64, count: usize) -> usize {
        if time >= self.begin { count } else { 0 }
    }

    pub(super) fn write(&mut self, now: i64, took_slots: bool) {
        self.writes += self.if_counted(now, 1);
        self.failed_writes += self.if_counted(now, usize::from(!took_slots));
    }

    pub(super) fn refused(&mut self, came: i64, mails: usize) {
        self.refused += self.if_counted(came, mails);
    }

    pub(super) fn unavailable(&mut self, came: i64, mails: usize) {
        self.unavailable += self.if_counted(came, mails);
    }

    pub(super) fn without_process(&mut self, came: i64, mails: usize) {
        self.without_process += self.if_counted(came, mails);
    }

    pub(super) fn busy(&mut self, processes: usize) {
        self.busy = self.busy.max(processes);
    }

    pub(super) fn sent(&mut self, came: i64, slot: i64, leaves: i64) {
        self.slots.push(slot);
        self.leaves.push(leaves);
        if came >= self.begin {
            self.waits.push(leaves - came);
        }
    }

    /// Sums up. `lets_through` is what the gate lets through in a second.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    pub(super) fn outcome(mut self, rate: f64, lets_through: f64, end: i64) -> Outcome {
        self.waits.sort_unstable();
        let wait = |of: usize| self.waits.get(self.waits.len() * of / 100).copied().unwrap_or(0);
        let counted = self.begin..end;
        let used = self.leaves.iter().filter(|time| counted.contains(time)).count();
        let came = self.waits.len() + self.refused + self.unavailable + self.without_process;
        let share = |count: usize| count as f64 / came as f64;
        Outcome {
            sent: share(self.waits.len()),
            used: used as f64 / ((end - self.begin) as f64 / SECOND as f64 * lets_through),
            p50: wait(50) / 1_000,
            p99: wait(99) / 1_000,
            refused: share(self.refused),
            unavailable: share(self.unavailable),
            without_process: share(self.without_process),
            writes: self.writes as f64 / self.waits.len() as f64,
            failed_writes: self.failed_writes as f64 / self.waits.len() as f64,
            busy: self.busy,
            over_by_slots: seconds_over(self.slots, rate),
            over: seconds_over(self.leaves, rate),
        }
    }
}

/// Returns the number of seconds in which SES's own bucket, which holds a second of the rate, has no room for a mail.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn seconds_over(mut times: Vec<i64>, rate: f64) -> usize {
    times.sort_unstable();
    let (mut tokens, mut filled, mut seconds) = (rate.max(1.0), 0, Vec::new());
    for time in times {
        tokens = rate
            .max(1.0)
            .min(tokens + (time - filled) as f64 / SECOND as f64 * rate);
        filled = time;
        if tokens > 1.0 - 1e-6 {
            tokens -= 1.0;
        } else {
            seconds.push(time / SECOND);
        }
    }
    seconds.dedup();
    seconds.len()
}

/// The result of a simulation. What was sent or refused is a part of the mails that came; writes are for each mail that
/// was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) sent: f64,
    /// How much of what the gate lets through was sent.
    pub(super) used: f64,
    /// From the request until the mail leaves, in milliseconds: 50 and 99 of 100 mails wait no longer.
    pub(super) p50: i64,
    pub(super) p99: i64,
    /// The gate refused.
    pub(super) refused: f64,
    /// DynamoDB throttled every call.
    pub(super) unavailable: f64,
    /// Every process was busy.
    pub(super) without_process: f64,
    /// Writes that used a unit, and those of them whose condition failed.
    pub(super) writes: f64,
    pub(super) failed_writes: f64,
    /// The most processes that were busy.
    pub(super) busy: usize,
    /// The seconds over the account's rate, if each mail leaves at its slot, and as they left.
    pub(super) over_by_slots: usize,
    pub(super) over: usize,
}
