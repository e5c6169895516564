//! An event on its way to one endpoint, as a message of SQS holds it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{EventId, EventKind};

/// An event that is to be delivered to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The id of the endpoint.
    pub endpoint: String,
    /// The id of the event.
    pub event: EventId,
    /// The kind of the event.
    pub kind: EventKind,
    /// When the event happened.
    pub created_at: Timestamp,
    /// The body of the request: JSON, the same at every attempt, because it is signed.
    pub body: String,
    /// How many attempts were made.
    pub attempts: u32,
}

/// A message of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryMessage {
    /// The delivery itself.
    Whole(Box<Delivery>),
    /// A delivery that the table of deliveries has.
    Stored {
        /// The id of the endpoint.
        endpoint: String,
        /// The id of the event.
        event: EventId,
    },
}

/// A text is no message about a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not a message about a delivery")]
pub struct UnreadableDelivery;

#[derive(Deserialize, Serialize)]
struct Message {
    endpoint: String,
    event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<Whole>,
}

#[derive(Deserialize, Serialize)]
struct Whole {
    kind: String,
    /// Milliseconds since the epoch.
    created_at: i64,
    body: String,
    attempts: u32,
}

impl DeliveryMessage {
    /// Returns the id of the endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        match self {
            Self::Whole(delivery) => &delivery.endpoint,
            Self::Stored { endpoint, .. } => endpoint,
        }
    }

    /// Writes the text of the message.
    #[must_use]
    pub fn to_body(&self) -> String {
        let message = match self {
            Self::Whole(delivery) => Message {
                endpoint: delivery.endpoint.clone(),
                event: delivery.event.to_string(),
                whole: Some(Whole {
                    kind: delivery.kind.as_str().to_owned(),
                    created_at: delivery.created_at.as_millisecond(),
                    body: delivery.body.clone(),
                    attempts: delivery.attempts,
                }),
            },
            Self::Stored { endpoint, event } => Message {
                endpoint: endpoint.clone(),
                event: event.to_string(),
                whole: None,
            },
        };
        // Texts and numbers always become JSON.
        serde_json::to_string(&message).unwrap_or_default()
    }

    /// Reads the text of a message.
    ///
    /// # Errors
    /// [`UnreadableDelivery`] if it is none.
    pub fn read(text: &str) -> Result<Self, UnreadableDelivery> {
        let message: Message = serde_json::from_str(text).map_err(|_| UnreadableDelivery)?;
        let event = EventId::parse(&message.event).ok_or(UnreadableDelivery)?;
        let Some(whole) = message.whole else {
            return Ok(Self::Stored {
                endpoint: message.endpoint,
                event,
            });
        };
        Ok(Self::Whole(Box::new(Delivery {
            endpoint: message.endpoint,
            event,
            kind: EventKind::parse(&whole.kind).ok_or(UnreadableDelivery)?,
            created_at: Timestamp::from_millisecond(whole.created_at).map_err(|_| UnreadableDelivery)?,
            body: whole.body,
            attempts: whole.attempts,
        })))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn delivery(body: String, attempts: u32) -> Delivery {
        let created_at = "2026-11-28T12:00:00.123Z".parse().unwrap();
        Delivery {
            endpoint: "0199".to_owned(),
            event: EventId::of(created_at, &["x"]),
            kind: EventKind::EmailBounced,
            created_at,
            body,
            attempts,
        }
    }

    proptest! {
        #[test]
        fn a_delivery_is_read_as_it_was_written(body in ".*", attempts in any::<u32>()) {
            let whole = delivery(body, attempts);
            let stored = DeliveryMessage::Stored { endpoint: whole.endpoint.clone(), event: whole.event.clone() };
            for message in [DeliveryMessage::Whole(Box::new(whole)), stored] {
                prop_assert_eq!(DeliveryMessage::read(&message.to_body()), Ok(message));
            }
        }

        #[test]
        fn no_other_text_panics(text in ".*") {
            let _ = DeliveryMessage::read(&text);
        }
    }

    #[test]
    fn refuses_what_is_no_message() {
        let good = DeliveryMessage::Whole(Box::new(delivery("{}".to_owned(), 0))).to_body();
        for (from, to) in [
            ("msg_", "msg-"),
            ("email.bounced", "email.bounce"),
            (":1795", ":1795000000000000"),
        ] {
            assert!(good.contains(from), "{good}");
            assert_eq!(
                DeliveryMessage::read(&good.replace(from, to)),
                Err(UnreadableDelivery),
                "{to}"
            );
        }
    }
}
