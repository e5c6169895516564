//! What every function does before its first event.

use std::error::Error;

use tracing::level_filters::LevelFilter;

use crate::config::{Config, ConfigError};
use crate::telemetry;

/// Reads the environment and sets the log up, in which a variable that is missing or wrong is named.
///
/// # Errors
/// [`ConfigError`] names the first variable that is missing or wrong.
pub fn init() -> Result<Config, ConfigError> {
    let config = Config::from_env();
    telemetry::init(config.as_ref().map_or(LevelFilter::INFO, |config| config.log_level));
    config.inspect_err(log_init_error)
}

/// Logs why a function cannot start.
pub fn log_init_error(error: &impl Error) {
    tracing::error!("init failed: {error}");
}
