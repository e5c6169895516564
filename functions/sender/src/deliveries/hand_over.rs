//! The deliveries that the sweep hands to SQS.

use std::time::Duration;

use aws::{DueDelivery, QueuedDelivery};
use domain::queue::{QueueDepth, hand_over_delay};
use domain::webhook::{DeliveryMessage, deliveries_handed_over, delivery_wakes_again_at};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use super::{SweepTime, WebhookReport, WebhookSweep};

/// How many deliveries go in one call.
const AT_ONCE: usize = 10;
/// How many calls are under way at a time.
const CALLS_AT_ONCE: usize = 4;

impl WebhookSweep {
    /// Hands over the probes, and of what is due to each endpoint as much as the budget allows.
    pub(super) async fn hand_over(
        &self,
        probes: Vec<DueDelivery>,
        due: Vec<Vec<DueDelivery>>,
        time: SweepTime,
        report: &mut WebhookReport,
    ) {
        // Probes are few, and the only way out of a backlog.
        for probes in probes.chunks(AT_ONCE) {
            report.add(self.hand_over_few(probes, true, 0, time).await);
        }
        if due.iter().all(Vec::is_empty) {
            return;
        }
        let depth = self.depth(report).await;
        let budget = deliveries_handed_over(depth);
        let calls = calls_in_turn(due, budget);
        let waiting = depth.map_or(0, QueueDepth::waiting);
        let mut handed_over = stream::iter(calls.iter().zip((waiting..).step_by(AT_ONCE)))
            .take_while(|_| std::future::ready(time.is_left()))
            .map(|(few, before)| self.hand_over_few(few, false, before, time))
            .buffer_unordered(CALLS_AT_ONCE);
        while let Some(few) = handed_over.next().await {
            report.add(few);
        }
    }

    async fn depth(&self, report: &mut WebhookReport) -> Option<QueueDepth> {
        let asked = self.queue.depth().await.inspect_err(|error| {
            report.failed += 1;
            tracing::error!(
                cause = error.cause(),
                code = error.code,
                "SQS does not tell how full the queue of webhooks is, so nothing is handed over but probes"
            );
        });
        asked.ok()
    }

    /// Hands over as many deliveries as go in one call, with `before` messages in SQS before them.
    async fn hand_over_few(&self, few: &[DueDelivery], probes: bool, before: u64, time: SweepTime) -> WebhookReport {
        let mut report = WebhookReport::default();
        let message = |due: &DueDelivery| QueuedDelivery {
            message: DeliveryMessage::Stored {
                endpoint: due.endpoint.clone(),
                event: due.event.clone(),
            },
            delay: if probes {
                Duration::ZERO
            } else {
                hand_over_delay(due.due_at, time.now)
            },
        };
        let messages: Vec<QueuedDelivery> = few.iter().map(message).collect();
        let mut wake_again = Vec::new();
        for (due, sent) in few.iter().zip(self.queue.send_all(&messages).await) {
            match sent {
                Ok(()) => {
                    report.handed_over += 1;
                    report.probes += u64::from(probes);
                    // A probe that is not due is attempted without a count, and keeps its own time.
                    if !probes || due.due_at <= time.now {
                        let again = delivery_wakes_again_at(due.due_at, time.now, before);
                        wake_again.push(self.deliveries.wake_again(due, again));
                    }
                }
                Err(error) => {
                    report.failed += 1;
                    tracing::warn!(
                        cause = error.cause(),
                        code = error.code,
                        event.id = %due.event,
                        "a delivery that is due was not handed over"
                    );
                }
            }
        }
        // One that could not be written is handed over again by the next sweep.
        for error in join_all(wake_again).await.into_iter().filter_map(Result::err) {
            report.failed += 1;
            tracing::warn!(
                cause = error.cause(),
                code = error.code,
                "it was not written when a delivery is looked at again"
            );
        }
        report
    }
}

/// Divides what is due into calls, at most `budget` deliveries of each endpoint. The first calls of all endpoints come
/// before the second ones, so that one with a backlog keeps no other waiting.
pub(super) fn calls_in_turn(due: Vec<Vec<DueDelivery>>, budget: usize) -> Vec<Vec<DueDelivery>> {
    let calls_of = |mut due: Vec<DueDelivery>| {
        due.truncate(budget);
        let calls: Vec<_> = due.chunks(AT_ONCE).map(<[_]>::to_vec).collect();
        calls.into_iter().enumerate()
    };
    let mut calls: Vec<_> = due.into_iter().flat_map(calls_of).collect();
    calls.sort_by_key(|(turn, _)| *turn);
    calls.into_iter().map(|(_, call)| call).collect()
}
