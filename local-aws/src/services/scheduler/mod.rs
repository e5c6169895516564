//! EventBridge Scheduler: invokes functions at a rate, the first time at once.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::clock::Clock;
use crate::services::lambda::Lambda;
use crate::template::Schedule;

/// What runs the schedules of a stack. Clones share the parts.
#[derive(Clone, Debug)]
pub(crate) struct Scheduler {
    pub(crate) lambda: Arc<Lambda>,
    /// The clock by which schedules run.
    pub(crate) clock: Clock,
    /// Whether a schedule runs again after its first run.
    pub(crate) repeats: bool,
    /// Ends all schedules.
    pub(crate) stop: CancellationToken,
}

impl Scheduler {
    /// Runs schedules as `tasks`. Returns a tracker of the first run of each.
    pub(crate) fn run_all(&self, schedules: Vec<Schedule>, tasks: &TaskTracker) -> TaskTracker {
        let first_runs = TaskTracker::new();
        for schedule in schedules {
            tasks.spawn(self.clone().run(schedule, first_runs.token()));
        }
        first_runs.close();
        first_runs
    }

    /// Runs a schedule until the end. As on AWS, a rate without a start date fires at once. `first` is dropped when
    /// that run has ended, successfully or not.
    ///
    /// The runs that fall into a time by which the clock is set forward are one run, at its end. Two runs of a schedule
    /// do not overlap.
    async fn run(self, schedule: Schedule, first: TaskTrackerToken) {
        let mut first = Some(first);
        let input = Bytes::from(schedule.input.to_string());
        let mut due = self.clock.now();
        loop {
            let result = tokio::select! {
                result = self.lambda.invoke(&schedule.function, input.clone()) => result,
                () = self.stop.cancelled() => return,
            };
            if let Err(error) = result {
                tracing::error!(function = schedule.function, "a scheduled run failed: {error}");
            }
            drop(first.take());
            if !self.repeats {
                return;
            }
            let next = next(due, self.clock.now(), &schedule);
            tokio::select! {
                () = self.clock.reaches(next) => {}
                () = self.stop.cancelled() => return,
            }
            due = latest(next, self.clock.now(), &schedule);
        }
    }
}

/// Returns the time of the run after that of `due`. What was missed until `now` is one run at once.
fn next(due: Timestamp, now: Timestamp, schedule: &Schedule) -> Timestamp {
    let next = due.checked_add(every(schedule)).unwrap_or(Timestamp::MAX);
    next.max(latest(due, now, schedule))
}

/// Returns the latest time at which a run is due until `now`, if one is due at `due`.
fn latest(due: Timestamp, now: Timestamp, schedule: &Schedule) -> Timestamp {
    let every = every(schedule);
    let intervals = now.duration_since(due).as_secs() / every.as_secs().max(1);
    let passed = SignedDuration::from_secs(intervals.max(0) * every.as_secs());
    due.checked_add(passed).unwrap_or(now)
}

fn every(schedule: &Schedule) -> SignedDuration {
    SignedDuration::try_from(schedule.every).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn what_was_missed_is_one_run_and_the_intervals_stay() {
        let schedule = Schedule {
            logical_id: "Often".to_owned(),
            function: "f".to_owned(),
            every: Duration::from_mins(1),
            input: serde_json::Value::Null,
        };
        for (now, expected) in [
            (0, 60),
            (59, 60),
            (60, 60),
            (61, 60),
            (119, 60),
            (121, 120),
            (3_605, 3_600),
        ] {
            assert_eq!(next(at(0), at(now), &schedule), at(expected), "{now}");
        }
        for (now, expected) in [(60, 60), (119, 60), (180, 180), (3_605, 3_600)] {
            assert_eq!(latest(at(60), at(now), &schedule), at(expected), "{now}");
        }
    }
}
