//! What a function reads from its environment. A variable that is missing or wrong stops init, and is named.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use tracing::level_filters::LevelFilter;

use crate::clock::Clock;
use domain::idempotency::REMEMBERED;
use domain::permit::Policy;
use domain::suppression::SoftBounceTiers;

/// Why a function cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable is not set, or empty.
    #[error("the environment variable {0} is missing: the template sets it")]
    Missing(&'static str),
    /// A variable has a value that makes no sense.
    #[error("the environment variable {name} must be {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

/// The environment of every function, as the template sets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The region the function runs in.
    pub region: String,
    /// The table of suppressed addresses.
    pub suppressions_table: String,
    /// The table of messages.
    pub messages_table: String,
    /// The table of the gate, the reports and the marks.
    pub usage_table: String,
    /// The table of API keys.
    pub api_keys_table: String,
    /// The SES configuration set that every mail is sent with.
    pub configuration_set: String,
    /// The topic that SES's events come through.
    pub feedback_topic_arn: String,
    /// How this stack may use the account.
    pub policy: Policy,
    /// When soft bounces suppress an address for bulk mail.
    pub soft_bounce_tiers: SoftBounceTiers,
    /// How long a message's row is kept.
    pub message_retention: Duration,
    /// The least severe level that is logged.
    pub log_level: LevelFilter,
    /// What it tells the time by.
    pub clock: Clock,
}

impl Config {
    /// When the record of a message may go that comes `now`.
    #[must_use]
    pub fn message_expires_at(&self, now: Timestamp) -> Timestamp {
        // A row must outlive the key that is answered from it.
        now + self.message_retention.max(REMEMBERED + Duration::from_hours(1))
    }

    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads an environment through `variable`.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or wrong.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |name| {
            variable(name)
                .filter(|value| !value.is_empty())
                .ok_or(ConfigError::Missing(name))
        };
        let seconds = |name| {
            let expected = "a number of seconds, 0 to 60";
            parse(name, &text(name)?, expected, |value| (0.0..=60.0).contains(value)).map(Duration::from_secs_f64)
        };
        Ok(Self {
            region: text("AWS_REGION")?,
            suppressions_table: text("SUPPRESSIONS_TABLE")?,
            messages_table: text("MESSAGES_TABLE")?,
            usage_table: text("USAGE_TABLE")?,
            api_keys_table: text("API_KEYS_TABLE")?,
            configuration_set: text("CONFIGURATION_SET")?,
            feedback_topic_arn: text("FEEDBACK_TOPIC_ARN")?,
            policy: Policy {
                account_share: parse(
                    "ACCOUNT_SHARE",
                    &text("ACCOUNT_SHARE")?,
                    "a number above 0 and at most 1",
                    |share: &f64| *share > 0.0 && *share <= 1.0,
                )?,
                burst: seconds("PERMIT_BURST_SECONDS")?,
                wait: seconds("PERMIT_WAIT_SECONDS")?,
                bulk_reserve: parse(
                    "BULK_RESERVE",
                    &text("BULK_RESERVE")?,
                    "a number from 0 to 1",
                    |reserve: &f64| (0.0..=1.0).contains(reserve),
                )?,
            },
            soft_bounce_tiers: parse(
                "SOFT_BOUNCE_TIERS",
                &text("SOFT_BOUNCE_TIERS")?,
                "off, or count/window:duration with commas between them, like 3/14d:3d,5/14d:30d \
                 (counts 1 to 50, days 1 to 999): set the parameter SoftBounceTiers",
                |_| true,
            )?,
            message_retention: parse(
                "MESSAGE_RETENTION_DAYS",
                &text("MESSAGE_RETENTION_DAYS")?,
                "a number of days, 1 to 3650",
                |days: &u64| (1..=3650).contains(days),
            )
            .map(|days| Duration::from_hours(days * 24))?,
            log_level: parse(
                "LOG_LEVEL",
                &text("LOG_LEVEL")?,
                "off, error, warn or info",
                |level: &LevelFilter| *level <= LevelFilter::INFO,
            )?,
            clock: Clock::read(&variable)?,
        })
    }
}

/// Reads a variable, which must be there and accepted.
///
/// # Errors
/// [`ConfigError::Invalid`] says what it must be.
pub fn parse<T: FromStr>(
    name: &'static str,
    text: &str,
    expected: &'static str,
    accepts: impl Fn(&T) -> bool,
) -> Result<T, ConfigError> {
    text.parse()
        .ok()
        .filter(accepts)
        .ok_or(ConfigError::Invalid { name, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: [(&str, &str); 14] = [
        ("AWS_REGION", "eu-west-1"),
        ("SUPPRESSIONS_TABLE", "s"),
        ("MESSAGES_TABLE", "m"),
        ("USAGE_TABLE", "u"),
        ("API_KEYS_TABLE", "k"),
        ("CONFIGURATION_SET", "c"),
        ("FEEDBACK_TOPIC_ARN", "arn"),
        ("ACCOUNT_SHARE", "0.5"),
        ("PERMIT_BURST_SECONDS", "1"),
        ("PERMIT_WAIT_SECONDS", "2"),
        ("BULK_RESERVE", "0.2"),
        ("SOFT_BOUNCE_TIERS", SoftBounceTiers::EXAMPLE),
        ("MESSAGE_RETENTION_DAYS", "30"),
        ("LOG_LEVEL", "info"),
    ];

    /// The environment with one variable replaced.
    fn read(name: &str, value: Option<&str>) -> Result<Config, ConfigError> {
        Config::read(|asked| {
            if asked == name {
                return value.map(str::to_owned);
            }
            VARIABLES
                .iter()
                .find(|(known, _)| *known == asked)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn reads_the_templates_environment() {
        let config = read("", None).unwrap();
        assert_eq!(config.region, "eu-west-1");
        assert_eq!(config.message_retention, Duration::from_hours(30 * 24));
        assert_eq!(config.soft_bounce_tiers, SoftBounceTiers::EXAMPLE.parse().unwrap());
        assert!((config.policy.account_share - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn names_what_is_missing_or_empty() {
        for (name, _) in VARIABLES {
            for value in [None, Some("")] {
                let error = read(name, value).unwrap_err();
                assert!(
                    matches!(error, ConfigError::Missing(_)) && error.to_string().contains(name),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn names_what_makes_no_sense() {
        for (name, value) in [
            ("ACCOUNT_SHARE", "0"),
            ("ACCOUNT_SHARE", "1.01"),
            ("ACCOUNT_SHARE", "NaN"),
            ("ACCOUNT_SHARE", "half"),
            ("PERMIT_BURST_SECONDS", "-1"),
            ("PERMIT_WAIT_SECONDS", "inf"),
            ("BULK_RESERVE", "1.1"),
            ("SOFT_BOUNCE_TIERS", "3"),
            ("SOFT_BOUNCE_TIERS", "51/14d:3d"),
            ("MESSAGE_RETENTION_DAYS", "0"),
            ("LOG_LEVEL", "loud"),
            ("LOG_LEVEL", "debug"),
        ] {
            let error = read(name, Some(value)).unwrap_err();
            assert!(
                matches!(error, ConfigError::Invalid { .. }) && error.to_string().contains(name),
                "{error}"
            );
        }
    }
}
