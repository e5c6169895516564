//! The reporter's half: the account and what was granted become the settings of the gate. Figures that SES does not
//! publish are named constants here.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Policy, micros};
use crate::account::Account;
use crate::message::RECIPIENTS_MAX;

/// The share of the account's rate that is used: SES may take a little less than the rate it names.
const RATE_USED: f64 = 0.95;
/// What stands for "no limit" in the gate.
pub const UNLIMITED: i64 = 9_000_000_000_000_000;
/// How long SES may take to show a recipient in `SentLast24Hours`. An assumption: AWS documents no figure.
const COUNTING_LAG: Duration = Duration::from_mins(1);
/// The longest that one `SendEmail` may be under way; see [`crate::aws`].
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest interval between two recipients, for accounts whose rate is next to nothing.
const INTERVAL_MAX: i64 = 3_600_000_000;

/// What Okite itself granted, by the gate's running total and its hourly samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// The running total, read just before the account.
    pub total: i64,
    /// How much of it was granted in the last 24 hours.
    pub last_24_hours: i64,
}

/// The settings of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Microseconds between two recipients.
    pub interval: i64,
    /// `left_all` plus the total granted: how far that total may go for any mail.
    pub ceiling_all: i64,
    /// The same for bulk mail.
    pub ceiling_bulk: i64,
}

/// Works out the gate for an account, the policy of this stack, and what it granted.
#[must_use]
pub fn settings(account: &Account, policy: &Policy, granted: Granted) -> Settings {
    let interval = interval(account.max_send_rate * policy.account_share);
    let Some(quota) = account.quota() else {
        return Settings {
            interval,
            ceiling_all: UNLIMITED,
            ceiling_bulk: UNLIMITED,
        };
    };
    let left_of_account = whole(quota - account.sent_last_24_hours);
    let left_of_share = whole(quota * policy.account_share) - granted.last_24_hours;
    let left = left_of_account.min(left_of_share) - in_flight(interval, policy) + granted.total;
    let reserve = whole(quota * policy.account_share * policy.bulk_reserve);
    Settings {
        interval,
        ceiling_all: left,
        ceiling_bulk: left - reserve,
    }
}

/// Returns the microseconds between two recipients at `rate` recipients a second, rounded so as to be slower.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "clamped to a range that i64 holds")]
pub(super) fn interval(rate: f64) -> i64 {
    let interval = (1e6 / (rate * RATE_USED)).ceil();
    if interval.is_finite() && interval > 0.0 {
        (interval as i64).clamp(1, INTERVAL_MAX)
    } else {
        INTERVAL_MAX
    }
}

/// Returns how many recipients may be granted and not yet be in SES's own count: they are taken off what is left.
///
/// They are those with a slot between the counting lag and a send's timeout ago and the patience of a send ahead, the
/// burst on top. A mail is admitted by its first slot, so all the recipients of the last one may come on top too.
fn in_flight(interval: i64, policy: &Policy) -> i64 {
    let largest = i64::try_from(RECIPIENTS_MAX).unwrap_or(i64::MAX);
    micros(policy.burst + policy.wait + SEND_TIMEOUT + COUNTING_LAG).div_euclid(interval) + largest
}

/// Rounds recipients down to whole ones.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from f64 saturates, and NaN becomes 0"
)]
fn whole(recipients: f64) -> i64 {
    (recipients.floor() as i64).clamp(-UNLIMITED, UNLIMITED)
}

/// A sample of the running total, taken at the beginning of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was taken.
    pub at: Timestamp,
    /// The running total then.
    pub total: i64,
}

