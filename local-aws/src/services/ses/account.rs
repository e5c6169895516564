//! The account: its limits, and how much of them is used.
//!
//! Two limits hold at once, and both count recipients. The rate is a token bucket that may go into debt. A mail passes
//! when one token is there, and takes one for each recipient. So a mail to five recipients passes at a rate of one per
//! second, and then nothing passes for five seconds. The quota is a rolling sum over 24 hours, to the millisecond.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::SesError;

/// The window of the sending quota.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// AWS's judgement of the account's sending.
///
/// It has AWS's own name, as the adapter or value of the product that plays the other side has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EnforcementStatus {
    /// AWS has no objection.
    Healthy,
    /// The account is under review, and may send.
    Probation,
    /// AWS has shut sending down.
    Shutdown,
}

impl EnforcementStatus {
    /// Returns the status in the spelling of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Probation => "PROBATION",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}

/// The account's limits and switches, in the shape of `GET /_local/account`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountSettings {
    /// Recipients in any 24 hours; −1 means no limit.
    pub max_24_hour_send: i64,
    /// Recipients per second.
    #[serde(serialize_with = "whole_if_whole")]
    pub max_send_rate: f64,
    /// Whether the account has left the sandbox.
    pub production_access: bool,
    /// Whether sending is switched on.
    pub sending_enabled: bool,
    /// AWS's judgement of the account's sending.
    ///
    /// It has AWS's own name, as the adapter or value of the product that plays the other side has.
    pub enforcement_status: EnforcementStatus,
    /// The share of mail that bounced, as SES publishes it to CloudWatch. Nothing if it has published none.
    pub bounce_rate: Option<f64>,
    /// The share of mail that recipients complained about, likewise.
    pub complaint_rate: Option<f64>,
}

impl AccountSettings {
    /// Returns the limits of a new account: 50,000 a day and 14 per second, or 200 and 1 in the sandbox.
    #[must_use]
    pub fn new(production_access: bool) -> Self {
        let (max_24_hour_send, max_send_rate) = if production_access { (50_000, 14.0) } else { (200, 1.0) };
        Self {
            max_24_hour_send,
            max_send_rate,
            production_access,
            sending_enabled: true,
            enforcement_status: EnforcementStatus::Healthy,
            bounce_rate: None,
            complaint_rate: None,
        }
    }

    /// Applies the fields that the patch sets. A change of production access does not change the two limits.
    pub fn apply(&mut self, patch: &AccountPatch) {
        fn set<T: Copy>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut self.max_24_hour_send, patch.max_24_hour_send);
        set(&mut self.max_send_rate, patch.max_send_rate);
        set(&mut self.production_access, patch.production_access);
        set(&mut self.sending_enabled, patch.sending_enabled);
        set(&mut self.enforcement_status, patch.enforcement_status);
        set(&mut self.bounce_rate, patch.bounce_rate);
        set(&mut self.complaint_rate, patch.complaint_rate);
    }
}

/// A change of the account, in the shape of `PUT /_local/account`: any of the settings.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountPatch {
    /// Recipients in any 24 hours; −1 means no limit.
    #[serde(default, deserialize_with = "quota")]
    pub max_24_hour_send: Option<i64>,
    /// Recipients per second, zero or more.
    #[serde(default, deserialize_with = "rate")]
    pub max_send_rate: Option<f64>,
    /// Whether the account has left the sandbox.
    pub production_access: Option<bool>,
    /// Whether sending is switched on.
    pub sending_enabled: Option<bool>,
    /// AWS's judgement of the account's sending.
    ///
    /// It has AWS's own name, as the adapter or value of the product that plays the other side has.
    pub enforcement_status: Option<EnforcementStatus>,
    /// The share of mail that bounced, 0 to 1, or `null` for none.
    #[serde(default, deserialize_with = "share")]
    pub bounce_rate: Option<Option<f64>>,
    /// The share of mail that recipients complained about, likewise.
    #[serde(default, deserialize_with = "share")]
    pub complaint_rate: Option<Option<f64>>,
}

