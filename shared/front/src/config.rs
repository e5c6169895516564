//! The configuration of an HTTP front, read from its environment variables.

use aws::{ApiKeys, Messages, Outbox, Suppressions, Usage};
use domain::address::LocalSenders;
use domain::message::TrackingEvents;
use domain::pacing::PacingPolicy;
use domain::queue::DeadlineDefaults;
use domain::retention::MessageRetention;
use domain::stream::Stream;
use domain::suppression::SoftBounceTiers;
use emitter::EmitterConfig;
use runtime::config::{
    ProcessConfig, deadline_defaults, endpoints_age_max, hint_queue_url, local_senders, message_retention, policy,
    soft_bounce_tiers, tracking_events, unsubscribe_base_url,
};
use runtime::environment::{ConfigError, Environment};

/// The configuration of an HTTP front.
#[derive(Clone, Debug)]
pub struct FrontConfig {
    /// The part that every function has.
    pub process: ProcessConfig,
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
    /// The name of the SES configuration set that Okite sends every mail with.
    pub configuration_set: String,
    /// Whether SES tracks the mail whose callers ask for it.
    pub tracking_events: TrackingEvents,
    /// Whether senders like `webmaster@localhost` are accepted, as in `okite up`.
    pub local_senders: LocalSenders,
    /// How this stack may use the account's sending rate and quota.
    pub policy: PacingPolicy,
    /// When soft bounces suppress an address for bulk mail.
    pub soft_bounce_tiers: SoftBounceTiers,
    /// How long the record of a message is kept.
    pub message_retention: MessageRetention,
    /// The queue of hints about transactional mail.
    pub transactional_queue_url: String,
    /// How long a mail waits whose caller names no deadline.
    pub deadlines: DeadlineDefaults,
    /// The URL that unsubscribe links begin with. Without one, they lead to the API that received the mail.
    pub unsubscribe_base_url: Option<String>,
    /// How events for webhooks are emitted.
    pub emitter: EmitterConfig,
}

impl FrontConfig {
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
            suppressions_table: environment.text(Suppressions::TABLE_VARIABLE)?,
            messages_table: environment.text(Messages::TABLE_VARIABLE)?,
            outbox_table: environment.text(Outbox::TABLE_VARIABLE)?,
            usage_table: environment.text(Usage::TABLE_VARIABLE)?,
            api_keys_table: environment.text(ApiKeys::TABLE_VARIABLE)?,
            configuration_set: environment.text("CONFIGURATION_SET")?,
            tracking_events: tracking_events(environment)?,
            local_senders: local_senders(environment)?,
            policy: policy(environment)?,
            soft_bounce_tiers: soft_bounce_tiers(environment)?,
            message_retention: message_retention(environment)?,
            transactional_queue_url: hint_queue_url(environment, Stream::Transactional)?,
            deadlines: deadline_defaults(environment)?,
            unsubscribe_base_url: unsubscribe_base_url(environment)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every variable that the template sets for such a function.
    const VARIABLES: [(&str, &str); 21] = [
        ("AWS_REGION", "eu-west-1"),
        ("LOG_LEVEL", "info"),
        ("SUPPRESSIONS_TABLE", "s"),
        ("MESSAGES_TABLE", "m"),
        ("OUTBOX_TABLE", "o"),
        ("USAGE_TABLE", "u"),
        ("API_KEYS_TABLE", "k"),
        ("CONFIGURATION_SET", "c"),
        ("TRACKING_EVENTS", "false"),
        ("ACCOUNT_SHARE", "1"),
        ("PERMIT_BURST_SECONDS", "1"),
        ("PERMIT_WAIT_SECONDS", "2"),
        ("BULK_RESERVE", "0.2"),
        ("SOFT_BOUNCE_TIERS", SoftBounceTiers::EXAMPLE),
        ("MESSAGE_RETENTION_DAYS", "30"),
        ("TRANSACTIONAL_QUEUE_URL", "https://t"),
        ("TRANSACTIONAL_DEADLINE_HOURS", "24"),
        ("BULK_DEADLINE_HOURS", "72"),
        ("WEBHOOKS_TABLE", "w"),
        ("DELIVERIES_TABLE", "d"),
        ("WEBHOOK_QUEUE_URL", "https://w"),
    ];

    fn read(missing: &str) -> Result<FrontConfig, ConfigError> {
        let environment = Environment::new(|name| {
            let known = VARIABLES.iter().find(|(known, _)| *known == name && *known != missing);
            known.map(|(_, value)| (*value).to_owned())
        });
        FrontConfig::read(ProcessConfig::read(&environment)?, &environment)
    }

    #[test]
    fn names_a_missing_variable_and_needs_no_others() {
        assert!(read("").is_ok());
        for (name, _) in VARIABLES {
            assert_eq!(read(name).unwrap_err(), ConfigError::Missing(name));
        }
    }
}
