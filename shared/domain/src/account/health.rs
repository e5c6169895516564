//! The account's health.

use serde::{Deserialize, Serialize};

/// The account's health. Later variants are worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountHealth {
    /// The account has no problems.
    #[default]
    Healthy,
    /// An operator should look at the reasons.
    Warn,
    /// Okite stops bulk mail; transactional mail passes.
    BrakeBulk,
    /// Okite sends nothing.
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
