//! How far the clock of a service is ahead of this machine's.
//!
//! AWS refuses a request whose time is more than some minutes away from its own. The SDK's signer learns the difference
//! from the header `date` of answers, and the SDK tries once more when the time was the reason. Its measurement cannot
//! be read from outside, so this one is made in the same way.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// A smaller difference is not corrected: AWS takes it, and the header `date` has whole seconds.
const TOLERATED: Duration = Duration::from_mins(1);
/// An answer that took longer measures nothing. The function may have been frozen between the request and its answer.
const ANSWER_MAX: Duration = Duration::from_mins(15);

/// The clock of a service, as its answers show it.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    /// The seconds by which it is ahead. It is 0 while the local clock is right.
    ahead: AtomicI64,
}

impl ServerClock {
    /// Returns the time of the service at a local time.
    pub(super) fn time(&self, local: SystemTime) -> SystemTime {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let difference = Duration::from_secs(ahead.unsigned_abs());
        let time = if ahead < 0 {
            local.checked_sub(difference)
        } else {
            local.checked_add(difference)
        };
        time.unwrap_or(local)
    }

    /// Returns whether the local clock was found to be wrong.
    pub(super) fn is_corrected(&self) -> bool {
        self.ahead.load(Ordering::Relaxed) != 0
    }

    /// Measures the clock by the header `date` of an answer.
    pub(super) fn measure(&self, date: &str, sent: SystemTime, received: SystemTime) {
        let Ok(took) = received.duration_since(sent) else {
            return;
        };
        let server = DateTime::from_str(date, Format::HttpDate).ok();
        let Some(server) = server.and_then(|date| SystemTime::try_from(date).ok()) else {
            return;
        };
        // The service wrote its time about half way between.
        let Some(then) = sent.checked_add(took / 2) else { return };
        if took > ANSWER_MAX {
            return;
        }
        let (difference, is_ahead) = match server.duration_since(then) {
            Ok(ahead) => (ahead, true),
            Err(behind) => (behind.duration(), false),
        };
        let seconds = if difference > TOLERATED {
            i64::try_from(difference.as_secs()).unwrap_or_default()
        } else {
            0
        };
        let ahead = if is_ahead { seconds } else { seconds.saturating_neg() };
        self.ahead.store(ahead, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// Sunday, 6 November 1994, 08:49:37.
    const NOW: u64 = 784_111_777;
    const TEN_MINUTES_LATER: &str = "Sun, 06 Nov 1994 08:59:37 GMT";

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn seconds(time: SystemTime) -> u64 {
        time.duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn the_time_of_a_service_is_learned_and_learned_anew() {
        let clock = ServerClock::default();
        assert_eq!(clock.time(at(NOW)), at(NOW));
        assert!(!clock.is_corrected());

        clock.measure(TEN_MINUTES_LATER, at(NOW), at(NOW));
        assert!(clock.is_corrected());
        assert_eq!(clock.time(at(NOW + 5)), at(NOW + 605));

        clock.measure("Sun, 06 Nov 1994 08:39:37 GMT", at(NOW), at(NOW + 2));
        assert_eq!(seconds(clock.time(at(NOW + 2))), NOW + 2 - 601);

        clock.measure("Sun, 06 Nov 1994 08:49:07 GMT", at(NOW), at(NOW));
        assert!(!clock.is_corrected());
    }

    #[test]
    fn what_measures_nothing_changes_nothing() {
        let clock = ServerClock::default();
        clock.measure(TEN_MINUTES_LATER, at(NOW), at(NOW));
        for (date, sent, received) in [
            ("yesterday", NOW, NOW),
            ("", NOW, NOW),
            // The function was frozen.
            ("Sun, 06 Nov 1994 08:49:37 GMT", NOW, NOW + 901),
            // The local clock was set back.
            ("Sun, 06 Nov 1994 08:49:37 GMT", NOW, NOW - 1),
        ] {
            clock.measure(date, at(sent), at(received));
            assert_eq!(clock.time(at(NOW)), at(NOW + 600), "{date}");
        }
    }

    #[test]
    fn no_time_overflows() {
        let clock = ServerClock::default();
        for date in ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"] {
            clock.measure(date, at(NOW), at(NOW));
            for local in [at(0), at(NOW), at(u64::from(u32::MAX) << 8)] {
                let _ = clock.time(local);
            }
        }
    }
}
