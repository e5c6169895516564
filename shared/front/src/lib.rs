//! The parts that every HTTP front has: its configuration, its clients and the pipeline that it hands mail to.
//!
//! A front is a function that answers requests of API Gateway in a contract of its own. `send-api` and `ses-api` are.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod bearer;
mod config;
mod unsubscribe;

use std::time::Duration;

use aws::{
    ApiKeys, FunctionConfig, Hints, KnownUnsubscribeSecrets, Messages, Outbox, SesSuppressionList, SqsClient,
    Suppressions, TrustError, Usage,
};
use domain::address::LocalSenders;
use emitter::Emitter;
use runtime::clock::Clock;
use sending::{MailQueue, Sending, SendingConfig};
use suppression::Lifting;

pub use bearer::bearer;
pub use config::FrontConfig;
pub use unsubscribe::{LinkMaker, LinkedMail, Links, api_url, linked};

/// How long init waits for the gate. If this is too short, the first send reads the gate.
const INIT_PATIENCE: Duration = Duration::from_secs(1);

/// The clients that a front calls AWS with: see [`aws::dynamodb`], [`aws::sesv2`] and [`aws::sqs`].
#[derive(Clone, Debug)]
pub struct Clients {
    /// For the tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// For sending.
    pub ses: aws_sdk_sesv2::Client,
    /// For hints about mails that wait, and for events.
    pub sqs: SqsClient,
}

/// The parts of a front. Each front takes those that it needs.
#[derive(Debug)]
pub struct Front {
    /// The clients. A front makes the parts with them that no other front has.
    pub clients: Clients,
    /// The account's region.
    pub region: String,
    /// The name of the SES configuration set that every mail is sent with.
    pub configuration_set: String,
    /// Whether senders like `webmaster@localhost` are accepted.
    pub local_senders: LocalSenders,
    /// The clock of the function.
    pub clock: Clock,
    /// The table of API keys.
    pub keys: ApiKeys,
    /// The pipeline.
    pub sending: Sending,
    /// The suppression list.
    pub suppressions: Suppressions,
    /// The records of messages.
    pub messages: Messages,
    /// Lifts suppressions.
    pub lifting: Lifting,
    /// The reports and the gate.
    pub usage: Usage,
    /// The emitter of events.
    pub emitter: Emitter,
    /// Makes the unsubscribe links.
    pub links: LinkMaker,
}

impl Front {
    /// Makes the clients for the services that the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if the clients cannot set up TLS.
    pub async fn start(config: FrontConfig) -> Result<Self, TrustError> {
        let aws = FunctionConfig::from_env(&config.process.region)?;
        let clients = Clients {
            dynamodb: aws.dynamodb(),
            ses: aws.sesv2(),
            sqs: aws.sqs(),
        };
        let front = Self::new(config, clients);
        // A useful request opens the connection to DynamoDB. It also loads the SDK's code while init has a whole core.
        let gate = tokio::time::timeout(INIT_PATIENCE, front.sending.warm_up());
        let (..) = tokio::join!(gate, aws.open_sesv2());
        Ok(front)
    }

    /// Makes the parts with the given clients.
    #[must_use]
    pub fn new(config: FrontConfig, clients: Clients) -> Self {
        let Clients { dynamodb, ses, sqs } = clients.clone();
        let region = config.process.region;
        let emitter = Emitter::new(config.emitter, &dynamodb, sqs.clone());
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
            configuration_set: config.configuration_set.clone(),
            tracking_events: config.tracking_events,
            policy: config.policy,
            soft_bounce_tiers: config.soft_bounce_tiers,
            message_retention: config.message_retention,
        };
        let suppressions = Suppressions::new(dynamodb.clone(), config.suppressions_table);
        let usage = Usage::new(dynamodb.clone(), config.usage_table, region.clone());
        Self {
            clients,
            region,
            configuration_set: config.configuration_set,
            local_senders: config.local_senders,
            clock: config.process.clock,
            keys: ApiKeys::new(dynamodb.clone(), config.api_keys_table),
            messages: Messages::new(dynamodb.clone(), config.messages_table),
            lifting: Lifting {
                suppressions: suppressions.clone(),
                ses_list: SesSuppressionList::new(ses.clone()),
                usage: usage.clone(),
                emitter: emitter.clone(),
            },
            sending: Sending::new(sending, &dynamodb, ses, Some(queue), Some(emitter.clone())),
            links: LinkMaker::new(KnownUnsubscribeSecrets::new(usage.clone()), config.unsubscribe_base_url),
            emitter,
            suppressions,
            usage,
        }
    }
}
