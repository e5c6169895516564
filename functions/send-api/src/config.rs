//! The configuration of the send API, read from its environment variables.

use aws::{Deliveries, DeliveryQueue, Webhooks};
use domain::webhook::guard::UrlRules;
use front::FrontConfig;
use runtime::config::ProcessConfig;
use runtime::environment::{ConfigError, Environment};

/// The configuration of the send API.
#[derive(Clone, Debug)]
pub struct SendApiConfig {
    /// The part that every HTTP front has.
    pub front: FrontConfig,
    /// The part of the endpoints under `/webhooks`.
    pub(crate) webhooks: WebhooksConfig,
}

/// The configuration of the endpoints under `/webhooks`.
#[derive(Clone, Debug)]
pub(crate) struct WebhooksConfig {
    /// The table of endpoints.
    pub(crate) webhooks_table: String,
    /// The table of deliveries.
    pub(crate) deliveries_table: String,
    /// The queue of deliveries.
    pub(crate) queue_url: String,
    /// The URLs that an endpoint may have.
    pub(crate) url_rules: UrlRules,
}

impl SendApiConfig {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or wrong.
    pub fn read(process: ProcessConfig, environment: &Environment<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            front: FrontConfig::read(process, environment)?,
            webhooks: WebhooksConfig {
                webhooks_table: environment.text(Webhooks::TABLE_VARIABLE)?,
                deliveries_table: environment.text(Deliveries::TABLE_VARIABLE)?,
                queue_url: environment.text(DeliveryQueue::URL_VARIABLE)?,
                url_rules: url_rules(environment)?,
            },
        })
    }
}

/// Reads the URLs that an endpoint may have: `WEBHOOK_PORTS` and `ALLOW_LOOPBACK_WEBHOOKS`, which only `okite up` sets.
fn url_rules(environment: &Environment<'_>) -> Result<UrlRules, ConfigError> {
    const PORTS: &str = "WEBHOOK_PORTS";
    let ports = UrlRules::parse_ports(&environment.text(PORTS)?);
    Ok(UrlRules {
        ports: ports.map_err(|_| ConfigError::Invalid {
            name: PORTS,
            expected: "port numbers with commas between them, like 443,8443: set the parameter WebhookPorts",
        })?,
        loopback: environment.optional("ALLOW_LOOPBACK_WEBHOOKS").as_deref() == Some("true"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<UrlRules, ConfigError> {
        url_rules(&Environment::new(|name| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| (*value).to_owned())
        }))
    }

    #[test]
    fn loopback_is_allowed_by_the_word_true_alone() {
        let rules = |value| read(&[("WEBHOOK_PORTS", "443,8443"), ("ALLOW_LOOPBACK_WEBHOOKS", value)]).unwrap();
        assert_eq!(rules("true").ports, [443, 8443]);
        assert!(rules("true").loopback);
        for value in ["", "1", "TRUE", "false"] {
            assert!(!rules(value).loopback, "{value}");
        }
    }

    #[test]
    fn ports_that_are_missing_or_wrong_are_named() {
        assert_eq!(read(&[]).unwrap_err(), ConfigError::Missing("WEBHOOK_PORTS"));
        let wrong = read(&[("WEBHOOK_PORTS", "https")]).unwrap_err().to_string();
        assert!(wrong.contains("WEBHOOK_PORTS must be port numbers"), "{wrong}");
    }
}
