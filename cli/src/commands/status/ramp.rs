//! How to come to a higher volume by a date, for people.

use domain::account::Ramp;
use jiff::civil::Date;

const HOW: &str = "SES raises a quota by itself when the volume comes near it, with few bounces and complaints; ask for it in the \
                   Service Quotas console as well, for that takes days. That a volume may double in a week is an assumption: \
                   AWS names no figure.";

/// Says a plan for `need` recipients a day by a date, from a quota that is `None` when unlimited.
pub(super) fn said(ramp: Ramp, quota: Option<f64>, need: u32, by: Date) -> String {
    let quota = quota.unwrap_or(0.0);
    match ramp {
        Ramp::AllowedNow => format!("The quota allows {need} recipients a day already."),
        Ramp::Past => format!("{by} is not in the future: name a later day."),
        Ramp::Start {
            start,
            daily_factor,
            days,
        } => format!(
            "For {need} recipients a day by {by}: begin with {start} today and send {:.0} % more each day, for {days} days. The \
             quota is {quota} now, and has to grow with it.\n{HOW}",
            (daily_factor - 1.0) * 100.0
        ),
        Ramp::NotBefore(date) => format!(
            "{need} recipients a day by {by} is too soon for a quota of {quota}: begun today, it takes until {date} as a rule. \
             Send part of it later, or by another account.\n{HOW}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use domain::account::plan;

    use super::*;

    #[test]
    fn says_where_to_begin_or_that_it_is_too_soon() {
        let said = |quota: Option<f64>, by: &str| {
            let by = by.parse().unwrap();
            said(
                plan(quota, 200_000.0, "2026-01-01".parse().unwrap(), by),
                quota,
                200_000,
                by,
            )
        };
        let text = said(Some(50_000.0), "2026-01-22");
        assert!(
            text.contains("begin with 25000 today and send 10 % more each day, for 21 days"),
            "{text}"
        );
        let text = said(Some(50_000.0), "2026-01-10");
        assert!(text.contains("too soon") && text.contains("2026-01-15"), "{text}");
        assert!(said(None, "2026-01-10").contains("already"));
        assert!(said(Some(1.0), "2026-01-01").contains("not in the future"));
    }
}