fn quota<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let quota = Option::<i64>::deserialize(deserializer)?;
    if quota.is_some_and(|quota| quota < -1) {
        return Err(serde::de::Error::custom(
            "max_24_hour_send must be -1 (no limit), zero or more",
        ));
    }
    Ok(quota)
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let rate = Option::<f64>::deserialize(deserializer)?;
    if rate.is_some_and(|rate| !rate.is_finite() || rate < 0.0) {
        return Err(serde::de::Error::custom("max_send_rate must be zero or more"));
    }
    Ok(rate)
}

/// Reads a field that is present, also if it is `null`.
#[expect(
    clippy::option_option,
    reason = "a patch may leave a figure as it is, set it, or take it away"
)]
fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f64>>, D::Error> {
    let share = Option::<f64>::deserialize(deserializer)?;
    if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(serde::de::Error::custom("a rate must be 0 to 1, or null"));
    }
    Ok(Some(share))
}

/// Writes `14` rather than `14.0`, as the caller wrote it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn whole_if_whole<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the fraction is zero, and a rate is far below the integer's range"
    )]
    if value.fract() == 0.0 && value.abs() < 1e15 {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

/// A token bucket that may go into debt.
#[derive(Clone, Debug, Default)]
pub(super) struct RateBucket {
    /// The tokens at a time. Nothing before the first mail, when the bucket is full.
    level: Option<(f64, Timestamp)>,
}

impl RateBucket {
    /// Makes up for the rounding of sums, so that a debt ends when it is due.
    const EPSILON: f64 = 1e-9;

    /// Returns whether a mail may pass now.
    pub(super) fn admits(&self, rate: f64, now: Timestamp) -> bool {
        self.tokens(rate, now) + Self::EPSILON >= 1.0
    }

    /// Takes the tokens of an accepted mail.
    pub(super) fn take(&mut self, rate: f64, recipients: u32, now: Timestamp) {
        let left = self.tokens(rate, now) - f64::from(recipients);
        // A clock that is set back must not refill the same second twice.
        let at = self.level.map_or(now, |(_, at)| at.max(now));
        self.level = Some((left, at));
    }

    fn tokens(&self, rate: f64, now: Timestamp) -> f64 {
        // The tokens of one second, and never fewer than a single mail needs.
        let capacity = if rate > 0.0 { rate.max(1.0) } else { 0.0 };
        match self.level {
            None => capacity,
            Some((tokens, at)) => {
                let passed = now.duration_since(at).as_secs_f64().max(0.0);
                capacity.min(tokens + passed * rate)
            }
        }
    }
}

/// The recipients of the last 24 hours.
#[derive(Clone, Debug, Default)]
pub(super) struct RollingCount {
    accepted: VecDeque<(Timestamp, u32)>,
    total: u64,
}

impl RollingCount {
    /// Counts an accepted mail.
    pub(super) fn add(&mut self, recipients: u32, at: Timestamp) {
        if recipients > 0 {
            self.accepted.push_back((at, recipients));
            self.total += u64::from(recipients);
        }
    }

    /// Counts the recipients of the last 24 hours.
    pub(super) fn total(&mut self, now: Timestamp) -> u64 {
        while let Some((at, recipients)) = self.accepted.front()
            && now.duration_since(*at) >= WINDOW
        {
            self.total -= u64::from(*recipients);
            self.accepted.pop_front();
        }
        self.total
    }

    /// Lists the counts that have not been dropped, oldest first.
    pub(super) fn counted(&self) -> impl Iterator<Item = (Timestamp, u32)> {
        self.accepted.iter().copied()
    }
}

/// The cost of a mail against the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// All recipients, which the rate counts.
    pub(super) recipients: u32,
    /// The recipients outside the mailbox simulator, which the quota counts.
    pub(super) counted: u32,
}

/// The limits, and how much of them is used.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) settings: AccountSettings,
    pub(super) sent: RollingCount,
    bucket: RateBucket,
}

impl Account {
    pub(super) fn new(settings: AccountSettings, sent: RollingCount) -> Self {
        Self {
            settings,
            sent,
            bucket: RateBucket::default(),
        }
    }

