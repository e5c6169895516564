//! The items as DynamoDB holds them; [`super`] lists their attributes.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{ENDPOINTS, HEALTH, SECRET, key};
use crate::dynamodb::item::{Item, n, number_of, s, text_of, time, time_of};
use domain::webhook::{
    DisabledBecause, Endpoint, EndpointHealth, EndpointState, EventKind, LastFailure, Secrets, SigningSecret, Target,
};

/// Makes the item of an endpoint.
pub(super) fn of_endpoint(endpoint: &Endpoint) -> Item {
    let target = match &endpoint.target {
        Target::Url(url) => ("url", s(url)),
        Target::Listener { until } => ("listening_until", time(*until)),
    };
    let attributes = [
        target,
        ("events", kinds(&endpoint.events)),
        ("state", s(endpoint.state.as_str())),
        ("created_at", time(endpoint.created_at)),
    ];
    with(key(ENDPOINTS, &endpoint.id), attributes)
}

/// Makes the item of the first secret of an endpoint.
pub(super) fn of_secret(id: &str, secret: &SigningSecret) -> Item {
    with(key(id, SECRET), [("current", s(secret.reveal()))])
}

/// Makes the item of the health of a new endpoint.
pub(super) fn of_good_health(id: &str) -> Item {
    with(key(id, HEALTH), [("failures", n(0))])
}

/// Makes the value of a set of kinds. DynamoDB has no empty sets, and no endpoint wants nothing.
pub(super) fn kinds(events: &BTreeSet<EventKind>) -> AttributeValue {
    AttributeValue::Ss(events.iter().map(|kind| kind.as_str().to_owned()).collect())
}

/// Makes the value of the last failure.
pub(super) fn last_failure(failure: &LastFailure) -> AttributeValue {
    let status = failure.status.map(|status| ("status", n(status.into())));
    let error = failure.error.as_ref().map(|error| ("error", s(error)));
    let attributes = status.into_iter().chain(error).chain([("at", time(failure.at))]);
    AttributeValue::M(with(Item::new(), attributes))
}

fn with(mut item: Item, attributes: impl IntoIterator<Item = (&'static str, AttributeValue)>) -> Item {
    item.extend(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)));
    item
}

/// Reads the item of an endpoint. A kind that only a newer version knows is left out.
pub(super) fn endpoint(item: &Item) -> Option<Endpoint> {
    let target = match text_of(item, "url") {
        Some(url) => Target::Url(url.to_owned()),
        None => Target::Listener {
            until: time_of(item, "listening_until")?,
        },
    };
    let events = item.get("events")?.as_ss().ok()?;
    Some(Endpoint {
        id: text_of(item, "item")?.to_owned(),
        target,
        events: events.iter().filter_map(|kind| EventKind::parse(kind)).collect(),
        state: EndpointState::parse(text_of(item, "state")?)?,
        created_at: time_of(item, "created_at")?,
    })
}

/// Reads the item of secrets.
pub(super) fn secrets(item: &Item) -> Option<Secrets> {
    let secret = |name| SigningSecret::parse(text_of(item, name)?);
    Some(Secrets {
        current: secret("current")?,
        previous: secret("previous").zip(time_of(item, "previous_until")),
    })
}

/// Reads the item of the health of an endpoint.
pub(super) fn health(item: &Item) -> Option<EndpointHealth> {
    let failure = |failure: &Item| {
        Some(LastFailure {
            at: time_of(failure, "at")?,
            status: number_of(failure, "status").and_then(|status| status.try_into().ok()),
            error: text_of(failure, "error").map(str::to_owned),
        })
    };
    Some(EndpointHealth {
        failures: number_of(item, "failures")?.try_into().ok()?,
        parked_at: time_of(item, "parked_at"),
        last_failure: item
            .get("last_failure")
            .and_then(|value| value.as_m().ok())
            .and_then(failure),
        disabled_because: text_of(item, "disabled_because").and_then(DisabledBecause::parse),
    })
}
