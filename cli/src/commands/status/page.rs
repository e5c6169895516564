//! The report as a page for people: the worst first, figures under each other, and colours where a terminal shows them.

use std::fmt::{self, Write};

use domain::account::{Brake, EnforcementStatus, Fell, Headroom, Rate, Report, SetBy, Verdict, percent};
use domain::suppression::ReportedReconciliation;
use jiff::{Timestamp, Unit};

use super::Status;
use crate::table;

/// Reports come every five minutes; one that is older than this is worth a word.
const OLD_AFTER_SECONDS: i64 = 15 * 60;
/// How wide the bar of the quota is.
const BAR: usize = 30;
/// How wide the names are that stand before the lines.
const NAMES: usize = 18;
const NOT_KNOWN: &str = "not known";

/// Whether colours are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// On a terminal.
    Shown,
    /// In a file or a pipe, and where nobody wants them.
    None,
}

impl Colours {
    fn paint(self, level: Verdict, text: &str) -> String {
        let code = match level {
            Verdict::Healthy => 32,
            Verdict::Warn => 33,
            Verdict::BrakeBulk | Verdict::BrakeAll => 31,
        };
        match self {
            Self::Shown => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::None => text.to_owned(),
        }
    }
}

/// Writes the page.
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
        "Okite in {}, Amazon SES in {}, {} ago",
        status.place,
        table::shown(&report.region),
        duration(status.age_seconds())
    )?;
    if status.age_seconds() > OLD_AFTER_SECONDS {
        let old = "This report is old: they come every 5 minutes. The log of the quota-reporter function says why.";
        writeln!(text, "{}", colours.paint(Verdict::Warn, old))?;
    }
    writeln!(text)?;
    line(text, "verdict", &colours.paint(report.verdict, said(report.verdict)))?;
    for reason in &report.reasons {
        line(text, "", &colours.paint(reason.level, &table::shown(&reason.message)))?;
    }
    line(text, "account", &account(report))?;
    line(text, "brake", &brake(report, colours))?;
    quota(text, report, colours)?;
    rates(text, report, colours)?;
    if let Some(list) = &report.suppression_list {
        line(text, "SES's own list", &suppression_list(list))?;
    }
    for (number, advice) in report.advice.iter().enumerate() {
        line(
            text,
            if number == 0 { "advice" } else { "" },
            &table::shown(&advice.message),
        )?;
    }
    for (number, trouble) in report.troubles.iter().enumerate() {
        let failed = format!(
            "{} failed: {}",
            table::shown(&trouble.operation),
            table::shown(&trouble.code)
        );
        let name = if number == 0 { "not read" } else { "" };
        line(text, name, &colours.paint(Verdict::Warn, &failed))?;
    }
    Ok(())
}

fn line(text: &mut String, name: &str, what: &str) -> fmt::Result {
    writeln!(text, "{name:NAMES$}{what}")
}

fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "healthy",
        Verdict::Warn => "warn: somebody should look",
        Verdict::BrakeBulk => "brake bulk: bulk mail is to be held back",
        Verdict::BrakeAll => "brake all: nothing is to be sent",
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
    let level = match brake.level {
        Brake::None => Verdict::Healthy,
        Brake::Bulk => Verdict::BrakeBulk,
        Brake::All => Verdict::BrakeAll,
    };
    let by = match brake.set_by {
        SetBy::Reporter => "by the report",
        SetBy::Operator => "by an operator: `okite brake` says who and why",
    };
    let held = format!("{} ({}, {by})", brake.level.holds_back(), brake.level.as_str());
    colours.paint(level, &held)
}

