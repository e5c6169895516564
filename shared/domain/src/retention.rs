//! The time that Okite keeps the record of a message.

use std::time::Duration;

use jiff::Timestamp;

use crate::idempotency::{RECORDS_OUTLIVE, REMEMBERED};
use crate::time;

/// The time that Okite keeps the record of a message.
///
/// It is always longer than the life of an idempotency key, because a repeated request is answered from the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRetention(Duration);

impl MessageRetention {
    /// Keeps records for `days` days, or for 25 hours if that is longer.
    #[must_use]
    pub fn from_days(days: u64) -> Self {
        let days = Duration::from_secs(days.saturating_mul(24 * 3_600));
        Self(days.max(REMEMBERED + RECORDS_OUTLIVE))
    }

    /// Returns the time after which DynamoDB may delete the record of a message that Okite accepted at `at`.
    #[must_use]
    pub fn expires_at(self, at: Timestamp) -> Timestamp {
        time::plus(at, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_outlives_the_idempotency_key_that_is_answered_from_it() {
        let expires = |days| MessageRetention::from_days(days).expires_at(Timestamp::UNIX_EPOCH);
        assert_eq!(expires(30), Timestamp::UNIX_EPOCH + Duration::from_hours(30 * 24));
        assert_eq!(expires(1), Timestamp::UNIX_EPOCH + REMEMBERED + Duration::from_hours(1));
        assert_eq!(expires(u64::MAX), time::LATEST);
    }
}
