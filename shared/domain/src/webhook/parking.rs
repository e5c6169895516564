//! Parking: an endpoint that failed many times in a row gets one probe a minute, until one succeeds.
//!
//! ```text
//!            a failure, the 20th in a row,
//!            or a time-out, the 3rd or later          a probe fails, 5 days later
//! delivering ─────────────────────────────> parked ─────────────────────────────> disabled
//!      ^                                      │                                       │
//!      └──────────── a probe succeeds ────────┘                                       │
//!      └──────────────────────── the owner enables it again ──────────────────────────┘
//! ```

use jiff::{SignedDuration, Timestamp};

use super::judgement::{AttemptError, AttemptOutcome};
use super::{EndpointHealth, FAILURES_TO_PARK, LastFailure, TIME_OUTS_TO_PARK};
use crate::time::plus;

/// An attempt that comes so much too early is due: clocks differ, and SQS delays by whole seconds.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// The attempt that a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An attempt at a delivery that waits in SQS alone: a new one, or one that waits for some minutes.
    Attempt,
    /// An attempt at a delivery that the sweep found in the table, where it remains.
    HandedOver {
        /// When the attempt is due.
        due_at: Timestamp,
    },
}

/// The decision about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The delivery is attempted, and the attempt counts.
    Attempt,
    /// The delivery is attempted before it is due, to probe a parked endpoint. A failure does not count for it.
    EarlyProbe,
    /// The delivery waits in the table until it is handed over.
    Wait,
    /// The delivery is in the table already, which hands it over later.
    Later,
}

/// Returns how many failures in a row park an endpoint if the last of them ended so.
#[must_use]
pub fn failures_to_park(last: AttemptOutcome) -> u32 {
    match last {
        AttemptOutcome::Failed(AttemptError::TimedOut) => TIME_OUTS_TO_PARK,
        AttemptOutcome::Failed(_) | AttemptOutcome::Answered { .. } => FAILURES_TO_PARK,
    }
}

impl EndpointHealth {
    /// Decides about a message at `now`. `is_first` tells whether no other probe was made before it, by the function
    /// that has the message: a parked endpoint may have many messages in SQS.
    #[must_use]
    pub fn admit(&self, asked: Asked, is_first: bool, now: Timestamp) -> Admission {
        let is_due = |due_at| due_at <= plus(now, TOLERANCE);
        match (asked, self.is_parked()) {
            (Asked::Attempt, false) => Admission::Attempt,
            (Asked::Attempt, true) => Admission::Wait,
            (Asked::HandedOver { .. }, true) if !is_first => Admission::Later,
            (Asked::HandedOver { due_at }, _) if is_due(due_at) => Admission::Attempt,
            (Asked::HandedOver { .. }, true) => Admission::EarlyProbe,
            // The endpoint was parked when the sweep chose this delivery as a probe, and no longer is.
            (Asked::HandedOver { .. }, false) => Admission::Later,
        }
    }

    /// Returns the health after an attempt succeeded.
    #[must_use]
    pub fn after_success(self) -> Self {
        Self {
            failures: 0,
            parked_at: None,
            ..self
        }
    }

