//! The configuration of the function, read from its environment variables.

use aws::{Deliveries, DeliveryQueue, Webhooks};
use domain::webhook::guard::UrlRules;
use runtime::config::{ProcessConfig, webhook_url_rules};
use runtime::environment::{ConfigError, Environment};

/// The configuration of the function.
#[derive(Clone, Debug)]
pub struct Config {
    /// The part that every function has.
    pub process: ProcessConfig,
    /// The table of endpoints.
    pub webhooks_table: String,
    /// The table of deliveries.
    pub deliveries_table: String,
    /// The queue of deliveries.
    pub queue_url: String,
    /// The URLs that may be called.
    pub url_rules: UrlRules,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or wrong.
    pub fn read(process: ProcessConfig, environment: &Environment<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            process,
            webhooks_table: environment.text(Webhooks::TABLE_VARIABLE)?,
            deliveries_table: environment.text(Deliveries::TABLE_VARIABLE)?,
            queue_url: environment.text(DeliveryQueue::URL_VARIABLE)?,
            url_rules: webhook_url_rules(environment)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every variable that the function cannot do without.
    const VARIABLES: [(&str, &str); 5] = [
        ("AWS_REGION", "eu-west-1"),
        ("LOG_LEVEL", "info"),
        ("WEBHOOKS_TABLE", "w"),
        ("DELIVERIES_TABLE", "d"),
        ("WEBHOOK_QUEUE_URL", "https://q"),
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
            (config.queue_url.as_str(), config.url_rules),
            ("https://q", UrlRules::default())
        );
        for (name, _) in VARIABLES {
            assert_eq!(read(name).unwrap_err(), ConfigError::Missing(name));
        }
    }
}
