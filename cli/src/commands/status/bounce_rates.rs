//! The table of the bounce rate and the complaint rate on the page, with the limits of Okite and AWS.

use std::fmt::{self, Write};

use domain::report::Report;
use domain::reputation::{Headroom, RateEstimate, ReputationRate, percent};

use super::line::{NOT_KNOWN, colour_of, line};
use crate::terminal::{self, Colours};

const HEADER: [&str; 8] = ["", "AWS", "ESTIMATE", "OF SENT", "WARN", "BRAKE", "REVIEW", "PAUSE"];

/// Writes the table. A rate that is not known gets a line of its own.
pub(super) fn write(text: &mut String, report: &Report, colours: Colours) -> fmt::Result {
    let (rates, headroom) = (&report.rates, &report.headroom);
    let mut rows = Vec::new();
    for (name, rate, headroom) in [
        ("bounces", rates.bounce.as_ref(), headroom.bounces.as_ref()),
        ("complaints", rates.complaint.as_ref(), headroom.complaints.as_ref()),
    ] {
        let Some(rate) = rate else {
            line(text, name, NOT_KNOWN)?;
            continue;
        };
        rows.push(rate_row(name, rate));
        rows.push(headroom_row(headroom));
    }
    if rows.is_empty() {
        return Ok(());
    }
    let table = terminal::columns(HEADER, rows);
    let levels = [rates.bounce, rates.complaint]
        .into_iter()
        .flatten()
        .map(|rate| rate.level);
    let mut levels = levels.flat_map(|level| [Some(level), None]);
    writeln!(text)?;
    for (number, row) in table.lines().enumerate() {
        let level = if number == 0 { None } else { levels.next().flatten() };
        match level {
            Some(level) => writeln!(text, "{}", colours.paint(colour_of(level), row))?,
            None => writeln!(text, "{row}")?,
        }
    }
    writeln!(text)
}

fn rate_row(name: &str, rate: &ReputationRate) -> [String; HEADER.len()] {
    let estimate = rate.estimate;
    let known = |rate: Option<f64>| rate.map_or_else(|| NOT_KNOWN.to_owned(), percent);
    let of_sent = estimate.map_or_else(
        || NOT_KNOWN.to_owned(),
        |estimate| {
            let at_least = if estimate.at_least { "at least " } else { "" };
            let RateEstimate { count, sent, days, .. } = estimate;
            format!("{at_least}{count} of {sent} in {days} d")
        },
    );
    [
        name.to_owned(),
        known(rate.aws),
        known(estimate.and_then(|estimate| estimate.rate)),
        of_sent,
        percent(rate.warn_at),
        percent(rate.brake_at),
        percent(rate.review_at),
        percent(rate.pause_at),
    ]
}

/// Returns how many more bounces or complaints reach each limit.
fn headroom_row(headroom: Option<&Headroom>) -> [String; HEADER.len()] {
    let more = |of: fn(&Headroom) -> u64| match headroom.map(of) {
        None => NOT_KNOWN.to_owned(),
        Some(0) => "reached".to_owned(),
        Some(more) => format!("{more} more"),
    };
    [
        "  until then".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        more(|headroom| headroom.warn),
        more(|headroom| headroom.brake),
        more(|headroom| headroom.review),
        more(|headroom| headroom.pause),
    ]
}
