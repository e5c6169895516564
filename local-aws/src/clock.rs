//! The one place in this crate that reads the clock; everything else is told the time.

use jiff::Timestamp;

/// The time that the simulated services go by.
#[derive(Clone, Debug, Default)]
pub struct Clock;

impl Clock {
    /// Tells the time, to the millisecond that AWS's own answers carry.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}
