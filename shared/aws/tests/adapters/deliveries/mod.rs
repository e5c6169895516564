//! Deliveries: the log of attempts, the index of what waits, replays and lists.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod attempts;
mod list;
mod orders;
mod rows;
mod wake;

use std::time::Duration;

use aws::Deliveries;
use domain::webhook::{Attempt, Delivery, DeliveryRecord, EventId, EventKind};

use crate::support::at;

const TABLE: &str = "DeliveriesTable";
const FORTNIGHT: i64 = 14 * 86_400_000;

/// The event with this number, by which events sort.
fn event(number: i64) -> EventId {
    EventId::of(at(number), &[&number.to_string()])
}

fn delivery(number: i64) -> Delivery {
    Delivery {
        endpoint: "a".to_owned(),
        event: event(number),
        kind: EventKind::EmailBounced,
        created_at: at(number),
        body: format!(r#"{{"number":{number}}}"#),
        attempts: 0,
    }
}

/// An attempt that began then and was answered with 500.
fn attempt(milliseconds: i64) -> Attempt {
    Attempt {
        at: at(milliseconds),
        status: Some(500),
        error: None,
        duration: Duration::from_millis(12),
        answer: "no".to_owned(),
    }
}

async fn read(deliveries: &Deliveries, number: i64) -> DeliveryRecord {
    deliveries.get("a", &event(number)).await.unwrap().unwrap()
}
