//! The metrics that services publish of themselves, counted as requests come in: the requests of the HTTP API, and the
//! requests that DynamoDB throttles. DynamoDB on one machine throttles nothing by itself, so a fault has to.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::template::WatchedMetric;

/// How long counts are kept: longer than any alarm looks back.
const KEPT: SignedDuration = SignedDuration::from_hours(3);
/// DynamoDB's errors that say that a request was throttled.
const THROTTLES: [&str; 3] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
];
/// DynamoDB's operations that read.
const READS: [&str; 5] = ["GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"];

/// The counts of the services, by metric and second. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct ServiceMetrics {
    clock: Clock,
    counted: Arc<Mutex<BTreeMap<WatchedMetric, BTreeMap<i64, u64>>>>,
}

impl ServiceMetrics {
    /// Starts without counts, by the time of `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            counted: Arc::default(),
        }
    }

    /// Counts a request of an HTTP API, whatever its answer is.
    pub(crate) fn request(&self, api_id: &str) {
        self.count(metric("AWS/ApiGateway", "Count", ("ApiId", api_id)));
    }

    /// Counts a request that DynamoDB answers with an error, if the error is that it throttles the request. `tables`
    /// are the ARNs of its tables or indexes.
    pub(crate) fn refused<'a>(&self, operation: &str, code: &str, tables: impl IntoIterator<Item = &'a str>) {
        if !THROTTLES.contains(&code) {
            return;
        }
        let name = if READS.contains(&operation) {
            "ReadThrottleEvents"
        } else {
            "WriteThrottleEvents"
        };
        for arn in tables {
            let table = arn.split('/').nth(1).unwrap_or_default();
            self.count(metric("AWS/DynamoDB", name, ("TableName", table)));
        }
    }

    fn count(&self, metric: WatchedMetric) {
        let now = self.clock.now();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let of_metric = counted.entry(metric).or_default();
        let in_second = of_metric.entry(now.as_second()).or_default();
        *in_second = in_second.saturating_add(1);
        let oldest = now.saturating_sub(KEPT).map_or(i64::MIN, Timestamp::as_second);
        *of_metric = of_metric.split_off(&oldest);
    }

    /// Returns the sum of a metric in the period that ends now; `None` if nothing was counted.
    #[must_use]
    pub fn in_the_last(&self, period: Duration, metric: &WatchedMetric) -> Option<u64> {
        let now = self.clock.now().as_second();
        let began = now.saturating_sub_unsigned(period.as_secs());
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let in_time = counted
            .get(metric)?
            .range((Bound::Excluded(began), Bound::Included(now)));
        in_time.map(|(_, count)| *count).reduce(u64::saturating_add)
    }
}

fn metric(namespace: &str, name: &str, (dimension, value): (&str, &str)) -> WatchedMetric {
    WatchedMetric {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        dimensions: BTreeMap::from([(dimension.to_owned(), value.to_owned())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/stack-Orders";

    fn throttles(name: &str) -> WatchedMetric {
        metric("AWS/DynamoDB", name, ("TableName", "stack-Orders"))
    }

    #[test]
    fn counts_what_dynamodb_throttles_by_table_and_direction() {
        let metrics = ServiceMetrics::default();
        let count = |name| metrics.in_the_last(Duration::from_mins(5), &throttles(name));
        let index = format!("{TABLE}/index/by-customer");
        metrics.refused("PutItem", "ProvisionedThroughputExceededException", [TABLE]);
        metrics.refused("Query", "ThrottlingException", [index.as_str(), TABLE]);
        for code in ["AccessDeniedException", "ConditionalCheckFailedException"] {
            metrics.refused("PutItem", code, [TABLE]);
        }
        assert_eq!(
            [count("WriteThrottleEvents"), count("ReadThrottleEvents")],
            [Some(1), Some(2)]
        );
    }

    #[test]
    fn counts_by_time_and_forgets() {
        let clock = Clock::default();
        let metrics = ServiceMetrics::new(clock.clone());
        let requests = metric("AWS/ApiGateway", "Count", ("ApiId", "api"));
        let in_hours = |hours| metrics.in_the_last(Duration::from_hours(hours), &requests);
        metrics.request("api");
        clock.advance(Duration::from_hours(1)).unwrap();
        metrics.request("api");
        assert_eq!([in_hours(1), in_hours(2)], [Some(1), Some(2)]);
        clock.advance(Duration::from_hours(4)).unwrap();
        assert_eq!(in_hours(1), None);
        metrics.request("api");
        assert_eq!(in_hours(9), Some(1), "what no alarm looks at is forgotten");
    }
}
