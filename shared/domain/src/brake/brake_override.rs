//! An operator's override of the brake.

use jiff::Timestamp;

use super::Brake;

/// An operator's override of the brake, as the table stores it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrakeOverride {
    /// `none`, `bulk` or `all`, or `auto` to follow the account's health; [`Brake::from_override`] reads it.
    pub setting: String,
    /// The operator's name.
    pub by: String,
    /// The operator's reason.
    pub why: String,
    /// The time of the override, to the millisecond; `None` if somebody wrote the item by hand.
    pub at: Option<Timestamp>,
}

impl BrakeOverride {
    /// Returns the brake that it sets, or `None` if the brake follows the account's health.
    #[must_use]
    pub fn brake(&self) -> Option<Brake> {
        Brake::from_override(&self.setting)
    }
}
