//! A webhook of a test that subscribes to everything, and the events that were emitted for it.
//!
//! SQS takes none of them, so each is a row of the table of deliveries, and no function touches it.

use std::time::Duration;

use aws::{Created, Deliveries, NewestFrom, Webhooks};
use domain::webhook::{DeliveryRecord, Endpoint, EndpointState, EventKind, SigningSecret, Target};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::Okite;

/// Longer than any test, also by a clock that is set forward by days.
const FOR_GOOD: u64 = 365 * 24 * 3_600_000;

pub(crate) struct Subscription {
    deliveries: Deliveries,
    id: String,
}

impl Subscription {
    /// Subscribes to every kind of event, and waits until no process remembers that there was no webhook.
    pub(crate) async fn start(okite: &Okite) -> Self {
        let id = "01a20000-0000-7000-8000-000000000001".to_owned();
        let endpoint = Endpoint {
            id: id.clone(),
            target: Target::Url("https://shop.example/hook".to_owned()),
            events: EventKind::ALL.into(),
            state: EndpointState::Enabled,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let webhooks = Webhooks::new(okite.dynamodb.clone(), okite.variable("WEBHOOKS_TABLE").to_owned());
        let created = webhooks.create(&endpoint, &SigningSecret::from_random([7; 32])).await;
        assert_eq!(created.unwrap(), Created::Done);
        Self::refuse_in_sqs(okite).await;
        okite.advance(Duration::from_mins(1)).await;
        let table = okite.variable("DELIVERIES_TABLE").to_owned();
        Self {
            deliveries: Deliveries::new(okite.dynamodb.clone(), table),
            id,
        }
    }

    /// Makes a listener, as `okite listen` does, that is gone at `until`.
    pub(crate) async fn listen_until(okite: &Okite, until: Timestamp) {
        let endpoint = Endpoint {
            id: "01a20000-0000-7000-8000-000000000002".to_owned(),
            target: Target::Listener { until },
            events: [EventKind::EmailSent].into(),
            state: EndpointState::Enabled,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let webhooks = Webhooks::new(okite.dynamodb.clone(), okite.variable("WEBHOOKS_TABLE").to_owned());
        let created = webhooks.create(&endpoint, &SigningSecret::from_random([7; 32])).await;
        assert_eq!(created.unwrap(), Created::Done);
    }

    /// Has SQS take no event from now on.
    pub(crate) async fn refuse_in_sqs(okite: &Okite) {
        let fault = json!({ "operation": "SendMessageBatch", "for_ms": FOR_GOOD, "error": "InternalError" });
        okite.fault(fault).await;
    }

    /// Returns the events, the newest first.
    pub(crate) async fn events(&self) -> Vec<DeliveryRecord> {
        let page = self
            .deliveries
            .list(&self.id, &NewestFrom::Newest, 1_000)
            .await
            .unwrap();
        let mut events = Vec::new();
        for summary in page.deliveries {
            let event = self.deliveries.get(&self.id, &summary.event).await.unwrap();
            events.push(event.unwrap());
        }
        events
    }

    /// Returns the bodies of the events of one kind, the newest first.
    pub(crate) async fn bodies(&self, kind: EventKind) -> Vec<Value> {
        let events = self.events().await.into_iter();
        let of_kind = events.filter(|event| event.delivery.kind == kind);
        of_kind
            .map(|event| serde_json::from_str(&event.delivery.body).unwrap())
            .collect()
    }
}
