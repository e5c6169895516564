//! Reads what waits for the endpoint each second, and handles each event.

use std::io::Write;
use std::time::Duration;

use domain::webhook::{AfterAttempt, Attempt, DeliveryRecord, EventDeliveryState};
use tokio::time::MissedTickBehavior;

use super::ListenError;
use super::forward::Forwarding;
use super::line::Lines;
use super::listener::Listener;
use crate::output::note;
use crate::retry::retry_throttled;
use crate::target::Target;
use crate::webhook_tables::WebhookError;

const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often the tables may fail in a row before the command gives up. The endpoint lapses then.
const FAILURES_MAX: u32 = 30;

/// The work of the command.
pub(super) struct Poll<'a, W> {
    pub(super) listener: &'a mut Listener,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) lines: Lines<W>,
    pub(super) target: &'a Target,
}

impl<W: Write> Poll<'_, W> {
    /// Handles events until something fails for good.
    pub(super) async fn run(&mut self) -> Result<(), ListenError> {
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0;
        loop {
            ticks.tick().await;
            match self.look().await {
                Ok(()) => failures = 0,
                Err(ListenError::Webhook(error @ WebhookError::Store { .. })) if failures < FAILURES_MAX => {
                    if failures == 0 {
                        note!("okite: {error}. Trying again");
                    }
                    failures += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Handles the events that wait now.
    async fn look(&mut self) -> Result<(), ListenError> {
        let now = self.target.now();
        self.listener.renew(now).await?;
        for record in self.listener.waiting(now).await? {
            // The index may still have an event that was handled a moment ago.
            if record.state == EventDeliveryState::Waiting {
                self.handle(&record).await?;
            }
        }
        Ok(())
    }

    async fn handle(&mut self, record: &DeliveryRecord) -> Result<(), ListenError> {
        let (delivery, at) = (&record.delivery, self.target.now());
        let attempt = match &self.forwarding {
            Some(forwarding) => forwarding.post(delivery, at).await,
            None => Attempt {
                at,
                status: None,
                error: None,
                duration: Duration::ZERO,
                answer: String::new(),
            },
        };
        let is_taken = self.forwarding.is_none() || attempt.status.is_some_and(|status| (200..300).contains(&status));
        let then = if is_taken {
            AfterAttempt::Delivered
        } else {
            AfterAttempt::Failed
        };
        // Recorded first: an event that cannot be printed must not come again.
        let deliveries = self.listener.deliveries();
        let recorded = retry_throttled(async || deliveries.record_attempt(delivery, &attempt, then).await).await;
        recorded.map_err(|error| self.listener.deliveries.error(&error))?;
        let shown = self.forwarding.is_some().then_some(&attempt);
        self.lines.write(delivery, at, shown).map_err(ListenError::Line)
    }
}
