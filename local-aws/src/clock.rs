//! The one place in this crate that reads the clock; everything else is told the time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

/// The furthest that the clock goes ahead of the machine's, so that no time that is reckoned from it is out of range.
const AHEAD_MAX: Duration = Duration::from_hours(24 * 3653);

/// The time that the simulated services go by: the machine's, or as far ahead of it as somebody asked for. Clones are the
/// same clock.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicU64>,
    /// Where it is kept how far it is ahead: data that was written tomorrow must not be read today.
    file: Option<Arc<Path>>,
    advanced: Arc<Notify>,
}

/// The clock is not set forward.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// It would be too far ahead.
    #[error("the clock goes ten years ahead at most, all in all; a new data directory begins with the right time")]
    TooFar,
    /// It could not be kept. It is set forward all the same, until the end.
    #[error("the clock is set forward, but that cannot be kept in the data directory: {0}")]
    NotKept(#[from] io::Error),
}

impl Clock {
    /// Goes on from where it was by a file, which need not be there.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn kept_in(file: PathBuf) -> io::Result<Self> {
        let ahead = match std::fs::read_to_string(&file) {
            Ok(text) => text.trim().parse().map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self {
            ahead_ms: Arc::new(AtomicU64::new(ahead)),
            file: Some(file.into()),
            advanced: Arc::default(),
        })
    }

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

    /// Waits until it is `time`: as long as that takes, or until somebody sets the clock forward.
    pub(crate) async fn reaches(&self, time: Timestamp) {
        loop {
            let advanced = self.advanced.notified();
            tokio::pin!(advanced);
            // From here on no advance is missed.
            advanced.as_mut().enable();
            let left = Duration::try_from(time.duration_since(self.now())).unwrap_or_default();
            if left.is_zero() {
                return;
            }
            let _ = tokio::time::timeout(left, advanced).await;
        }
    }

    /// Sets it forward.
    ///
    /// # Errors
    /// [`ClockError`] if it would be ten years ahead, or that could not be kept.
    pub fn advance(&self, by: Duration) -> Result<(), ClockError> {
        let sum = |ahead| {
            let sum = Duration::from_millis(ahead).checked_add(by)?;
            (sum <= AHEAD_MAX).then(|| u64::try_from(sum.as_millis()).ok())?
        };
        let advanced = self.ahead_ms.fetch_update(Ordering::SeqCst, Ordering::SeqCst, sum);
        advanced.map_err(|_| ClockError::TooFar)?;
        self.advanced.notify_waiters();
        if let Some(file) = &self.file {
            std::fs::write(file, self.ahead_ms.load(Ordering::SeqCst).to_string())?;
        }
        Ok(())
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
    fn goes_on_from_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let clock = Clock::kept_in(file.clone()).unwrap();
        assert_eq!(clock.ahead(), Duration::ZERO);
        clock.advance(Duration::from_hours(1)).unwrap();
        clock.advance(Duration::from_hours(2)).unwrap();
        assert_eq!(Clock::kept_in(file.clone()).unwrap().ahead(), Duration::from_hours(3));
        std::fs::write(&file, "soon").unwrap();
        Clock::kept_in(file).unwrap_err();
    }

    #[tokio::test]
    async fn whoever_waits_for_a_time_goes_on_when_it_is_set_forward() {
        let clock = Clock::default();
        let tomorrow = clock.now() + SignedDuration::from_hours(24);
        let waits = tokio::spawn({
            let clock = clock.clone();
            async move { clock.reaches(tomorrow).await }
        });
        clock.advance(Duration::from_hours(23)).unwrap();
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        clock.advance(Duration::from_hours(1)).unwrap();
        waits.await.unwrap();
        clock.reaches(tomorrow).await;
    }

    #[test]
    fn does_not_leave_the_calendar() {
        let clock = Clock::default();
        clock.advance(Duration::from_hours(24 * 3000)).unwrap();
        for far in [Duration::from_hours(24 * 1000), Duration::MAX] {
            assert!(matches!(clock.advance(far), Err(ClockError::TooFar)));
        }
        assert_eq!(clock.ahead(), Duration::from_hours(24 * 3000));
    }
}
