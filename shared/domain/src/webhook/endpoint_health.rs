//! How deliveries to an endpoint went lately, and when an endpoint is parked and disabled.

use jiff::{SignedDuration, Timestamp};

/// The failures in a row that park an endpoint: its deliveries wait, except for one probe a minute.
pub const FAILURES_TO_PARK: u32 = 20;
/// The failures in a row that park an endpoint if the last of them is a time-out. An answer with a status costs a
/// worker milliseconds, and a time-out 15 seconds.
pub const TIME_OUTS_TO_PARK: u32 = 3;
/// How long an endpoint stays parked before it is disabled.
pub const PARKED_MAX: SignedDuration = SignedDuration::from_hours(5 * 24);

/// The health of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointHealth {
    /// The attempts in a row that failed.
    pub failures: u32,
    /// When the endpoint was parked, if it is.
    pub parked_at: Option<Timestamp>,
    /// The last attempt that failed, also if others succeeded since.
    pub last_failure: Option<LastFailure>,
    /// Why Okite disabled the endpoint; `None` if it did not.
    pub disabled_because: Option<DisabledBecause>,
}

/// The last attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When the attempt began.
    pub at: Timestamp,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The failure in words, if there was no answer.
    pub error: Option<String>,
}

/// Why Okite disabled an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledBecause {
    /// It answered 410: it is gone.
    Gone,
    /// It was parked for [`PARKED_MAX`].
    Parked,
}

impl EndpointHealth {
    /// Returns whether deliveries wait, except for probes.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.parked_at.is_some()
    }

    /// Returns whether the endpoint has been parked for so long that it is to be disabled.
    #[must_use]
    pub fn is_given_up(&self, now: Timestamp) -> bool {
        self.parked_at
            .is_some_and(|parked_at| now.duration_since(parked_at) >= PARKED_MAX)
    }
}

impl DisabledBecause {
    /// Returns the word that stores it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Parked => "parked",
        }
    }

    /// Reads the word. Returns `None` for any other text.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Gone, Self::Parked]
            .into_iter()
            .find(|because| because.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_given_up_after_five_days() {
        let parked_at = Timestamp::from_second(1_800_000_000).unwrap();
        let health = EndpointHealth {
            parked_at: Some(parked_at),
            ..EndpointHealth::default()
        };
        let after = |seconds| parked_at + SignedDuration::from_secs(seconds);
        assert!(!health.is_given_up(after(5 * 86_400 - 1)));
        assert!(health.is_given_up(after(5 * 86_400)));
        assert!(!EndpointHealth::default().is_given_up(Timestamp::MAX));
    }

    #[test]
    fn a_reason_is_read_by_its_word() {
        for because in [DisabledBecause::Gone, DisabledBecause::Parked] {
            assert_eq!(DisabledBecause::parse(because.as_str()), Some(because));
        }
        assert_eq!(DisabledBecause::parse("Gone"), None);
    }
}
