//! The time that an invocation has.

use std::pin::Pin;
use std::time::Duration;

use domain::pacing::SEND_TIMEOUT;
use domain::time::plus;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

/// The least time that settling the record of a message may take, after SES has answered.
const SETTLING: Duration = Duration::from_secs(3);
/// The most time that answering takes.
const ANSWERING: Duration = Duration::from_millis(500);

/// Work was given up because the invocation has no time left for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfTime;

/// When an invocation began, and when its steps must be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// When it began, by the world's clock.
    pub arrived: Timestamp,
    /// The same moment, by which the time since is measured.
    began: Instant,
    /// When a mail must be on its way at the latest. A mail that SES took must be answered for, so the steps before it
    /// may use only the time that sending and settling leave.
    latest_start: Instant,
    /// When all work must be over, because Lambda ends the invocation soon after.
    answer_by: Instant,
    /// When Lambda ends the invocation.
    end: Instant,
}

impl Deadlines {
    /// Begins now, which is `now` by the world's clock; Lambda ends the invocation at `end`.
    #[must_use]
    pub fn new(now: Timestamp, end: Instant) -> Self {
        Self {
            arrived: now,
            began: Instant::now(),
            latest_start: end - SEND_TIMEOUT - SETTLING,
            answer_by: end - ANSWERING,
            end,
        }
    }

    /// Returns the world's time at `moment`.
    #[must_use]
    pub fn at(&self, moment: Instant) -> Timestamp {
        plus(self.arrived, moment.saturating_duration_since(self.began))
    }

    /// Returns the world's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// Returns when Lambda ends the invocation, by the world's clock.
    pub(crate) fn end(&self) -> Timestamp {
        self.at(self.end)
    }

    /// Returns how long it is from `moment` until Lambda ends the invocation.
    pub(crate) fn left_after(&self, moment: Instant) -> Duration {
        self.end.saturating_duration_since(moment)
    }

    /// Returns how long ago the invocation began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns how long it is until the last mail must be on its way.
    #[must_use]
    pub fn left_to_send(&self) -> Duration {
        self.latest_start.saturating_duration_since(Instant::now())
    }

    /// Returns how long it is until all work must be over.
    pub(crate) fn left_to_answer(&self) -> Duration {
        self.answer_by.saturating_duration_since(Instant::now())
    }

    /// Returns until when a mail may wait that has so much patience from now on.
    pub(crate) fn patience(&self, wait: Duration) -> Instant {
        (Instant::now() + wait).min(self.latest_start)
    }

    /// Does work that comes before a mail is sent, if there is time.
    ///
    /// # Errors
    /// [`OutOfTime`] if there is none; a write may or may not have happened then.
    pub fn before_sending<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = Result<T, OutOfTime>> {
        within(self.latest_start, Box::pin(work))
    }

    /// Does work that an answer is made of, if there is time.
    ///
    /// # Errors
    /// [`OutOfTime`] if there is none; a write may or may not have happened then.
    pub fn before_answering<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = Result<T, OutOfTime>> {
        within(self.answer_by, Box::pin(work))
    }
}

/// The work is on the heap: a call of the SDK has some kilobytes, and every future around it would hold them several
/// times, and be copied with them.
async fn within<T>(end: Instant, work: Pin<Box<impl Future<Output = T>>>) -> Result<T, OutOfTime> {
    timeout_at(end, work).await.map_err(|_| {
        tracing::error!(
            cause = "store",
            "no time is left: a table was slow, or the function's timeout is short"
        );
        OutOfTime
    })
}
