//! Reads what waits for the endpoint each second, and gives each event to the sink.

use std::time::Duration;

use domain::webhook::{DeliveryRecord, EventDeliveryState};
use tokio::time::MissedTickBehavior;

use super::listener::Listener;
use super::{EventSink, FeedError};
use crate::output::note;
use crate::retry::retry_throttled;
use crate::target::Target;
use crate::webhook_tables::WebhookError;

const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often the tables may fail in a row before the command gives up. The endpoint lapses then.
const FAILURES_MAX: u32 = 30;

/// Handles events until something fails for good.
pub(super) async fn run(listener: &mut Listener, sink: &mut impl EventSink, target: &Target) -> Result<(), FeedError> {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failures = 0;
    loop {
        ticks.tick().await;
        match look(listener, sink, target).await {
            Ok(()) => failures = 0,
            Err(FeedError::Webhook(error @ WebhookError::Store { .. })) if failures < FAILURES_MAX => {
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
async fn look(listener: &mut Listener, sink: &mut impl EventSink, target: &Target) -> Result<(), FeedError> {
    let now = target.now();
    listener.renew(now).await?;
    for record in listener.waiting(now).await? {
        // The index may still have an event that was handled a moment ago.
        if record.state == EventDeliveryState::Waiting {
            handle(listener, sink, &record, target).await?;
        }
    }
    Ok(())
}

async fn handle(
    listener: &Listener,
    sink: &mut impl EventSink,
    record: &DeliveryRecord,
    target: &Target,
) -> Result<(), FeedError> {
    let delivery = &record.delivery;
    let (attempt, then) = sink.pass_on(delivery, target.now()).await;
    let deliveries = listener.deliveries();
    let recorded = retry_throttled(async || deliveries.record_attempt(delivery, &attempt, then).await).await;
    recorded.map_err(|error| listener.deliveries.error(&error))?;
    sink.show(delivery, &attempt).map_err(FeedError::Line)
}