    /// Refuses if AWS or the owner has stopped the account's sending.
    pub(super) fn check_sending(&self) -> Result<(), SesError> {
        if self.settings.enforcement_status == EnforcementStatus::Shutdown {
            return Err(SesError::AccountSuspended(
                "Your account's ability to send email was suspended. Look for a message from AWS \
                 at the address of the account."
                    .to_owned(),
            ));
        }
        if !self.settings.sending_enabled {
            return Err(SesError::SendingPaused(
                "Email sending is paused for this account.".to_owned(),
            ));
        }
        Ok(())
    }

    /// Refuses a mail that exceeds the quota or the rate. Uses up nothing.
    pub(super) fn check_limits(&mut self, cost: Cost, now: Timestamp) -> Result<(), SesError> {
        if let Ok(quota) = u64::try_from(self.settings.max_24_hour_send)
            && cost.counted > 0
            && self.sent.total(now) + u64::from(cost.counted) > quota
        {
            return Err(SesError::TooManyRequests("Daily message quota exceeded.".to_owned()));
        }
        if !self.bucket.admits(self.settings.max_send_rate, now) {
            return Err(SesError::TooManyRequests("Maximum sending rate exceeded.".to_owned()));
        }
        Ok(())
    }

    /// Uses up the cost of an accepted mail.
    pub(super) fn take(&mut self, cost: Cost, now: Timestamp) {
        self.bucket.take(self.settings.max_send_rate, cost.recipients, now);
        self.sent.add(cost.counted, now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    fn account(max_24_hour_send: i64, max_send_rate: f64) -> Account {
        let settings = AccountSettings {
            max_24_hour_send,
            max_send_rate,
            ..AccountSettings::new(true)
        };
        Account::new(settings, RollingCount::default())
    }

    fn send(account: &mut Account, recipients: u32, now: Timestamp) -> Result<(), String> {
        let cost = Cost {
            recipients,
            counted: recipients,
        };
        account.check_limits(cost, now).map_err(|error| error.to_string())?;
        account.take(cost, now);
        Ok(())
    }

    #[test]
    fn five_recipients_pass_at_one_per_second_and_then_nothing_for_five_seconds() {
        let mut account = account(200, 1.0);
        send(&mut account, 5, at(0)).unwrap();
        for milliseconds in [0, 1_000, 4_999] {
            assert_eq!(
                send(&mut account, 1, at(milliseconds)),
                Err("Maximum sending rate exceeded.".to_owned())
            );
        }
        send(&mut account, 1, at(5_000)).unwrap();
    }

    #[test]
    fn a_second_of_the_rate_passes_as_a_burst() {
        let mut account = account(50_000, 14.0);
        for _ in 0..14 {
            send(&mut account, 1, at(0)).unwrap();
        }
        assert!(send(&mut account, 1, at(0)).is_err());
        assert!(send(&mut account, 1, at(71)).is_err());
        send(&mut account, 1, at(72)).unwrap();
    }

    #[test]
    fn a_rate_below_one_lets_single_mails_pass_and_a_rate_of_zero_none() {
        let mut slow = account(-1, 0.5);
        send(&mut slow, 1, at(0)).unwrap();
        assert!(send(&mut slow, 1, at(1_999)).is_err());
        send(&mut slow, 1, at(2_000)).unwrap();
        assert!(send(&mut account(-1, 0.0), 1, at(0)).is_err());
    }

    #[test]
    fn the_quota_counts_recipients_of_exactly_the_last_24_hours() {
        let day = 24 * 60 * 60 * 1_000;
        let mut account = account(10, 1_000.0);
        send(&mut account, 10, at(0)).unwrap();
        assert_eq!(
            send(&mut account, 1, at(day - 1)),
            Err("Daily message quota exceeded.".to_owned())
        );
        send(&mut account, 10, at(day)).unwrap();
        assert_eq!(account.sent.total(at(day)), 10);
    }

    #[test]
    fn a_mail_that_would_overrun_the_quota_is_refused_whole() {
        let mut account = account(10, 1_000.0);
        send(&mut account, 8, at(0)).unwrap();
        assert!(send(&mut account, 3, at(0)).is_err());
        assert_eq!(account.sent.total(at(0)), 8);
        send(&mut account, 2, at(0)).unwrap();
    }

    #[test]
    fn minus_one_is_no_quota() {
        let mut account = account(-1, 1_000_000.0);
        for _ in 0..100 {
            send(&mut account, 50, at(0)).unwrap();
        }
    }

    #[test]
    fn recipients_that_do_not_count_pass_when_the_quota_is_used_up() {
        let mut account = account(1, 1_000.0);
        send(&mut account, 1, at(0)).unwrap();
        let simulated = Cost {
            recipients: 1,
            counted: 0,
        };
        account.check_limits(simulated, at(0)).unwrap();
    }

    #[test]
    fn starts_with_the_limits_of_production_or_of_the_sandbox() {
        assert_eq!(
            serde_json::to_value(AccountSettings::new(true)).unwrap(),
            json!({
                "max_24_hour_send": 50_000,
                "max_send_rate": 14,
                "production_access": true,
                "sending_enabled": true,
                "enforcement_status": "HEALTHY",
                "bounce_rate": null,
                "complaint_rate": null,
            })
        );
        let sandbox = AccountSettings::new(false);
        assert_eq!(sandbox.max_24_hour_send, 200);
        assert!((sandbox.max_send_rate - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        let mut settings = AccountSettings::new(true);
        let patch = json!({"max_send_rate": 1.5, "enforcement_status": "PROBATION"});
        settings.apply(&serde_json::from_value(patch).unwrap());
        assert_eq!(settings.max_24_hour_send, 50_000);
        assert_eq!(serde_json::to_value(&settings).unwrap()["max_send_rate"], 1.5);
        assert_eq!(settings.enforcement_status, EnforcementStatus::Probation);
        let patch = |patch| serde_json::from_value::<AccountPatch>(patch).unwrap();
        settings.apply(&patch(json!({"bounce_rate": 0.5, "complaint_rate": 0})));
        settings.apply(&patch(json!({"bounce_rate": null})));
        assert_eq!((settings.bounce_rate, settings.complaint_rate), (None, Some(0.0)));
    }

    #[test]
    fn a_patch_with_an_unknown_field_or_a_wrong_value_is_refused() {
        for patch in [
            json!({"max_sendrate": 1}),
            json!({"max_24_hour_send": "200"}),
            json!({"max_24_hour_send": -2}),
            json!({"max_send_rate": -1}),
            json!({"production_access": "yes"}),
            json!({"enforcement_status": "FINE"}),
            json!({"bounce_rate": 1.1}),
            json!({"complaint_rate": -0.1}),
            json!({"complaint_rate": "0.1"}),
        ] {
            assert!(
                serde_json::from_value::<AccountPatch>(patch.clone()).is_err(),
                "{patch}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_bucket_never_admits_more_than_rate_times_time_plus_a_burst_and_one_debt(
            rate in 0.1_f64..100.0,
            mails in prop::collection::vec((0_i64..2_000, 1_u32..=50), 1..60),
        ) {
            let mut bucket = RateBucket::default();
            let mut now = 0;
            let mut admitted: Vec<(i64, u32)> = Vec::new();
            for (pause, recipients) in mails {
                now += pause;
                if bucket.admits(rate, at(now)) {
                    bucket.take(rate, recipients, at(now));
                    admitted.push((now, recipients));
                }
            }
            for first in 0..admitted.len() {
                for last in first..admitted.len() {
                    let total: u32 = admitted[first..=last].iter().map(|(_, n)| n).sum();
                    let debt = f64::from(admitted[last].1 - 1);
                    #[expect(clippy::cast_precision_loss, reason = "a few minutes in milliseconds")]
                    let seconds = (admitted[last].0 - admitted[first].0) as f64 / 1_000.0;
                    let bound = rate * seconds + rate.max(1.0) + debt;
                    prop_assert!(f64::from(total) <= bound + 1e-6, "{total} > {bound}");
                }
            }
        }
    }
}
