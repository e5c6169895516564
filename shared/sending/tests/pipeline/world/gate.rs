//! The gate of a world.

use std::time::Duration;

use aws::{PermitError, Usage};
use domain::brake::Brake;
use domain::message::RECIPIENTS_MAX;
use domain::pacing::{GateSettings, PermitRequest, Throttled, UNLIMITED};
use domain::stream::Stream;

use super::{World, dynamodb, sdk};

impl World {
    /// The gate has the region in its key, so each region has a gate of its own.
    pub(super) fn region(&self) -> String {
        format!("region-{}", self.gates.get())
    }

    /// Makes a new gate that lets everything through, which all requests pass from now on.
    pub(crate) async fn new_gate(&self) {
        self.gates.set(self.gates.get() + 1);
        self.set_gate(1, UNLIMITED, Brake::None).await;
    }

    /// From now on there is no gate.
    pub(crate) fn forget_gate(&self) {
        self.gates.set(self.gates.get() + 1);
    }

    /// Sets the gate: microseconds between recipients, how many may still be granted, and the brake.
    pub(crate) async fn set_gate(&self, interval: i64, left: i64, brake: Brake) {
        // A report of the same moment does not count.
        self.advance(Duration::from_millis(2));
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let usage = Usage::new(client, self.tables["UsageTable"].clone(), self.region());
        let granted = usage.gate_state().await.unwrap().granted;
        let ceiling = left.saturating_add(granted);
        let settings = GateSettings {
            slot_interval: interval,
            ceiling_all: ceiling,
            ceiling_bulk: ceiling,
        };
        usage.set_gate(settings, brake, None, self.clock.now()).await.unwrap();
    }

    /// Takes the slots of so long a time at the gate.
    pub(crate) async fn fill_gate(&self, time: Duration) {
        // One email to as many recipients as an email may have: more would take slots too far ahead.
        let recipients = i64::try_from(RECIPIENTS_MAX).unwrap();
        let interval = i64::try_from(time.as_micros()).unwrap() / recipients;
        self.set_gate(interval, UNLIMITED, Brake::None).await;
        let ask = PermitRequest {
            recipients,
            stream: Stream::Transactional,
            now: self.clock.now(),
            patience: Duration::ZERO,
            holds_bulk_back: false,
        };
        let permits = self.sending(&self.shared.connector).permits;
        match permits.take(ask).await {
            // Refused for the rate, it is full already.
            Ok(_) | Err(PermitError::Refused(Throttled::Rate { .. })) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
