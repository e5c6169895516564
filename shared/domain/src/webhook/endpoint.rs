//! The URL that events are delivered to, and its state.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::EventKind;

/// The most endpoints of a deployment. Each function that emits events reads all of them.
pub const ENDPOINTS_MAX: usize = 20;
/// How long a process uses the list of endpoints without another read, unless its deployment says otherwise.
pub const ENDPOINTS_REMEMBERED: SignedDuration = SignedDuration::from_secs(30);

/// An endpoint, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id, a `UUIDv7`.
    pub id: String,
    /// Where its events go.
    pub target: Target,
    /// The kinds of events that it wants; never empty.
    pub events: BTreeSet<EventKind>,
    /// Whether events are delivered.
    pub state: EndpointState,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Where the events of an endpoint go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The function `webhooks` posts them to this URL.
    Url(String),
    /// `okite tail` or `okite listen` fetches them, until this time unless it asks again.
    Listener {
        /// When the endpoint counts as gone.
        until: Timestamp,
    },
}

/// Whether events are delivered to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// Events are delivered.
    Enabled,
    /// No events are emitted for the endpoint, and none are delivered.
    Disabled,
}

/// A change of an endpoint by its owner. An absent part stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointChange {
    /// The new URL. A listener has none, so it cannot get one.
    pub url: Option<String>,
    /// The kinds of events that it wants from now on; never empty.
    pub events: Option<BTreeSet<EventKind>>,
    /// The new state. An endpoint that is enabled is no longer parked.
    pub state: Option<EndpointState>,
}

impl EndpointState {
    /// Returns the name of the state, in the table and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }

    /// Reads the name. Returns `None` for any other text.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Enabled, Self::Disabled]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

impl Endpoint {
    /// Returns whether events of this kind are emitted to it at `now`.
    #[must_use]
    pub fn wants(&self, kind: EventKind, now: Timestamp) -> bool {
        let is_there = match &self.target {
            Target::Url(_) => true,
            Target::Listener { until } => *until > now,
        };
        self.state == EndpointState::Enabled && is_there && self.events.contains(&kind)
    }
}
