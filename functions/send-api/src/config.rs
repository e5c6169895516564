//! The configuration of the send API, read from its environment variables.

use domain::webhook::guard::UrlRules;
use front::FrontConfig;
use runtime::config::{ProcessConfig, webhook_url_rules};
use runtime::environment::{ConfigError, Environment};

/// The configuration of the send API.
#[derive(Clone, Debug)]
pub struct SendApiConfig {
    /// The part that every HTTP front has.
    pub front: FrontConfig,
    /// The URLs that a webhook may have.
    pub url_rules: UrlRules,
}

impl SendApiConfig {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or wrong.
    pub fn read(process: ProcessConfig, environment: &Environment<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            front: FrontConfig::read(process, environment)?,
            url_rules: webhook_url_rules(environment)?,
        })
    }
}
