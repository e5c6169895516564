//! Metrics: log lines in CloudWatch's embedded metric format, which CloudWatch turns into metrics.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! Each metric costs money every month, so only the figures that alarms and dashboards need are metrics. A line also
//! has other figures, so that Logs Insights finds them.

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of the metrics.
const NAMESPACE: &str = "Okite";
/// The dimension of the metrics. Its value is the function's name, because a region may hold several stacks.
const DIMENSION: &str = "FunctionName";

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit, as CloudWatch names it.
    pub unit: &'static str,
    /// Its value. An unknown one is left out; each alarm defines how it treats missing data.
    pub value: Option<f64>,
}

/// Writes a line to the log.
pub fn publish(line: &Value) {
    // Not with `tracing`, which would wrap the line: the line itself must be the JSON. A closed log is no reason to
    // fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Returns the line of a function's metrics at `now`, with other figures.
#[must_use]
pub fn line(
    function_name: &str,
    metrics: &[Metric],
    figures: impl IntoIterator<Item = (&'static str, Value)>,
    now: Timestamp,
) -> Value {
    let known = || metrics.iter().filter_map(|metric| Some((metric, metric.value?)));
    let declared: Vec<Value> = known()
        .map(|(metric, _)| json!({ "Name": metric.name, "Unit": metric.unit }))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": declared }],
        }),
    );
    line.insert(DIMENSION.to_owned(), function_name.into());
    line.extend(known().map(|(metric, value)| (metric.name.to_owned(), value.into())));
    line.extend(figures.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declares_only_metrics_with_values_and_writes_every_figure_in_one_line() {
        let metrics = [("Known", Some(1.5)), ("Unknown", None)].map(|(name, value)| Metric {
            name,
            unit: "Count",
            value,
        });
        let line = line(
            "f-1",
            &metrics,
            [("figure", json!("two\nlines"))],
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(
            line,
            json!({
                "_aws": {
                    "Timestamp": 0,
                    "CloudWatchMetrics": [{
                        "Namespace": "Okite",
                        "Dimensions": [["FunctionName"]],
                        "Metrics": [{ "Name": "Known", "Unit": "Count" }],
                    }],
                },
                "FunctionName": "f-1",
                "Known": 1.5,
                "figure": "two\nlines",
            })
        );
        assert!(!line.to_string().contains('\n'));
    }
}
