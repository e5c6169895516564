//! The sends' half: a send's request to the gate, its write, and how it reads a refusal.
//!
//! The gate admits a send by its **start**. Its slots begin at `max(now, next_free_slot)`. If that is near enough, the
//! send takes one slot for each recipient, and later sends wait for them. So 5 recipients at 1/s pass at once, and then
//! nothing passes for 5 s: SES allows the same. Any one second of slots holds at most the rate, the burst, and the
//! largest weight less one. The clocks of the senders do not matter.
//!
//! Rate, quota and brake are the condition of **one** write, so no send can pass between a check and a count. An
//! expression has no `max`, so there are two branches: *busy*, when `next_free_slot` is within the burst, and *idle*,
//! when it is further back. A container tries the branch that the last answer suggests. A failed condition returns the
//! gate as it is, which shows either the right branch or the cause of the refusal.
//!
//! Slots that are further ahead than a clock that is right can take them would stop all mail until their time comes. No
//! write takes such slots by its own clock, and a send that finds some takes slots from now on: the *too far* branch.
//!
//! A permit of a transactional worker that leaves mails of its batch waiting also sets `transactional_until`, and bulk
//! mail is refused until then: see [`priority`](super::priority).
//!
//! Slots are never returned: a return and a take at the same time would grant a slot twice. The next report corrects
//! slots taken in vain, because it uses SES's own count.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::gate_settings::{FIRST_RATE, slot_interval};
use super::micros;
use super::priority::{HELD_BACK, HELD_BACK_MAX, PLAUSIBLE, lets_bulk_pass, transactional_until};
use super::slots::{REMEMBERED_FOR, latest_report};
use crate::brake::Brake;
use crate::pacing::PacingPolicy;
use crate::stream::Stream;
use crate::time;

/// The age up to which the gate enforces a report's quota. After that the gate enforces only the sending rate and
/// leaves the quota to SES, because a failed reporter must not stop sending.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// The gate as the table stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The time up to which slots are taken, in microseconds since the epoch.
    pub next_free_slot: i64,
    /// Microseconds between two recipients.
    pub slot_interval: i64,
    /// How many recipients may still be granted.
    pub left_all: i64,
    /// How many of them may be bulk mail.
    pub left_bulk: i64,
    /// The mail that the gate holds back.
    pub brake: Brake,
    /// When the reporter read the account for these settings.
    pub account_read_at: Timestamp,
    /// Until when bulk mail is held back because transactional mail waits, in microseconds since the epoch; 0 if it
    /// never was.
    pub transactional_until: i64,
}

impl Gate {
    /// The gate before the first report: the rate of a new account alone limits sends.
    #[must_use]
    pub fn before_reports() -> Self {
        Self {
            next_free_slot: 0,
            slot_interval: slot_interval(FIRST_RATE),
            left_all: 0,
            left_bulk: 0,
            brake: Brake::None,
            account_read_at: Timestamp::UNIX_EPOCH,
            transactional_until: 0,
        }
    }

    /// Returns how many recipients of `stream` may still be granted.
    #[must_use]
    pub fn left(&self, stream: Stream) -> i64 {
        match stream {
            Stream::Transactional => self.left_all,
            Stream::Bulk => self.left_bulk,
        }
    }

    /// Returns how many recipients of `stream` the gate lets through within `time` if nobody else sends: none while the
    /// brake holds the stream back.
    #[must_use]
    pub fn lets_through(&self, stream: Stream, time: Duration, now: Timestamp) -> u64 {
        if self.brake.level() >= Brake::against(stream).level() {
            return 0;
        }
        let by_rate = self.known().recipients_within(time);
        let is_stale = now.duration_since(self.account_read_at) > STALE_AFTER;
        let recipients = if is_stale {
            by_rate
        } else {
            by_rate.min(self.left(stream))
        };
        u64::try_from(recipients).unwrap_or(0)
    }
}

/// The part of the gate that a container remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RememberedGate {
    /// Microseconds between two recipients.
    pub slot_interval: i64,
    /// The time up to which slots are taken, as last seen.
    pub next_free_slot: i64,
}

impl RememberedGate {
    /// Returns a refusal if the gate, seen at `seen_at`, refuses every send because of the sending rate, without asking
    /// it.
    ///
    /// Only a report or a send that repairs the gate takes slots back, so what was seen holds for [`REMEMBERED_FOR`],
    /// unless it is too far ahead to be right. Quota and brake are not remembered, because the next report may change
    /// them at any moment. A send with more `patience` may pass.
    #[must_use]
    pub fn refusal(
        &self,
        policy: &PacingPolicy,
        patience: Duration,
        seen_at: Timestamp,
        now: Timestamp,
    ) -> Option<Throttled> {
        let is_recent = (SignedDuration::ZERO..REMEMBERED_FOR).contains(&now.duration_since(seen_at));
        let ahead = self.next_free_slot.saturating_sub(now.as_microsecond());
        let is_refused = ahead > micros(patience) && !self.is_too_far(policy, now);
        (is_recent && is_refused).then(|| self.too_fast(policy, patience, now))
    }

