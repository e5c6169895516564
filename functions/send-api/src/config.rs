//! The configuration of the send API, read from its environment variables.

use domain::webhook::guard::UrlRules;
use front::FrontConfig;
use runtime::config::{ProcessConfig, webhook_url_rules};
use runtime::environment::{ConfigError, Environment};

/// The longest name of a sender, in characters.
const SENDER_NAME_MAX: usize = 64;

/// The configuration of the send API.
#[derive(Clone, Debug)]
pub struct SendApiConfig {
    /// The part that every HTTP front has.
    pub front: FrontConfig,
    /// The URLs that a webhook may have.
    pub url_rules: UrlRules,
    /// The name of the sender that the pages of unsubscribe links show.
    pub sender_name: Option<String>,
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
            sender_name: sender_name(environment)?,
        })
    }
}

/// Reads `UNSUBSCRIBE_SENDER_NAME`. Without one, the pages of unsubscribe links name no sender.
fn sender_name(environment: &Environment<'_>) -> Result<Option<String>, ConfigError> {
    const NAME: &str = "UNSUBSCRIBE_SENDER_NAME";
    let is_name = |name: &str| name.chars().count() <= SENDER_NAME_MAX && !name.contains(char::is_control);
    let name = environment.optional(NAME);
    match name.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(name) if is_name(name) => Ok(Some(name.to_owned())),
        Some(_) => Err(ConfigError::Invalid {
            name: NAME,
            expected: "at most 64 characters on one line: set the parameter UnsubscribeSenderName",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_sender_is_short_and_has_one_line() {
        let read = |name: Option<&str>| {
            let environment = Environment::new(|_| name.map(ToOwned::to_owned));
            sender_name(&environment)
        };
        let (longest, too_long) = ("株".repeat(64), "x".repeat(65));
        for (name, expected) in [
            (None, None),
            (Some(""), None),
            (Some("  "), None),
            (Some(" Pinewood "), Some("Pinewood")),
            (Some("<b>Ross & Sons</b>"), Some("<b>Ross & Sons</b>")),
            (Some(&longest), Some(longest.as_str())),
        ] {
            assert_eq!(read(name), Ok(expected.map(ToOwned::to_owned)), "{name:?}");
        }
        for name in ["a\nb", "a\u{0}", "x\u{85}y", &too_long] {
            let error = read(Some(name)).unwrap_err();
            assert!(error.to_string().contains("UNSUBSCRIBE_SENDER_NAME"), "{error}");
        }
    }
}
