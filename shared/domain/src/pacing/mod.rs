//! The arithmetic of sending rate and quota: the reporter sets the gate, and every send passes it.
//!
//! SES limits recipients, not messages: at most `MaxSendRate` of them a second and `Max24HourSend` of them in any 24
//! hours. One small item, the gate, enforces both limits. The sending rate is an interval between recipients (GCRA, the
//! leaky bucket as a meter). The gate stores the time up to which slots are taken, and a send takes the next slot for
//! each recipient. The quota is the number of recipients that may still be granted. A send takes both at once or
//! neither.
//!
//! | module | concept |
//! |---|---|
//! | `gate_settings` | the reporter's half: the settings of the gate, from the account and the grants |
//! | `gate` | the sends' half: a send's request, its write, and how it reads a refusal |
//! | `slots` | how far ahead slots can be taken, and how a report takes back those that are further |
//! | `grant_history` | how many recipients the gate granted up to a time |
//! | `allowance` | the sending rate in the headers of every answer |
//! | `priority` | how direct calls and waiting mail share the sending rate |

mod allowance;
mod gate;
mod gate_settings;
mod grant_history;
#[cfg(test)]
mod model;
mod priority;
#[cfg(test)]
mod priority_model;
#[cfg(test)]
mod quota_model;
#[cfg(test)]
mod random;
#[cfg(test)]
mod scale_model;
mod slots;
#[cfg(test)]
mod stuck_model;

use std::time::Duration;

use crate::message::RECIPIENTS_MAX;

pub use allowance::Allowance;
pub use gate::{BulkHeldBack, Gate, GateBranch, GateWrite, Permit, PermitRequest, RememberedGate, Throttled};
pub use gate_settings::{GateSettings, GrantTotals, SEND_TIMEOUT, UNLIMITED, gate_settings, grant_totals};
pub use grant_history::{GrantHistory, GrantSample};
pub use priority::{WORKER_CHUNK_MAX, WORKER_CHUNK_TIME, lets_bulk_pass, transactional_until};
pub use slots::{HeldBack, REMEMBERED_FOR, SlotsTakenBack, latest_report, taken_back};

/// The longest that an email of a batch waits for its slot: the time that an invocation of send-api has, without what
/// sending and settling need.
pub const BATCH_WAIT: Duration = Duration::from_secs(16);
/// How long the slots of a chunk of a batch may take, unless one email takes longer.
pub const CHUNK_TIME: Duration = Duration::from_secs(5);

/// How this stack may use the account, from the template's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PacingPolicy {
    /// This stack's share of the account's sending rate and quota, above 0 and at most 1.
    pub account_share: f64,
    /// The time whose slots may go out at once after a pause.
    pub burst: Duration,
    /// How long a send may wait for its slot.
    pub wait: Duration,
    /// The share of the quota that bulk mail leaves to transactional mail, 0 to 1.
    pub bulk_reserve: f64,
}

impl PacingPolicy {
    /// Returns how far ahead of `now` the last slot of any send is at most, in microseconds, by a clock that is right.
    /// Slots beyond it come from a wrong clock, or from a rate that no longer applies.
    ///
    /// A send waits for its first slot and takes those of all its recipients, and a chunk of a batch takes
    /// [`CHUNK_TIME`] or one email. The burst is for clocks that are a little apart.
    fn furthest(&self, slot_interval: i64) -> i64 {
        let largest = i64::try_from(RECIPIENTS_MAX).unwrap_or(i64::MAX);
        let largest = largest.saturating_mul(slot_interval).max(micros(CHUNK_TIME));
        micros(self.wait.max(BATCH_WAIT) + self.burst).saturating_add(largest)
    }

    /// Returns how far the gate's time may be behind `now`, in microseconds. Older unused slots expire.
    ///
    /// It is one interval shorter than the burst, because the recipient whose slot is `now` passes too. SES counts as
    /// strictly: after 14 recipients at once at 14 a second, the 15th has to wait.
    fn slack(&self, slot_interval: i64) -> i64 {
        (micros(self.burst) - slot_interval).max(0)
    }
}

/// Returns whole microseconds: the unit of the gate.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
