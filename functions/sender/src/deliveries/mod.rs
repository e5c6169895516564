//! The sweep of webhooks: every minute it hands over the deliveries that are due, and looks after the endpoints.
//!
//! | endpoint | the sweep |
//! |---|---|
//! | enabled | hands over what is due, as much as a minute takes, and sets when it looks at each again |
//! | parked | hands over the delivery that waits longest, as a probe |
//! | parked for five days | disables it |
//! | disabled | lets its deliveries fail, some at a time |
//! | listener | deletes it once its time is over; `okite listen` fetches its deliveries |
//!
//! Without endpoints nothing is read but the list of them. A sweep that dies, or two of them at once, do no harm: each
//! write has a condition, and a delivery that is handed over twice is attempted twice at worst.

mod hand_over;
#[cfg(test)]
mod tests;

use std::time::Duration;

use aws::{Deliveries, DeliveryQueue, DueDelivery, KnownEndpoints, StoreError, Webhooks};
use domain::queue::QueueDepth;
use domain::time::plus;
use domain::webhook::{ENDPOINTS_REMEMBERED, Endpoint, EndpointState, Target, deliveries_handed_over};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use sending::Deadlines;
use tokio::time::Instant;

/// A delivery that is due before the next sweep is handed over now, with a delay.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// How many endpoints are looked at at a time.
const ENDPOINTS_AT_ONCE: usize = 4;
/// How many deliveries to a disabled endpoint fail in a step.
const FAILED_AT_ONCE: usize = 100;
/// How many such steps a sweep takes for an endpoint at most.
const STEPS_MAX: usize = 10;
/// Nothing new is begun in the last part of an invocation, which the sweep of mail may need.
const RESERVE: Duration = Duration::from_secs(20);

/// The tables and the queue of webhooks.
#[derive(Debug)]
pub(crate) struct WebhookSweep {
    webhooks: Webhooks,
    endpoints: KnownEndpoints,
    deliveries: Deliveries,
    queue: DeliveryQueue,
}

/// The report of a sweep of webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WebhookReport {
    /// How many deliveries were handed over.
    pub(crate) handed_over: u64,
    /// How many of them are probes of parked endpoints.
    pub(crate) probes: u64,
    /// How many deliveries to disabled endpoints failed.
    pub(crate) failed_deliveries: u64,
    /// How many endpoints were disabled.
    pub(crate) disabled: u64,
    /// How many listeners were deleted.
    pub(crate) deleted: u64,
    /// How many steps failed. The next sweep does them.
    pub(crate) failed: u64,
}

/// The time of a sweep.
#[derive(Clone, Copy, Debug)]
struct SweepTime {
    /// When the sweep began, by the world's clock.
    now: Timestamp,
    /// When nothing new is begun any more.
    begin_by: Instant,
}

/// The deliveries to an endpoint that are to be handed over.
#[derive(Debug)]
enum Found {
    /// One, as a probe of a parked endpoint.
    Probe(DueDelivery),
    /// All of these, as far as the budget goes, the oldest first.
    Due(Vec<DueDelivery>),
}

impl WebhookSweep {
    pub(crate) fn new(webhooks: Webhooks, deliveries: Deliveries, queue: DeliveryQueue) -> Self {
        Self {
            endpoints: KnownEndpoints::new(webhooks.clone(), ENDPOINTS_REMEMBERED),
            webhooks,
            deliveries,
            queue,
        }
    }

    /// Sweeps, as far as the time of the invocation lasts that Lambda ends at `end`.
    pub(crate) async fn sweep(&self, deadlines: &Deadlines, end: Instant) -> WebhookReport {
        let time = SweepTime {
            now: deadlines.arrived,
            begin_by: end.checked_sub(RESERVE).unwrap_or(end),
        };
        let mut report = WebhookReport::default();
        let endpoints = match self.endpoints.all(time.now).await {
            Ok(endpoints) => endpoints,
            Err(error) => {
                report.fails(&error, None, "the endpoints of webhooks cannot be read");
                return report;
            }
        };
        let mut looks = stream::iter(endpoints.iter())
            .take_while(|_| std::future::ready(time.is_left()))
            .map(|endpoint| self.look_after(endpoint, time))
            .buffered(ENDPOINTS_AT_ONCE);
        let (mut probes, mut due) = (Vec::new(), Vec::new());
        while let Some((found, of_one)) = looks.next().await {
            report.add(of_one);
            match found {
                Some(Found::Probe(probe)) => probes.push(probe),
                Some(Found::Due(these)) => due.push(these),
                None => {}
            }
        }
        drop(looks);
        self.hand_over(probes, due, time, &mut report).await;
        report
    }

