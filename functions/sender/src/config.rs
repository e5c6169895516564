//! The configuration of the sender, read from its environment variables.

use aws::{ApiKeys, Messages, Outbox, Suppressions, Usage};
use domain::message::TrackingEvents;
use domain::pacing::PacingPolicy;
use domain::retention::MessageRetention;
use domain::stream::Stream;
use domain::suppression::SoftBounceTiers;
use emitter::EmitterConfig;
use runtime::config::{
    ProcessConfig, endpoints_age_max, hint_queue_url, message_retention, policy, soft_bounce_tiers, tracking_events,
};
use runtime::environment::{ConfigError, Environment};

/// The configuration of the sender.
#[derive(Clone, Debug)]
pub struct Config {
    /// The part that every function has.
    pub process: ProcessConfig,
    /// The function's own name. It distinguishes this stack's metrics from those of other stacks.
    pub function_name: String,
    /// The table of suppressed addresses.
    pub suppressions_table: String,
    /// The table of messages and claims.
    pub messages_table: String,
    /// The table of the mails that wait.
    pub outbox_table: String,
    /// The table of the gate, the reports and the marks.
    pub usage_table: String,
    /// The table of API keys.
    pub api_keys_table: String,
    /// The queue of hints about transactional mail.
    pub transactional_queue_url: String,
    /// The queue of hints about bulk mail.
    pub bulk_queue_url: String,
    /// The name of the SES configuration set that Okite sends every mail with.
    pub configuration_set: String,
    /// Whether SES tracks the mail whose callers ask for it.
    pub tracking_events: TrackingEvents,
    /// How this stack may use the account's sending rate and quota.
    pub policy: PacingPolicy,
    /// When soft bounces suppress an address for bulk mail.
    pub soft_bounce_tiers: SoftBounceTiers,
    /// How long the record of a message is kept.
    pub message_retention: MessageRetention,
    /// Whether the function publishes metrics.
    pub metrics: bool,
    /// How events for webhooks are emitted. The sweep hands over deliveries of the same tables to the same queue.
    pub emitter: EmitterConfig,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or wrong.
    pub fn read(process: ProcessConfig, environment: &Environment<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            emitter: EmitterConfig::read(&process.region, endpoints_age_max(environment)?, |name| {
                environment.text(name)
            })?,
            process,
            function_name: environment.text("AWS_LAMBDA_FUNCTION_NAME")?,
            suppressions_table: environment.text(Suppressions::TABLE_VARIABLE)?,
            messages_table: environment.text(Messages::TABLE_VARIABLE)?,
            outbox_table: environment.text(Outbox::TABLE_VARIABLE)?,
            usage_table: environment.text(Usage::TABLE_VARIABLE)?,
            api_keys_table: environment.text(ApiKeys::TABLE_VARIABLE)?,
            transactional_queue_url: hint_queue_url(environment, Stream::Transactional)?,
            bulk_queue_url: hint_queue_url(environment, Stream::Bulk)?,
            configuration_set: environment.text("CONFIGURATION_SET")?,
            tracking_events: tracking_events(environment)?,
            policy: policy(environment)?,
            soft_bounce_tiers: soft_bounce_tiers(environment)?,
            message_retention: message_retention(environment)?,
            metrics: environment.value("METRICS", "true or false", |_| true)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every variable that the template sets for this function.
    const VARIABLES: [(&str, &str); 22] = [
        ("AWS_REGION", "eu-west-1"),
        ("LOG_LEVEL", "info"),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("SUPPRESSIONS_TABLE", "s"),
        ("MESSAGES_TABLE", "m"),
        ("OUTBOX_TABLE", "o"),
        ("USAGE_TABLE", "u"),
        ("API_KEYS_TABLE", "k"),
        ("TRANSACTIONAL_QUEUE_URL", "https://t"),
        ("BULK_QUEUE_URL", "https://b"),
        ("CONFIGURATION_SET", "c"),
        ("TRACKING_EVENTS", "true"),
        ("ACCOUNT_SHARE", "1"),
        ("PERMIT_BURST_SECONDS", "1"),
        ("PERMIT_WAIT_SECONDS", "2"),
        ("BULK_RESERVE", "0.2"),
        ("SOFT_BOUNCE_TIERS", SoftBounceTiers::EXAMPLE),
        ("MESSAGE_RETENTION_DAYS", "30"),
        ("METRICS", "true"),
        ("WEBHOOKS_TABLE", "w"),
        ("DELIVERIES_TABLE", "d"),
        ("WEBHOOK_QUEUE_URL", "https://w"),
    ];

    fn read(missing: &str) -> Result<Config, ConfigError> {
        let environment = Environment::new(|name| {
            let known = VARIABLES.iter().find(|(known, _)| *known == name && *known != missing);
            known.map(|(_, value)| (*value).to_owned())
        });
        Config::read(ProcessConfig::read(&environment)?, &environment)
    }

    #[test]
    fn names_a_missing_variable_and_needs_no_others() {
        let config = read("").unwrap();
        assert_eq!(
            (config.transactional_queue_url.as_str(), config.bulk_queue_url.as_str()),
            ("https://t", "https://b")
        );
        for (name, _) in VARIABLES {
            assert_eq!(read(name).unwrap_err(), ConfigError::Missing(name));
        }
    }
}
