//! The time that an invocation has.

use std::time::Duration;

use domain::permit::SEND_TIMEOUT;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::error::ApiError;

/// What settling the record of a message may take at least, after SES has answered.
const SETTLING: Duration = Duration::from_secs(3);
/// What answering takes at most.
const ANSWERING: Duration = Duration::from_millis(500);

/// When an invocation began, and when it has to be where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    /// When it began, by the world's clock.
    pub(crate) arrived: Timestamp,
    /// The same moment, by which what has passed since is measured.
    began: Instant,
    /// When a mail must be on its way at the latest: one that SES took must be answered for, so what comes before may use
    /// only the time that sending and settling leave.
    latest_start: Instant,
    /// When all work must be over, for Lambda ends it soon.
    pub(crate) answer_by: Instant,
}

impl Time {
    /// Begins now, which is `now` by the world's clock.
    pub(crate) fn new(now: Timestamp, deadline: Instant) -> Self {
        Self {
            arrived: now,
            began: Instant::now(),
            latest_start: deadline - SEND_TIMEOUT - SETTLING,
            answer_by: deadline - ANSWERING,
        }
    }

    /// What the world's clock says at `moment`.
    pub(crate) fn at(&self, moment: Instant) -> Timestamp {
        self.arrived + moment.saturating_duration_since(self.began)
    }

    /// What the world's clock says now.
    pub(crate) fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// How long it is until the last mail must be on its way.
    pub(crate) fn left_to_send(&self) -> Duration {
        self.latest_start.saturating_duration_since(Instant::now())
    }

    /// Until when a mail may wait, for its slot and for SES, if its caller has so much patience from now on.
    pub(crate) fn patience(&self, wait: Duration) -> Instant {
        (Instant::now() + wait).min(self.latest_start)
    }

    /// Does what must be done before a mail is sent, if there is time.
    pub(crate) async fn before_sending<T>(&self, id: Uuid, work: impl Future<Output = T>) -> Result<T, ApiError> {
        timeout_at(self.latest_start, work).await.map_err(|_| {
            tracing::error!(message.id = %id, "there is no time left to send in: the store was slow, or the function's timeout is short");
            ApiError::store_down()
        })
    }

    /// Does what an answer is made of, where nothing is sent, if there is time.
    pub(crate) async fn before_answering<T>(&self, work: impl Future<Output = T>) -> Result<T, ApiError> {
        timeout_at(self.answer_by, work).await.map_err(|_| {
            tracing::error!(
                "there is no time left to answer in: the store was slow, or the function's timeout is short"
            );
            ApiError::store_down()
        })
    }
}
