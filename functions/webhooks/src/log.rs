//! The lines of the log. They hold ids, hosts and figures, and neither a path, a query, an address nor a body.

use aws::{DeliveryNotQueued, StoreError};
use domain::webhook::judgement::{AttemptError, Judgement};
use domain::webhook::{Delivery, DisabledBecause};

use crate::request::RequestEnd;

/// Writes the end of a request.
pub(crate) fn attempt(delivery: &Delivery, host: &str, end: &RequestEnd) {
    let status = end.outcome.status();
    let error = end.outcome.error().map(AttemptError::code);
    let number = delivery.attempts.saturating_add(1);
    let duration = u64::try_from(end.duration.as_millis()).unwrap_or(u64::MAX);
    let (endpoint, event) = (&delivery.endpoint, &delivery.event);
    match end.outcome.judge() {
        Judgement::Delivered => tracing::info!(
            endpoint.id = endpoint, event.id = %event, host, status, attempt = number, duration_ms = duration,
            "an event was delivered"
        ),
        Judgement::Gone | Judgement::Failed { .. } => tracing::warn!(
            endpoint.id = endpoint, event.id = %event, host, status, error, attempt = number, duration_ms = duration,
            "an event was not delivered"
        ),
    }
}

/// Writes that a request was ended before its time.
pub(crate) fn ended_early(delivery: &Delivery, host: &str) {
    let (endpoint, event) = (&delivery.endpoint, &delivery.event);
    tracing::info!(
        endpoint.id = endpoint, event.id = %event, host,
        "the endpoint is slow and another worker waits for slow endpoints, so the request was ended and comes again"
    );
}

/// Writes that a table did not do as it was asked.
pub(crate) fn store(endpoint: &str, failure: &StoreError, consequence: &str) {
    tracing::error!(
        cause = failure.cause(),
        code = failure.code,
        operation = failure.operation,
        endpoint.id = endpoint,
        "{consequence}"
    );
}

/// Writes that SQS did not take a message.
pub(crate) fn not_queued(endpoint: &str, failure: &DeliveryNotQueued) {
    tracing::error!(
        cause = failure.cause(),
        code = failure.code,
        endpoint.id = endpoint,
        "SQS did not take a message about a delivery"
    );
}

/// Writes that the messages of an endpoint were dropped.
pub(crate) fn dropped(endpoint: &str, count: usize) {
    tracing::info!(
        endpoint.id = endpoint,
        count,
        "the endpoint is deleted, so its deliveries are dropped"
    );
}

/// Writes that an endpoint was parked.
pub(crate) fn parked(endpoint: &str, failures: u32) {
    tracing::warn!(
        cause = "webhook_parked",
        endpoint.id = endpoint,
        failures,
        "the endpoint failed too often in a row, so its deliveries wait and it gets one probe a minute"
    );
}

/// Writes that an endpoint is no longer parked.
pub(crate) fn recovered(endpoint: &str) {
    tracing::info!(
        endpoint.id = endpoint,
        "a probe succeeded, so the endpoint gets its deliveries again"
    );
}

/// Writes that an endpoint was disabled. An alarm of the template counts these lines.
pub(crate) fn disabled(endpoint: &str, because: DisabledBecause) {
    let remedy = match because {
        DisabledBecause::Gone => "it answered 410 Gone",
        DisabledBecause::Parked => "no attempt succeeded for five days",
    };
    tracing::error!(
        cause = "webhook_disabled",
        endpoint.id = endpoint,
        because = because.as_str(),
        "the endpoint is disabled because {remedy}: mend the receiver, enable the endpoint and replay what failed"
    );
}