    /// Returns whether slots are taken further ahead than a clock that is right can take them.
    fn is_too_far(&self, policy: &PacingPolicy, now: Timestamp) -> bool {
        self.next_free_slot.saturating_sub(now.as_microsecond()) > policy.furthest(self.slot_interval)
    }

    fn too_fast(&self, policy: &PacingPolicy, patience: Duration, now: Timestamp) -> Throttled {
        let ahead = self.next_free_slot.saturating_sub(now.as_microsecond());
        // A caller whose gate is repaired meanwhile must not come again in hours.
        let ahead = ahead.min(policy.furthest(self.slot_interval));
        Throttled::Rate {
            retry_after: microseconds(ahead.saturating_sub(micros(patience))),
            slot_interval: self.slot_interval,
        }
    }
}

/// A send's request to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermitRequest {
    /// The number of recipients, at least one.
    pub recipients: i64,
    /// The stream of the mail.
    pub stream: Stream,
    /// The time of the request, by the sender's clock.
    pub now: Timestamp,
    /// How long the send can wait for its slot.
    pub patience: Duration,
    /// Whether bulk mail is to be held back for a moment after the send's slots: other transactional mail waits behind
    /// it.
    pub holds_bulk_back: bool,
}

/// The expression of a write to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateBranch {
    /// There is no gate yet: the write makes one.
    First,
    /// Slots were taken within the burst: the write takes the next ones.
    Busy,
    /// No slots were taken within the burst: the write takes slots from the start of the burst.
    Idle,
    /// Slots were taken further ahead than a clock that is right can take them: the write takes slots from now on.
    TooFar,
}

/// The time until which a permit holds bulk mail back, as it is written: in microseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkHeldBack {
    /// Nothing: the gate keeps the time that it has.
    AsBefore,
    /// This time.
    Until(i64),
    /// So long after the time up to which slots were taken before.
    AfterSlots(i64),
}

/// One write to the gate: a branch, and the values of its expression. Times and durations are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateWrite {
    /// The send's request.
    pub ask: PermitRequest,
    /// The branch.
    pub branch: GateBranch,
    /// The interval behind `cost`. The write's condition is that the gate still has it.
    pub slot_interval: i64,
    /// The time that the recipients' slots take.
    pub cost: i64,
    /// The earliest time from which slots may be taken.
    pub floor: i64,
    /// The present time by the sender's clock, from which the branch [`GateBranch::TooFar`] takes slots.
    pub now: i64,
    /// The latest start that the sender can wait for, and from which the slots are not too far ahead.
    pub latest: i64,
    /// The time beyond which slots are too far ahead.
    pub furthest: i64,
    /// The quota of a report before this time, in milliseconds since the epoch, is ignored.
    pub stale_before: i64,
    /// A report after this time, in milliseconds since the epoch, shows that the sender's clock is behind.
    pub ahead_after: i64,
    /// The least brake that holds this send back.
    pub brake: Brake,
    /// The time until which bulk mail is held back from now on.
    pub bulk_held_back: BulkHeldBack,
    /// A time beyond which bulk mail is not held back, because a wrong clock has set it.
    pub implausible: i64,
}

/// Slots that were granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// How long to wait for the first of them, from [`PermitRequest::now`].
    pub wait: Duration,
    /// When the first of them is, in microseconds from [`PermitRequest::now`]. It is negative after a pause.
    first: i64,
    /// The gate after this write.
    pub known: RememberedGate,
}

/// The reason for a refusal. A refused send takes no slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttled {
    /// The next slot is further ahead than the send can wait.
    Rate {
        /// The time until a repeated request passes, if nobody else takes slots.
        retry_after: Duration,
        /// Microseconds between two recipients.
        slot_interval: i64,
    },
    /// The quota is used up.
    Quota {
        /// Whether transactional mail would still pass: the remaining quota is reserved for it.
        reserved: bool,
    },
    /// The brake is on.
    Brake(Brake),
}

impl Permit {
    /// Returns how long a recipient waits for its slot when `recipients` of this permit come first. The wait starts at
    /// [`PermitRequest::now`].
    #[must_use]
    pub fn wait_after(&self, recipients: i64) -> Duration {
        microseconds(
            self.first
                .saturating_add(recipients.saturating_mul(self.known.slot_interval)),
        )
    }
}

impl RememberedGate {
    /// Returns a refusal with the time until the next free slot, at least a second, because the sender has no time
    /// left.
    #[must_use]
    pub fn next_slot(&self, now: Timestamp) -> Throttled {
        Throttled::Rate {
            retry_after: microseconds(self.next_free_slot.saturating_sub(now.as_microsecond()))
                .max(Duration::from_secs(1)),
            slot_interval: self.slot_interval,
        }
    }

    /// Returns how long the slots of `recipients` take.
    #[must_use]
    pub fn time_of(&self, recipients: i64) -> Duration {
        microseconds(recipients.saturating_mul(self.slot_interval))
    }

    /// Returns how many recipients get slots within `time` if nobody else takes any.
    #[must_use]
    pub fn recipients_within(&self, time: Duration) -> i64 {
        micros(time) / self.slot_interval.max(1)
    }
}

