//! The report as metrics: one line in CloudWatch's embedded metric format, which the log turns into metrics by itself.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! A metric costs by the month, so only what an alarm or a glance needs is one. The other figures stand in the same line, for
//! Logs Insights to find.

use std::io::Write;

use domain::account::EnforcementStatus;
use domain::report::Report;
use domain::reputation::ReputationRate;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of the metrics.
const NAMESPACE: &str = "Okite";
/// What their dimension is called; its value is the reporter's own name, for a region may hold several stacks.
const DIMENSION: &str = "FunctionName";

/// Writes the line of a report to the log.
pub(crate) fn publish(report: &Report, function_name: &str, now: Timestamp) {
    // Not by way of `tracing`, which would wrap it: the line itself has to be the JSON. A log that is gone is nothing to fail for.
    let _ = writeln!(std::io::stdout(), "{}", line(report, function_name, now));
}

/// Makes the line of a report, which was made at `now`. Figures that are not known are left out: a metric without a value is
/// missing, and an alarm says what that means.
fn line(report: &Report, function_name: &str, now: Timestamp) -> Value {
    let was_read = report.troubles.iter().all(|trouble| trouble.operation != "GetAccount");
    let percent = |fraction: f64| fraction * 100.0;
    let estimate = |rate: Option<ReputationRate>| {
        // Too little mail says nothing: such a figure would only alarm people.
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
    fn every_metric_that_is_announced_has_a_value_and_every_figure_is_in_one_line() {
        let line = line(&report(|_| {}), "reporter-1", Timestamp::UNIX_EPOCH);
        let announced = &line["_aws"]["CloudWatchMetrics"][0];
        let names: Vec<&str> = announced["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| metric["Name"].as_str().unwrap())
            .collect();
        // What is not known is left out.
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
    fn an_account_that_was_not_read_is_told() {
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
