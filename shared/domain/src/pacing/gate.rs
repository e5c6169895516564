//! The sends' half: what a send asks of the gate, what it writes, and how it reads a refusal.
//!
//! A send is admitted by its **start**. Its slots begin at `max(now, next_free_slot)`; if that is near enough, it takes as many as
//! it has recipients, and those that come after it wait for them. So 5 recipients at 1/s pass at once, and then nothing
//! for 5 s: the same as SES allows. In any one second of slots there are at most the rate, the burst, and the largest
//! weight less one, whatever the clocks of those who ask.
//!
//! Rate, quota and brake are the condition of **one** write, so nobody can pass between a check and a count. As an
//! expression cannot say `max`, there are two branches: *busy*, when `next_free_slot` is not further back than the burst, and
//! *idle*, when it is. A container tries the branch that the last answer suggests; a condition that failed answers with
//! the gate as it is, which names either the right branch or the cause of the refusal.
//!
//! Slots are never given back: two that give back and take at once grant a slot twice. What was taken in vain is put
//! right by the next report, which counts what SES counts.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::gate_settings::slot_interval;
use super::micros;
use crate::brake::Brake;
use crate::pacing::PacingPolicy;
use crate::stream::Stream;

/// How old a report may be for its word on the quota to hold. After that the rate alone is kept, and SES keeps the quota:
/// a reporter that fails must not take sending down.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Recipients a second before the first report: what SES gives every new account.
const FIRST_RATE: f64 = 1.0;

/// The gate as it is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Up to when slots are taken, in microseconds since the epoch.
    pub next_free_slot: i64,
    /// Microseconds between two recipients.
    pub slot_interval: i64,
    /// How many recipients may still be granted.
    pub left_all: i64,
    /// How many of them to bulk mail.
    pub left_bulk: i64,
    /// What is held back.
    pub brake: Brake,
    /// When the account was read by which this was set.
    pub account_read_at: Timestamp,
}

impl Gate {
    /// How many recipients may still be granted to `stream`.
    #[must_use]
    pub fn left(&self, stream: Stream) -> i64 {
        match stream {
            Stream::Transactional => self.left_all,
            Stream::Bulk => self.left_bulk,
        }
    }
}

/// What a container remembers of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RememberedGate {
    /// Microseconds between two recipients.
    pub slot_interval: i64,
    /// Up to when slots were taken at least: this time never goes back.
    pub next_free_slot: i64,
}

impl RememberedGate {
    /// Tells whether the gate is certain to refuse every send for its rate, without asking it.
    ///
    /// What is remembered is never later than the gate, so nobody is refused whom the gate would let through. There is
    /// no such memory of the quota and the brake: the next report may change them, and it may come at any moment.
    #[must_use]
    pub fn refusal(&self, policy: &PacingPolicy, now: Timestamp) -> Option<Throttled> {
        (self.next_free_slot > now.as_microsecond() + micros(policy.wait)).then(|| self.too_fast(policy, now))
    }

    fn too_fast(&self, policy: &PacingPolicy, now: Timestamp) -> Throttled {
        Throttled::Rate {
            retry_after: microseconds(self.next_free_slot - micros(policy.wait) - now.as_microsecond()),
            slot_interval: self.slot_interval,
        }
    }
}

/// What a send asks of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermitRequest {
    /// How many recipients it has, one at least.
    pub recipients: i64,
    /// The stream it belongs to.
    pub stream: Stream,
    /// When it asks, by its own clock.
    pub now: Timestamp,
    /// How long it can wait for its slot.
    pub patience: Duration,
}

/// Which of the gate's expressions is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateBranch {
    /// There is no gate yet: make one.
    First,
    /// Slots were taken not long ago: take the next ones.
    Busy,
    /// None were: take them from the burst on.
    Idle,
}

/// One write to the gate: a branch, and the values of its expression. Times and durations are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateWrite {
    /// What is asked.
    pub ask: PermitRequest,
    /// The branch.
    pub branch: GateBranch,
    /// The interval that `cost` goes by: the condition is that it is still the gate's.
    pub slot_interval: i64,
    /// How much time the recipients take.
    pub cost: i64,
    /// The earliest time that the gate may be left at.
    pub floor: i64,
    /// The latest start that the sender can wait for.
    pub latest: i64,
    /// A report before this moment, in milliseconds since the epoch, has no say in the quota any more.
    pub stale_before: i64,
    /// The least brake that would hold this send back.
    pub brake: Brake,
}

