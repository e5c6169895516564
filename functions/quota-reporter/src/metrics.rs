//! Publishes the report as metrics: one log line in CloudWatch's embedded metric format, which CloudWatch turns into
//! metrics.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! Each metric costs money every month, so only the figures that alarms and dashboards need are metrics. The line also
//! has the other figures, so that Logs Insights finds them.

use std::io::Write;

use domain::account::EnforcementStatus;
use domain::report::Report;
use domain::reputation::ReputationRate;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of the metrics.
const NAMESPACE: &str = "Okite";
/// The dimension of the metrics. Its value is the reporter's function name, because a region may hold several stacks.
const DIMENSION: &str = "FunctionName";

/// Writes a report's line to the log.
pub(crate) fn publish(report: &Report, function_name: &str, now: Timestamp) {
    // Not with `tracing`, which would wrap the line: the line itself must be the JSON. A closed log is no reason to
    // fail.
    let _ = writeln!(std::io::stdout(), "{}", line(report, function_name, now));
}

/// Returns the line of a report that was made at `now`. Unknown figures are left out; each alarm defines how it treats
/// missing data.
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
    let values: [(&str, &str, Option<f64>); 7] = [
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
    let known = || {
        values
            .iter()
            .filter_map(|(name, unit, value)| Some((*name, *unit, (*value)?)))
    };
    let metrics: Vec<Value> = known()
        .map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": metrics }],
        }),
    );
    line.insert(DIMENSION.to_owned(), function_name.into());
    line.extend(known().map(|(name, _, value)| (name.to_owned(), value.into())));
    for (name, value) in [
        ("verdict", json!(report.verdict)),
        ("max_24_hour_send", json!(account.max_24_hour_send)),
        ("sent_last_24_hours", json!(account.sent_last_24_hours)),
        ("max_send_rate", json!(account.max_send_rate)),
        ("by_us", json!(report.quota.by_us)),
        ("by_others", json!(report.quota.by_others)),
    ] {
        line.insert(name.to_owned(), value);
    }
    Value::Object(line)
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
