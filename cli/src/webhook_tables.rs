//! The tables and the queue of webhooks, and why a command on them fails.

use aws::{Created, Deliveries, DeliveryQueue, QueuedDelivery, StoreError, Webhooks};
use domain::webhook::{
    DeliveryMessage, ENDPOINTS_MAX, Endpoint, EventId, EventKind, SigningSecret, Target as EventTarget,
};
use send_api::RefusedAddress;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::retry::retry_throttled;
use crate::target::{DELIVERIES, Resolved, Target, TargetError, WEBHOOK_QUEUE, WEBHOOKS};
use crate::terminal::printable;

/// Why a command on webhooks failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the URL cannot be used: {0}")]
    Address(#[from] RefusedAddress),
    #[error("there is no webhook with the id {id} in {target_name}. `okite webhooks list` shows all webhooks")]
    Unknown { id: String, target_name: String },
    #[error(
        "the webhook {id} has no event with the id {event}. `okite webhooks events {id}` lists its events, which are \
         kept for 14 days"
    )]
    UnknownEvent { id: String, event: String },
    #[error(
        "there are {ENDPOINTS_MAX} webhooks in {target_name} already, and a deployment has no more. `okite webhooks \
         delete` deletes one, `okite webhooks update` changes one"
    )]
    TooMany { target_name: String },
    #[error(
        "the webhook {id} is disabled, so nothing is delivered to it. `okite webhooks update {id} --enable` enables it"
    )]
    Disabled { id: String },
    #[error("{id} is an `okite tail` or `okite listen` that runs, and has no URL. Stop that command to end it")]
    Listener { id: String },
    #[error("events are stored in another table: name the stack with --stack instead of --table")]
    SingleTable,
    #[error("the operating system returned no random bytes: {0}")]
    Random(getrandom::Error),
    #[error("the table {table} could not be read or written: {reason}")]
    Store { table: String, reason: String },
}

/// The table of endpoints of a target.
pub(crate) struct WebhooksTable {
    pub(crate) webhooks: Webhooks,
    pub(crate) target: Target,
    pub(crate) resolved: Resolved,
}

/// The table of deliveries of a target.
pub(crate) struct DeliveriesTable {
    pub(crate) deliveries: Deliveries,
    target: Target,
    resolved: Resolved,
}

impl WebhooksTable {
    pub(crate) async fn of(target: &Target) -> Result<Self, WebhookError> {
        let resolved = target.resolve(WEBHOOKS).await?;
        Ok(Self {
            webhooks: Webhooks::new(aws::dynamodb(&resolved.config), resolved.name.clone()),
            target: target.clone(),
            resolved,
        })
    }

    pub(crate) fn target_name(&self) -> String {
        self.resolved.target_name.clone()
    }

    pub(crate) fn error(&self, error: &StoreError) -> WebhookError {
        store_error(&self.target, &self.resolved, error)
    }

    pub(crate) fn unknown(&self, id: &str) -> WebhookError {
        WebhookError::Unknown {
            id: printable(id),
            target_name: self.target_name(),
        }
    }

    /// Reads all endpoints.
    pub(crate) async fn list(&self) -> Result<Vec<Endpoint>, WebhookError> {
        let listed = retry_throttled(async || self.webhooks.list().await).await;
        listed.map_err(|error| self.error(&error))
    }

    /// Reads an endpoint.
    pub(crate) async fn get(&self, id: &str) -> Result<Endpoint, WebhookError> {
        let found = retry_throttled(async || self.webhooks.get(id).await).await;
        found
            .map_err(|error| self.error(&error))?
            .ok_or_else(|| self.unknown(id))
    }

    /// Reads an endpoint that has a URL.
    pub(crate) async fn get_with_url(&self, id: &str) -> Result<Endpoint, WebhookError> {
        let endpoint = self.get(id).await?;
        match endpoint.target {
            EventTarget::Url(_) => Ok(endpoint),
            EventTarget::Listener { .. } => Err(WebhookError::Listener { id: endpoint.id }),
        }
    }

    /// Creates an endpoint. The write is not repeated when it is throttled: it would find its own endpoint.
    pub(crate) async fn create(&self, endpoint: &Endpoint, secret: &SigningSecret) -> Result<(), WebhookError> {
        let created = self.webhooks.create(endpoint, secret).await;
        match created.map_err(|error| self.error(&error))? {
            Created::Done => Ok(()),
            Created::TooMany => Err(WebhookError::TooMany {
                target_name: self.target_name(),
            }),
        }
    }
}

impl DeliveriesTable {
    pub(crate) async fn of(target: &Target) -> Result<Self, WebhookError> {
        if matches!(target, Target::Resource { .. }) {
            return Err(WebhookError::SingleTable);
        }
        let resolved = target.resolve(DELIVERIES).await?;
        Ok(Self {
            deliveries: Deliveries::new(aws::dynamodb(&resolved.config), resolved.name.clone()),
            target: target.clone(),
            resolved,
        })
    }

    pub(crate) fn error(&self, error: &StoreError) -> WebhookError {
        store_error(&self.target, &self.resolved, error)
    }
}

fn store_error(target: &Target, resolved: &Resolved, error: &StoreError) -> WebhookError {
    target.store_error(error, |reason| WebhookError::Store {
        table: resolved.name.clone(),
        reason,
    })
}

/// Asks the function `webhooks` to deliver an event of the table now. Returns whether SQS took the message; without
/// it, the sweep delivers the event within a minute or two.
pub(crate) async fn hand_over(target: &Target, endpoint: &str, event: &EventId) -> Result<bool, WebhookError> {
    let queue = target.resolve(WEBHOOK_QUEUE).await?;
    let queue = DeliveryQueue::new(aws::sqs(&queue.config), queue.name);
    let message = QueuedDelivery {
        message: DeliveryMessage::Stored {
            endpoint: endpoint.to_owned(),
            event: event.clone(),
        },
        delay: Duration::ZERO,
    };
    Ok(queue.send_all(&[message]).await.iter().all(Result::is_ok))
}

/// Draws a secret from the operating system.
pub(crate) fn draw_secret() -> Result<SigningSecret, WebhookError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(WebhookError::Random)?;
    Ok(SigningSecret::from_random(bytes))
}

/// Parses the name of an event, or `all`.
pub(crate) fn parse_events(text: &str) -> Result<BTreeSet<EventKind>, String> {
    if text == "all" {
        return Ok(EventKind::ALL.into());
    }
    let kinds = text.split(',').map(|name| parse_event(name.trim()));
    kinds.collect()
}

/// Parses the name of an event.
pub(crate) fn parse_event(name: &str) -> Result<EventKind, String> {
    EventKind::parse(name).ok_or_else(|| {
        let names = EventKind::ALL.map(EventKind::as_str).join(", ");
        format!("the events are {names}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_a_list_of_names_or_all() {
        assert_eq!(
            parse_events("email.bounced, email.sent,email.sent"),
            Ok(BTreeSet::from([EventKind::EmailSent, EventKind::EmailBounced]))
        );
        assert_eq!(parse_events("all").map(|events| events.len()), Ok(EventKind::ALL.len()));
        for wrong in ["", "email.sent,", "email", "domain.created", "all,email.sent"] {
            assert!(parse_events(wrong).unwrap_err().contains("email.bounced"), "{wrong}");
        }
    }

    #[test]
    fn a_drawn_secret_is_no_other() {
        let secrets = [draw_secret().unwrap().reveal(), draw_secret().unwrap().reveal()];
        assert!(secrets[0].starts_with("whsec_") && secrets[0] != secrets[1]);
    }
}
