//! The clock of a function: the machine's, unless local AWS has set it forward.
//!
//! A function is a process of its own, so local AWS sets the clock through a variable that nothing else sets. The
//! variable stops init wherever AWS's services are not at 127.0.0.1, so it cannot change the time of a deployed
//! function. The SDK's signatures and timeouts use the machine's clock in any case.

use jiff::{SignedDuration, Timestamp};
use uuid::{NoContext, Uuid};

use crate::environment::{ConfigError, Environment};
use domain::time::plus;

/// How many milliseconds the clock of `local-aws` is ahead of the machine's.
const AHEAD: &str = "LOCAL_AWS_CLOCK_AHEAD_MS";
/// Where `DynamoDB` is, if it is not where AWS has it.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";
/// The beginning of every endpoint of local AWS.
const LOCAL: &str = "http://127.0.0.1:";

/// Returns whether AWS's services are on this machine.
pub(crate) fn is_local(environment: &Environment<'_>) -> bool {
    let dynamodb = environment.optional(ENDPOINT);
    dynamodb.is_some_and(|url| url.starts_with(LOCAL))
}

/// A function's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    ahead: SignedDuration,
}

impl Clock {
    /// Reads the variable by which local AWS sets the clock of a function forward.
    pub(crate) fn read(environment: &Environment<'_>) -> Result<Self, ConfigError> {
        let Some(ahead) = environment.optional(AHEAD) else {
            return Ok(Self::default());
        };
        match ahead.parse::<i64>() {
            Ok(milliseconds) if is_local(environment) && milliseconds >= 0 => Ok(Self {
                ahead: SignedDuration::from_millis(milliseconds),
            }),
            _ => Err(ConfigError::Invalid {
                name: AHEAD,
                expected: "left out: local-aws alone sets it, for the functions that it runs",
            }),
        }
    }

    /// Returns whether local AWS has set the clock forward.
    #[must_use]
    pub fn is_moved(self) -> bool {
        self.ahead != SignedDuration::ZERO
    }

    /// Returns the time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where a function's clock is read")]
    pub fn now(self) -> Timestamp {
        plus(Timestamp::now(), self.ahead)
    }

    /// Makes an id that sorts by time (`UUIDv7`).
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the id is made of the clock's time")]
    pub fn new_id(self) -> Uuid {
        let now = self.now();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: &str = "86400000";

    fn read(ahead: &str, endpoint: Option<&str>) -> Result<Clock, ConfigError> {
        Clock::read(&Environment::new(|name| match name {
            AHEAD => Some(ahead.to_owned()),
            ENDPOINT => endpoint.map(str::to_owned),
            _ => None,
        }))
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it is the clock that is tested")]
    fn returns_the_machines_time_by_default() {
        let clock = Clock::read(&Environment::new(|_| None)).unwrap();
        let (before, now) = (Timestamp::now(), clock.now());
        assert!(before <= now && now <= Timestamp::now());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it is the clock that is tested")]
    fn is_ahead_with_local_aws_and_so_are_its_ids() {
        let clock = read(DAY_MS, Some("http://127.0.0.1:4000")).unwrap();
        let day_later = Timestamp::now() + SignedDuration::from_hours(24);
        assert!(clock.now() >= day_later);
        let id = clock.new_id();
        assert_eq!(id.get_version_num(), 7);
        let (seconds, _) = id.get_timestamp().unwrap().to_unix();
        assert!(seconds >= u64::try_from(day_later.as_second()).unwrap());
    }

    #[test]
    fn rejects_the_variable_on_aws() {
        for endpoint in [None, Some("https://dynamodb.us-east-1.amazonaws.com")] {
            let refusal = read(DAY_MS, endpoint).unwrap_err();
            assert!(refusal.to_string().contains(AHEAD), "{refusal}");
        }
    }

    #[test]
    fn rejects_an_invalid_time() {
        for ahead in ["-1", "1 h", "99999999999999999999"] {
            assert!(read(ahead, Some("http://127.0.0.1:4000")).is_err(), "{ahead}");
        }
    }
}
