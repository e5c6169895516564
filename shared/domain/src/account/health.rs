//! How healthy the account is.

use serde::{Deserialize, Serialize};

/// Where the account stands; a later one is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountHealth {
    /// Nothing to do.
    #[default]
    Healthy,
    /// Somebody should look.
    Warn,
    /// Bulk mail stops; transactional mail passes.
    BrakeBulk,
    /// Nothing is sent.
    BrakeAll,
}

impl AccountHealth {
    /// Returns the name used in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Warn => "warn",
            Self::BrakeBulk => "brake_bulk",
            Self::BrakeAll => "brake_all",
        }
    }
}
