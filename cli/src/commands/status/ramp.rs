//! The text of a plan to reach a higher daily volume.

use domain::account::RampPlan;
use jiff::civil::Date;

use crate::plural::counted;

const ADVICE: &str = "SES raises a quota by itself when the volume comes near it and bounces and complaints are few. \
                      Also request the increase in the Service Quotas console: that takes days. The plan assumes that \
                      the volume may double in a week; AWS publishes no figure.";

/// Why there is no plan for a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPlan {
    #[error("--by {0} is not in the future: name a later date")]
    Past(Date),
    #[error("--by {by} is too far ahead: plan for {last} at the latest")]
    TooFar { by: Date, last: Date },
}

/// Describes a plan for `need` recipients a day by a date. A quota of `None` is unlimited.
pub(super) fn describe(ramp: RampPlan, quota: Option<f64>, need: u32, by: Date) -> Result<String, NoPlan> {
    let quota = quota.unwrap_or(0.0);
    Ok(match ramp {
        RampPlan::Past => return Err(NoPlan::Past(by)),
        RampPlan::TooFar(last) => return Err(NoPlan::TooFar { by, last }),
        RampPlan::AllowedNow => format!("The quota already allows {need} recipients a day."),
        RampPlan::Start {
            start,
            daily_factor,
            days,
        } => format!(
            "For {need} recipients a day by {by}: send to {start} today and to {} % more each day, for {}. \
             The quota is {quota} a day now and has to grow with it.\n{ADVICE}",
            percent_of_growth(daily_factor),
            counted(days, "day", "days")
        ),
        RampPlan::NotBefore(date) => format!(
            "{need} recipients a day by {by} is too soon for a quota of {quota} a day. If you begin today, it takes \
             until about {date}. Send part of the mail later, or from another account.\n{ADVICE}"
        ),
    })
}

/// Writes the daily growth in whole percent, or with two digits behind the point if it is small.
fn percent_of_growth(daily_factor: f64) -> String {
    let percent = (daily_factor - 1.0) * 100.0;
    if percent < 5.0 {
        format!("{percent:.2}")
    } else {
        format!("{percent:.0}")
    }
}

#[cfg(test)]
mod tests {
    use domain::account::plan_ramp;

    use super::*;

    #[test]
    fn names_the_first_volume_or_a_later_date() {
        let plan_of = |quota: Option<f64>, by: &str| {
            let by = by.parse().unwrap();
            describe(
                plan_ramp(quota, 200_000.0, "2026-01-01".parse().unwrap(), by),
                quota,
                200_000,
                by,
            )
        };
        let text_of = |quota, by| plan_of(quota, by).unwrap();
        let text = text_of(Some(50_000.0), "2026-01-22");
        assert!(
            text.contains("send to 25000 today and to 10 % more each day, for 21 days"),
            "{text}"
        );
        let text = text_of(Some(50_000.0), "2029-01-01");
        assert!(
            text.contains("send to 1 today and to 1.12 % more each day, for 1096 days"),
            "{text}"
        );
        let text = text_of(Some(50_000.0), "2026-01-10");
        assert!(text.contains("too soon") && text.contains("2026-01-15"), "{text}");
        assert!(text_of(None, "2026-01-10").contains("already"));
        let refusal = |by| plan_of(Some(1.0), by).unwrap_err().to_string();
        assert_eq!(
            refusal("2026-01-01"),
            "--by 2026-01-01 is not in the future: name a later date"
        );
        assert_eq!(
            refusal("9999-12-31"),
            "--by 9999-12-31 is too far ahead: plan for 2029-01-03 at the latest"
        );
    }
}
