//! The report for people: it reads like the answer one sends to AWS, with marked blanks for what only the operator knows.

use std::fmt::{self, Display, Write};

use domain::account::{EnforcementStatus, Rate, percent};
use domain::address::without_addresses;
use domain::brake_change::BrakeChange;
use jiff::{Timestamp, Unit};

use super::Evidence;
use super::counts::{Event, Tally};

/// How many domains, tags and keys are shown; the CSV has all.
const SHOWN: usize = 20;
/// What stands where something is not on record.
const NOT_KNOWN: &str = "not known";
const TALLY: [&str; 3] = ["hard bounces", "complaints", "blocks"];

/// Writes the report.
pub(super) fn of(evidence: &Evidence) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, evidence);
    text
}

fn write(text: &mut String, evidence: &Evidence) -> fmt::Result {
    let range = &evidence.range;
    writeln!(
        text,
        "# Bounces and complaints, {} to {} (UTC)\n",
        range.since, range.until
    )?;
    writeln!(
        text,
        "Written by `okite incident` at {} for Amazon SES in {}, from {}. It names the domains of recipients and no address.\n",
        seconds(evidence.written_at),
        evidence.region,
        escaped(&evidence.place),
    )?;
    summary(text, evidence)?;
    happened(text, evidence)?;
    done(text, evidence)?;
    in_place(text, evidence)?;
    text.push_str(BLANKS);
    Ok(())
}

/// What nobody but the operator knows.
const BLANKS: &str = "\
## To be written by you

AWS asks for these three, and no record can answer them.

- **Root cause:** `[TO WRITE: which list, form, import or sender these addresses came from, and why they were bad]`
- **What was fixed:** `[TO WRITE: what was stopped, removed or corrected, and when]`
- **How it is kept from happening again:** `[TO WRITE: confirmed opt-in, checks of imports, limits for one sender, who watches]`
";

fn summary(text: &mut String, evidence: &Evidence) -> fmt::Result {
    let all = evidence.counts.all();
    writeln!(text, "## Summary\n")?;
    if all.count() == 0 {
        writeln!(
            text,
            "- No hard bounces, complaints or blocks are on record in these days."
        )?;
    } else {
        writeln!(
            text,
            "- {} hard bounces, {} complaints, and {} refusals of the sender (blocks), which AWS does not count.",
            all.bounces, all.complaints, all.blocks
        )?;
    }
    let (days, known) = (range_days(evidence), evidence.sent.len());
    let sent: i64 = evidence.sent.values().sum();
    match known {
        0 => writeln!(
            text,
            "- How many recipients were sent to is {NOT_KNOWN} for these days."
        )?,
        _ => writeln!(
            text,
            "- {sent} recipients were sent to, on the {known} of {days} days that this is known of."
        )?,
    }
    match (evidence.verified_known, evidence.counts.at_verified) {
        (true, left_out) => writeln!(
            text,
            "- Left out, as AWS leaves them out: {left_out} at domains that the account has verified."
        )?,
        (false, _) => writeln!(
            text,
            "- Which domains the account has verified is {NOT_KNOWN}, so recipients at them are counted here, unlike by AWS."
        )?,
    }
    if evidence.counts.unreadable > 0 {
        writeln!(
            text,
            "- {} rows could not be read and are left out.",
            evidence.counts.unreadable
        )?;
    }
    account(text, evidence)
}

fn account(text: &mut String, evidence: &Evidence) -> fmt::Result {
    let Some(report) = &evidence.report else {
        return writeln!(text, "- No report of the account is on record.\n");
    };
    let account = report.account.account;
    let standing = match account.enforcement_status {
        EnforcementStatus::Healthy => "healthy (HEALTHY)",
        EnforcementStatus::Probation => "under review (PROBATION)",
        EnforcementStatus::Shutdown => "stopped by AWS (SHUTDOWN)",
    };
    let enabled = if account.sending_enabled { "on" } else { "off" };
    writeln!(
        text,
        "- At {} the account was {standing}, its sending {enabled}; {:.0} recipients were sent to within 24 hours.",
        seconds(report.at),
        account.sent_last_24_hours,
    )?;
    writeln!(text, "- Bounce rate then: {}.", rate(report.rates.bounce.as_ref()))?;
    writeln!(
        text,
        "- Complaint rate then: {}.\n",
        rate(report.rates.complaint.as_ref())
    )
}

