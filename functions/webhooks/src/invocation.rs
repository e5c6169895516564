//! The time of an invocation.

use std::time::Duration;

use domain::time::plus;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::request::RequestClient;

/// The time that an invocation needs after a request: to record the result, and to queue a retry.
const RESERVE: Duration = Duration::from_secs(10);

/// An invocation: its time, and the client whose connections live as long.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) client: RequestClient,
    /// When it began, by the world's clock.
    arrived: Timestamp,
    /// The same moment, by which the time since is measured.
    began: Instant,
    /// When the last delivery is begun.
    begin_until: Instant,
    /// When the last delivery to a slow endpoint is begun.
    begin_slow_until: Instant,
    /// When Lambda ends the invocation.
    end: Instant,
}

impl Invocation {
    /// Begins now, which is `arrived` by the world's clock. Deliveries are begun for the time `begin_within`; a request
    /// takes `request_limit` at most.
    pub(crate) fn new(
        client: RequestClient,
        arrived: Timestamp,
        end: Instant,
        begin_within: Duration,
        request_limit: Duration,
    ) -> Self {
        let began = Instant::now();
        let latest = end.checked_sub(request_limit + RESERVE).unwrap_or(began);
        Self {
            client,
            arrived,
            began,
            begin_until: latest.min(began + begin_within),
            begin_slow_until: latest,
            end,
        }
    }

    /// Returns the world's time.
    pub(crate) fn now(&self) -> Timestamp {
        plus(self.arrived, self.began.elapsed())
    }

    /// Returns whether there is time to begin one delivery more. The worker that waits for slow endpoints begins
    /// deliveries to them for as long as Lambda's timeout allows: the others have their own workers.
    pub(crate) fn may_begin(&self, is_slow: bool) -> bool {
        Instant::now()
            < if is_slow {
                self.begin_slow_until
            } else {
                self.begin_until
            }
    }

    /// Returns whether there is time for work that nobody waits for.
    pub(crate) fn has_time(&self) -> bool {
        Instant::now() + RESERVE < self.end
    }
}
