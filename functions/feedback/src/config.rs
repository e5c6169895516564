//! The environment of this function.

use aws::{Messages, Suppressions, Usage};
use domain::retention::MessageRetention;
use emitter::EmitterConfig;
use runtime::config::{ProcessConfig, endpoints_age_max, message_retention};
use runtime::environment::{ConfigError, Environment};

/// The configuration of the function, from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The part that every function has.
    pub process: ProcessConfig,
    /// The topic that SES publishes its events to, as an ARN.
    pub feedback_topic_arn: String,
    /// The table of suppressed addresses.
    pub suppressions_table: String,
    /// The table of messages.
    pub messages_table: String,
    /// The table of the marks.
    pub usage_table: String,
    /// How long the record of a message is kept.
    pub message_retention: MessageRetention,
    /// How events for webhooks are emitted.
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
            feedback_topic_arn: environment.text("FEEDBACK_TOPIC_ARN")?,
            suppressions_table: environment.text(Suppressions::TABLE_VARIABLE)?,
            messages_table: environment.text(Messages::TABLE_VARIABLE)?,
            usage_table: environment.text(Usage::TABLE_VARIABLE)?,
            message_retention: message_retention(environment)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that the template gives this function.
    const VARIABLES: [(&str, &str); 10] = [
        ("AWS_REGION", "eu-west-1"),
        ("LOG_LEVEL", "info"),
        ("FEEDBACK_TOPIC_ARN", "arn"),
        ("SUPPRESSIONS_TABLE", "s"),
        ("MESSAGES_TABLE", "m"),
        ("USAGE_TABLE", "u"),
        ("MESSAGE_RETENTION_DAYS", "30"),
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
    fn needs_no_variable_that_only_other_functions_need() {
        assert!(read("").is_ok());
    }

    #[test]
    fn names_a_variable_that_is_missing() {
        for (name, _) in VARIABLES {
            assert_eq!(read(name).unwrap_err(), ConfigError::Missing(name));
        }
    }
}
