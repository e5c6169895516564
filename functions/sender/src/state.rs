//! The state of the sender between invocations: its clients and its settings.

use std::time::Duration;

use aws::{ApiKeys, Deliveries, DeliveryQueue, FunctionConfig, Hints, Outbox, TrustError, Webhooks};
use emitter::Emitter;
use jiff::Timestamp;
use sending::{HintQueues, Sending, SendingConfig, SweepReport, Worker};

use crate::config::Config;
use crate::deliveries::WebhookSweep;
use crate::metrics;

/// How long init waits for the gate. If this is too short, the first permit reads the gate.
const INIT_PATIENCE: Duration = Duration::from_secs(1);

/// The clients and the settings of the function, which it keeps between invocations.
#[derive(Debug)]
pub struct Sender {
    pub(crate) worker: Worker,
    pub(crate) webhooks: WebhookSweep,
    /// The function's own name, the dimension of its metrics; `None` if it publishes no metrics.
    metrics_of: Option<String>,
}

impl Sender {
    /// Makes the clients for the services that the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if the clients cannot set up TLS.
    pub async fn new(config: Config) -> Result<Self, TrustError> {
        let aws = FunctionConfig::from_env(&config.process.region)?;
        let (dynamodb, sqs) = (aws.dynamodb(), aws.sqs_for_worker());
        let webhooks = WebhookSweep::new(
            Webhooks::new(dynamodb.clone(), config.emitter.webhooks_table.clone()),
            Deliveries::new(dynamodb.clone(), config.emitter.deliveries_table.clone()),
            DeliveryQueue::new(sqs.clone(), config.emitter.queue_url.clone()),
        );
        let emitter = Emitter::new(config.emitter, &dynamodb, sqs.clone());
        let sending = SendingConfig {
            region: config.process.region,
            suppressions_table: config.suppressions_table,
            messages_table: config.messages_table,
            usage_table: config.usage_table,
            configuration_set: config.configuration_set,
            tracking_events: config.tracking_events,
            policy: config.policy,
            soft_bounce_tiers: config.soft_bounce_tiers,
            message_retention: config.message_retention,
        };
        let state = Self {
            webhooks,
            metrics_of: config.metrics.then_some(config.function_name),
            worker: Worker {
                outbox: Outbox::new(dynamodb.clone(), config.outbox_table),
                hints: HintQueues {
                    transactional: Hints::new(sqs.clone(), config.transactional_queue_url),
                    bulk: Hints::new(sqs, config.bulk_queue_url),
                },
                keys: ApiKeys::new(dynamodb.clone(), config.api_keys_table),
                sending: Sending::new(sending, &dynamodb, aws.sesv2(), None, Some(emitter)),
            },
        };
        // A useful request opens the connection to DynamoDB.
        let gate = tokio::time::timeout(INIT_PATIENCE, state.worker.sending.warm_up());
        let (..) = tokio::join!(gate, aws.open_sesv2());
        Ok(state)
    }

    pub(crate) fn publish_metrics(&self, report: &SweepReport, now: Timestamp) {
        if let Some(name) = &self.metrics_of {
            metrics::publish(report, name, now);
        }
    }
}