/// Works out what was granted in the last 24 hours from `total` and its samples, in any order.
///
/// The youngest sample that is at least 24 hours old is the base, so that up to an hour too much is counted and never
/// too little. While no sample is that old, everything counts.
#[must_use]
pub fn granted(total: i64, samples: &[Sample], now: Timestamp) -> Granted {
    let day = SignedDuration::from_hours(24);
    let base = samples
        .iter()
        .filter(|sample| now.duration_since(sample.at) >= day)
        .max_by_key(|sample| sample.at);
    Granted {
        total,
        last_24_hours: total - base.map_or(0, |sample| sample.total),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::account::EnforcementStatus;

    const POLICY: Policy = Policy {
        account_share: 1.0,
        burst: Duration::from_secs(1),
        wait: Duration::from_secs(2),
        bulk_reserve: 0.2,
    };

    fn account(max_24_hour_send: f64, sent_last_24_hours: f64, max_send_rate: f64) -> Account {
        Account {
            max_24_hour_send,
            sent_last_24_hours,
            max_send_rate,
            production_access: true,
            sending_enabled: true,
            enforcement_status: EnforcementStatus::Healthy,
        }
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn runs_a_little_below_the_rate() {
        assert_eq!(interval(14.0), 75_188);
        assert_eq!(interval(1.0), 1_052_632);
    }

    #[test]
    fn a_rate_of_nothing_is_the_longest_interval() {
        for rate in [0.0, -1.0, f64::NAN, 1e-12] {
            assert_eq!(interval(rate), INTERVAL_MAX);
        }
    }

    #[test]
    fn takes_off_what_may_be_in_flight() {
        // 73 s of slots (1 burst + 2 wait + 10 timeout + 60 lag) at 14/s · 0.95, and the 50 recipients of the last mail
        let settings = settings(&account(50_000.0, 1_000.0, 14.0), &POLICY, Granted::default());
        assert_eq!(settings.ceiling_all, 50_000 - 1_000 - 1_020);
        assert_eq!(settings.ceiling_bulk, settings.ceiling_all - 10_000);
    }

    #[test]
    fn a_share_bounds_what_this_stack_may_send_whatever_is_left() {
        let half = Policy {
            account_share: 0.5,
            ..POLICY
        };
        let granted = Granted {
            total: 70_000,
            last_24_hours: 20_000,
        };
        let settings = settings(&account(50_000.0, 20_000.0, 14.0), &half, granted);
        assert_eq!(settings.ceiling_all - granted.total, 25_000 - 20_000 - 535);
        assert_eq!(settings.interval, 150_376);
    }

    #[test]
    fn an_unlimited_quota_never_runs_out() {
        let settings = settings(
            &account(-1.0, 1e9, 14.0),
            &POLICY,
            Granted {
                total: 5,
                last_24_hours: 5,
            },
        );
        assert_eq!((settings.ceiling_all, settings.ceiling_bulk), (UNLIMITED, UNLIMITED));
    }

    #[test]
    fn counts_the_last_day_from_the_sample_before_it() {
        let samples = [
            Sample { at: at(0), total: 10 },
            Sample { at: at(2), total: 40 },
            Sample { at: at(1), total: 25 },
        ];
        assert_eq!(granted(100, &samples, at(25)).last_24_hours, 75);
        assert_eq!(granted(100, &samples, at(23)).last_24_hours, 100);
        assert_eq!(granted(100, &[], at(23)).last_24_hours, 100);
    }

    proptest! {
        #[test]
        fn never_leaves_more_than_the_account_or_the_share_has(
            quota in 0.0f64..1e7, sent in 0.0f64..1e7, rate in 0.01f64..1000.0, share in 0.01f64..=1.0,
            total in 0i64..1_000_000_000, last in 0i64..10_000_000,
        ) {
            let policy = Policy { account_share: share, ..POLICY };
            let settings = settings(&account(quota, sent, rate), &policy, Granted { total, last_24_hours: last.min(total) });
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let left = (settings.ceiling_all - total) as f64;
            prop_assert!(left <= quota - sent && left <= quota * share);
            prop_assert!(settings.ceiling_bulk <= settings.ceiling_all);
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let granted_rate = 1e6 / settings.interval as f64;
            prop_assert!(granted_rate <= rate * share);
        }

        #[test]
        fn any_figure_that_ses_may_send_gives_settings(quota: f64, sent: f64, rate: f64) {
            let settings = settings(&account(quota, sent, rate), &POLICY, Granted::default());
            prop_assert!((1..=INTERVAL_MAX).contains(&settings.interval));
        }
    }
}
