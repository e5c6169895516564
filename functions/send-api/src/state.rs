//! The state of the send API between invocations: its clients and its cache of API keys.

use std::time::Duration;

use aws::{ApiKeys, FunctionConfig, Hints, Messages, Outbox, SesSuppressionList, Suppressions, TrustError, Usage};
use sending::{MailQueue, Sending, SendingConfig};
use suppression::Lifting;

use crate::authentication::Authentication;
use crate::config::Config;

/// How long init waits for the gate. If this is too short, the first send reads the gate.
const INIT_PATIENCE: Duration = Duration::from_secs(1);

/// The clients that the send API calls AWS with: see [`aws::dynamodb`], [`aws::sesv2`] and [`aws::sqs`].
#[derive(Clone, Debug)]
pub struct Clients {
    /// For the tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// For sending.
    pub ses: aws_sdk_sesv2::Client,
    /// For hints about mails that wait.
    pub sqs: aws_sdk_sqs::Client,
}

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
    pub async fn new(config: Config) -> Result<Self, TrustError> {
        let aws = FunctionConfig::from_env(&config.process.region)?;
        let clients = Clients {
            dynamodb: aws.dynamodb(),
            ses: aws.sesv2(),
            sqs: aws.sqs(),
        };
        let state = Self::with_clients(config, clients);
        // A useful request opens the connection to DynamoDB. It also loads the SDK's code while init has a whole core.
        let gate = tokio::time::timeout(INIT_PATIENCE, state.sending.warm_up());
        let (..) = tokio::join!(gate, aws.open_sesv2());
        Ok(state)
    }

    /// Makes the state with the given clients.
    #[must_use]
    pub fn with_clients(config: Config, clients: Clients) -> Self {
        let Clients { dynamodb, ses, sqs } = clients;
        let region = config.process.region;
        let queue = MailQueue {
            outbox: Outbox::new(dynamodb.clone(), config.outbox_table),
            hints: Hints::new(sqs, config.transactional_queue_url),
            deadlines: config.deadlines,
        };
        let sending = SendingConfig {
            region: region.clone(),
            suppressions_table: config.suppressions_table.clone(),
            messages_table: config.messages_table.clone(),
            usage_table: config.usage_table.clone(),
            configuration_set: config.configuration_set,
            policy: config.policy,
            soft_bounce_tiers: config.soft_bounce_tiers,
            message_retention: config.message_retention,
        };
        let suppressions = Suppressions::new(dynamodb.clone(), config.suppressions_table);
        let messages = Messages::new(dynamodb.clone(), config.messages_table);
        let usage = Usage::new(dynamodb.clone(), config.usage_table, region.clone());
        Self {
            authentication: Authentication::new(ApiKeys::new(dynamodb.clone(), config.api_keys_table)),
            lifting: Lifting {
                suppressions: suppressions.clone(),
                ses_list: SesSuppressionList::new(ses.clone()),
                usage: usage.clone(),
            },
            usage,
            sending: Sending::new(sending, &dynamodb, ses, Some(queue)),
            suppressions,
            messages,
            region,
        }
    }
}
