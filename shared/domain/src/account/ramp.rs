//! Planning a higher volume from a date backwards.
//!
//! SES raises a quota when the volume comes near it, and mailbox providers trust volume that grows slowly. AWS
//! publishes no figure for either, so the pace is an assumption.

use jiff::Span;
use jiff::civil::Date;

/// The number of days in which a volume may double. An assumption: a higher quota reportedly takes two weeks or more,
/// and volume doubles at most every few days during warm-up.
const DOUBLES_IN_DAYS: f64 = 7.0;

/// The most days that a plan reaches ahead. Nobody knows an account's quota in three years.
const RAMP_DAYS_MAX: i32 = 3 * 366;

/// The plan to reach a volume.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RampPlan {
    /// The quota already allows the volume.
    AllowedNow,
    /// Begin today with `start` recipients a day, and grow by `daily_factor` every day.
    Start {
        /// Recipients on the first day.
        start: f64,
        /// The factor between one day and the next.
        daily_factor: f64,
        /// Days from today until the date.
        days: i32,
    },
    /// The date is too early. Starting today with the whole quota reaches the volume on this date.
    NotBefore(Date),
    /// The date is not in the future.
    Past,
    /// The date is further ahead than can be planned. The last date that can be planned for is this one.
    TooFar(Date),
}

/// Plans the growth from `quota` recipients a day to `need` by the date `by`. A quota of `None` is unlimited.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "some thousands of days at most")]
pub fn plan_ramp(quota: Option<f64>, need: f64, today: Date, by: Date) -> RampPlan {
    let days = (by - today).get_days();
    if days < 1 {
        return RampPlan::Past;
    }
    if days > RAMP_DAYS_MAX {
        return RampPlan::TooFar(days_after(today, RAMP_DAYS_MAX.into()));
    }
    let Some(quota) = quota.filter(|quota| *quota < need) else {
        return RampPlan::AllowedNow;
    };
    let start = need / (f64::from(days) / DOUBLES_IN_DAYS).exp2();
    if start <= quota {
        let start = start.ceil().max(1.0);
        // A distant date needs less growth than the volume may have.
        let daily_factor = (need / start).powf(1.0 / f64::from(days));
        return RampPlan::Start {
            start,
            daily_factor,
            days,
        };
    }
    let takes = (need / quota.max(1.0)).log2() * DOUBLES_IN_DAYS;
    RampPlan::NotBefore(days_after(today, takes.ceil() as i64))
}

fn days_after(today: Date, days: i64) -> Date {
    let later = Span::new().try_days(days).and_then(|span| today.checked_add(span));
    later.unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_backwards_from_the_date() {
        let today = "2026-01-01".parse().unwrap();
        let plan = |quota, need, by: &str| plan_ramp(quota, need, today, by.parse().unwrap());
        assert_eq!(plan(None, 1e9, "2026-01-02"), RampPlan::AllowedNow);
        assert_eq!(plan(Some(50_000.0), 50_000.0, "2026-01-02"), RampPlan::AllowedNow);
        assert_eq!(plan(Some(1_000.0), 2_000.0, "2026-01-01"), RampPlan::Past);
        assert_eq!(plan(None, 2_000.0, "2025-01-01"), RampPlan::Past);
        let RampPlan::Start {
            start,
            daily_factor,
            days,
        } = plan(Some(50_000.0), 200_000.0, "2026-01-22")
        else {
            panic!("there is time enough")
        };
        assert_eq!((start, days), (25_000.0, 21));
        assert!((daily_factor - 1.104_089).abs() < 1e-6);
        let RampPlan::Start {
            start,
            daily_factor,
            days,
        } = plan(Some(50_000.0), 200_000.0, "2029-01-03")
        else {
            panic!("there is time enough")
        };
        assert_eq!((start, days), (1.0, RAMP_DAYS_MAX));
        assert!((daily_factor.powi(days) / 200_000.0 - 1.0).abs() < 1e-6);
        assert_eq!(
            plan(Some(50_000.0), 200_000.0, "2026-01-10"),
            RampPlan::NotBefore("2026-01-15".parse().unwrap())
        );
        for by in ["2029-01-04", "9999-12-31"] {
            let last = "2029-01-03".parse().unwrap();
            assert_eq!(plan(Some(50_000.0), 200_000.0, by), RampPlan::TooFar(last));
            assert_eq!(plan(None, 200_000.0, by), RampPlan::TooFar(last));
        }
        assert!(matches!(
            plan(Some(0.0), 200_000.0, "2026-01-10"),
            RampPlan::NotBefore(_)
        ));
    }
}
