//! The log of one event to one endpoint.

use jiff::{SignedDuration, Timestamp};

use super::{Attempt, Delivery, EventId, EventKind};

/// How long a delivery is kept and can be replayed.
pub const DELIVERY_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventDeliveryState {
    /// Another attempt follows.
    Waiting,
    /// The endpoint has the event.
    Delivered,
    /// No attempt follows unless it is replayed.
    Failed,
}

impl EventDeliveryState {
    /// Returns the name of the state, in the table and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// Reads the name. Returns `None` for any other text.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Delivered, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// A delivery as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverySummary {
    /// The id of the event.
    pub event: EventId,
    /// The kind of the event.
    pub kind: EventKind,
    /// When the event happened.
    pub created_at: Timestamp,
    /// The state of the delivery.
    pub state: EventDeliveryState,
    /// How many attempts were made in all, replays included.
    pub attempts_made: u32,
    /// When the next attempt is due, if the delivery waits for the sweep.
    pub due_at: Option<Timestamp>,
}

/// A delivery with its body and its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The delivery, as the next attempt takes it. It counts the attempts since the last replay.
    pub delivery: Delivery,
    /// Its state.
    pub state: EventDeliveryState,
    /// The newest attempts, the oldest of them first, at most [`ATTEMPTS_KEPT`](super::ATTEMPTS_KEPT).
    pub attempts: Vec<Attempt>,
    /// How many attempts were made in all, replays included.
    pub attempts_made: u32,
    /// When the next attempt is due, if the delivery waits for the sweep. An attempt before that is a probe.
    pub due_at: Option<Timestamp>,
    /// When the sweep looks at the delivery next: later than `due_at` once it has handed it over.
    pub wake_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_by_its_name() {
        for state in [
            EventDeliveryState::Waiting,
            EventDeliveryState::Delivered,
            EventDeliveryState::Failed,
        ] {
            assert_eq!(EventDeliveryState::parse(state.as_str()), Some(state));
        }
        assert_eq!(EventDeliveryState::parse("queued"), None);
    }
}
