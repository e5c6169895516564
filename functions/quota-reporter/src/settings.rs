//! What only this function reads from its environment. No other one fails for a threshold.

use domain::account::{Threshold, Thresholds};
use runtime::config::{ConfigError, parse};

/// How to judge, and whom to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The function's own name, by which its metrics are told from those of other stacks.
    pub function_name: String,
    /// From which rates on somebody is warned, and bulk mail is held back.
    pub thresholds: Thresholds,
    /// Whether metrics are published.
    pub metrics: bool,
    /// The topic that operators are told through, if there is one.
    pub alarm_topic_arn: Option<String>,
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |name| {
            variable(name)
                .filter(|value| !value.is_empty())
                .ok_or(ConfigError::Missing(name))
        };
        let rate = |name| {
            let expected = "a fraction above 0 and at most 1, such as 0.03 for 3 %";
            parse(name, &text(name)?, expected, |rate: &f64| *rate > 0.0 && *rate <= 1.0)
        };
        let count = |name| {
            parse(name, &text(name)?, "a whole number of 1 or more", |count: &u64| {
                *count >= 1
            })
        };
        let threshold = |warn, brake| {
            let (warn, brake): (f64, f64) = (rate(warn)?, rate(brake)?);
            Ok(Threshold {
                // Whoever makes the brake stricter than the warning means the brake.
                warn: warn.min(brake),
                brake,
            })
        };
        Ok(Self {
            function_name: text("AWS_LAMBDA_FUNCTION_NAME")?,
            thresholds: Thresholds {
                bounce: threshold("BOUNCE_WARN", "BOUNCE_BRAKE")?,
                complaint: threshold("COMPLAINT_WARN", "COMPLAINT_BRAKE")?,
                complaints_min: count("COMPLAINTS_MIN")?,
                volume_min: count("JUDGED_VOLUME_MIN")?,
            },
            metrics: parse("METRICS", &text("METRICS")?, "true or false", |_| true)?,
            alarm_topic_arn: variable("ALARM_TOPIC_ARN").filter(|arn| !arn.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: [(&str, &str); 8] = [
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("BOUNCE_WARN", "0.03"),
        ("BOUNCE_BRAKE", "0.045"),
        ("COMPLAINT_WARN", "0.0005"),
        ("COMPLAINT_BRAKE", "0.0008"),
        ("COMPLAINTS_MIN", "2"),
        ("JUDGED_VOLUME_MIN", "1000"),
        ("METRICS", "true"),
    ];

    /// The environment with one variable replaced.
    fn read(name: &str, value: Option<&str>) -> Result<Settings, ConfigError> {
        Settings::read(|asked| {
            if asked == name {
                return value.map(str::to_owned);
            }
            let known = VARIABLES.iter().find(|(known, _)| *known == asked);
            known.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_defaults_are_those_of_the_domain() {
        assert_eq!(read("", None).unwrap().thresholds, Thresholds::default());
    }

    #[test]
    fn names_what_is_missing_or_makes_no_sense() {
        for (name, _) in VARIABLES {
            assert_eq!(read(name, Some("")), Err(ConfigError::Missing(name)));
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
    fn a_stricter_brake_takes_the_warning_along() {
        let bounce = read("BOUNCE_BRAKE", Some("0.02")).unwrap().thresholds.bounce;
        assert_eq!(
            bounce,
            Threshold {
                warn: 0.02,
                brake: 0.02
            }
        );
    }

    #[test]
    fn operators_need_no_topic() {
        for (value, topic) in [(None, None), (Some(""), None), (Some("arn"), Some("arn"))] {
            assert_eq!(
                read("ALARM_TOPIC_ARN", value).unwrap().alarm_topic_arn.as_deref(),
                topic
            );
        }
    }
}
