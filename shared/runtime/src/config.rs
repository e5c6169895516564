//! The parts that the configurations of functions are composed of.
//!
//! Each function reads the parts that it needs and no others, so a variable that only one function needs cannot stop
//! another. A variable that is missing or wrong stops init, and the error names it.

use std::time::Duration;

use domain::address::LocalSenders;
use domain::message::TrackingEvents;
use domain::pacing::PacingPolicy;
use domain::queue::{AFTER_SCHEDULE_MAX, DeadlineDefaults};
use domain::retention::MessageRetention;
use domain::stream::Stream;
use domain::suppression::SoftBounceTiers;
use domain::webhook::ENDPOINTS_REMEMBERED;
use domain::webhook::guard::UrlRules;
use jiff::SignedDuration;
use tracing::level_filters::LevelFilter;

use crate::clock::{Clock, is_local};
use crate::environment::{ConfigError, Environment};

/// The part that every function has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessConfig {
    /// The AWS region that the function runs in.
    pub region: String,
    /// The least severe level that the function logs.
    pub log_level: LevelFilter,
    /// The clock that the function reads.
    pub clock: Clock,
}

impl ProcessConfig {
    /// Reads `AWS_REGION`, `LOG_LEVEL` and the clock.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or wrong.
    pub fn read(environment: &Environment<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            region: environment.text("AWS_REGION")?,
            log_level: environment.value("LOG_LEVEL", "off, error, warn or info", |level: &LevelFilter| {
                *level <= LevelFilter::INFO
            })?,
            clock: Clock::read(environment)?,
        })
    }
}

/// Reads how this stack may use the account's sending rate and quota: `ACCOUNT_SHARE`, `PERMIT_BURST_SECONDS`,
/// `PERMIT_WAIT_SECONDS` and `BULK_RESERVE`.
///
/// # Errors
/// [`ConfigError`] names the first variable that is missing or wrong.
pub fn policy(environment: &Environment<'_>) -> Result<PacingPolicy, ConfigError> {
    Ok(PacingPolicy {
        account_share: environment.value("ACCOUNT_SHARE", "a number above 0 and at most 1", |share: &f64| {
            *share > 0.0 && *share <= 1.0
        })?,
        burst: environment.seconds("PERMIT_BURST_SECONDS")?,
        wait: environment.seconds("PERMIT_WAIT_SECONDS")?,
        bulk_reserve: environment.value("BULK_RESERVE", "a number from 0 to 1", |reserve: &f64| {
            (0.0..=1.0).contains(reserve)
        })?,
    })
}

/// Reads when soft bounces suppress an address for bulk mail: `SOFT_BOUNCE_TIERS`.
///
/// # Errors
/// [`ConfigError`] if it is missing or wrong.
pub fn soft_bounce_tiers(environment: &Environment<'_>) -> Result<SoftBounceTiers, ConfigError> {
    let expected = "off, or count/window:duration with commas between them, like 3/14d:3d,5/14d:30d (counts 1 to 50, \
                    days 1 to 999): set the parameter SoftBounceTiers";
    environment.value("SOFT_BOUNCE_TIERS", expected, |_| true)
}

/// Reads how long the record of a message is kept: `MESSAGE_RETENTION_DAYS`.
///
/// # Errors
/// [`ConfigError`] if it is missing or wrong.
pub fn message_retention(environment: &Environment<'_>) -> Result<MessageRetention, ConfigError> {
    let days = environment.value("MESSAGE_RETENTION_DAYS", "a number of days, 1 to 3650", |days: &u64| {
        (1..=3650).contains(days)
    });
    days.map(MessageRetention::from_days)
}

/// Reads whether SES tracks the mail whose callers ask for it: `TRACKING_EVENTS`.
///
/// # Errors
/// [`ConfigError`] if it is missing or wrong.
pub fn tracking_events(environment: &Environment<'_>) -> Result<TrackingEvents, ConfigError> {
    environment.value("TRACKING_EVENTS", "true or false", |_| true)
}

/// Reads the URL that unsubscribe links begin with: `UNSUBSCRIBE_BASE_URL`. Without one, or with an empty one, they
/// lead to the API that received the mail.
///
/// # Errors
/// [`ConfigError`] if it is wrong.
pub fn unsubscribe_base_url(environment: &Environment<'_>) -> Result<Option<String>, ConfigError> {
    const NAME: &str = "UNSUBSCRIBE_BASE_URL";
    const LENGTH_MAX: usize = 200;
    let is_url = |url: &str| {
        let rest = url.strip_prefix("https://").unwrap_or_default();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
        url.len() <= LENGTH_MAX
            && rest.starts_with(|first: char| first.is_ascii_alphanumeric())
            && rest.bytes().all(is_allowed)
            && !rest.ends_with('/')
    };
    let url = environment.optional(NAME).filter(|url| !url.is_empty());
    match url {
        Some(url) if !is_url(&url) => Err(ConfigError::Invalid {
            name: NAME,
            expected: "a URL like https://mail.example.com, without a slash at its end: set the parameter \
                       UnsubscribeBaseUrl",
        }),
        url => Ok(url),
    }
}

