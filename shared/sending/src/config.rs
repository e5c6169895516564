//! The configuration of the pipeline, as each function that sends reads it from its environment.

use aws::{Claims, Marks, Messages, Permits, Ses, Suppressions};
use domain::message::TrackingEvents;
use domain::pacing::PacingPolicy;
use domain::retention::MessageRetention;
use domain::suppression::SoftBounceTiers;
use emitter::Emitter;

use crate::{MailQueue, Rules, Sending};

/// The configuration of the pipeline: its rules, its tables and SES's configuration set.
#[derive(Clone, Debug)]
pub struct SendingConfig {
    /// The account's region.
    pub region: String,
    /// The table of suppressed addresses.
    pub suppressions_table: String,
    /// The table of messages and claims.
    pub messages_table: String,
    /// The table of the gate, the reports and the marks.
    pub usage_table: String,
    /// The name of the SES configuration set that every mail is sent with.
    pub configuration_set: String,
    /// Whether its events include openings and clicks.
    pub tracking_events: TrackingEvents,
    /// How this stack may use the account's sending rate and quota.
    pub policy: PacingPolicy,
    /// When soft bounces suppress an address for bulk mail.
    pub soft_bounce_tiers: SoftBounceTiers,
    /// How long the record of a message is kept.
    pub message_retention: MessageRetention,
}

impl Sending {
    /// Makes the pipeline with the given clients. `ses` must not retry: see [`aws::sesv2`].
    #[must_use]
    pub fn new(
        config: SendingConfig,
        dynamodb: &aws_sdk_dynamodb::Client,
        ses: aws_sdk_sesv2::Client,
        queue: Option<MailQueue>,
        emitter: Option<Emitter>,
    ) -> Self {
        Self {
            rules: Rules {
                wait: config.policy.wait,
                soft_bounce_tiers: config.soft_bounce_tiers,
                message_retention: config.message_retention,
            },
            suppressions: Suppressions::new(dynamodb.clone(), config.suppressions_table),
            claims: Claims::new(dynamodb.clone(), config.messages_table.clone()),
            messages: Messages::new(dynamodb.clone(), config.messages_table),
            marks: Marks::new(dynamodb.clone(), config.usage_table.clone()),
            permits: Permits::new(dynamodb.clone(), config.usage_table, &config.region, config.policy),
            ses: Ses::new(ses, config.configuration_set).with_tracking_events(config.tracking_events),
            queue,
            emitter,
        }
    }
}
