//! The brake: how much of the mail the gate holds back.

mod brake_override;
mod change;

use serde::{Deserialize, Serialize};

use crate::account::AccountHealth;
use crate::stream::Stream;

pub use self::brake_override::BrakeOverride;
pub use self::change::{BY_THE_REPORTER, BrakeChange, BrakeNotice};

/// How much of the mail the gate holds back. Later variants hold back more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Brake {
    /// Nothing.
    #[default]
    None,
    /// Bulk mail.
    Bulk,
    /// Everything.
    All,
}

impl Brake {
    /// Returns the name used in items, on the command line and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bulk => "bulk",
            Self::All => "all",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::Bulk, Self::All]
            .into_iter()
            .find(|brake| brake.as_str() == name)
    }

    /// Returns a sentence for people that names the mail held back.
    #[must_use]
    pub fn holds_back(self) -> &'static str {
        match self {
            Self::None => "Nothing is held back: all mail passes.",
            Self::Bulk => "Bulk mail is stopped; transactional mail passes.",
            Self::All => "All mail is stopped, transactional mail too.",
        }
    }

    /// Returns the number of this brake in the gate's item.
    #[must_use]
    pub fn level(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Bulk => 1,
            Self::All => 2,
        }
    }

    /// Reads the number of a brake. An unknown number holds everything back.
    #[must_use]
    pub fn from_level(level: i64) -> Self {
        match level {
            0 => Self::None,
            1 => Self::Bulk,
            _ => Self::All,
        }
    }

    /// Returns the least brake that holds the mail of `stream` back.
    #[must_use]
    pub fn against(stream: Stream) -> Self {
        match stream {
            Stream::Bulk => Self::Bulk,
            Stream::Transactional => Self::All,
        }
    }

    /// Reads an operator's override. `auto` returns `None`: the brake follows the account's health. Any unknown value
    /// stops all mail, because its author wanted to stop some.
    #[must_use]
    pub fn from_override(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => None,
            "none" => Some(Self::None),
            "bulk" => Some(Self::Bulk),
            _ => Some(Self::All),
        }
    }
}

impl From<AccountHealth> for Brake {
    fn from(health: AccountHealth) -> Self {
        match health {
            AccountHealth::Healthy | AccountHealth::Warn => Self::None,
            AccountHealth::BrakeBulk => Self::Bulk,
            AccountHealth::BrakeAll => Self::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_its_brake() {
        for brake in [Brake::None, Brake::Bulk, Brake::All] {
            assert_eq!(Brake::parse(brake.as_str()), Some(brake));
        }
        assert_eq!(Brake::parse("auto"), None);
    }

    #[test]
    fn a_number_reads_back_as_its_brake() {
        for brake in [Brake::None, Brake::Bulk, Brake::All] {
            assert_eq!(Brake::from_level(brake.level()), brake);
        }
        assert_eq!(Brake::from_level(3), Brake::All);
    }

    #[test]
    fn an_override_is_read_and_an_unknown_one_stops_all_mail() {
        assert_eq!(Brake::from_override("none"), Some(Brake::None));
        assert_eq!(Brake::from_override("all"), Some(Brake::All));
        assert_eq!(Brake::from_override("auto"), None);
        assert_eq!(Brake::from_override(" Bulk"), Some(Brake::Bulk));
        assert_eq!(Brake::from_override("stop"), Some(Brake::All));
        assert_eq!(Brake::from(AccountHealth::BrakeAll).level(), 2);
    }
}
