//! The delay of a hint, and the time that is left until another.

use std::time::Duration;

use jiff::Timestamp;

/// The longest delay of a message of SQS.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
pub const HINT_DELAY_MAX: Duration = Duration::from_mins(15);

/// Returns how far `at` is ahead of `now`, zero if it is not.
pub(super) fn ahead(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// Rounds up to whole seconds, which the delay of a message has. A hint that comes early would have to wait again.
pub(super) fn whole_seconds(delay: Duration) -> Duration {
    let up = u64::from(delay.subsec_nanos() > 0);
    Duration::from_secs(delay.as_secs().saturating_add(up))
}
