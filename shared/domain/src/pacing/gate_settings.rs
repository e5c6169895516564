//! The reporter's half: it turns the account and the grants into the settings of the gate. Figures that SES does not
//! publish are named constants here.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::GrantSample;
use super::micros;
use crate::account::Account;
use crate::message::RECIPIENTS_MAX;
use crate::pacing::PacingPolicy;

/// The share of the account's sending rate that Okite uses: SES may accept slightly less than the rate it reports.
const RATE_USED: f64 = 0.95;
/// The number that means "no limit" in the gate.
pub const UNLIMITED: i64 = 9_000_000_000_000_000;
/// How long SES may take to show a recipient in `SentLast24Hours`. An assumption: AWS documents no figure.
const COUNTING_LAG: Duration = Duration::from_mins(1);
/// The longest time that one `SendEmail` may take, from the first byte to the answer.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Recipients a second before the first report: the sending rate of every new SES account.
pub(super) const FIRST_RATE: f64 = 1.0;
/// The longest interval between two recipients, for accounts whose rate is next to nothing.
const INTERVAL_MAX: i64 = 3_600_000_000;

/// Okite's own grants, from the gate's running total and its hourly samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantTotals {
    /// The running total, read just before the account.
    pub total: i64,
    /// How much of it was granted in the last 24 hours.
    pub last_24_hours: i64,
    /// How much of it SES may not have counted yet.
    pub lately: i64,
}

/// The settings of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateSettings {
    /// Microseconds between two recipients.
    pub slot_interval: i64,
    /// `left_all` plus the total granted: the limit of that total for all mail.
    pub ceiling_all: i64,
    /// The limit of that total for bulk mail.
    pub ceiling_bulk: i64,
}

/// Works out the gate from the account, this stack's policy and its grants. An account without a usable rate leaves the
/// interval at `slot_interval_before`, that of the gate as it was read.
#[must_use]
pub fn gate_settings(
    account: &Account,
    policy: &PacingPolicy,
    granted: GrantTotals,
    slot_interval_before: Option<i64>,
) -> GateSettings {
    let slot_interval = match account.send_rate() {
        Some(rate) => slot_interval(rate * policy.account_share),
        None => {
            slot_interval_before.map_or_else(|| slot_interval(FIRST_RATE), |interval| interval.clamp(1, INTERVAL_MAX))
        }
    };
    let Some(quota) = account.quota() else {
        return GateSettings {
            slot_interval,
            ceiling_all: UNLIMITED,
            ceiling_bulk: UNLIMITED,
        };
    };
    let left_of_account = whole(quota - account.sent_last_24_hours);
    // SES's count of all senders bounds our sends. SES refused the other grants, or they are subtracted below.
    let own = granted.last_24_hours.min(whole(account.sent_last_24_hours));
    let left_of_share = whole(quota * policy.account_share) - own;
    let left =
        left_of_account.min(left_of_share) - in_flight(slot_interval, policy).min(granted.lately) + granted.total;
    let reserve = whole(quota * policy.account_share * policy.bulk_reserve);
    GateSettings {
        slot_interval,
        ceiling_all: left,
        ceiling_bulk: left - reserve,
    }
}

/// Returns the microseconds between two recipients at `rate` recipients a second, rounded up.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "clamped to a range that i64 holds")]
pub(super) fn slot_interval(rate: f64) -> i64 {
    let slot_interval = (1e6 / (rate * RATE_USED)).ceil();
    if slot_interval.is_finite() && slot_interval > 0.0 {
        (slot_interval as i64).clamp(1, INTERVAL_MAX)
    } else {
        INTERVAL_MAX
    }
}

/// Returns how long SES may take to count a granted recipient, the burst included.
fn uncounted(policy: &PacingPolicy) -> Duration {
    policy.burst + policy.wait + SEND_TIMEOUT + COUNTING_LAG
}

/// Returns how many recipients the rate admits before SES's own count shows the first of them: the most that can be in
/// flight.
///
/// The gate admits a mail by its first slot, so all recipients of the last mail may come on top.
fn in_flight(slot_interval: i64, policy: &PacingPolicy) -> i64 {
    let largest = i64::try_from(RECIPIENTS_MAX).unwrap_or(i64::MAX);
    micros(uncounted(policy)).div_euclid(slot_interval) + largest
}

/// Rounds recipients down to whole ones.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from f64 saturates, and NaN becomes 0"
)]
fn whole(recipients: f64) -> i64 {
    (recipients.floor() as i64).clamp(-UNLIMITED, UNLIMITED)
}

