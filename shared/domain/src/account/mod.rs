//! The SES account: its limits, its standing with AWS and its health.
//!
//! | module | concept |
//! |---|---|
//! | `health` | how healthy the account is, from healthy to "send nothing" |
//! | `ramp` | how to grow to a higher quota by a date |

mod health;
mod ramp;

use serde::{Deserialize, Serialize};

pub use self::health::AccountHealth;
pub use self::ramp::{RampPlan, plan_ramp};

/// The account's enforcement status, set by AWS.
/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EnforcementStatus {
    /// AWS sees no problem.
    Healthy,
    /// AWS reviews the account.
    Probation,
    /// AWS has shut down the account's sending.
    Shutdown,
}

/// The account's limits and standing. Figures are in recipients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The rolling 24-hour quota; −1 is no limit.
    pub max_24_hour_send: f64,
    /// The used part of the quota, by all senders of the account in this region.
    pub sent_last_24_hours: f64,
    /// The sending rate in recipients a second.
    pub max_send_rate: f64,
    /// Whether the account is out of the sandbox.
    pub production_access: bool,
    /// Whether SES sends for the account: `false` while its sending is paused.
    pub sending_enabled: bool,
    /// The status that AWS gives the account.
    pub enforcement_status: EnforcementStatus,
}

impl Account {
    /// Returns the quota, or `None` when it is unlimited.
    #[must_use]
    pub fn quota(&self) -> Option<f64> {
        if self.max_24_hour_send < 0.0 {
            return None;
        }
        // NaN is not unlimited: it becomes a quota of 0.
        Some(self.max_24_hour_send.max(0.0))
    }

    /// Returns the sending rate, or `None` if the figure is no rate: nothing can be sent at 0 recipients a second.
    #[must_use]
    pub fn send_rate(&self) -> Option<f64> {
        Some(self.max_send_rate).filter(|rate| rate.is_finite() && *rate > 0.0)
    }

    /// Returns the remaining quota, or `None` when it is unlimited.
    #[must_use]
    pub fn remaining(&self) -> Option<f64> {
        self.quota().map(|quota| (quota - self.sent_last_24_hours).max(0.0))
    }
}