    /// Does what an endpoint needs. Returns its deliveries that are to be handed over.
    async fn look_after(&self, endpoint: &Endpoint, time: SweepTime) -> (Option<Found>, WebhookReport) {
        let mut report = WebhookReport::default();
        let found = match (&endpoint.target, endpoint.state) {
            (Target::Listener { until }, _) if *until <= time.now => {
                let deleted = self.webhooks.delete_listener(&endpoint.id, *until).await;
                deleted.map(|deleted| {
                    report.deleted += u64::from(deleted);
                    None
                })
            }
            (Target::Listener { .. }, _) => Ok(None),
            (Target::Url(_), EndpointState::Disabled) => {
                self.fail_waiting(&endpoint.id, time, &mut report).await.map(|()| None)
            }
            (Target::Url(_), EndpointState::Enabled) => self.find(&endpoint.id, time, &mut report).await,
        };
        let found = found.unwrap_or_else(|error| {
            report.fails(
                &error,
                Some(&endpoint.id),
                "an endpoint of webhooks was not looked after",
            );
            None
        });
        (found, report)
    }

    /// Finds the deliveries to an enabled endpoint that are to be handed over. Disables one that was parked too long.
    async fn find(&self, id: &str, time: SweepTime, report: &mut WebhookReport) -> Result<Option<Found>, StoreError> {
        // The list may be older than a deletion.
        let Some(health) = self.webhooks.health(id).await? else {
            return Ok(None);
        };
        let Some(parked_at) = health.parked_at else {
            let most = deliveries_handed_over(Some(QueueDepth::default()));
            let due = self.deliveries.due(id, plus(time.now, AHEAD), most).await?;
            return Ok(Some(Found::Due(due)));
        };
        if !health.is_given_up(time.now) {
            return Ok(self.deliveries.oldest_waiting(id).await?.map(Found::Probe));
        }
        if self.webhooks.disable_parked(id, parked_at).await? {
            report.disabled += 1;
            tracing::error!(
                cause = "webhook_disabled",
                endpoint.id = id,
                status = health.last_failure.and_then(|failure| failure.status),
                "an endpoint failed for five days, so it gets no more events until it is enabled again"
            );
            self.fail_waiting(id, time, report).await?;
        }
        Ok(None)
    }

    /// Lets deliveries to a disabled endpoint fail, some at a time.
    async fn fail_waiting(&self, id: &str, time: SweepTime, report: &mut WebhookReport) -> Result<(), StoreError> {
        if self.deliveries.oldest_waiting(id).await?.is_none() {
            return Ok(());
        }
        // The list may be older than a change by the owner, who would lose deliveries.
        let endpoint = self.webhooks.get(id).await?;
        if endpoint.is_none_or(|endpoint| endpoint.state == EndpointState::Enabled) {
            return Ok(());
        }
        for _ in 0..STEPS_MAX {
            let step = self.deliveries.fail_waiting(id, FAILED_AT_ONCE).await?;
            report.failed_deliveries += step.failed as u64;
            if !step.has_more || !time.is_left() {
                break;
            }
        }
        Ok(())
    }
}

impl WebhookReport {
    fn add(&mut self, other: Self) {
        self.handed_over += other.handed_over;
        self.probes += other.probes;
        self.failed_deliveries += other.failed_deliveries;
        self.disabled += other.disabled;
        self.deleted += other.deleted;
        self.failed += other.failed;
    }

    /// Counts and logs a step that failed.
    fn fails(&mut self, error: &StoreError, endpoint: Option<&str>, what: &str) {
        self.failed += 1;
        tracing::error!(
            cause = error.cause(),
            code = error.code,
            endpoint.id = endpoint,
            "{what}"
        );
    }
}

impl SweepTime {
    fn is_left(self) -> bool {
        Instant::now() < self.begin_by
    }
}