    /// Returns the health after an attempt failed. So many failures in a row park the endpoint: [`failures_to_park`].
    #[must_use]
    pub fn after_failure(self, failure: LastFailure, to_park: u32) -> Self {
        let failures = self.failures.saturating_add(1);
        let parks = failures >= to_park;
        Self {
            failures,
            parked_at: self.parked_at.or(parks.then_some(failure.at)),
            last_failure: Some(failure),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn failure(minute: i64) -> LastFailure {
        LastFailure {
            at: at(minute),
            status: Some(500),
            error: None,
        }
    }

    fn failed(times: i64) -> EndpointHealth {
        (0..times).fold(EndpointHealth::default(), |health, minute| {
            health.after_failure(failure(minute), FAILURES_TO_PARK)
        })
    }

    #[test]
    fn the_twentieth_failure_in_a_row_parks() {
        assert!(!failed(19).is_parked());
        assert_eq!(failed(20).parked_at, Some(at(19)));
        // Later failures do not make it younger.
        assert_eq!(failed(40).parked_at, Some(at(19)));
        let recovered = failed(40).after_success();
        assert_eq!((recovered.failures, recovered.parked_at), (0, None));
        assert_eq!(recovered.last_failure, Some(failure(39)));
    }

    #[test]
    fn a_time_out_parks_an_endpoint_that_has_failed_twice() {
        let timed_out = AttemptOutcome::Failed(AttemptError::TimedOut);
        let refused = AttemptOutcome::Failed(AttemptError::NotConnected);
        let answered = AttemptOutcome::Answered {
            status: 500,
            retry_after: None,
        };
        for (before, last, is_parked) in [
            (1, timed_out, false),
            (2, timed_out, true),
            (18, timed_out, true),
            (2, refused, false),
            (18, refused, false),
            (19, refused, true),
            (18, answered, false),
            (19, answered, true),
        ] {
            let health = failed(before).after_failure(failure(before), failures_to_park(last));
            assert_eq!(health.is_parked(), is_parked, "{before} {last:?}");
        }
    }

    #[test]
    fn a_healthy_endpoint_gets_all_that_is_due() {
        let health = failed(19);
        let handed_over = |minute| Asked::HandedOver { due_at: at(minute) };
        for (asked, admission) in [
            (Asked::Attempt, Admission::Attempt),
            (handed_over(100), Admission::Attempt),
            (handed_over(101), Admission::Later),
        ] {
            for is_first in [true, false] {
                assert_eq!(health.admit(asked, is_first, at(100)), admission, "{asked:?}");
            }
        }
    }

    #[test]
    fn a_parked_endpoint_gets_one_probe() {
        let health = failed(20);
        let handed_over = |minute| Asked::HandedOver { due_at: at(minute) };
        for (asked, is_first, admission) in [
            (Asked::Attempt, true, Admission::Wait),
            (Asked::Attempt, false, Admission::Wait),
            (handed_over(100), true, Admission::Attempt),
            (handed_over(101), true, Admission::EarlyProbe),
            (handed_over(100), false, Admission::Later),
        ] {
            assert_eq!(
                health.admit(asked, is_first, at(100)),
                admission,
                "{asked:?} {is_first}"
            );
        }
    }

    proptest! {
        /// However attempts go: an endpoint is parked exactly if twenty or more failed since the last success, or three
        /// or more up to a time-out. It is parked since the first of these moments, and no new delivery is attempted.
        #[test]
        fn the_state_follows_from_the_attempts(
            attempts in prop::collection::vec((prop::bool::weighted(0.05), prop::bool::weighted(0.1)), 0..200),
        ) {
            let mut health = EndpointHealth::default();
            let (mut row, mut parked_at) = (0, None);
            for (minute, (succeeds, times_out)) in (0..).zip(attempts) {
                let error = if times_out { AttemptError::TimedOut } else { AttemptError::NoAnswer };
                let to_park = failures_to_park(AttemptOutcome::Failed(error));
                health = if succeeds {
                    health.after_success()
                } else {
                    health.after_failure(failure(minute), to_park)
                };
                row = if succeeds { 0 } else { row + 1 };
                parked_at = match row {
                    0 => None,
                    20.. => parked_at.or(Some(at(minute))),
                    3.. if times_out => parked_at.or(Some(at(minute))),
                    _ => parked_at,
                };
                prop_assert_eq!((health.failures, health.parked_at), (row, parked_at));
                let is_attempted = health.admit(Asked::Attempt, true, at(minute)) == Admission::Attempt;
                prop_assert_eq!(is_attempted, parked_at.is_none());
                let five_days = SignedDuration::from_hours(5 * 24);
                let is_over = parked_at.is_some_and(|parked_at| at(minute) >= parked_at + five_days);
                prop_assert_eq!(health.is_given_up(at(minute)), is_over);
            }
        }
    }
}