/// Works out the grants of the last 24 hours, and those that SES may not have counted, from `total` and its samples in
/// any order.
///
/// The base is the youngest sample that is old enough. So the result may be too high (by up to an hour's grants), but
/// never too low. If no sample is old enough, everything counts.
#[must_use]
pub fn grant_totals(total: i64, samples: &[GrantSample], policy: &PacingPolicy, now: Timestamp) -> GrantTotals {
    let since = |age: SignedDuration| {
        let old_enough = samples.iter().filter(|sample| now.duration_since(sample.at) >= age);
        let base = old_enough.max_by_key(|sample| sample.at);
        total - base.map_or(0, |sample| sample.total)
    };
    GrantTotals {
        total,
        last_24_hours: since(SignedDuration::from_hours(24)),
        lately: since(SignedDuration::from_micros(micros(uncounted(policy)))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::account::EnforcementStatus;

    const POLICY: PacingPolicy = PacingPolicy {
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
        assert_eq!(slot_interval(14.0), 75_188);
        assert_eq!(slot_interval(1.0), 1_052_632);
    }

    #[test]
    fn a_rate_of_nothing_is_the_longest_interval() {
        for rate in [0.0, -1.0, f64::NAN, 1e-12] {
            assert_eq!(slot_interval(rate), INTERVAL_MAX);
        }
    }

    #[test]
    fn a_figure_that_is_no_rate_leaves_the_rate() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let settings =
                |before| gate_settings(&account(50_000.0, 0.0, rate), &POLICY, GrantTotals::default(), before);
            assert_eq!(settings(Some(75_188)).slot_interval, 75_188, "{rate}");
            assert_eq!(settings(None).slot_interval, 1_052_632, "{rate}");
            assert_eq!(settings(Some(0)).slot_interval, 1, "{rate}");
        }
        for (rate, interval) in [(0.001, 1_052_631_579), (1e-300, INTERVAL_MAX), (1e6, 2), (1e300, 1)] {
            let settings = gate_settings(&account(50_000.0, 0.0, rate), &POLICY, GrantTotals::default(), Some(5));
            assert_eq!(settings.slot_interval, interval, "{rate}");
        }
    }

    #[test]
    fn subtracts_recipients_in_flight() {
        // 73 s of slots (1 burst + 2 wait + 10 timeout + 60 lag) at 14/s · 0.95, and the 50 recipients of the last mail
        for (lately, in_flight) in [(0, 0), (1_019, 1_019), (1_020, 1_020), (5_000, 1_020)] {
            let granted = GrantTotals {
                lately,
                ..GrantTotals::default()
            };
            let settings = gate_settings(&account(50_000.0, 1_000.0, 14.0), &POLICY, granted, None);
            assert_eq!(settings.ceiling_all, 50_000 - 1_000 - in_flight);
            assert_eq!(settings.ceiling_bulk, settings.ceiling_all - 10_000);
        }
    }

    #[test]
    fn a_share_limits_this_stack_whatever_is_left() {
        let half = PacingPolicy {
            account_share: 0.5,
            ..POLICY
        };
        let granted = GrantTotals {
            total: 70_000,
            last_24_hours: 20_000,
            lately: 20_000,
        };
        let settings = gate_settings(&account(50_000.0, 20_000.0, 14.0), &half, granted, None);
        assert_eq!(settings.ceiling_all - granted.total, 25_000 - 20_000 - 535);
        assert_eq!(settings.slot_interval, 150_376);
    }

    #[test]
    fn a_grant_that_ses_refused_uses_no_quota() {
        let granted = GrantTotals {
            total: 90_000,
            last_24_hours: 60_000,
            lately: 0,
        };
        let settings = gate_settings(&account(50_000.0, 1_000.0, 14.0), &POLICY, granted, None);
        assert_eq!(settings.ceiling_all - granted.total, 49_000);
    }

    #[test]
    fn an_unlimited_quota_never_runs_out() {
        let settings = gate_settings(
            &account(-1.0, 1e9, 14.0),
            &POLICY,
            GrantTotals {
                total: 5,
                last_24_hours: 5,
                lately: 5,
            },
            None,
        );
        assert_eq!((settings.ceiling_all, settings.ceiling_bulk), (UNLIMITED, UNLIMITED));
    }

    #[test]
    fn counts_the_last_day_from_the_sample_before_it() {
        let samples = [
            GrantSample { at: at(0), total: 10 },
            GrantSample { at: at(2), total: 40 },
            GrantSample { at: at(1), total: 25 },
        ];
        assert_eq!(grant_totals(100, &samples, &POLICY, at(25)).last_24_hours, 75);
        assert_eq!(grant_totals(100, &samples, &POLICY, at(23)).last_24_hours, 100);
        assert_eq!(grant_totals(100, &[], &POLICY, at(23)).last_24_hours, 100);
    }

    #[test]
    fn counts_grants_after_the_youngest_sample_that_ses_has_counted() {
        let seconds = |seconds| at(0) + SignedDuration::from_secs(seconds);
        let samples = [(0, 10), (300, 40), (600, 45)].map(|(at, total)| GrantSample { at: seconds(at), total });
        for (now, lately) in [(600, 60), (672, 60), (673, 55), (10_000, 55)] {
            assert_eq!(
                grant_totals(100, &samples, &POLICY, seconds(now)).lately,
                lately,
                "{now}"
            );
        }
        assert_eq!(grant_totals(100, &[], &POLICY, seconds(600)).lately, 100);
    }

    proptest! {
        #[test]
        fn never_leaves_more_than_the_account_or_the_share_has(
            quota in 0.0f64..1e7, sent in 0.0f64..1e7, rate in 0.01f64..1000.0, share in 0.01f64..=1.0,
            total in 0i64..1_000_000_000, last in 0i64..10_000_000,
        ) {
            let policy = PacingPolicy { account_share: share, ..POLICY };
            let settings = gate_settings(&account(quota, sent, rate), &policy, GrantTotals { total, last_24_hours: last.min(total), lately: 0 }, None);
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let left = (settings.ceiling_all - total) as f64;
            prop_assert!(left <= quota - sent && left <= quota * share);
            prop_assert!(settings.ceiling_bulk <= settings.ceiling_all);
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let granted_rate = 1e6 / settings.slot_interval as f64;
            prop_assert!(granted_rate <= rate * share);
        }

        #[test]
        fn any_figure_that_ses_may_send_gives_settings(quota: f64, sent: f64, rate: f64) {
            let settings = gate_settings(&account(quota, sent, rate), &POLICY, GrantTotals::default(), None);
            prop_assert!((1..=INTERVAL_MAX).contains(&settings.slot_interval));
        }
    }
}
