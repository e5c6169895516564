//! Webhooks: the events that an application subscribes to, and the endpoints that receive them.
//!
//! | module | concept |
//! |---|---|
//! | `event_kind` | the kinds of events, by the names of the contract |
//! | `event` | one event about one recipient, one suppression or the account |
//! | `event_id` | the id of an event, which is the same for every copy of it |
//! | `endpoint` | the URL that events are delivered to, and its state |
//! | `own_events` | the events of Okite's own doing, made from the record of a mail |
//! | `delivery` | an event on its way to one endpoint |

mod delivery;
mod endpoint;
mod event;
mod event_id;
mod event_kind;
mod own_events;

pub use delivery::{Delivery, DeliveryMessage, UnreadableDelivery};
pub use endpoint::{ENDPOINTS_MAX, Endpoint, EndpointState, Target};
pub use event::{
    AccountEvent, BounceFacts, EmailEvent, EmailOutcome, EventSubject, SuppressionChange, SuppressionEvent, Visit,
    WebhookEvent,
};
pub use event_id::EventId;
pub use event_kind::EventKind;
