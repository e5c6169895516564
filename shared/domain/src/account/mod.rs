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

/// What AWS thinks of the account.
/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EnforcementStatus {
    /// Nothing is wrong.
    Healthy,
    /// The account is under review.
    Probation,
    /// AWS ended the account's sending.
    Shutdown,
}

/// The account's limits and standing. Figures are in recipients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The rolling 24-hour quota; −1 is no limit.
    pub max_24_hour_send: f64,
    /// How much of it is used, by every sender of the account in this region.
    pub sent_last_24_hours: f64,
    /// Recipients a second.
    pub max_send_rate: f64,
    /// Whether the account is out of the sandbox.
    pub production_access: bool,
    /// Whether sending is on.
    pub sending_enabled: bool,
    /// What AWS thinks of it.
    pub enforcement_status: EnforcementStatus,
}

impl Account {
    /// Returns the quota, or `None` when there is none to keep.
    #[must_use]
    pub fn quota(&self) -> Option<f64> {
        if self.max_24_hour_send < 0.0 {
            return None;
        }
        // What is no number is no leave to send without end.
        Some(self.max_24_hour_send.max(0.0))
    }

    /// Returns what is left of the quota, or `None` when there is none to keep.
    #[must_use]
    pub fn remaining(&self) -> Option<f64> {
        self.quota().map(|quota| (quota - self.sent_last_24_hours).max(0.0))
    }
}