impl GateWrite {
    /// Makes the first attempt of a send. A container that has not seen the gate asks as if there were none, and the
    /// answer contains the gate.
    #[must_use]
    pub fn first(ask: PermitRequest, policy: &PacingPolicy, known: Option<RememberedGate>) -> Self {
        let slot_interval = known.map_or_else(|| slot_interval(FIRST_RATE), |known| known.slot_interval);
        let now = ask.now.as_microsecond();
        let floor = now - policy.slack(slot_interval);
        let cost = ask.recipients.saturating_mul(slot_interval);
        let furthest = now.saturating_add(policy.furthest(slot_interval));
        let latest = now
            .saturating_add(micros(ask.patience))
            .min(furthest.saturating_sub(cost));
        let branch = match known {
            None => GateBranch::First,
            // It would not fit anywhere: its condition cannot hold.
            Some(_) if latest < now => GateBranch::Busy,
            Some(known) if known.next_free_slot < floor => GateBranch::Idle,
            Some(known) if known.next_free_slot > furthest => GateBranch::TooFar,
            Some(_) => GateBranch::Busy,
        };
        let last_slot_after = |begin: i64| begin.saturating_add(cost.saturating_sub(slot_interval));
        let held_until = |begin: i64| {
            let last_slot = microseconds(last_slot_after(begin).saturating_sub(now));
            BulkHeldBack::Until(transactional_until(ask.now, last_slot).as_microsecond())
        };
        // An expression has no minimum. What may be too late is held back for as long as it may be.
        let furthest_hold = last_slot_after(latest).saturating_add(micros_of(HELD_BACK));
        let bulk_held_back = match branch {
            _ if !ask.holds_bulk_back => BulkHeldBack::AsBefore,
            GateBranch::First | GateBranch::Idle => held_until(floor),
            GateBranch::TooFar => held_until(now),
            GateBranch::Busy if furthest_hold <= now.saturating_add(micros_of(HELD_BACK_MAX)) => {
                BulkHeldBack::AfterSlots(last_slot_after(micros_of(HELD_BACK)))
            }
            GateBranch::Busy => BulkHeldBack::Until(now.saturating_add(micros_of(HELD_BACK_MAX))),
        };
        Self {
            ask,
            branch,
            bulk_held_back,
            implausible: now.saturating_add(micros_of(PLAUSIBLE)),
            slot_interval,
            cost,
            floor,
            now,
            latest,
            furthest,
            stale_before: time::minus(ask.now, STALE_AFTER).as_millisecond(),
            ahead_after: latest_report(ask.now).as_millisecond(),
            brake: Brake::against(ask.stream),
        }
    }

    /// Makes the next attempt after one that failed on `gate`, with another branch or another interval.
    ///
    /// # Errors
    /// [`Throttled`] if no branch of the gate admits the send.
    pub fn after(ask: PermitRequest, policy: &PacingPolicy, gate: &Gate) -> Result<Self, Throttled> {
        let known = gate.known();
        let next = Self::first(ask, policy, Some(known));
        if gate.brake.level() >= next.brake.level() {
            Err(Throttled::Brake(gate.brake))
        } else if gate.left(ask.stream) < ask.recipients && gate.account_read_at.as_millisecond() >= next.stale_before {
            let reserved = gate.left_all >= ask.recipients;
            Err(Throttled::Quota { reserved })
        } else if let Some(until) = gate.holds_back(&next) {
            Err(Throttled::Rate {
                retry_after: microseconds(until.saturating_sub(next.now)),
                slot_interval: gate.slot_interval,
            })
        } else if next.branch == GateBranch::TooFar && gate.account_read_at.as_millisecond() <= next.ahead_after {
            Ok(next)
        } else if gate.next_free_slot > next.latest || next.latest < next.now {
            // What does not fit behind any slot waits for the next one all the same.
            let waits = next.latest.saturating_sub(next.now).clamp(0, micros(ask.patience));
            Err(known.too_fast(policy, microseconds(waits), ask.now))
        } else {
            Ok(next)
        }
    }

    /// Returns the permit for the gate's `next_free_slot` after this attempt.
    #[must_use]
    pub fn granted(&self, next_free_slot: i64) -> Permit {
        let first = next_free_slot.saturating_sub(self.cost).saturating_sub(self.now);
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
    /// Returns until when the gate holds the send back because transactional mail waits, if it does.
    fn holds_back(&self, write: &GateWrite) -> Option<i64> {
        let until = Timestamp::from_microsecond(self.transactional_until).ok()?;
        let is_held = write.ask.stream == Stream::Bulk && !lets_bulk_pass(until, write.ask.now);
        is_held.then_some(self.transactional_until)
    }

    /// Returns the part of the gate that a container remembers.
    #[must_use]
    pub fn known(&self) -> RememberedGate {
        RememberedGate {
            slot_interval: self.slot_interval,
            next_free_slot: self.next_free_slot,
        }
    }
}

fn micros_of(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Returns the duration of some microseconds, zero for a negative number.
fn microseconds(duration: i64) -> Duration {
    Duration::from_micros(u64::try_from(duration).unwrap_or(0))
}
