//! An operator's override of the brake.

use jiff::Timestamp;

use super::Brake;

/// An operator's word on the brake, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrakeOverride {
    /// `none`, `bulk` or `all`, or `auto` for what the reports say; [`Brake::from_override`] reads it.
    pub setting: String,
    /// Who says so.
    pub by: String,
    /// Why.
    pub why: String,
    /// Since when, to the millisecond; nothing if it was written by hand.
    pub at: Option<Timestamp>,
}

impl BrakeOverride {
    /// Returns what is held back by it; nothing is said if that is left to the reports.
    #[must_use]
    pub fn brake(&self) -> Option<Brake> {
        Brake::from_override(&self.setting)
    }
}
