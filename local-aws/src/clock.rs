//! The clock of a run. This is the one place in the crate that reads the machine's clock.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

/// The most by which the clock may be ahead of the machine's, so that no time calculated from it is out of range.
const AHEAD_MAX: Duration = Duration::from_hours(24 * 3653);

/// The time of the simulated services: the machine's, or ahead of it by as much as a caller has set. Clones share it.
///
/// The clock of a function has the same name, because it follows this one.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicU64>,
    /// The file that keeps the setting, so that a later run does not read data from its future.
    file: Option<Arc<Path>>,
    advanced: Arc<Notify>,
}

/// Why the clock was not set forward.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// It would be more than ten years ahead.
    #[error("the clock can be set forward by ten years in all; a new data directory starts with the current time")]
    TooFar,
    /// The setting could not be written to its file. It is in force until the end of the run.
    #[error("the clock is set forward, but the data directory does not keep the setting: {0}")]
    NotKept(#[from] io::Error),
}

impl Clock {
    /// Reads the setting from a file, and keeps it there. The file need not exist.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or holds no number.
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

    /// Returns the time in milliseconds, the precision of AWS's answers.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let ahead = SignedDuration::try_from(self.ahead()).unwrap_or_default();
        now.checked_add(ahead)
            .and_then(|now| Timestamp::from_millisecond(now.as_millisecond()))
            .unwrap_or(now)
    }

    /// Returns the time by which it is ahead of the machine's clock.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst))
    }

    /// Waits until it is `time`, whether time passes or the clock is set forward.
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
    /// Returns a [`ClockError`] if it would be more than ten years ahead, or if its file could not be written.
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
    fn goes_forward_in_every_clone() {
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
    async fn a_wait_for_a_time_ends_when_the_clock_is_set_forward() {
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
