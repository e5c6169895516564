//! The state of the SES API between invocations: its clients, its cache of API keys and the identities that it read.

use aws::{Suppressions, TrustError, Usage};
use domain::address::LocalSenders;
use front::{Front, FrontConfig, LinkMaker};
use sending::Sending;
use suppression::Lifting;

use crate::authentication::Authentication;
use crate::known_identities::KnownIdentities;

/// The state of the SES API.
#[derive(Debug)]
pub struct SesApiState {
    pub(crate) region: String,
    pub(crate) configuration_set: String,
    pub(crate) authentication: Authentication,
    pub(crate) local_senders: LocalSenders,
    pub(crate) sending: Sending,
    pub(crate) suppressions: Suppressions,
    pub(crate) lifting: Lifting,
    pub(crate) usage: Usage,
    pub(crate) identities: KnownIdentities,
    pub(crate) links: LinkMaker,
}

impl SesApiState {
    /// Makes the clients for the services that the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if the clients cannot set up TLS.
    pub async fn new(config: FrontConfig) -> Result<Self, TrustError> {
        let front = Front::start(config).await?;
        Ok(Self {
            region: front.region,
            configuration_set: front.configuration_set,
            authentication: Authentication::new(front.keys, front.clock),
            identities: KnownIdentities::new(front.sending.ses.clone()),
            local_senders: front.local_senders,
            sending: front.sending,
            suppressions: front.suppressions,
            lifting: front.lifting,
            usage: front.usage,
            links: front.links,
        })
    }
}
