//! Webhooks: the events that an application subscribes to, and the endpoints that receive them.
//!
//! | module | concept |
//! |---|---|
//! | `event_kind` | the kinds of events, by the names of the contract |
//! | `event` | one event about one recipient, one suppression or the account |
//! | `event_id` | the id of an event, which is the same for every copy of it |
//! | `endpoint` | the URL that events are delivered to, and its state |
//! | `of_brake` | the event about a change of the brake |
//! | `of_suppression` | the events about changes of the suppression list |
//! | `own_events` | the events of Okite's own doing, made from the record of a mail |
//! | `endpoint_health` | how deliveries to an endpoint went lately |
//! | `signing_secret` | the secrets that sign the requests to an endpoint |
//! | `delivery` | an event on its way to one endpoint |
//! | `delivery_record` | the log of one event to one endpoint |
//! | `hand_over` | how many waiting deliveries the sweep hands to SQS |
//! | `attempt` | one request to an endpoint, and the decision that follows it |
//! | [`guard`] | the URLs and addresses that requests may be sent to |
//! | [`signature`] | the signature of a request |
//! | [`schedule`] | the time between two attempts, and what waits in SQS |
//! | [`judgement`] | the consequence of an answer, or of none |
//! | `slowness` | late answers in a row, which leave an endpoint to one worker at a time |
//! | `parking` | failures in a row, which park an endpoint and at last disable it |

mod attempt;
mod delivery;
mod delivery_record;
mod endpoint;
mod endpoint_health;
mod event;
mod event_id;
mod event_kind;
pub mod guard;
mod hand_over;
pub mod judgement;
mod of_brake;
mod of_suppression;
mod own_events;
mod parking;
pub mod schedule;
pub mod signature;
mod signing_secret;
mod slowness;

pub use attempt::{ANSWER_MAX, ATTEMPTS_KEPT, AfterAttempt, Attempt};
pub use delivery::{Delivery, DeliveryMessage, UnreadableDelivery};
pub use delivery_record::{DELIVERY_KEPT, DeliveryRecord, DeliverySummary, EventDeliveryState};
pub use endpoint::{ENDPOINTS_MAX, ENDPOINTS_REMEMBERED, Endpoint, EndpointChange, EndpointState, Target};
pub use endpoint_health::{
    DisabledBecause, EndpointHealth, FAILURES_TO_PARK, LastFailure, PARKED_MAX, TIME_OUTS_TO_PARK,
};
pub use event::{
    AccountEvent, BounceFacts, EmailEvent, EmailOutcome, EventSubject, SuppressionChange, SuppressionEvent,
    WebhookEvent,
};
pub use event_id::EventId;
pub use event_kind::EventKind;
pub use hand_over::{deliveries_handed_over, delivery_wakes_again_at};
pub use parking::{Admission, Asked, failures_to_park};
pub use signing_secret::{PREVIOUS_SECRET_KEPT, Secrets, SigningSecret};
pub use slowness::{QUICK_ANSWER, Slowness};