fn quota(text: &mut String, report: &Report, colours: Colours) -> fmt::Result {
    let quota = &report.quota;
    match (quota.limit, quota.remaining, quota.used_share) {
        (Some(limit), Some(remaining), Some(share)) => {
            let level = report.reasons.iter().filter(|reason| reason.code.starts_with("quota"));
            let level = level.map(|reason| reason.level).max().unwrap_or_default();
            let bar = colours.paint(level, &bar(share));
            let of = format!("{:.0} of {limit:.0} used, {remaining:.0} left", quota.used);
            line(text, "quota (24 h)", &format!("{bar} {} {of}", percent(share)))?;
        }
        (Some(limit), ..) => line(text, "quota (24 h)", &format!("{:.0} of {limit:.0} used", quota.used))?,
        // A report of an older version has no figures of the quota but the account's own.
        (None, ..) => {
            let used = report.account.account.sent_last_24_hours;
            let limit = report.account.account.quota();
            let of = limit.map_or_else(|| "of no limit".to_owned(), |limit| format!("of {limit:.0}"));
            line(text, "quota (24 h)", &format!("{used:.0} {of} used"))?;
        }
    }
    let ends = quota
        .exhausted_in_seconds
        .and_then(|seconds| i64::try_from(seconds).ok());
    let ends = ends.map_or_else(String::new, |seconds| {
        format!("; used up in {} at this pace", duration(seconds))
    });
    let by = format!(
        "{:.0} by this stack, {:.0} by others; {:.0} an hour at present{ends}",
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
        "rate",
        &format!("{} recipients a second", report.account.account.max_send_rate),
    )?;
    fell(text, report.rate.fell.as_ref(), colours)
}

fn fell(text: &mut String, fell: Option<&Fell>, colours: Colours) -> fmt::Result {
    let Some(fell) = fell else { return Ok(()) };
    let from = if fell.from < 0.0 {
        "no limit".to_owned()
    } else {
        fell.from.to_string()
    };
    let said = format!("fell from {from} to {} at {}", fell.to, seconds(fell.at));
    line(text, "", &colours.paint(Verdict::Warn, &said))
}

fn bar(share: f64) -> String {
    let full = (1..=BAR).take_while(|step| share * float(BAR) >= float(*step)).count();
    format!("[{}{}]", "#".repeat(full), ".".repeat(BAR - full))
}

fn float(steps: usize) -> f64 {
    f64::from(u32::try_from(steps).unwrap_or(u32::MAX))
}

fn rates(text: &mut String, report: &Report, colours: Colours) -> fmt::Result {
    const HEADER: [&str; 8] = ["", "AWS", "OUR ESTIMATE", "OF SENT", "WARN", "BRAKE", "REVIEW", "PAUSE"];
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
        rows.push(row_of(name, rate));
        rows.push(until(headroom));
    }
    if rows.is_empty() {
        return Ok(());
    }
    let table = table::aligned(HEADER, rows);
    let levels = [rates.bounce, rates.complaint]
        .into_iter()
        .flatten()
        .map(|rate| rate.level);
    let mut levels = levels.flat_map(|level| [Some(level), None]);
    writeln!(text)?;
    for (number, row) in table.lines().enumerate() {
        let level = if number == 0 { None } else { levels.next().flatten() };
        match level {
            Some(level) => writeln!(text, "{}", colours.paint(level, row))?,
            None => writeln!(text, "{row}")?,
        }
    }
    writeln!(text)
}

