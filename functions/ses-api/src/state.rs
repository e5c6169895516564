//! The state of the SES API between invocations: its clients, its cache of API keys and the identities that it read.

use std::time::Duration;

use aws::{ApiKeys, FunctionConfig, Hints, Outbox, Ses, SesSuppressionList, Suppressions, TrustError, Usage};
use sending::{MailQueue, Sending, SendingConfig};
use suppression::Lifting;

use crate::authentication::Authentication;
use crate::config::Config;
use crate::known_identities::KnownIdentities;

/// How long init waits for the gate. If this is too short, the first send reads the gate.
const INIT_PATIENCE: Duration = Duration::from_secs(1);

/// The state of the SES API.
#[derive(Debug)]
pub struct SesApiState {
    pub(crate) region: String,
    pub(crate) configuration_set: String,
    pub(crate) authentication: Authentication,
    pub(crate) sending: Sending,
    pub(crate) suppressions: Suppressions,
    pub(crate) lifting: Lifting,
    pub(crate) usage: Usage,
    pub(crate) identities: KnownIdentities,
}

impl SesApiState {
    /// Makes the clients for the services that the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if the clients cannot set up TLS.
    pub async fn new(config: Config) -> Result<Self, TrustError> {
        let aws = FunctionConfig::from_env(&config.process.region)?;
        let (dynamodb, ses) = (aws.dynamodb(), aws.sesv2());
        let queue = MailQueue {
            outbox: Outbox::new(dynamodb.clone(), config.outbox_table),
            hints: Hints::new(aws.sqs(), config.transactional_queue_url),
            deadlines: config.deadlines,
        };
        let region = config.process.region;
        let sending = SendingConfig {
            region: region.clone(),
            suppressions_table: config.suppressions_table.clone(),
            messages_table: config.messages_table,
            usage_table: config.usage_table.clone(),
            configuration_set: config.configuration_set.clone(),
            policy: config.policy,
            soft_bounce_tiers: config.soft_bounce_tiers,
            message_retention: config.message_retention,
        };
        let suppressions = Suppressions::new(dynamodb.clone(), config.suppressions_table);
        let usage = Usage::new(dynamodb.clone(), config.usage_table, region.clone());
        let keys = ApiKeys::new(dynamodb.clone(), config.api_keys_table);
        let state = Self {
            authentication: Authentication::new(keys, config.process.clock),
            lifting: Lifting {
                suppressions: suppressions.clone(),
                ses_list: SesSuppressionList::new(ses.clone()),
                usage: usage.clone(),
            },
            identities: KnownIdentities::new(Ses::new(ses.clone(), config.configuration_set.clone())),
            sending: Sending::new(sending, &dynamodb, ses, Some(queue)),
            configuration_set: config.configuration_set,
            region,
            suppressions,
            usage,
        };
        // A useful request opens the connection to DynamoDB. It also loads the SDK's code while init has a whole core.
        let gate = tokio::time::timeout(INIT_PATIENCE, state.sending.warm_up());
        let (..) = tokio::join!(gate, aws.open_sesv2());
        Ok(state)
    }
}
