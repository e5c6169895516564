//! The arithmetic of rate and quota: the gate that the reporter sets and that every send passes.
//!
//! SES limits recipients, not messages: at most `MaxSendRate` of them a second and `Max24HourSend` of them in any 24
//! hours. Both limits are kept by one small item, the gate. The rate is an interval between recipients (GCRA, the
//! leaky bucket as a meter): the gate remembers up to when slots are taken, and a send takes the next ones, as many as
//! it has recipients. The quota is how many recipients may still be granted. A send takes both at once or neither.
//!
//! | module | concept |
//! |---|---|
//! | `gate_settings` | the reporter's half: what the gate is to be, given the account and what was granted |
//! | `gate` | the sends' half: what a send asks, what it writes, and how it reads a refusal |
//! | `grant_history` | how many recipients the gate granted until when |
//! | `allowance` | what callers are told of the rate |

mod allowance;
mod gate;
mod gate_settings;
mod grant_history;
#[cfg(test)]
mod model;
#[cfg(test)]
mod quota_model;

use std::time::Duration;

pub use allowance::Allowance;
pub use gate::{Gate, GateBranch, GateWrite, Permit, PermitRequest, RememberedGate, Throttled};
pub use gate_settings::{GateSettings, GrantTotals, SEND_TIMEOUT, UNLIMITED, gate_settings, grant_totals};
pub use grant_history::{GrantHistory, GrantSample};

/// How this stack may use the account, from the template's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PacingPolicy {
    /// The share of the account's rate and quota that is this stack's, above 0 and at most 1.
    pub account_share: f64,
    /// How much of the rate may go out at once after a pause.
    pub burst: Duration,
    /// How long a send may wait for its slot.
    pub wait: Duration,
    /// The share of the quota that bulk mail leaves to transactional mail, 0 to 1.
    pub bulk_reserve: f64,
}

impl PacingPolicy {
    /// How far behind `now` the gate's time may be, in microseconds: slots that nobody took longer ago are gone.
    ///
    /// It is an interval short of the burst, for the recipient whose slot is `now` itself passes too. SES counts as
    /// strictly: whoever sends 14 at once at 14 a second has to wait for the 15th.
    fn slack(&self, slot_interval: i64) -> i64 {
        (micros(self.burst) - slot_interval).max(0)
    }
}

/// Returns whole microseconds: the unit of the gate.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
