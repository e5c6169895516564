//! The state of the send API between invocations: its clients and its cache of API keys.

use aws::{Deliveries, DeliveryQueue, Messages, Suppressions, TrustError, Usage, Webhooks};
use domain::address::LocalSenders;
use domain::webhook::guard::UrlRules;
use front::{Clients, Front, LinkMaker};
use sending::Sending;
use suppression::Lifting;

use crate::authentication::Authentication;
use crate::config::SendApiConfig;

/// The state of the send API: its clients, and the API keys that it cached.
#[derive(Debug)]
pub struct SendApiState {
    pub(crate) region: String,
    pub(crate) authentication: Authentication,
    pub(crate) local_senders: LocalSenders,
    pub(crate) sending: Sending,
    pub(crate) suppressions: Suppressions,
    pub(crate) messages: Messages,
    pub(crate) lifting: Lifting,
    pub(crate) usage: Usage,
    pub(crate) webhooks: Webhooks,
    pub(crate) deliveries: Deliveries,
    pub(crate) delivery_queue: DeliveryQueue,
    pub(crate) url_rules: UrlRules,
    pub(crate) sender_name: Option<String>,
    pub(crate) links: LinkMaker,
}

impl SendApiState {
    /// Makes the clients for the services that the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if the clients cannot set up TLS.
    pub async fn new(config: SendApiConfig) -> Result<Self, TrustError> {
        let front = Front::start(config.front.clone()).await?;
        Ok(Self::of(front, config))
    }

    /// Makes the state with the given clients.
    #[must_use]
    pub fn with_clients(config: SendApiConfig, clients: Clients) -> Self {
        let front = Front::new(config.front.clone(), clients);
        Self::of(front, config)
    }

    fn of(front: Front, config: SendApiConfig) -> Self {
        let webhooks = config.front.emitter;
        let Clients { dynamodb, sqs, .. } = front.clients;
        Self {
            region: front.region,
            authentication: Authentication::new(front.keys),
            local_senders: front.local_senders,
            sending: front.sending,
            suppressions: front.suppressions,
            messages: front.messages,
            lifting: front.lifting,
            usage: front.usage,
            links: front.links,
            webhooks: Webhooks::new(dynamodb.clone(), webhooks.webhooks_table),
            deliveries: Deliveries::new(dynamodb, webhooks.deliveries_table),
            delivery_queue: DeliveryQueue::new(sqs, webhooks.queue_url),
            url_rules: config.url_rules,
            sender_name: config.sender_name,
        }
    }
}
