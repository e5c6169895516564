//! The names of the tables whose requests get answers of their own.

pub(crate) const USAGE_TABLE: &str = "okite-UsageTable-1A2B3C4D5E6F7";
pub(crate) const API_KEYS_TABLE: &str = "okite-ApiKeysTable-1A2B3C4D5E6F7";
