//! Reports in, pages out.

use serde_json::{Value, json};

use super::*;

fn status(report: &Value, now: &str) -> Status {
    Status {
        target_name: "the stack okite".to_owned(),
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
                "aws": 0.05, "aws_at": "2026-01-01T00:00:00Z", "estimate": { "rate": 0.04, "count": 40, "at_least": false, "sent": 1000, "days": 7 }, "source": "aws",
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
fn shows_the_whole_report_in_aligned_columns() {
    let page = status(&report(), "2026-01-02T03:03:20Z").page(Colours::Off);
    let wanted = "\
Okite in the stack okite, Amazon SES in eu-west-1, reported 3 min ago

verdict           brake bulk: bulk mail should be stopped
                  the bounce rate is 5 %
                  the quota is nearly used\u{fffd}[2J up
account           PROBATION (under review), production, sending on
brake             Bulk mail is stopped; transactional mail passes. (bulk, set by an operator: `okite brake` shows who and why)
quota (24 h)      [###########################...] 90 % 45000 of 50000 used, 5000 left
                  40000 by this stack, 5000 by other senders; 2500 an hour now; at this pace used up in 2 h 0 min
                  AWS lowered it from 100000 to 50000 at 2026-01-01T00:00:00Z
sending rate      14 recipients a second

              AWS        ESTIMATE  OF SENT         WARN       BRAKE      REVIEW     PAUSE
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
        ["AWS", "ESTIMATE", "OF SENT", "WARN", "BRAKE", "REVIEW", "PAUSE"]
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
        "SES's own list    reconciled at 2026-01-02T00:00:00Z: 10 addresses, 2 added to Okite's list, 1 removed from \
         SES's list, 0 unreadable; it failed: SES does not let a sandbox account change it",
        "advice            Answer AWS.",
        "                  And rest.",
        "not read          GetMetricData failed: AccessDenied",
    ];
    assert_eq!(page[18..], last);
}

#[test]
fn says_at_least_when_more_happened_than_was_counted() {
    let mut report = report();
    report["rates"]["bounce"]["estimate"]["at_least"] = json!(true);
    let page = status(&report, "2026-01-02T03:03:20Z").page(Colours::Off);
    assert!(page.contains("at least 40 of 1000 in 7 d"), "{page}");
}

#[test]
fn a_pass_that_does_not_end_shows_the_last_one_that_did() {
    let mut report = report();
    report["suppression_list"]["running"] = json!(true);
    report["suppression_list"]["trouble"] = json!("unfinished");
    let page = status(&report, "2026-01-02T03:03:20Z").page(Colours::Off);
    for words in ["the last one ended at 2026-01-02T00:00:00Z", "running for three days"] {
        assert!(page.contains(words), "{page}");
    }
}

#[test]
fn warns_about_an_old_report() {
    for (now, old) in [
        ("2026-01-02T03:15:00Z", false),
        ("2026-01-02T03:15:01Z", true),
        ("2026-01-01T00:00:00Z", false),
    ] {
        let page = status(&report(), now).page(Colours::Off);
        assert_eq!(page.contains("This report is old"), old, "{now}");
    }
}

#[test]
fn colours_follow_the_level_and_change_nothing_else() {
    let status = status(&report(), "2026-01-02T03:03:20Z");
    let page = status.page(Colours::On);
    assert!(
        page.contains("\u{1b}[31mbrake bulk: bulk mail should be stopped\u{1b}[0m"),
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
    assert_eq!(plain, status.page(Colours::Off));
}

#[test]
fn a_report_of_an_older_version_shows_its_own_fields() {
    let mut old = report();
    let fields = old.as_object_mut().unwrap();
    fields.retain(|name, _| ["at", "region", "verdict", "account"].contains(&name.as_str()));
    let page = status(&old, "2026-01-02T03:03:20Z").page(Colours::Off);
    for words in [
        "45000 of 50000 used",
        "bounces           not known",
        "Nothing is held back",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("ESTIMATE"), "{page}");
}

#[test]
fn json_is_the_report_and_its_age() {
    let json = status(&report(), "2026-01-02T03:03:20Z").json().unwrap();
    assert_eq!((&json["object"], &json["age_seconds"]), (&json!("quota"), &json!(200)));
    let of_report = report();
    for (name, value) in of_report.as_object().unwrap() {
        assert_eq!(&json[name], value, "{name}");
    }
    let early = status(&report(), "2026-01-01T00:00:00Z").json().unwrap();
    assert_eq!(early["age_seconds"], 0);
}
