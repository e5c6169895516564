//! The summary: the counts, the recipients sent to, and the standing of the account.

use std::fmt::{self, Write};

use domain::account::EnforcementStatus;
use domain::reputation::{ReputationRate, percent};

use super::super::IncidentFacts;
use super::super::sent::SentCount;
use super::{NOT_KNOWN, seconds};
use crate::plural::counted;

/// Writes the section.
pub(super) fn write(text: &mut String, facts: &IncidentFacts) -> fmt::Result {
    let all = facts.counts.all();
    writeln!(text, "## Summary\n")?;
    if all.count() == 0 {
        writeln!(
            text,
            "- SES reported no hard bounces, complaints or blocks of Okite's mail in these days."
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
    let sent: SentCount = facts.sent.values().copied().sum();
    match known {
        0 => writeln!(
            text,
            "- Okite has no count of the recipients that it sent to in these days."
        )?,
        _ => writeln!(
            text,
            "- Okite sent mail to {}{}. This number is known for {known} of {}.",
            if sent.at_least { "at least " } else { "" },
            counted(sent.recipients, "recipient", "recipients"),
            counted(days as u64, "day", "days")
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
        "- At {} the account was {standing} and its sending was {enabled}. According to AWS, it had sent \
         to {} in the 24 hours before, with or without Okite.",
        seconds(report.at),
        counted(account.sent_last_24_hours.round(), "recipient", "recipients"),
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
            "{aws} according to AWS; {at_least}{} according to Okite's estimate ({at_least}{} of {} in {})",
            percent(rate),
            estimate.count,
            counted(estimate.sent, "recipient", "recipients"),
            counted(estimate.days, "day", "days")
        ),
        None => format!("{aws} according to AWS; Okite's estimate is {NOT_KNOWN}"),
    }
}
