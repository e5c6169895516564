//! The events: tables of bounces, complaints and blocks.

use std::fmt::{self, Write};

use domain::reputation::percent;

use super::super::IncidentFacts;
use super::super::counts::{Event, Tally};
use super::super::sent::SentCount;
use super::NOT_KNOWN;
use super::syntax::{escaped, head, row};
use crate::plural::counted;

/// The number of domains, tags and keys that a table shows. The CSV format has all of them.
const SHOWN: usize = 20;
const TALLY: [&str; 3] = ["hard bounces", "complaints", "blocks"];

/// Writes the section.
pub(super) fn write(text: &mut String, facts: &IncidentFacts) -> fmt::Result {
    writeln!(text, "## What happened\n")?;
    if facts.counts.events.is_empty() {
        return writeln!(text, "SES reported no events of these kinds.\n");
    }
    by_day(text, facts)?;
    let counts = &facts.counts;
    let tables = [
        ("Recipient domain", "", counts.by(|event| vec![&event.domain])),
        (
            "Class",
            "The class that Okite derives from the response of the receiving server.",
            counts.by(|event| vec![&event.class]),
        ),
        ("Stream", "", counts.by(|event| vec![event.stream])),
        (
            "Tag",
            "The tags that the application set. A mail with several tags counts in several rows.",
            counts.by(tags),
        ),
        (
            "API key",
            "From the record of the mail. `not on record` means that the record has expired, or that Okite did not \
             send the mail.",
            counts.by(|event| vec![&event.key]),
        ),
    ];
    for (title, note, rows) in tables {
        writeln!(text, "### By {}\n", title.to_lowercase().replace("api", "API"))?;
        if !note.is_empty() {
            writeln!(text, "{note}\n")?;
        }
        table(text, title, &rows)?;
    }
    Ok(())
}

fn tags(event: &Event) -> Vec<&str> {
    if event.tags.is_empty() {
        return vec!["(none)"];
    }
    event.tags.iter().map(String::as_str).collect()
}

fn by_day(text: &mut String, facts: &IncidentFacts) -> fmt::Result {
    writeln!(text, "### By day\n")?;
    head(
        text,
        &["day (UTC)", TALLY[0], TALLY[1], TALLY[2], "sent", "bounces of sent"],
    )?;
    for (day, tally) in facts.counts.by_day() {
        let sent = facts.sent.get(&day).copied().filter(|sent| sent.recipients > 0);
        let share = sent.and_then(|sent| share_of(tally.bounces, sent));
        row(
            text,
            &[
                &day,
                &tally.bounces,
                &tally.complaints,
                &tally.blocks,
                &sent.map_or_else(|| NOT_KNOWN.to_owned(), |sent| sent.to_string()),
                &share.unwrap_or_else(|| NOT_KNOWN.to_owned()),
            ],
        )?;
    }
    writeln!(
        text,
        "\nDays without events are left out. A bounce may belong to a mail of the day before.\n"
    )
}

/// Returns the share of bounces in what was sent. What was sent to at least so many has bounces of at most that share.
fn share_of(count: u64, sent: SentCount) -> Option<String> {
    let share = f64::from(u32::try_from(count).ok()?) / f64::from(u32::try_from(sent.recipients).ok()?);
    let at_most = if sent.at_least { "at most " } else { "" };
    Some(format!("{at_most}{}", percent(share)))
}

/// Writes the first rows of a table, and the others as one row.
fn table(text: &mut String, title: &str, rows: &[(&str, Tally)]) -> fmt::Result {
    head(text, &[title, TALLY[0], TALLY[1], TALLY[2]])?;
    let (shown, others) = rows.split_at(rows.len().min(SHOWN));
    for (name, tally) in shown {
        row(
            text,
            &[&escaped(name), &tally.bounces, &tally.complaints, &tally.blocks],
        )?;
    }
    if !others.is_empty() {
        let mut sum = Tally::default();
        for (_, tally) in others {
            sum += *tally;
        }
        let name = counted(others.len() as u64, "other", "others");
        row(text, &[&name, &sum.bounces, &sum.complaints, &sum.blocks])?;
    }
    writeln!(text)
}