fn rate(rate: Option<&Rate>) -> String {
    let aws = rate.and_then(|rate| rate.aws);
    let estimate = rate.and_then(|rate| rate.estimate);
    let aws = aws.map_or_else(|| NOT_KNOWN.to_owned(), percent);
    match estimate.and_then(|estimate| Some((estimate.rate?, estimate))) {
        Some((rate, estimate)) => format!(
            "{aws} by AWS's own figure; {} by our estimate ({} of {} recipients in {} days)",
            percent(rate),
            estimate.count,
            estimate.sent,
            estimate.days
        ),
        None => format!("{aws} by AWS's own figure; our estimate is {NOT_KNOWN}"),
    }
}

fn happened(text: &mut String, evidence: &Evidence) -> fmt::Result {
    writeln!(text, "## What happened\n")?;
    if evidence.counts.events.is_empty() {
        return writeln!(text, "Nothing that is on record.\n");
    }
    by_day(text, evidence)?;
    let counts = &evidence.counts;
    let tables = [
        ("Recipient domain", "", counts.by(|event| vec![&event.domain])),
        (
            "Class",
            "What the receiving servers said, as Okite classes it.",
            counts.by(|event| vec![&event.class]),
        ),
        ("Stream", "", counts.by(|event| vec![event.stream])),
        (
            "Tag",
            "Tags that the application gave its mail; a mail with several is in several rows.",
            counts.by(tags),
        ),
        (
            "API key",
            "By the record of the mail, which is kept for a time: `not on record` is older, or was not sent by Okite.",
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

fn by_day(text: &mut String, evidence: &Evidence) -> fmt::Result {
    writeln!(text, "### By day\n")?;
    head(
        text,
        &["day (UTC)", TALLY[0], TALLY[1], TALLY[2], "sent", "bounces of sent"],
    )?;
    for (day, tally) in evidence.counts.by_day() {
        let sent = evidence.sent.get(&day).copied().filter(|sent| *sent > 0);
        let share = sent.and_then(|sent| share(tally.bounces, sent));
        row(
            text,
            &[
                &day,
                &tally.bounces,
                &tally.complaints,
                &tally.blocks,
                &sent.map_or_else(|| NOT_KNOWN.to_owned(), |sent| sent.to_string()),
                &share.map_or_else(|| NOT_KNOWN.to_owned(), percent),
            ],
        )?;
    }
    writeln!(
        text,
        "\nDays without any are left out. A bounce may be of a mail of the day before.\n"
    )
}

fn share(count: u64, sent: i64) -> Option<f64> {
    Some(f64::from(u32::try_from(count).ok()?) / f64::from(u32::try_from(sent).ok()?))
}

/// The first rows of a table, and the others as one.
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
        let name = format!("{} others", others.len());
        row(text, &[&name, &sum.bounces, &sum.complaints, &sum.blocks])?;
    }
    writeln!(text)
}

fn done(text: &mut String, evidence: &Evidence) -> fmt::Result {
    writeln!(text, "## What was done, and when\n")?;
    writeln!(
        text,
        "Each address that bounced hard or complained is suppressed by the event itself, seconds after SES tells of it. By the \
         day of the latest such event of each address, and of those that were taken off the list again:\n"
    )?;
    if evidence.listed.is_empty() {
        writeln!(text, "No address was put on the list or taken off it in these days.\n")?;
    } else {
        head(
            text,
            &["day (UTC)", "suppressed: bounce", "suppressed: complaint", "lifted"],
        )?;
        for (day, listed) in &evidence.listed {
            row(text, &[day, &listed.bounces, &listed.complaints, &listed.lifted])?;
        }
        writeln!(text)?;
    }
    if evidence.changes.is_empty() {
        writeln!(text, "The brake on sending was not changed in these days.\n")?;
    } else {
        writeln!(text, "The brake on sending was changed:\n")?;
        head(text, &["at (UTC)", "from", "to", "by", "why"])?;
        for change in &evidence.changes {
            changed(text, change)?;
        }
        writeln!(text)?;
    }
    match &evidence.given_up {
        Ok(0) => writeln!(
            text,
            "No event of SES waits unhandled: the dead-letter queue is empty.\n"
        ),
        Ok(waiting) => writeln!(
            text,
            "**{waiting} events of SES could not be handled and wait in the dead-letter queue**: their bounces and complaints are \
             not in this report, nor on the list. `okite feedback redrive` puts them back.\n"
        ),
        Err(reason) => writeln!(
            text,
            "Whether events of SES wait unhandled is {NOT_KNOWN}: {}\n",
            escaped(&without_addresses(reason))
        ),
    }
}

fn changed(text: &mut String, change: &BrakeChange) -> fmt::Result {
    let said = |text: &str| escaped(&without_addresses(text));
    row(
        text,
        &[
            &seconds(change.at),
            &change.from.as_str(),
            &change.to.as_str(),
            &said(&change.by),
            &said(&change.why),
        ],
    )
}

fn in_place(text: &mut String, evidence: &Evidence) -> fmt::Result {
    writeln!(text, "## What stands in place by itself\n")?;
    text.push_str(
        "- Every recipient of every mail (To, Cc and Bcc, in any spelling) is looked up in the suppression list before the mail \
         goes to SES. If the list cannot be read, nothing is sent.\n\
         - One hard bounce or complaint suppresses an address for good; repeated soft bounces suppress it for bulk mail.\n\
         - SES's own suppression list is held against this one every day.\n\
         - Mail is paced under the account's rate and 24-hour quota.\n",
    );
    let rates = evidence.report.as_ref().map(|report| report.rates);
    for (name, rate) in [
        ("bounce", rates.and_then(|rates| rates.bounce)),
        ("complaint", rates.and_then(|rates| rates.complaint)),
    ] {
        match rate {
            Some(rate) => writeln!(
                text,
                "- At a {name} rate of {} operators are warned; at {} bulk mail is stopped by itself. AWS reviews an account \
                 at {}.",
                percent(rate.warn_at),
                percent(rate.brake_at),
                percent(rate.review_at)
            )?,
            None => writeln!(
                text,
                "- At which {name} rate bulk mail is stopped by itself is {NOT_KNOWN}: there is no report."
            )?,
        }
    }
    writeln!(
        text,
        "- All mail is stopped when AWS shuts the account's sending down.\n"
    )
}

fn range_days(evidence: &Evidence) -> usize {
    evidence.range.days().count()
}

fn head(text: &mut String, cells: &[&str]) -> fmt::Result {
    writeln!(text, "| {} |", cells.join(" | "))?;
    writeln!(text, "|{}", "---|".repeat(cells.len()))
}

fn row(text: &mut String, cells: &[&dyn Display]) -> fmt::Result {
    text.push('|');
    for cell in cells {
        write!(text, " {cell} |")?;
    }
    writeln!(text)
}

fn seconds(at: Timestamp) -> Timestamp {
    at.round(Unit::Second).unwrap_or(at)
}

/// A text that means nothing to Markdown, on one line: names and tags are chosen by others.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => safe.push(' '),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::account::{Brake, Report};
    use domain::feedback::MarkKind;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::super::counts::tests::{counts, event};
    use super::super::{Counts, Listed, Range};
    use super::*;

    fn day(text: &str) -> jiff::civil::Date {
        text.parse().unwrap()
    }

    fn evidence() -> Evidence {
        let report = json!({
            "at": "2026-03-02T11:55:00Z", "region": "eu-west-1", "verdict": "warn",
            "account": {
                "max_24_hour_send": 50000.0, "sent_last_24_hours": 600.0, "remaining": 49400.0, "max_send_rate": 14.0,
                "production_access": true, "sending_enabled": true, "enforcement_status": "PROBATION",
            },
            "rates": {
                "bounce": {
                    "aws": 0.0512, "estimate": { "rate": 0.05, "count": 10, "sent": 200, "days": 2 }, "source": "aws",
                    "level": "brake_bulk", "warn_at": 0.03, "brake_at": 0.045, "review_at": 0.05, "pause_at": 0.1,
                },
                "complaint": {
                    "aws": null, "estimate": null, "source": null,
                    "level": "healthy", "warn_at": 0.0005, "brake_at": 0.0008, "review_at": 0.001, "pause_at": 0.005,
                },
            },
        });
        let change = BrakeChange {
            at: "2026-03-02T09:00:00.4Z".parse().unwrap(),
            id: Uuid::nil(),
            from: Brake::None,
            to: Brake::Bulk,
            by: "anna@example.com".to_owned(),
            why: "a | bad\nlist".to_owned(),
            figures: Value::Null,
        };
        let listed = Listed {
            bounces: 2,
            complaints: 1,
            lifted: 0,
        };
        Evidence {
            place: "the stack okite".to_owned(),
            region: "eu-west-1".to_owned(),
            written_at: "2026-03-02T12:00:00Z".parse().unwrap(),
            range: Range {
                since: day("2026-02-28"),
                until: day("2026-03-02"),
            },
            counts: counts(),
            sent: BTreeMap::from([(day("2026-03-01"), 200)]),
            verified_known: true,
            listed: BTreeMap::from([(day("2026-03-01"), listed)]),
            changes: vec![change],
            report: Some(serde_json::from_value::<Report>(report).unwrap()),
            given_up: Ok(0),
        }
    }

    fn has(text: &str, parts: &[&str]) {
        for part in parts {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn says_what_happened_what_was_done_and_what_is_still_to_be_written() {
        let text = of(&evidence());
        has(
            &text,
            &[
                "# Bounces and complaints, 2026-02-28 to 2026-03-02 (UTC)\n",
                "- 3 hard bounces, 1 complaints, and 1 refusals",
                "- 200 recipients were sent to, on the 1 of 3 days",
                "- At 2026-03-02T11:55:00Z the account was under review (PROBATION), its sending on; 600 recipients",
                "- Bounce rate then: 5.12 % by AWS's own figure; 5 % by our estimate (10 of 200 recipients in 2 days).",
                "- Complaint rate then: not known by AWS's own figure; our estimate is not known.",
                "| 2026-03-01 | 2 | 1 | 0 | 200 | 1 % |\n| 2026-03-02 | 1 | 0 | 1 | not known | not known |\n",
                "### By recipient domain\n\n| Recipient domain | hard bounces | complaints | blocks |\n|---|---|---|---|\n| example.org | 2 | 1 | 0 |",
                "| campaign=spring | 2 | 1 | 0 |\n| (none) | 1 | 0 | 1 |\n| b=1 | 2 | 0 | 0 |",
                "### By API key\n",
                "| not on record | 3 | 1 | 1 |",
                "| 2026-03-01 | 2 | 1 | 0 |\n",
                "| 2026-03-02T09:00:00Z | none | bulk | \\[address\\] | a \\| bad list |",
                "the dead-letter queue is empty",
                "At a bounce rate of 3 % operators are warned; at 4.5 % bulk mail is stopped by itself. AWS reviews an account at 5 %.",
                "At a complaint rate of 0.05 % operators are warned; at 0.08 %",
            ],
        );
        assert_eq!(text.matches("[TO WRITE:").count(), 3);
        assert!(!text.contains('@'), "{text}");
    }

    #[test]
    fn days_without_anything_say_so_and_what_is_not_known_is_not_made_up() {
        let text = of(&Evidence {
            counts: Counts::default(),
            sent: BTreeMap::new(),
            verified_known: false,
            listed: BTreeMap::new(),
            changes: Vec::new(),
            report: None,
            given_up: Err("SQS did not answer".to_owned()),
            ..evidence()
        });
        has(
            &text,
            &[
                "No hard bounces, complaints or blocks are on record in these days.",
                "How many recipients were sent to is not known",
                "Which domains the account has verified is not known",
                "No report of the account is on record.",
                "Nothing that is on record.",
                "No address was put on the list",
                "The brake on sending was not changed",
                "is not known: SQS did not answer",
                "At which bounce rate bulk mail is stopped by itself is not known",
            ],
        );
    }

    #[test]
    fn what_waits_in_the_dead_letter_queue_and_what_was_left_out_is_said() {
        let mut evidence = Evidence {
            given_up: Ok(3),
            ..evidence()
        };
        (evidence.counts.at_verified, evidence.counts.unreadable) = (7, 2);
        has(
            &of(&evidence),
            &[
                "**3 events of SES could not be handled",
                "7 at domains that the account has verified",
                "2 rows could not be read",
            ],
        );
    }

    #[test]
    fn the_domains_behind_the_first_twenty_are_one_row() {
        let mut evidence = evidence();
        for number in 0..30 {
            let domain = format!("d{number}.example");
            evidence.counts.add(event(MarkKind::Bounce, "2026-03-01", &domain, &[]));
        }
        has(&of(&evidence), &["| 13 others | 12 | 0 | 1 |"]);
    }

    #[test]
    fn names_mean_nothing_to_markdown() {
        assert_eq!(escaped("a|b`c`<b>[x](y)\n# _"), "a\\|b\\`c\\`\\<b\\>\\[x\\](y) \\# \\_");
    }

    #[test]
    fn rates_have_the_digits_that_the_limits_need() {
        let shown = [0.0008, 0.045, 0.1, 0.0, 0.00001].map(percent);
        assert_eq!(shown, ["0.08 %", "4.5 %", "10 %", "0 %", "0.001 %"]);
    }
}
