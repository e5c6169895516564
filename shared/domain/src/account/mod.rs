//! The SES account as the reporter sees it, and the report it makes of it.
//!
//! | module | holds |
//! |---|---|
//! | `quota` | the 24-hour quota and the rate: used by whom, lasting until when, fallen or not |
//! | `rates` | bounces and complaints: AWS's figures, our estimates, and what they mean |
//! | `window` | over which days we count |
//! | `thresholds` | from which rates on |
//! | `headroom` | how many more until each limit |
//! | `verdict` | what is wrong, and how bad that is |
//! | `brake` | what is held back |
//! | `advice`, `ramp` | what to do about it, and how to come to a higher quota |
//! | `report` | all of it |

mod advice;
mod brake;
mod headroom;
mod quota;
mod ramp;
mod rates;
mod report;
mod thresholds;
mod verdict;
mod window;

use serde::{Deserialize, Serialize};

pub use self::advice::{Advice, advice, percent};
pub use self::brake::Brake;
pub use self::headroom::{Headroom, headroom};
pub use self::quota::{GrantHistory, LimitDrop, Quota, QuotaShare, SendingRate, quota, send_rate};
pub use self::ramp::{RampPlan, plan};
pub use self::rates::{
    AwsRate, AwsRates, BOUNCE_PAUSE, BOUNCE_REVIEW, COMPLAINT_PAUSE, COMPLAINT_REVIEW, FeedbackCounts, RateEstimate,
    RateKind, RateSource, ReputationRate, judge_rate,
};
pub use self::report::{
    BrakeSetBy, Headrooms, ReadFailure, Report, ReportInput, ReportedAccount, ReportedBrake, ReputationRates,
};
pub use self::thresholds::{RateThreshold, RateThresholds};
pub use self::verdict::{AccountHealth, HealthReason, reasons};
pub use self::window::{CountingWindow, is_to_be_counted};

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
