//! The state of the send API between invocations: its clients and its cache of API keys.

use aws::{Messages, Suppressions, TrustError, Usage};
use front::{Clients, Front, FrontConfig};
use sending::Sending;
use suppression::Lifting;

use crate::authentication::Authentication;

/// The state of the send API: its clients, and the API keys that it cached.
#[derive(Debug)]
pub struct SendApiState {
    pub(crate) region: String,
    pub(crate) authentication: Authentication,
    pub(crate) sending: Sending,
    pub(crate) suppressions: Suppressions,
    pub(crate) messages: Messages,
    pub(crate) lifting: Lifting,
    pub(crate) usage: Usage,
}

impl SendApiState {
    /// Makes the clients for the services that the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if the clients cannot set up TLS.
    pub async fn new(config: FrontConfig) -> Result<Self, TrustError> {
        Ok(Front::start(config).await?.into())
    }

    /// Makes the state with the given clients.
    #[must_use]
    pub fn with_clients(config: FrontConfig, clients: Clients) -> Self {
        Front::new(config, clients).into()
    }
}

impl From<Front> for SendApiState {
    fn from(front: Front) -> Self {
        Self {
            region: front.region,
            authentication: Authentication::new(front.keys),
            sending: front.sending,
            suppressions: front.suppressions,
            messages: front.messages,
            lifting: front.lifting,
            usage: front.usage,
        }
    }
}
