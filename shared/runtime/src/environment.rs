//! The variables of a process's environment, each read, checked and named when it is wrong.

use std::str::FromStr;
use std::time::Duration;

/// Why a function cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable is not set, or is empty.
    #[error("the environment variable {0} is missing: the template sets it")]
    Missing(&'static str),
    /// A variable has a value that the function does not accept.
    #[error("the environment variable {name} must be {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// The values that the function accepts.
        expected: &'static str,
    },
}

/// Looks a variable up by its name.
type Lookup<'a> = Box<dyn Fn(&str) -> Option<String> + 'a>;

/// An environment: the process's own, or that of a test.
pub struct Environment<'a> {
    variable: Lookup<'a>,
}

impl std::fmt::Debug for Environment<'_> {
    /// Writes no values: an environment holds credentials.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Environment").finish_non_exhaustive()
    }
}

impl Environment<'_> {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }
}

impl<'a> Environment<'a> {
    /// An environment that looks variables up with `variable`.
    pub fn new(variable: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self {
            variable: Box::new(variable),
        }
    }

    /// Returns a variable that may be missing; an empty one counts as missing.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// Returns a variable.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] if it is not set, or empty.
    pub fn text(&self, name: &'static str) -> Result<String, ConfigError> {
        self.optional(name).ok_or(ConfigError::Missing(name))
    }

    /// Returns a variable as a value that `accepts` admits; `expected` describes those values.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable.
    pub fn value<T: FromStr>(
        &self,
        name: &'static str,
        expected: &'static str,
        accepts: impl Fn(&T) -> bool,
    ) -> Result<T, ConfigError> {
        let value = self.text(name)?.parse().ok().filter(accepts);
        value.ok_or(ConfigError::Invalid { name, expected })
    }

    /// Returns a variable as a number of seconds from 0 to 60.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable.
    pub fn seconds(&self, name: &'static str) -> Result<Duration, ConfigError> {
        let seconds = self.value(name, "a number of seconds, 0 to 60", |value| {
            (0.0..=60.0).contains(value)
        });
        seconds.map(Duration::from_secs_f64)
    }
}
