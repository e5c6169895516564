//! The configuration of the quota reporter, read from its environment variables.

use aws::{Suppressions, Usage};
use domain::pacing::PacingPolicy;
use domain::reputation::{RateThreshold, RateThresholds};
use emitter::EmitterConfig;
use runtime::config::{ProcessConfig, endpoints_age_max, policy};
use runtime::environment::{ConfigError, Environment};

/// The configuration of the quota reporter.
#[derive(Clone, Debug)]
pub struct Config {
    /// The part that every function has.
    pub process: ProcessConfig,
    /// The function's own name. It distinguishes this stack's metrics from those of other stacks.
    pub function_name: String,
    /// The table of suppressed addresses.
    pub suppressions_table: String,
    /// The table of the gate, the reports and the marks.
    pub usage_table: String,
    /// The SES configuration set of the stack.
    pub configuration_set: String,
    /// How this stack may use the account's sending rate and quota.
    pub policy: PacingPolicy,
    /// The rates at which the report warns, and at which bulk mail is stopped.
    pub thresholds: RateThresholds,
    /// Whether the function publishes metrics.
    pub metrics: bool,
    /// The SNS topic that notifies the operators, if there is one.
    pub alarm_topic_arn: Option<String>,
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
            function_name: environment.text("AWS_LAMBDA_FUNCTION_NAME")?,
            suppressions_table: environment.text(Suppressions::TABLE_VARIABLE)?,
            usage_table: environment.text(Usage::TABLE_VARIABLE)?,
            configuration_set: environment.text("CONFIGURATION_SET")?,
            policy: policy(environment)?,
            thresholds: thresholds(environment)?,
            metrics: environment.value("METRICS", "true or false", |_| true)?,
            alarm_topic_arn: environment.optional("ALARM_TOPIC_ARN"),
        })
    }
}

fn thresholds(environment: &Environment<'_>) -> Result<RateThresholds, ConfigError> {
    let rate = |name| {
        let expected = "a fraction above 0 and at most 1, such as 0.03 for 3 %";
        environment.value(name, expected, |rate: &f64| *rate > 0.0 && *rate <= 1.0)
    };
    let count = |name| environment.value(name, "a whole number of 1 or more", |count: &u64| *count >= 1);
    let threshold = |warn, brake| {
        let (warn, brake): (f64, f64) = (rate(warn)?, rate(brake)?);
        Ok(RateThreshold {
            // A brake threshold below the warning threshold lowers the warning threshold too.
            warn: warn.min(brake),
            brake,
        })
    };
    Ok(RateThresholds {
        bounce: threshold("BOUNCE_WARN", "BOUNCE_BRAKE")?,
        complaint: threshold("COMPLAINT_WARN", "COMPLAINT_BRAKE")?,
        complaints_min: count("COMPLAINTS_MIN")?,
        volume_min: count("JUDGED_VOLUME_MIN")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: [(&str, &str); 20] = [
        ("AWS_REGION", "eu-west-1"),
        ("LOG_LEVEL", "info"),
        ("SUPPRESSIONS_TABLE", "s"),
        ("USAGE_TABLE", "u"),
        ("CONFIGURATION_SET", "c"),
        ("ACCOUNT_SHARE", "1"),
        ("PERMIT_BURST_SECONDS", "1"),
        ("PERMIT_WAIT_SECONDS", "2"),
        ("BULK_RESERVE", "0.2"),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("BOUNCE_WARN", "0.03"),
        ("BOUNCE_BRAKE", "0.045"),
        ("COMPLAINT_WARN", "0.0005"),
        ("COMPLAINT_BRAKE", "0.0008"),
        ("COMPLAINTS_MIN", "2"),
        ("JUDGED_VOLUME_MIN", "1000"),
        ("METRICS", "true"),
        ("WEBHOOKS_TABLE", "w"),
        ("DELIVERIES_TABLE", "d"),
        ("WEBHOOK_QUEUE_URL", "https://w"),
    ];

    /// The environment with one variable replaced.
    fn read(name: &str, value: Option<&str>) -> Result<Config, ConfigError> {
        let environment = Environment::new(|asked| {
            if asked == name {
                return value.map(str::to_owned);
            }
            let known = VARIABLES.iter().find(|(known, _)| *known == asked);
            known.map(|(_, value)| (*value).to_owned())
        });
        Config::read(ProcessConfig::read(&environment)?, &environment)
    }

    #[test]
    fn the_defaults_are_those_of_the_domain() {
        assert_eq!(read("", None).unwrap().thresholds, RateThresholds::default());
    }

    #[test]
    fn names_a_missing_or_invalid_variable() {
        for (name, _) in VARIABLES {
            assert_eq!(read(name, Some("")).unwrap_err(), ConfigError::Missing(name));
        }
        for (name, value) in [
            ("BOUNCE_WARN", "0"),
            ("BOUNCE_WARN", "3"),
            ("BOUNCE_BRAKE", "4.5 %"),
            ("COMPLAINT_WARN", "NaN"),
            ("COMPLAINT_BRAKE", "-0.1"),
            ("COMPLAINTS_MIN", "0"),
            ("JUDGED_VOLUME_MIN", "1.5"),
            ("METRICS", "yes"),
        ] {
            let error = read(name, Some(value)).unwrap_err();
            assert!(
                matches!(error, ConfigError::Invalid { .. }) && error.to_string().contains(name),
                "{error}"
            );
        }
    }

    #[test]
    fn a_stricter_brake_lowers_the_warning_too() {
        let bounce = read("BOUNCE_BRAKE", Some("0.02")).unwrap().thresholds.bounce;
        assert_eq!(
            bounce,
            RateThreshold {
                warn: 0.02,
                brake: 0.02
            }
        );
    }

    #[test]
    fn the_topic_is_optional() {
        for (value, topic) in [(None, None), (Some(""), None), (Some("arn"), Some("arn"))] {
            assert_eq!(
                read("ALARM_TOPIC_ARN", value).unwrap().alarm_topic_arn.as_deref(),
                topic
            );
        }
    }
}