fn row_of(name: &str, rate: &Rate) -> [String; 8] {
    let estimate = rate.estimate;
    let known = |rate: Option<f64>| rate.map_or_else(|| NOT_KNOWN.to_owned(), percent);
    let of_sent = estimate.map_or_else(
        || NOT_KNOWN.to_owned(),
        |estimate| format!("{} of {} in {} d", estimate.count, estimate.sent, estimate.days),
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

/// How many more until each limit, under it.
fn until(headroom: Option<&Headroom>) -> [String; 8] {
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

fn suppression_list(list: &ReportedReconciliation) -> String {
    let when = match (list.running, list.last_finished_at) {
        (true, _) => "being compared".to_owned(),
        (false, Some(at)) => format!("compared at {}", seconds(at)),
        (false, None) => "not compared yet".to_owned(),
    };
    let drift = &list.drift;
    let trouble = list.trouble.as_deref().map_or_else(String::new, |trouble| {
        let trouble = if trouble == "sandbox" {
            "it cannot be changed in the sandbox"
        } else {
            trouble
        };
        format!("; it did not get on: {}", table::shown(trouble))
    });
    format!(
        "{when}: {} addresses, {} of them new to ours, {} lifted there, {} unreadable{trouble}",
        drift.listed, drift.added, drift.lifted, drift.unreadable
    )
}

fn seconds(at: Timestamp) -> Timestamp {
    at.round(Unit::Second).unwrap_or(at)
}

/// A time in its two largest units.
fn duration(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(report: &Value, now: &str) -> Status {
        Status {
            place: "the stack okite".to_owned(),
            report: serde_json::from_value(report.clone()).unwrap(),
            now: now.parse().unwrap(),
        }
    }

    fn report() -> Value {
        json!({
            "at": "2026-01-02T03:00:00Z", "region": "eu-west-1", "verdict": "brake_bulk",
            "account": {
                "max_24_hour_send": 50000.0, "sent_last_24_hours": 45000.0, "remaining": 5000.0, "max_send_rate": 14.0,
                "production_access": true, "sending_enabled": true, "enforcement_status": "PROBATION",
            },
            "reasons": [
                { "code": "bounce_rate", "level": "brake_bulk", "message": "the bounce rate is 5 %" },
                { "code": "quota_low", "level": "warn", "message": "the quota is nearly used\u{1b}[2J up" },
            ],
            "quota": {
                "limit": 50000.0, "used": 45000.0, "remaining": 5000.0, "used_share": 0.9, "share": null, "by_us": 40000.0,
                "by_others": 5000.0, "per_hour": 2500.0, "exhausted_in_seconds": 7200,
                "fell": { "from": 100_000.0, "to": 50000.0, "at": "2026-01-01T00:00:00.4Z" },
            },
            "rate": { "limit": 14.0, "fell": null },
            "rates": {
                "bounce": {
                    "aws": 0.05, "aws_at": "2026-01-01T00:00:00Z", "estimate": { "rate": 0.04, "count": 40, "sent": 1000, "days": 7 }, "source": "aws",
                    "level": "brake_bulk", "warn_at": 0.03, "brake_at": 0.045, "review_at": 0.05, "pause_at": 0.1,
                },
                "complaint": {
                    "aws": null, "aws_at": null, "estimate": null, "source": null,
                    "level": "healthy", "warn_at": 0.0005, "brake_at": 0.0008, "review_at": 0.001, "pause_at": 0.005,
                },
            },
            "headroom": { "bounces": { "warn": 0, "brake": 0, "review": 0, "pause": 50 }, "complaints": null },
            "advice": [{ "code": "enforcement", "message": "Answer AWS." }, { "code": "x", "message": "And rest." }],
            "brake": { "level": "bulk", "set_by": "operator" },
            "troubles": [{ "operation": "GetMetricData", "code": "AccessDenied" }],
            "suppression_list": {
                "running": false, "last_finished_at": "2026-01-02T00:00:00Z", "next_at": null, "trouble": "sandbox",
                "listed": 10, "added": 2, "lifted": 1, "unreadable": 0,
            },
        })
    }

    #[test]
    fn shows_all_of_it_with_figures_under_each_other() {
        let page = status(&report(), "2026-01-02T03:03:20Z").page(Colours::None);
        let wanted = "\
Okite in the stack okite, Amazon SES in eu-west-1, 3 min ago

verdict           brake bulk: bulk mail is to be held back
                  the bounce rate is 5 %
                  the quota is nearly used\u{fffd}[2J up
account           PROBATION (under review), production, sending on
brake             Bulk mail is stopped; transactional mail passes. (bulk, by an operator: `okite brake` says who and why)
quota (24 h)      [###########################...] 90 % 45000 of 50000 used, 5000 left
                  40000 by this stack, 5000 by others; 2500 an hour at present; used up in 2 h 0 min at this pace
                  fell from 100000 to 50000 at 2026-01-01T00:00:00Z
rate              14 recipients a second

              AWS        OUR ESTIMATE  OF SENT         WARN       BRAKE      REVIEW     PAUSE
bounces       5 %        4 %           40 of 1000 in 7 d  3 %     4.5 %      5 %        10 %
";
        let lines = |page: &str| page.lines().map(str::to_owned).collect::<Vec<_>>();
        let (page, wanted) = (lines(&page), lines(wanted));
        assert_eq!(page[..11], wanted[..11]);
        let cells = |line: &str| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            cells(&page[12]),
            ["AWS", "OUR ESTIMATE", "OF SENT", "WARN", "BRAKE", "REVIEW", "PAUSE"]
        );
        assert_eq!(
            cells(&page[13]),
            [
                "bounces",
                "5 %",
                "4 %",
                "40 of 1000 in 7 d",
                "3 %",
                "4.5 %",
                "5 %",
                "10 %"
            ]
        );
        assert_eq!(
            cells(&page[14]),
            ["until then", "reached", "reached", "reached", "50 more"]
        );
        let none = "not known";
        assert_eq!(
            cells(&page[15]),
            ["complaints", none, none, none, "0.05 %", "0.08 %", "0.1 %", "0.5 %"]
        );
        assert_eq!(cells(&page[16]), ["until then", none, none, none, none]);
        let last = [
            "SES's own list    compared at 2026-01-02T00:00:00Z: 10 addresses, 2 of them new to ours, 1 lifted there, 0 unreadable; \
             it did not get on: it cannot be changed in the sandbox",
            "advice            Answer AWS.",
            "                  And rest.",
            "not read          GetMetricData failed: AccessDenied",
        ];
        assert_eq!(page[18..], last);
    }

    #[test]
    fn an_old_report_says_so() {
        for (now, old) in [
            ("2026-01-02T03:15:00Z", false),
            ("2026-01-02T03:15:01Z", true),
            ("2026-01-01T00:00:00Z", false),
        ] {
            let page = status(&report(), now).page(Colours::None);
            assert_eq!(page.contains("This report is old"), old, "{now}");
        }
    }

    #[test]
    fn colours_are_by_level_and_change_nothing_else() {
        let status = status(&report(), "2026-01-02T03:03:20Z");
        let page = status.page(Colours::Shown);
        assert!(
            page.contains("\u{1b}[31mbrake bulk: bulk mail is to be held back\u{1b}[0m"),
            "{page}"
        );
        assert!(
            page.contains("\u{1b}[33m["),
            "the bar has the level of the quota: {page}"
        );
        let mut plain = page;
        for code in ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, status.page(Colours::None));
    }

    #[test]
    fn a_report_of_an_older_version_shows_what_it_has() {
        let mut old = report();
        let fields = old.as_object_mut().unwrap();
        fields.retain(|name, _| ["at", "region", "verdict", "account"].contains(&name.as_str()));
        let page = status(&old, "2026-01-02T03:03:20Z").page(Colours::None);
        for words in [
            "45000 of 50000 used",
            "bounces           not known",
            "Nothing is held back",
        ] {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(!page.contains("OUR ESTIMATE"), "{page}");
    }

    #[test]
    fn json_is_the_report_with_its_age() {
        let json = status(&report(), "2026-01-02T03:03:20Z").json().unwrap();
        assert_eq!((&json["object"], &json["age_seconds"]), (&json!("quota"), &json!(200)));
        let of_report = report();
        for (name, value) in of_report.as_object().unwrap() {
            assert_eq!(&json[name], value, "{name}");
        }
        let early = status(&report(), "2026-01-01T00:00:00Z").json().unwrap();
        assert_eq!(early["age_seconds"], 0);
    }

    #[test]
    fn a_bar_is_as_full_as_the_quota() {
        for (share, full) in [(0.0, 0), (0.01, 0), (0.5, 15), (0.999, 29), (1.0, 30), (7.0, 30)] {
            assert_eq!(bar(share).matches('#').count(), full, "{share}");
            assert_eq!(bar(share).len(), BAR + 2);
        }
    }

    #[test]
    fn times_have_two_units() {
        for (seconds, wanted) in [(5, "5 s"), (125, "2 min"), (7_260, "2 h 1 min"), (200_000, "2 d 7 h")] {
            assert_eq!(duration(seconds), wanted);
        }
    }
}
