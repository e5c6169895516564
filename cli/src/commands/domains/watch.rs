//! The wait until SES and DNS agree.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::report::Report;
use crate::output::progress;

/// The wait after the first look. It doubles from look to look.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait between two looks. SES itself looks less often.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Agreed,
    TimedOut,
    Stopped,
}

/// The end of a wait.
#[derive(Debug)]
pub(super) struct Waited {
    pub(super) ended: Ended,
    /// What was read last.
    pub(super) last: Report,
}

/// Looks again until SES and DNS agree, the time is over or `stop` completes. A look that fails is followed by another.
pub(super) async fn until_agreed<E: Display>(
    first: Report,
    mut look: impl AsyncFnMut() -> Result<Report, E>,
    timeout: Duration,
    stop: impl Future<Output = ()>,
) -> Waited {
    let mut last = first;
    let deadline = Instant::now() + timeout;
    let looking = async {
        let mut wait = FIRST_WAIT;
        let mut told = String::new();
        while !last.agrees() {
            let summary = last.summary();
            if summary != told {
                progress!("{summary}");
                told = summary;
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            match look().await {
                Ok(report) => last = report,
                Err(error) => progress!("{error}"),
            }
        }
    };
    let ended = tokio::select! {
        ended = timeout_at(deadline, looking) => if ended.is_ok() { Ended::Agreed } else { Ended::TimedOut },
        () = stop => Ended::Stopped,
    };
    Waited { ended, last }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::super::report::testing::report;
    use super::*;

    #[tokio::test]
    async fn nothing_is_waited_for_that_agrees() {
        let none = async || -> Result<Report, String> { panic!("no further look") };
        let waited = until_agreed(report(true), none, Duration::from_hours(1), pending()).await;
        assert_eq!(waited.ended, Ended::Agreed);
    }

    #[tokio::test]
    async fn a_stop_and_the_end_of_the_time_end_a_wait_and_keep_what_was_read() {
        let none = async || -> Result<Report, String> { panic!("no further look") };
        let waited = until_agreed(report(false), none, Duration::from_hours(1), ready(())).await;
        assert_eq!(waited.ended, Ended::Stopped);
        let none = async || -> Result<Report, String> { panic!("no further look") };
        let waited = until_agreed(report(false), none, Duration::ZERO, pending()).await;
        assert_eq!(waited.ended, Ended::TimedOut);
        assert!(!waited.last.agrees());
    }
}
