//! The key that signs the calls of one day.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use jiff::Timestamp;
use sigv4::SigningKey;

const SECONDS_A_DAY: i64 = 86_400;

/// The time of a signature, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SignedAt {
    /// The days since 1970.
    day: i64,
    /// The seconds since midnight.
    second: i64,
}

impl SignedAt {
    /// Returns `None` for a time that is not within the years of the calendar.
    pub(super) fn new(time: SystemTime) -> Option<Self> {
        let seconds = Timestamp::try_from(time).ok()?.as_second();
        Some(Self {
            day: seconds.div_euclid(SECONDS_A_DAY),
            second: seconds.rem_euclid(SECONDS_A_DAY),
        })
    }
}

/// The key of one day, region and service under one secret.
///
/// `Debug` shows neither the key nor the credentials' secret: their own `Debug` hides both.
#[derive(Debug)]
pub(super) struct DayKey {
    day: i64,
    /// The day as `20260131`.
    date: String,
    credentials: Credentials,
    region: String,
    service: String,
    key: SigningKey,
}

impl DayKey {
    pub(super) fn derive(at: SignedAt, credentials: &Credentials, region: &str, service: &str) -> Self {
        let midnight = Timestamp::from_second(at.day.saturating_mul(SECONDS_A_DAY)).unwrap_or_default();
        let date = midnight.strftime("%Y%m%d").to_string();
        Self {
            key: SigningKey::derive(credentials.secret_access_key(), &date, region, service),
            day: at.day,
            date,
            credentials: credentials.clone(),
            region: region.to_owned(),
            service: service.to_owned(),
        }
    }

    /// Returns whether the key signs for this day, secret, region and service.
    pub(super) fn is_for(&self, at: SignedAt, credentials: &Credentials, region: &str, service: &str) -> bool {
        self.day == at.day
            && self.region == region
            && self.service == service
            && self.credentials.access_key_id() == credentials.access_key_id()
            && self.credentials.secret_access_key() == credentials.secret_access_key()
    }

    /// Returns the time of a signature, as `20260131T235959Z`.
    pub(super) fn time(&self, at: SignedAt) -> String {
        let SignedAt { second, .. } = at;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{}T{hour:02}{minute:02}{second:02}Z", self.date)
    }

    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Returns `access key id/day/region/service/aws4_request`.
    pub(super) fn credential(&self) -> [&str; 3] {
        [self.credentials.access_key_id(), "/", self.key.scope()]
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    fn credentials() -> Credentials {
        Credentials::new("AKIDTEST", "the secret", Some("the token".to_owned()), None, "tests")
    }

    fn at(second: u64) -> SignedAt {
        SignedAt::new(UNIX_EPOCH + Duration::from_secs(second)).unwrap()
    }

    #[test]
    fn shows_no_secret_and_no_key() {
        let shown = format!(
            "{:?}",
            DayKey::derive(at(1_800_000_000), &credentials(), "us-east-1", "ses")
        );
        assert!(shown.contains("20270115/us-east-1/ses"), "{shown}");
        assert!(!shown.contains("the secret") && !shown.contains("the token"), "{shown}");
    }

    #[test]
    fn is_for_one_day_region_service_and_secret() {
        let now = at(1_800_000_000);
        let key = DayKey::derive(now, &credentials(), "us-east-1", "ses");
        assert!(key.is_for(now, &credentials(), "us-east-1", "ses"));
        assert!(!key.is_for(at(1_800_000_000 + 86_400), &credentials(), "us-east-1", "ses"));
        assert!(!key.is_for(now, &credentials(), "us-east-2", "ses"));
        assert!(!key.is_for(now, &credentials(), "us-east-1", "sqs"));
        for (id, secret) in [("AKIDOTHER", "the secret"), ("AKIDTEST", "another")] {
            let other = Credentials::new(id, secret, None, None, "tests");
            assert!(!key.is_for(now, &other, "us-east-1", "ses"));
        }
    }

    proptest! {
        #[test]
        fn writes_the_time_as_the_calendar_does(second in 0_u64..253_402_207_200) {
            let key = DayKey::derive(at(second), &credentials(), "r", "s");
            let expected = Timestamp::from_second(second.try_into().unwrap()).unwrap();
            prop_assert_eq!(key.time(at(second)), expected.strftime("%Y%m%dT%H%M%SZ").to_string());
        }
    }
}