/// Reads the URL of the queue of hints about the mail of a stream: `TRANSACTIONAL_QUEUE_URL` or `BULK_QUEUE_URL`.
///
/// # Errors
/// [`ConfigError`] if it is missing.
pub fn hint_queue_url(environment: &Environment<'_>, stream: Stream) -> Result<String, ConfigError> {
    environment.text(match stream {
        Stream::Transactional => "TRANSACTIONAL_QUEUE_URL",
        Stream::Bulk => "BULK_QUEUE_URL",
    })
}

/// Reads how long a mail waits whose caller names no deadline: `TRANSACTIONAL_DEADLINE_HOURS` and
/// `BULK_DEADLINE_HOURS`.
///
/// # Errors
/// [`ConfigError`] names the first variable that is missing or wrong.
pub fn deadline_defaults(environment: &Environment<'_>) -> Result<DeadlineDefaults, ConfigError> {
    let hours = |name| {
        let hours = environment.value(name, "a whole number of hours, 1 to 72", |hours: &u32| {
            *hours >= 1 && Duration::from_hours((*hours).into()) <= AFTER_SCHEDULE_MAX
        });
        hours.map(|hours| Duration::from_hours(hours.into()))
    };
    Ok(DeadlineDefaults {
        transactional: hours("TRANSACTIONAL_DEADLINE_HOURS")?,
        bulk: hours("BULK_DEADLINE_HOURS")?,
    })
}

/// Reads which URLs may be called: `WEBHOOK_PORTS`, by default 443, and `ALLOW_LOOPBACK_WEBHOOKS`, which `okite up`
/// sets so that an application on the same machine can receive events. The latter stops init wherever AWS's services
/// are not at 127.0.0.1, so it opens nothing in a deployed function.
///
/// # Errors
/// [`ConfigError`] names the variable that is wrong.
pub fn webhook_url_rules(environment: &Environment<'_>) -> Result<UrlRules, ConfigError> {
    const PORTS: &str = "WEBHOOK_PORTS";
    const LOOPBACK: &str = "ALLOW_LOOPBACK_WEBHOOKS";
    let ports = environment.optional(PORTS).map(|ports| UrlRules::parse_ports(&ports));
    let default = UrlRules::default();
    Ok(UrlRules {
        ports: ports.unwrap_or(Ok(default.ports)).map_err(|_| ConfigError::Invalid {
            name: PORTS,
            expected: "1 to 10 ports with commas between them, like 443,8443: set the parameter WebhookPorts",
        })?,
        loopback: only_in_okite_up(environment, LOOPBACK)?,
    })
}

/// Reads whether senders like `webmaster@localhost` are accepted: `ALLOW_LOCAL_SENDERS`, which `okite up` sets. It
/// stops init wherever AWS's services are not at 127.0.0.1, so a deployed function refuses them as SES does.
///
/// # Errors
/// [`ConfigError`] names the variable if it is wrong.
pub fn local_senders(environment: &Environment<'_>) -> Result<LocalSenders, ConfigError> {
    Ok(if only_in_okite_up(environment, "ALLOW_LOCAL_SENDERS")? {
        LocalSenders::Accepted
    } else {
        LocalSenders::Refused
    })
}

/// Reads a switch that `okite up` alone may turn on.
fn only_in_okite_up(environment: &Environment<'_>, name: &'static str) -> Result<bool, ConfigError> {
    match environment.optional(name).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") if is_local(environment) => Ok(true),
        Some(_) => Err(ConfigError::Invalid {
            name,
            expected: "left out: okite up alone sets it",
        }),
    }
}

