//! The report of a sweep as metrics.

use jiff::Timestamp;
use runtime::metrics::{self, Metric};
use sending::{StreamReport, SweepReport};
use serde_json::{Value, json};

/// Writes a report's line to the log.
pub(crate) fn publish(report: &SweepReport, function_name: &str, now: Timestamp) {
    metrics::publish(&line(report, function_name, now));
}

/// Returns the line of a sweep that began at `now`.
fn line(report: &SweepReport, function_name: &str, now: Timestamp) -> Value {
    let metrics = [
        ("TransactionalDepth", "Count", depth(&report.transactional)),
        ("TransactionalOldest", "Seconds", oldest(&report.transactional)),
        ("BulkDepth", "Count", depth(&report.bulk)),
        ("BulkOldest", "Seconds", oldest(&report.bulk)),
    ];
    let metrics = metrics.map(|(name, unit, value)| Metric { name, unit, value });
    let figures = [
        ("transactional", figures(&report.transactional)),
        ("bulk", figures(&report.bulk)),
    ];
    metrics::line(function_name, &metrics, figures, now)
}

/// Returns how many mails are due, in SQS and in the index; `None` if one of them did not tell.
fn depth(stream: &StreamReport) -> Option<f64> {
    let waiting = stream.depth?.waiting().saturating_add(stream.due?.count);
    u32::try_from(waiting).ok().map(f64::from)
}

/// Returns for how many seconds the oldest mail of the index has been due.
fn oldest(stream: &StreamReport) -> Option<f64> {
    stream.due.map(|due| due.oldest.as_secs_f64())
}

/// Returns all figures of a stream.
pub(crate) fn figures(stream: &StreamReport) -> Value {
    json!({
        "visible": stream.depth.map(|depth| depth.visible),
        "in_flight": stream.depth.map(|depth| depth.in_flight),
        "due": stream.due.map(|due| due.count),
        "oldest_seconds": stream.due.map(|due| due.oldest.as_secs()),
        "handed_over": stream.handed_over,
        "expired": stream.expired,
        "failed": stream.failed,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::queue::QueueDepth;
    use sending::DueMails;

    use super::*;

    #[test]
    fn a_sweep_publishes_depth_and_age_of_each_stream() {
        let report = SweepReport {
            transactional: StreamReport {
                depth: Some(QueueDepth {
                    visible: 3,
                    in_flight: 2,
                }),
                due: Some(DueMails {
                    count: 7,
                    oldest: Duration::from_millis(1_500),
                }),
                handed_over: 6,
                expired: 1,
                failed: 0,
            },
            bulk: StreamReport {
                due: Some(DueMails::default()),
                failed: 1,
                ..StreamReport::default()
            },
        };
        let line = line(&report, "sender-1", Timestamp::UNIX_EPOCH);
        let names: Vec<&str> = line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| metric["Name"].as_str().unwrap())
            .collect();
        // A number that SQS did not return is not zero.
        assert_eq!(names, ["TransactionalDepth", "TransactionalOldest", "BulkOldest"]);
        assert_eq!(
            (
                &line["TransactionalDepth"],
                &line["TransactionalOldest"],
                &line["BulkOldest"]
            ),
            (&json!(12.0), &json!(1.5), &json!(0.0))
        );
        assert_eq!(
            line["transactional"],
            json!({
                "visible": 3, "in_flight": 2, "due": 7, "oldest_seconds": 1, "handed_over": 6, "expired": 1, "failed": 0,
            })
        );
        assert_eq!(
            (&line["bulk"]["visible"], &line["bulk"]["failed"]),
            (&Value::Null, &json!(1))
        );
    }
}
