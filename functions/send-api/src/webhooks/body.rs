//! A webhook and its health, as the answers show them.

use domain::webhook::{DisabledBecause, Endpoint, EndpointHealth, EventKind, SigningSecret, Target};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::response::to_the_millisecond;

/// A webhook in the list.
#[derive(Serialize)]
pub(super) struct WebhookBody<'a> {
    id: &'a str,
    #[serde(serialize_with = "to_the_millisecond")]
    created_at: Timestamp,
    status: &'static str,
    endpoint: &'a str,
    events: Vec<&'static str>,
}

/// A webhook with its health.
#[derive(Serialize)]
pub(super) struct ShownWebhookBody<'a> {
    object: &'static str,
    #[serde(flatten)]
    webhook: WebhookBody<'a>,
    /// SDKs rely on the key. The secret is shown when it is made, and never again.
    signing_secret: Option<&'a str>,
    okite_failures: u32,
    #[serde(serialize_with = "to_the_millisecond_if_any")]
    okite_parked_at: Option<Timestamp>,
    okite_disabled_because: Option<&'static str>,
}

/// The answer when a webhook was changed.
#[derive(Serialize)]
pub(super) struct ChangedBody<'a> {
    object: &'static str,
    id: &'a str,
}

/// The answer when a webhook has a new secret.
#[derive(Serialize)]
pub(super) struct SecretBody<'a> {
    object: &'static str,
    id: &'a str,
    signing_secret: String,
}

/// The answer when a webhook was deleted.
#[derive(Serialize)]
pub(super) struct DeletedBody<'a> {
    object: &'static str,
    id: &'a str,
    deleted: bool,
}

/// A page of a list.
#[derive(Serialize)]
pub(super) struct ListBody<T> {
    object: &'static str,
    has_more: bool,
    data: Vec<T>,
}

/// Returns the URL of a webhook; `None` for an endpoint of `okite listen`.
pub(super) fn url(endpoint: &Endpoint) -> Option<&str> {
    match &endpoint.target {
        Target::Url(url) => Some(url),
        Target::Listener { .. } => None,
    }
}

impl<'a> WebhookBody<'a> {
    /// Returns `None` for an endpoint of `okite listen`.
    pub(super) fn of(endpoint: &'a Endpoint) -> Option<Self> {
        Some(Self {
            id: &endpoint.id,
            created_at: endpoint.created_at,
            status: endpoint.state.as_str(),
            endpoint: url(endpoint)?,
            events: endpoint.events.iter().copied().map(EventKind::as_str).collect(),
        })
    }
}

impl<'a> ShownWebhookBody<'a> {
    pub(super) fn of(webhook: WebhookBody<'a>, health: &EndpointHealth) -> Self {
        Self {
            object: "webhook",
            webhook,
            signing_secret: None,
            okite_failures: health.failures,
            okite_parked_at: health.parked_at,
            okite_disabled_because: health.disabled_because.map(DisabledBecause::as_str),
        }
    }
}

impl<'a> ChangedBody<'a> {
    pub(super) fn of(id: &'a str) -> Self {
        Self { object: "webhook", id }
    }

    /// Names an event.
    pub(super) fn of_event(id: &'a str) -> Self {
        Self {
            object: "webhook_event",
            id,
        }
    }
}

impl<'a> SecretBody<'a> {
    pub(super) fn of(id: &'a str, secret: &SigningSecret) -> Self {
        Self {
            object: "webhook",
            id,
            signing_secret: secret.reveal(),
        }
    }
}

impl<'a> DeletedBody<'a> {
    pub(super) fn of(id: &'a str) -> Self {
        Self {
            object: "webhook",
            id,
            deleted: true,
        }
    }
}

impl<T> ListBody<T> {
    pub(super) fn of(data: Vec<T>, has_more: bool) -> Self {
        Self {
            object: "list",
            has_more,
            data,
        }
    }
}

/// Writes a time as [`to_the_millisecond`] does, or `null`.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
pub(super) fn to_the_millisecond_if_any<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => to_the_millisecond(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use domain::webhook::EndpointState;
    use serde_json::json;

    use super::*;

    pub(in crate::webhooks) fn endpoint(number: u32) -> Endpoint {
        let created_at = Timestamp::from_second(1_795_867_200 + i64::from(number)).unwrap();
        Endpoint {
            id: uuid::Uuid::from_u128(number.into()).to_string(),
            target: Target::Url("https://shop.example.com/hook".to_owned()),
            events: BTreeSet::from([EventKind::EmailBounced, EventKind::EmailSent]),
            state: EndpointState::Enabled,
            created_at,
        }
    }

    #[test]
    fn shows_every_key_of_the_contract_and_no_secret() {
        let endpoint = endpoint(7);
        let health = EndpointHealth {
            failures: 20,
            parked_at: Some(endpoint.created_at),
            disabled_because: Some(DisabledBecause::Gone),
            ..EndpointHealth::default()
        };
        let shown = ShownWebhookBody::of(WebhookBody::of(&endpoint).unwrap(), &health);
        assert_eq!(
            serde_json::to_value(shown).unwrap(),
            json!({
                "object": "webhook", "id": "00000000-0000-0000-0000-000000000007",
                "created_at": "2026-11-28T12:00:07.000Z", "status": "enabled",
                "endpoint": "https://shop.example.com/hook", "events": ["email.sent", "email.bounced"],
                "signing_secret": null, "okite_failures": 20, "okite_parked_at": "2026-11-28T12:00:07.000Z",
                "okite_disabled_because": "gone",
            })
        );
    }

    #[test]
    fn an_endpoint_of_a_listener_is_no_webhook() {
        let listener = Endpoint {
            target: Target::Listener {
                until: Timestamp::UNIX_EPOCH,
            },
            ..endpoint(7)
        };
        assert!(WebhookBody::of(&listener).is_none());
    }
}
