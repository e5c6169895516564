//! The one place in this crate that reads the clock; everything else is told the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The furthest that the clock goes ahead of the machine's, so that no time that is reckoned from it is out of range.
const AHEAD_MAX: Duration = Duration::from_hours(24 * 3653);

/// The time that the simulated services go by: the machine's, or as far ahead of it as somebody asked for. Clones are the
/// same clock.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicU64>,
}

/// The clock cannot be advanced so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock goes ten years ahead at most, all in all; it is right again after a restart")]
pub struct TooFar;

impl Clock {
    /// Tells the time, to the millisecond that AWS's own answers carry.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let ahead = SignedDuration::try_from(self.ahead()).unwrap_or_default();
        now.checked_add(ahead)
            .and_then(|now| Timestamp::from_millisecond(now.as_millisecond()))
            .unwrap_or(now)
    }

    /// Tells how far it is ahead of the machine's clock.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst))
    }

    /// Sets it forward.
    ///
    /// # Errors
    /// [`TooFar`] if it would be ten years ahead; it is then as it was.
    pub fn advance(&self, by: Duration) -> Result<(), TooFar> {
        let sum = |ahead| {
            let sum = Duration::from_millis(ahead).checked_add(by)?;
            (sum <= AHEAD_MAX).then(|| u64::try_from(sum.as_millis()).ok())?
        };
        let advanced = self.ahead_ms.fetch_update(Ordering::SeqCst, Ordering::SeqCst, sum);
        advanced.map(drop).map_err(|_| TooFar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_forward_for_everybody_who_has_it() {
        let clock = Clock::default();
        let (same, before) = (clock.clone(), clock.now());
        clock.advance(Duration::from_hours(1)).unwrap();
        clock.advance(Duration::from_hours(2)).unwrap();
        assert_eq!(same.ahead(), Duration::from_hours(3));
        let passed = same.now().duration_since(before);
        assert!((3..4).contains(&passed.as_hours()), "{passed}");
    }

    #[test]
    fn does_not_leave_the_calendar() {
        let clock = Clock::default();
        clock.advance(Duration::from_hours(24 * 3000)).unwrap();
        for far in [Duration::from_hours(24 * 1000), Duration::MAX] {
            assert_eq!(clock.advance(far), Err(TooFar));
        }
        assert_eq!(clock.ahead(), Duration::from_hours(24 * 3000));
    }
}
