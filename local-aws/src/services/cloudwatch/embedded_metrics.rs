//! The metrics that functions print: lines of CloudWatch's embedded metric format.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The identity of a metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct MetricKey {
    namespace: String,
    name: String,
    dimensions: BTreeMap<String, String>,
}

/// The latest value of a metric, in the shape of `GET /_local/metrics`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrintedMetric {
    #[serde(flatten)]
    key: MetricKey,
    value: f64,
    unit: String,
    at: Timestamp,
}

/// The metrics so far. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct PrintedMetrics(Arc<Mutex<BTreeMap<MetricKey, PrintedMetric>>>);

#[derive(Deserialize)]
struct EmbeddedMetricLine {
    #[serde(rename = "_aws")]
    metadata: Metadata,
    #[serde(flatten)]
    members: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: i64,
    cloud_watch_metrics: Vec<Directive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: String,
    dimensions: Vec<Vec<String>>,
    metrics: Vec<Definition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: String,
    unit: Option<String>,
}

impl PrintedMetrics {
    /// Reads a line of a function's output, and returns whether it held metrics. As in CloudWatch, a line whose metrics
    /// are malformed is an ordinary one.
    pub(crate) fn take(&self, line: &[u8]) -> bool {
        let Some(metrics) = read(line) else { return false };
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.extend(metrics.into_iter().map(|metric| (metric.key.clone(), metric)));
        true
    }

    /// Lists the latest value of each metric, by namespace, name and dimensions.
    #[must_use]
    pub fn list(&self) -> Vec<PrintedMetric> {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.values().cloned().collect()
    }
}

/// Reads the metrics of a line, once for every set of dimensions.
fn read(line: &[u8]) -> Option<Vec<PrintedMetric>> {
    let EmbeddedMetricLine { metadata, members } = serde_json::from_slice(line).ok()?;
    let at = Timestamp::from_millisecond(metadata.timestamp).ok()?;
    let mut metrics = Vec::new();
    for directive in metadata.cloud_watch_metrics {
        for set in &directive.dimensions {
            let dimension = |name: &String| Some((name.clone(), members.get(name)?.as_str()?.to_owned()));
            let dimensions: BTreeMap<String, String> = set.iter().map(dimension).collect::<Option<_>>()?;
            for Definition { name, unit } in &directive.metrics {
                let value = match members.get(name)? {
                    Value::Array(values) => values.last()?.as_f64()?,
                    value => value.as_f64()?,
                };
                metrics.push(PrintedMetric {
                    key: MetricKey {
                        namespace: directive.namespace.clone(),
                        name: name.clone(),
                        dimensions: dimensions.clone(),
                    },
                    value,
                    unit: unit.clone().unwrap_or_else(|| "None".to_owned()),
                    at,
                });
            }
        }
    }
    Some(metrics)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(value: &Value) -> Value {
        json!({
            "_aws": { "Timestamp": 60_000, "CloudWatchMetrics": [{
                "Namespace": "Shop/shop",
                "Dimensions": [[], ["Stream"]],
                "Metrics": [{ "Name": "Remaining", "Unit": "Count" }],
            }]},
            "Remaining": value,
            "Stream": "bulk",
            "message": "anything",
        })
    }

    fn metric(dimensions: &Value, value: f64) -> Value {
        json!({
            "namespace": "Shop/shop", "name": "Remaining", "dimensions": dimensions, "value": value, "unit": "Count",
            "at": "1970-01-01T00:01:00Z",
        })
    }

    #[test]
    fn the_latest_of_a_metric_is_kept_for_each_set_of_dimensions() {
        let metrics = PrintedMetrics::default();
        assert!(metrics.take(line(&json!(5)).to_string().as_bytes()));
        assert!(metrics.take(line(&json!([1, 2.5])).to_string().as_bytes()));
        assert_eq!(
            serde_json::to_value(metrics.list()).unwrap(),
            json!([metric(&json!({}), 2.5), metric(&json!({ "Stream": "bulk" }), 2.5)])
        );
    }

    #[test]
    fn a_line_without_metrics_or_with_some_that_lack_something_is_an_ordinary_one() {
        let metrics = PrintedMetrics::default();
        let without = |member: &str| {
            let mut line = line(&json!(1));
            line.as_object_mut().unwrap().remove(member);
            line.to_string()
        };
        for ordinary in [
            String::new(),
            "plain text".to_owned(),
            r#"{"message":"_aws"}"#.to_owned(),
            line(&json!("5")).to_string(),
            without("Remaining"),
            without("Stream"),
        ] {
            assert!(!metrics.take(ordinary.as_bytes()), "{ordinary}");
        }
        assert_eq!(metrics.list(), []);
    }
}
