//! The state of the function between invocations: its clients and its settings.

use std::sync::Arc;
use std::time::Duration;

use aws::{Deliveries, DeliveryQueue, FunctionConfig, TrustError, Webhooks};
use domain::webhook::QUICK_ANSWER;
use domain::webhook::guard::UrlRules;
use rustls::RootCertStore;

use crate::config::Config;
use crate::known::KnownByUse;
use crate::request::{Network, REQUEST_LIMIT, Requests, SystemNetwork, public_roots};
use crate::slow::SlowEndpoints;

/// How long deliveries are begun in an invocation. A batch whose receiver is slow must not hold up others for long.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);

/// The clients and the settings of the function, which it keeps between invocations.
#[derive(Debug)]
pub struct Courier {
    pub(crate) webhooks: Webhooks,
    pub(crate) deliveries: Deliveries,
    pub(crate) queue: DeliveryQueue,
    pub(crate) known: KnownByUse,
    pub(crate) slow: SlowEndpoints,
    pub(crate) requests: Requests,
    pub(crate) url_rules: UrlRules,
    pub(crate) limits: Limits,
}

/// How long the steps of an invocation take at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// One request.
    pub(crate) request: Duration,
    /// The part of a request in which every worker waits.
    pub(crate) quick: Duration,
    /// The time in which deliveries are begun.
    pub(crate) begin_within: Duration,
}

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum NoTls {
    /// To AWS.
    #[error(transparent)]
    Aws(#[from] TrustError),
    /// To receivers.
    #[error("the TLS stack offers no version of TLS: {0}")]
    Receivers(#[from] rustls::Error),
}

impl Courier {
    /// Makes the clients for the services that the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`NoTls`] if the clients cannot set up TLS.
    pub async fn new(config: Config) -> Result<Self, NoTls> {
        let aws = FunctionConfig::from_env(&config.process.region)?;
        let dynamodb = aws.dynamodb();
        let courier = Self::with(
            Webhooks::new(dynamodb.clone(), config.webhooks_table),
            Deliveries::new(dynamodb, config.deliveries_table),
            DeliveryQueue::new(aws.sqs_for_worker(), config.queue_url),
            config.url_rules,
            (public_roots(), Arc::new(SystemNetwork)),
            Limits {
                request: REQUEST_LIMIT,
                quick: QUICK_ANSWER,
                begin_within: BEGIN_WITHIN,
            },
        )?;
        aws.open_dynamodb().await;
        Ok(courier)
    }

    /// Makes the state from its parts.
    pub(crate) fn with(
        webhooks: Webhooks,
        deliveries: Deliveries,
        queue: DeliveryQueue,
        url_rules: UrlRules,
        (roots, network): (RootCertStore, Arc<dyn Network>),
        limits: Limits,
    ) -> Result<Self, rustls::Error> {
        Ok(Self {
            webhooks,
            deliveries,
            queue,
            known: KnownByUse::default(),
            slow: SlowEndpoints::new(),
            requests: Requests::new(roots, network, url_rules.loopback, limits.request)?,
            url_rules,
            limits,
        })
    }
}
