//! The endpoint of the command. It lasts as long as the command: a killed one leaves an endpoint that lapses.

use std::collections::BTreeSet;
use std::time::Duration;

use aws::Deliveries;
use domain::time::plus;
use domain::webhook::{DeliveryRecord, Endpoint, EndpointState, EventKind, SigningSecret, Target as EventTarget};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::FeedError;
use crate::output::note;
use crate::retry::retry_throttled;
use crate::target::Target;
use crate::webhook_tables::{DeliveriesTable, WebhookError, WebhooksTable};

/// How long the endpoint lasts without being renewed.
const LASTS: SignedDuration = SignedDuration::from_secs(90);
/// How long before its end the endpoint is renewed.
const RENEWED_BEFORE: SignedDuration = SignedDuration::from_secs(60);
/// How long the deletion of the endpoint may take.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// The most events that are read at a time.
const AT_ONCE: usize = 50;

/// An endpoint that this process reads the events of.
pub(super) struct Listener {
    id: String,
    until: Timestamp,
    webhooks: WebhooksTable,
    pub(super) deliveries: DeliveriesTable,
}

impl Listener {
    /// Makes the endpoint, and deletes those of commands that were killed.
    #[expect(clippy::disallowed_methods, reason = "the command makes the id")]
    pub(super) async fn start(
        events: BTreeSet<EventKind>,
        secret: &SigningSecret,
        target: &Target,
    ) -> Result<Self, WebhookError> {
        let deliveries = DeliveriesTable::of(target).await?;
        let webhooks = WebhooksTable::of(target).await?;
        let now = target.now();
        delete_lapsed(&webhooks, now).await?;
        let until = plus(now, LASTS);
        let endpoint = Endpoint {
            id: Uuid::now_v7().to_string(),
            target: EventTarget::Listener { until },
            events,
            state: EndpointState::Enabled,
            created_at: now,
        };
        webhooks.create(&endpoint, secret).await?;
        Ok(Self {
            id: endpoint.id,
            until,
            webhooks,
            deliveries,
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn target_name(&self) -> String {
        self.webhooks.target_name()
    }

    pub(super) fn deliveries(&self) -> &Deliveries {
        &self.deliveries.deliveries
    }

    /// Makes the endpoint last longer if it ends soon.
    pub(super) async fn renew(&mut self, now: Timestamp) -> Result<(), FeedError> {
        if !ends_soon(self.until, now) {
            return Ok(());
        }
        let until = plus(now, LASTS);
        let renewed = retry_throttled(async || self.webhooks.webhooks.listen(&self.id, until).await).await;
        if !renewed.map_err(|error| self.webhooks.error(&error))? {
            return Err(FeedError::Deleted);
        }
        self.until = until;
        Ok(())
    }

    /// Reads the events that wait, the oldest first.
    pub(super) async fn waiting(&self, now: Timestamp) -> Result<Vec<DeliveryRecord>, WebhookError> {
        let error = |error| self.deliveries.error(&error);
        let due = retry_throttled(async || self.deliveries().due(&self.id, now, AT_ONCE).await).await;
        let mut waiting = Vec::new();
        for due in due.map_err(error)? {
            let found = retry_throttled(async || self.deliveries().get(&self.id, &due.event).await).await;
            waiting.extend(found.map_err(error)?);
        }
        Ok(waiting)
    }

    /// Deletes the endpoint. If that fails, it lapses.
    pub(super) async fn end(&self) {
        let deleted = tokio::time::timeout(END_TIMEOUT, self.webhooks.webhooks.delete(&self.id)).await;
        if !matches!(deleted, Ok(Ok(_))) {
            note!("okite: the listener could not be deleted. It ends by itself in a minute or two.");
        }
    }
}

async fn delete_lapsed(webhooks: &WebhooksTable, now: Timestamp) -> Result<(), WebhookError> {
    for endpoint in webhooks.list().await? {
        if let EventTarget::Listener { until } = endpoint.target
            && until <= now
        {
            let deleted = retry_throttled(async || webhooks.webhooks.delete_listener(&endpoint.id, until).await).await;
            deleted.map_err(|error| webhooks.error(&error))?;
        }
    }
    Ok(())
}

/// Returns whether an endpoint that ends at `until` is to be renewed. A clock that was set back counts too: the
/// functions would keep the endpoint for long after a command that was killed.
fn ends_soon(until: Timestamp, now: Timestamp) -> bool {
    let rest = until.duration_since(now);
    rest < RENEWED_BEFORE || rest > LASTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_renewed_in_time_and_after_the_clock_was_set() {
        let until = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |before: i64| plus(until, SignedDuration::from_secs(-before));
        assert!(!ends_soon(until, at(90)));
        assert!(!ends_soon(until, at(60)));
        assert!(ends_soon(until, at(59)));
        assert!(ends_soon(until, at(-3600)));
        assert!(ends_soon(until, at(3600)));
    }
}