/// Reads how long a process uses the list of webhooks' endpoints without another read: `WEBHOOK_LIST_SECONDS`, or half
/// a minute. `okite up` sets it, so that an endpoint receives events as soon as it is made.
///
/// # Errors
/// [`ConfigError`] names the variable.
pub fn endpoints_age_max(environment: &Environment<'_>) -> Result<SignedDuration, ConfigError> {
    const VARIABLE: &str = "WEBHOOK_LIST_SECONDS";
    let Some(_) = environment.optional(VARIABLE) else {
        return Ok(ENDPOINTS_REMEMBERED);
    };
    let seconds = environment.value(VARIABLE, "a number of seconds, 0 to 60", |seconds| {
        (0..=60).contains(seconds)
    })?;
    Ok(SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: [(&str, &str); 12] = [
        ("AWS_REGION", "eu-west-1"),
        ("ACCOUNT_SHARE", "0.5"),
        ("PERMIT_BURST_SECONDS", "1"),
        ("PERMIT_WAIT_SECONDS", "2"),
        ("BULK_RESERVE", "0.2"),
        ("SOFT_BOUNCE_TIERS", SoftBounceTiers::EXAMPLE),
        ("MESSAGE_RETENTION_DAYS", "30"),
        ("TRANSACTIONAL_QUEUE_URL", "https://t"),
        ("BULK_QUEUE_URL", "https://b"),
        ("TRANSACTIONAL_DEADLINE_HOURS", "24"),
        ("BULK_DEADLINE_HOURS", "72"),
        ("LOG_LEVEL", "info"),
    ];

    /// Every part.
    #[derive(Debug)]
    struct Parts {
        process: ProcessConfig,
        policy: PacingPolicy,
        tiers: SoftBounceTiers,
        retention: MessageRetention,
        urls: [String; 2],
        deadlines: DeadlineDefaults,
    }

    /// Reads every part, in an environment with one variable replaced.
    fn read(name: &str, value: Option<&str>) -> Result<Parts, ConfigError> {
        let environment = Environment::new(|asked| {
            if asked == name {
                return value.map(str::to_owned);
            }
            let known = VARIABLES.iter().find(|(known, _)| *known == asked);
            known.map(|(_, value)| (*value).to_owned())
        });
        Ok(Parts {
            process: ProcessConfig::read(&environment)?,
            policy: policy(&environment)?,
            tiers: soft_bounce_tiers(&environment)?,
            retention: message_retention(&environment)?,
            urls: [
                hint_queue_url(&environment, Stream::Transactional)?,
                hint_queue_url(&environment, Stream::Bulk)?,
            ],
            deadlines: deadline_defaults(&environment)?,
        })
    }

    #[test]
    fn reads_the_environment_that_the_template_sets() {
        let parts = read("", None).unwrap();
        assert_eq!(parts.process.region, "eu-west-1");
        assert!((parts.policy.account_share - 0.5).abs() < f64::EPSILON);
        assert_eq!(parts.tiers, SoftBounceTiers::EXAMPLE.parse().unwrap());
        assert_eq!(parts.retention, MessageRetention::from_days(30));
        assert_eq!(parts.urls, ["https://t", "https://b"]);
        assert_eq!(parts.deadlines, DeadlineDefaults::default());
    }

    #[test]
    fn names_a_variable_that_is_missing_or_empty() {
        for (name, _) in VARIABLES {
            for value in [None, Some("")] {
                assert_eq!(read(name, value).unwrap_err(), ConfigError::Missing(name));
            }
        }
    }

    #[test]
    fn names_a_variable_that_is_wrong() {
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
            ("TRANSACTIONAL_DEADLINE_HOURS", "0"),
            ("TRANSACTIONAL_DEADLINE_HOURS", "1.5"),
            ("BULK_DEADLINE_HOURS", "73"),
            ("LOG_LEVEL", "loud"),
            ("LOG_LEVEL", "debug"),
        ] {
            let error = read(name, Some(value)).unwrap_err();
            assert!(
                matches!(error, ConfigError::Invalid { name: named, .. } if named == name),
                "{error}"
            );
        }
    }

    #[test]
    fn webhooks_go_to_port_443_unless_others_are_listed() {
        let rules = |ports: Option<&'static str>| {
            let ports = ports.map(str::to_owned);
            webhook_url_rules(&Environment::new(|name| {
                ports.clone().filter(|_| name == "WEBHOOK_PORTS")
            }))
        };
        assert_eq!(rules(None), Ok(UrlRules::default()));
        assert_eq!(rules(Some("443,8443")).unwrap().ports, [443, 8443]);
        let refusal = rules(Some("https")).unwrap_err();
        assert!(refusal.to_string().contains("WebhookPorts"), "{refusal}");
    }

    #[test]
    fn webhooks_go_to_this_machine_only_where_aws_is_on_it() {
        let loopback = |value: &'static str, dynamodb: Option<&'static str>| {
            let environment = Environment::new(|name| match name {
                "ALLOW_LOOPBACK_WEBHOOKS" => Some(value.to_owned()),
                "AWS_ENDPOINT_URL_DYNAMODB" => dynamodb.map(str::to_owned),
                _ => None,
            });
            webhook_url_rules(&environment).map(|rules| rules.loopback)
        };
        let local = Some("http://127.0.0.1:4000");
        assert_eq!(
            (loopback("true", local), loopback("false", local)),
            (Ok(true), Ok(false))
        );
        assert_eq!(loopback("false", None), Ok(false));
        for (value, dynamodb) in [
            ("true", None),
            ("true", Some("https://dynamodb.us-east-1.amazonaws.com")),
            ("yes", local),
        ] {
            assert!(loopback(value, dynamodb).is_err(), "{value} {dynamodb:?}");
        }
    }

    #[test]
    fn local_senders_are_accepted_only_where_aws_is_on_this_machine() {
        let senders = |value: Option<&'static str>, dynamodb: Option<&'static str>| {
            local_senders(&Environment::new(|name| match name {
                "ALLOW_LOCAL_SENDERS" => value.map(str::to_owned),
                "AWS_ENDPOINT_URL_DYNAMODB" => dynamodb.map(str::to_owned),
                _ => None,
            }))
        };
        let local = Some("http://127.0.0.1:4000");
        assert_eq!(senders(Some("true"), local), Ok(LocalSenders::Accepted));
        for refused in [senders(None, local), senders(None, None), senders(Some("false"), None)] {
            assert_eq!(refused, Ok(LocalSenders::Refused));
        }
        for dynamodb in [None, Some("https://dynamodb.us-east-1.amazonaws.com")] {
            assert!(senders(Some("true"), dynamodb).is_err());
        }
    }
}
