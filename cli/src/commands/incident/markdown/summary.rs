//! The summary: the counts, the recipients sent to, and the standing of the account.

use std::fmt::{self, Write};

use domain::account::EnforcementStatus;
use domain::reputation::{ReputationRate, percent};

use super::super::IncidentFacts;
use super::{NOT_KNOWN, seconds};
use crate::plural::counted;

/// Writes the section.
pub(super) fn write(text: &mut String, facts: &IncidentFacts) -> fmt::Result {
    let all = facts.counts.all();
    writeln!(text, "## Summary\n")?;
    if all.count() == 0 {
        writeln!(
            text,
            "- No hard bounces, complaints or blocks are recorded for these days."
        )?;
    } else {
        writeln!(
            text,
            "- {}, {}, and {}. A block is a rejection of the sender, which AWS does not count.",
            counted(all.bounces, "hard bounce", "hard bounces"),
            counted(all.complaints, "complaint", "complaints"),
            counted(all.blocks, "block", "blocks")
        )?;
    }
    let (days, known) = (facts.range.days().count(), facts.sent.len());
    let sent: i64 = facts.sent.values().sum();
    match known {
        0 => writeln!(
            text,
            "- The number of recipients sent to is {NOT_KNOWN} for these days."
        )?,
        _ => writeln!(
            text,
            "- Mail was sent to {}. This number is known for {known} of {days} days.",
            counted(sent, "recipient", "recipients")
        )?,
    }
    match (facts.verified_known, facts.counts.at_verified) {
        (true, left_out) => writeln!(
            text,
            "- Left out: {} at domains that the account has verified. AWS does not count these events.",
            counted(left_out, "event", "events")
        )?,
        (false, _) => writeln!(
            text,
            "- The verified domains of the account are {NOT_KNOWN}. This report counts recipients at them, and AWS \
             does not."
        )?,
    }
    if facts.counts.unreadable > 0 {
        writeln!(
            text,
            "- Left out because unreadable: {}.",
            counted(facts.counts.unreadable, "record", "records")
        )?;
    }
    account(text, facts)
}

fn account(text: &mut String, facts: &IncidentFacts) -> fmt::Result {
    let Some(report) = &facts.report else {
        return writeln!(text, "- There is no report of the account.\n");
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
        "- At {} the account was {standing} and its sending was {enabled}. It had sent to {:.0} recipients in 24 \
         hours.",
        seconds(report.at),
        account.sent_last_24_hours,
    )?;
    writeln!(
        text,
        "- Bounce rate at that time: {}.",
        rate(report.rates.bounce.as_ref())
    )?;
    writeln!(
        text,
        "- Complaint rate at that time: {}.\n",
        rate(report.rates.complaint.as_ref())
    )
}

fn rate(rate: Option<&ReputationRate>) -> String {
    let aws = rate.and_then(|rate| rate.aws);
    let estimate = rate.and_then(|rate| rate.estimate);
    let aws = aws.map_or_else(|| NOT_KNOWN.to_owned(), percent);
    let at_least = if estimate.is_some_and(|estimate| estimate.at_least) {
        "at least "
    } else {
        ""
    };
    match estimate.and_then(|estimate| Some((estimate.rate?, estimate))) {
        Some((rate, estimate)) => format!(
            "{aws} according to AWS; {at_least}{} according to Okite's estimate ({at_least}{} of {} recipients in {} days)",
            percent(rate),
            estimate.count,
            estimate.sent,
            estimate.days
        ),
        None => format!("{aws} according to AWS; Okite's estimate is {NOT_KNOWN}"),
    }
}
