//! The report as metrics.

use domain::account::EnforcementStatus;
use domain::report::Report;
use domain::reputation::ReputationRate;
use jiff::Timestamp;
use runtime::metrics::{self, Metric};
use serde_json::{Value, json};

/// Writes a report's line to the log.
pub(crate) fn publish(report: &Report, function_name: &str, now: Timestamp) {
    metrics::publish(&line(report, function_name, now));
}

/// Returns the line of a report that was made at `now`.
fn line(report: &Report, function_name: &str, now: Timestamp) -> Value {
    let was_read = report.troubles.iter().all(|trouble| trouble.operation != "GetAccount");
    let percent = |fraction: f64| fraction * 100.0;
    let estimate = |rate: Option<ReputationRate>| {
        // A rate of too little mail is meaningless and would only cause false alarms.
        let rate = rate.filter(|rate| rate.source.is_some())?;
        rate.estimate?.rate.map(percent)
    };
    let fell = report.quota.fell.is_some() || report.rate.fell.is_some();
    let account = &report.account.account;
    let metrics = [
        ("AccountRead", "Count", Some(f64::from(u8::from(was_read)))),
        ("QuotaUsedShare", "Percent", report.quota.used_share.map(percent)),
        (
            "EnforcementLevel",
            "None",
            Some(enforcement(account.enforcement_status)),
        ),
        (
            "BrakeLevel",
            "None",
            Some(f64::from(i32::try_from(report.brake.level.level()).unwrap_or(i32::MAX))),
        ),
        ("LimitFell", "None", Some(f64::from(u8::from(fell)))),
        ("BounceRateEstimate", "Percent", estimate(report.rates.bounce)),
        ("ComplaintRateEstimate", "Percent", estimate(report.rates.complaint)),
    ];
    let metrics = metrics.map(|(name, unit, value)| Metric { name, unit, value });
    let figures = [
        ("verdict", json!(report.verdict)),
        ("max_24_hour_send", json!(account.max_24_hour_send)),
        ("sent_last_24_hours", json!(account.sent_last_24_hours)),
        ("max_send_rate", json!(account.max_send_rate)),
        ("by_us", json!(report.quota.by_us)),
        ("by_others", json!(report.quota.by_others)),
    ];
    metrics::line(function_name, &metrics, figures, now)
}

fn enforcement(status: EnforcementStatus) -> f64 {
    match status {
        EnforcementStatus::Healthy => 0.0,
        EnforcementStatus::Probation => 1.0,
        EnforcementStatus::Shutdown => 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(change: impl FnOnce(&mut Value)) -> Report {
        let mut report = json!({
            "at": "2026-01-01T00:00:00Z", "region": "us-east-1", "verdict": "healthy",
            "account": {
                "max_24_hour_send": 50_000.0, "sent_last_24_hours": 120.0, "remaining": 49_880.0, "max_send_rate": 14.0,
                "production_access": true, "sending_enabled": true, "enforcement_status": "HEALTHY",
            },
            "quota": {
                "limit": null, "used": 120.0, "remaining": null, "used_share": null, "by_us": 100.0, "by_others": 20.0,
                "per_hour": 0.0, "exhausted_in_seconds": null, "fell": null,
            },
        });
        change(&mut report);
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn declares_only_metrics_with_values_and_writes_every_figure_in_one_line() {
        let line = line(&report(|_| {}), "reporter-1", Timestamp::UNIX_EPOCH);
        let announced = &line["_aws"]["CloudWatchMetrics"][0];
        let names: Vec<&str> = announced["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| metric["Name"].as_str().unwrap())
            .collect();
        // Unknown figures are left out.
        assert_eq!(names, ["AccountRead", "EnforcementLevel", "BrakeLevel", "LimitFell"]);
        for name in names {
            assert!(line[name].is_number(), "{name}");
        }
        assert_eq!(
            (&announced["Namespace"], &announced["Dimensions"]),
            (&json!("Okite"), &json!([["FunctionName"]]))
        );
        assert_eq!(
            (&line["FunctionName"], &line["_aws"]["Timestamp"]),
            (&json!("reporter-1"), &json!(0))
        );
        assert_eq!(
            (&line["verdict"], &line["by_others"]),
            (&json!("healthy"), &json!(20.0))
        );
        assert!(!line.to_string().contains('\n'));
    }

    #[test]
    fn reports_an_account_that_was_not_read() {
        let line = |troubles: Value| {
            line(
                &report(|report| report["troubles"] = troubles),
                "r",
                Timestamp::UNIX_EPOCH,
            )
        };
        assert_eq!(line(json!([]))["AccountRead"], 1.0);
        assert_eq!(
            line(json!([{ "operation": "GetMetricStatistics", "code": "x" }]))["AccountRead"],
            1.0
        );
        assert_eq!(
            line(json!([{ "operation": "GetAccount", "code": "x" }]))["AccountRead"],
            0.0
        );
    }
}
