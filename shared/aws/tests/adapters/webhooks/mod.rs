//! Endpoints, their secrets and their health.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod endpoints;
mod health;
mod known;
mod secrets;
mod turn;

use domain::webhook::{Endpoint, EndpointState, EventKind, SigningSecret, Target};
use jiff::Timestamp;

use crate::support::{Store, at};

const TABLE: &str = "WebhooksTable";

/// The URL of every endpoint.
const URL: &str = "https://example.com/hook";

fn endpoint(id: &str) -> Endpoint {
    Endpoint {
        id: id.to_owned(),
        target: Target::Url(URL.to_owned()),
        events: [EventKind::EmailBounced, EventKind::SuppressionAdded].into(),
        state: EndpointState::Enabled,
        created_at: at(7),
    }
}

fn listener(id: &str, until: Timestamp) -> Endpoint {
    Endpoint {
        target: Target::Listener { until },
        ..endpoint(id)
    }
}

fn secret(byte: u8) -> SigningSecret {
    SigningSecret::from_random([byte; 32])
}

/// A store with the endpoint `a`.
async fn with_endpoint() -> Store {
    let store = Store::start().await;
    store.webhooks().create(&endpoint("a"), &secret(1)).await.unwrap();
    store
}
