//! The report as a page for people: the most serious lines first, aligned figures, and colours on a terminal.

use std::fmt::{self, Write};

use domain::account::{AccountHealth, EnforcementStatus};
use domain::brake::Brake;
use domain::report::{BrakeSetBy, Report};
use domain::suppression::{ReportedReconciliation, UNFINISHED};

use super::line::{colour_of, duration, line, seconds};
use super::{Status, bounce_rates, quota};
use crate::plural::counted;
use crate::terminal::{Colour, Colours, printable};

/// A report comes every 5 minutes. The page warns about one that is older than this.
const OLD_AFTER_SECONDS: i64 = 15 * 60;

/// Returns the page.
pub(super) fn of(status: &Status, colours: Colours) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, status, colours);
    text
}

fn write(text: &mut String, status: &Status, colours: Colours) -> fmt::Result {
    let report = &status.report;
    writeln!(
        text,
        "Okite in {}, Amazon SES in {}, reported {} ago",
        status.target_name,
        printable(&report.region),
        duration(status.age_seconds())
    )?;
    if status.age_seconds() > OLD_AFTER_SECONDS {
        let old =
            "This report is old: a new one should come every 5 minutes. Read the log of the quota-reporter function.";
        writeln!(text, "{}", colours.paint(Colour::Yellow, old))?;
    }
    writeln!(text)?;
    line(
        text,
        "verdict",
        &colours.paint(colour_of(report.verdict), verdict(report.verdict)),
    )?;
    for reason in &report.reasons {
        line(
            text,
            "",
            &colours.paint(colour_of(reason.level), &printable(&reason.message)),
        )?;
    }
    line(text, "account", &account(report))?;
    line(text, "brake", &brake(report, colours))?;
    quota::write(text, report, colours)?;
    bounce_rates::write(text, report, colours)?;
    if let Some(list) = &report.suppression_list {
        line(text, "SES's own list", &suppression_list(list))?;
    }
    for (number, advice) in report.advice.iter().enumerate() {
        let name = if number == 0 { "advice" } else { "" };
        line(text, name, &printable(&advice.message))?;
    }
    for (number, trouble) in report.troubles.iter().enumerate() {
        let failed = format!("{} failed: {}", printable(&trouble.operation), printable(&trouble.code));
        let name = if number == 0 { "not read" } else { "" };
        line(text, name, &colours.paint(Colour::Yellow, &failed))?;
    }
    Ok(())
}

fn verdict(verdict: AccountHealth) -> &'static str {
    match verdict {
        AccountHealth::Healthy => "healthy",
        AccountHealth::Warn => "warn: look at the account",
        AccountHealth::BrakeBulk => "brake bulk: bulk mail should be stopped",
        AccountHealth::BrakeAll => "brake all: all mail should be stopped",
    }
}

fn account(report: &Report) -> String {
    let account = &report.account.account;
    let standing = match account.enforcement_status {
        EnforcementStatus::Healthy => "HEALTHY",
        EnforcementStatus::Probation => "PROBATION (under review)",
        EnforcementStatus::Shutdown => "SHUTDOWN (stopped by AWS)",
    };
    let access = if account.production_access {
        "production"
    } else {
        "sandbox"
    };
    let sending = if account.sending_enabled { "on" } else { "off" };
    format!("{standing}, {access}, sending {sending}")
}

fn brake(report: &Report, colours: Colours) -> String {
    let brake = report.brake;
    let colour = match brake.level {
        Brake::None => Colour::Green,
        Brake::Bulk | Brake::All => Colour::Red,
    };
    let by = match brake.set_by {
        BrakeSetBy::Reporter => "set by the reports",
        BrakeSetBy::Operator => "set by an operator: `okite brake` shows who and why",
    };
    let held = format!("{} ({}, {by})", brake.level.holds_back(), brake.level.as_str());
    colours.paint(colour, &held)
}

fn suppression_list(list: &ReportedReconciliation) -> String {
    let when = match (list.running, list.last_finished_at) {
        (true, Some(at)) => format!("reconciliation is running, the last one ended at {}", seconds(at)),
        (true, None) => "the first reconciliation is running".to_owned(),
        (false, Some(at)) => format!("reconciled at {}", seconds(at)),
        (false, None) => "not reconciled yet".to_owned(),
    };
    let drift = &list.drift;
    let trouble = list.trouble.as_deref().map_or_else(String::new, |trouble| {
        let trouble = match trouble {
            "sandbox" => "SES does not let a sandbox account change it",
            UNFINISHED => "it has been running for three days and has not reached the end of SES's list",
            other => other,
        };
        format!("; it failed: {}", printable(trouble))
    });
    format!(
        "{when}: {}, {} added to Okite's list, {} removed from SES's list, {} unreadable{trouble}",
        counted(drift.listed, "address", "addresses"),
        drift.added,
        drift.lifted,
        drift.unreadable
    )
}