/// Slots that were granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// How long to wait for the first of them, from [`PermitRequest::now`].
    pub wait: Duration,
    /// When the first of them is, in microseconds from [`PermitRequest::now`]: after a pause it has passed.
    first: i64,
    /// What is known of the gate now.
    pub known: RememberedGate,
}

/// Why there is no permit. Nothing was taken then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttled {
    /// The next slot is further ahead than the send can wait.
    Rate {
        /// When to ask again: whoever does then is let through if nobody else came.
        retry_after: Duration,
        /// Microseconds between two recipients.
        slot_interval: i64,
    },
    /// The quota is used up.
    Quota {
        /// Whether transactional mail would still pass: what is left is kept for it.
        reserved: bool,
    },
    /// The brake is on.
    Brake(Brake),
}

impl Permit {
    /// How long the recipient after so many others of this permit has to wait for its slot, from [`PermitRequest::now`].
    #[must_use]
    pub fn wait_after(&self, recipients: i64) -> Duration {
        microseconds(
            self.first
                .saturating_add(recipients.saturating_mul(self.known.slot_interval)),
        )
    }
}

impl RememberedGate {
    /// Tells as a refusal when the next slot is free; a second from now at the earliest, for whoever asks has no time left.
    #[must_use]
    pub fn next_slot(&self, now: Timestamp) -> Throttled {
        Throttled::Rate {
            retry_after: microseconds(self.next_free_slot - now.as_microsecond()).max(Duration::from_secs(1)),
            slot_interval: self.slot_interval,
        }
    }

    /// How long the slots of so many recipients take.
    #[must_use]
    pub fn time_of(&self, recipients: i64) -> Duration {
        microseconds(recipients.saturating_mul(self.slot_interval))
    }

    /// How many recipients can have their slots within `time`, if nobody else takes any.
    #[must_use]
    pub fn recipients_within(&self, time: Duration) -> i64 {
        micros(time) / self.slot_interval.max(1)
    }
}

impl GateWrite {
    /// Makes the first attempt of a send. A container that knows nothing asks as if there were no gate: the answer is the
    /// gate.
    #[must_use]
    pub fn first(ask: PermitRequest, policy: &PacingPolicy, known: Option<RememberedGate>) -> Self {
        let slot_interval = known.map_or_else(|| slot_interval(FIRST_RATE), |known| known.slot_interval);
        let now = ask.now.as_microsecond();
        let floor = now - policy.slack(slot_interval);
        Self {
            ask,
            branch: match known {
                None => GateBranch::First,
                Some(known) if known.next_free_slot < floor => GateBranch::Idle,
                Some(_) => GateBranch::Busy,
            },
            slot_interval,
            cost: ask.recipients.saturating_mul(slot_interval),
            floor,
            latest: now + micros(ask.patience),
            stale_before: (ask.now - STALE_AFTER).as_millisecond(),
            brake: Brake::against(ask.stream),
        }
    }

    /// Makes the next attempt after one that failed on `gate`: another branch, or another interval.
    ///
    /// # Errors
    /// [`Throttled`] if the gate lets the send through by no branch.
    pub fn after(ask: PermitRequest, policy: &PacingPolicy, gate: &Gate) -> Result<Self, Throttled> {
        let known = gate.known();
        let next = Self::first(ask, policy, Some(known));
        if gate.brake.level() >= next.brake.level() {
            Err(Throttled::Brake(gate.brake))
        } else if gate.left(ask.stream) < ask.recipients && gate.account_read_at.as_millisecond() >= next.stale_before {
            let reserved = gate.left_all >= ask.recipients;
            Err(Throttled::Quota { reserved })
        } else if gate.next_free_slot > next.latest {
            Err(known.too_fast(policy, ask.now))
        } else {
            Ok(next)
        }
    }

    /// Reads the permit from the time that the gate was left at by this attempt.
    #[must_use]
    pub fn granted(&self, next_free_slot: i64) -> Permit {
        let first = next_free_slot - self.cost - self.ask.now.as_microsecond();
        Permit {
            wait: microseconds(first),
            first,
            known: RememberedGate {
                slot_interval: self.slot_interval,
                next_free_slot,
            },
        }
    }
}

impl Gate {
    /// What a container remembers of it.
    #[must_use]
    pub fn known(&self) -> RememberedGate {
        RememberedGate {
            slot_interval: self.slot_interval,
            next_free_slot: self.next_free_slot,
        }
    }
}

/// Returns a duration, which is none when it would be negative.
fn microseconds(duration: i64) -> Duration {
    Duration::from_micros(u64::try_from(duration).unwrap_or(0))
}
