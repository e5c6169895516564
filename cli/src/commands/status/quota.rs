//! The 24-hour quota and the sending rate on the page.

use std::fmt;

use domain::report::{LimitDrop, Report};
use domain::reputation::percent;

use super::line::{colour_of, duration, line, seconds};
use crate::plural::counted;
use crate::terminal::{Colour, Colours};

/// The width of the bar that shows the used share of the quota, in characters.
const BAR_WIDTH: usize = 30;

/// Writes the quota, its use and the sending rate.
pub(super) fn write(text: &mut String, report: &Report, colours: Colours) -> fmt::Result {
    let quota = &report.quota;
    match (quota.limit, quota.remaining, quota.used_share) {
        (Some(limit), Some(remaining), Some(share)) => {
            let level = report.reasons.iter().filter(|reason| reason.code.starts_with("quota"));
            let level = level.map(|reason| reason.level).max().unwrap_or_default();
            let bar = colours.paint(colour_of(level), &bar(share));
            let of = format!("{:.0} of {limit:.0} used, {remaining:.0} left", quota.used);
            line(text, "quota (24 h)", &format!("{bar} {} {of}", percent(share)))?;
        }
        (Some(limit), ..) => line(text, "quota (24 h)", &format!("{:.0} of {limit:.0} used", quota.used))?,
        // A report of an older version has only the figures of the account.
        (None, ..) => {
            let used = report.account.account.sent_last_24_hours;
            let limit = report.account.account.quota();
            let of = limit.map_or_else(|| "of no limit".to_owned(), |limit| format!("of {limit:.0}"));
            line(text, "quota (24 h)", &format!("{used:.0} {of} used"))?;
        }
    }
    let exhausted = quota
        .exhausted_in_seconds
        .and_then(|seconds| i64::try_from(seconds).ok());
    let exhausted = exhausted.map_or_else(String::new, |seconds| {
        format!("; at this pace used up in {}", duration(seconds))
    });
    let by = format!(
        "{:.0} by this stack, {:.0} by other senders; {:.0} an hour now{exhausted}",
        quota.by_us, quota.by_others, quota.per_hour
    );
    line(text, "", &by)?;
    if let Some(share) = &quota.share {
        let own = format!(
            "{:.0} of {:.0} left of this stack's share",
            share.remaining, share.limit
        );
        line(text, "", &own)?;
    }
    fell(text, quota.fell.as_ref(), colours)?;
    line(
        text,
        "sending rate",
        &counted(
            report.account.account.max_send_rate,
            "recipient a second",
            "recipients a second",
        ),
    )?;
    fell(text, report.rate.fell.as_ref(), colours)
}

/// Writes that AWS lowered a limit.
fn fell(text: &mut String, fell: Option<&LimitDrop>, colours: Colours) -> fmt::Result {
    let Some(fell) = fell else { return Ok(()) };
    let from = if fell.from < 0.0 {
        "no limit".to_owned()
    } else {
        fell.from.to_string()
    };
    let what = format!("AWS lowered it from {from} to {} at {}", fell.to, seconds(fell.at));
    line(text, "", &colours.paint(Colour::Yellow, &what))
}

fn bar(share: f64) -> String {
    let full = (1..=BAR_WIDTH)
        .take_while(|step| share * float(BAR_WIDTH) >= float(*step))
        .count();
    format!("[{}{}]", "#".repeat(full), ".".repeat(BAR_WIDTH - full))
}

fn float(steps: usize) -> f64 {
    f64::from(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_quota() {
        for (share, full) in [(0.0, 0), (0.01, 0), (0.5, 15), (0.999, 29), (1.0, 30), (7.0, 30)] {
            assert_eq!(bar(share).matches('#').count(), full, "{share}");
            assert_eq!(bar(share).len(), BAR_WIDTH + 2);
        }
    }
}
