//! CloudWatch: the reputation that SES publishes there, once it has one to publish.
//!
//! Read by `GetMetricStatistics`, whose calls are among the million that are free each month; those of `GetMetricData` are
//! not. <https://docs.aws.amazon.com/ses/latest/dg/reputationdashboard-cloudwatch-alarm.html>

use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{Datapoint, Statistic};
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::store_error::error_code;
use domain::reputation::{AwsRate, RateKind};

/// How old a figure may be. SES publishes one only when there was mail.
const LOOK_BACK: Duration = Duration::from_hours(24);
/// The time that one datapoint is about, in seconds.
const PERIOD: i32 = 300;

/// CloudWatch could not be read; later it may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GetMetricStatistics failed: {code}")]
pub struct MetricsError {
    /// CloudWatch's error code, or what went wrong before there was one.
    pub code: String,
}

/// CloudWatch in one region.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    client: Client,
}

impl CloudWatch {
    /// Reads the metrics of the client's account and region.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Reads the newest figure of the 24 hours before `now`: the highest of its five minutes.
    ///
    /// # Errors
    /// [`MetricsError`] if it could not be read.
    pub async fn rate(&self, kind: RateKind, now: Timestamp) -> Result<Option<AwsRate>, MetricsError> {
        let metric = match kind {
            RateKind::Bounce => "Reputation.BounceRate",
            RateKind::Complaint => "Reputation.ComplaintRate",
        };
        let second = now.as_second();
        let look_back = i64::try_from(LOOK_BACK.as_secs()).unwrap_or(i64::MAX);
        let answer = self
            .client
            .get_metric_statistics()
            .namespace("AWS/SES")
            .metric_name(metric)
            .start_time(DateTime::from_secs(second.saturating_sub(look_back)))
            // The end is left out of what is answered.
            .end_time(DateTime::from_secs(second.saturating_add(1)))
            .period(PERIOD)
            .statistics(Statistic::Maximum)
            .send()
            .await
            .map_err(|error| MetricsError {
                code: error_code(&error),
            })?;
        // They come in no order.
        let newest = answer.datapoints().iter().max_by_key(|datapoint| datapoint.timestamp());
        let rate = newest.and_then(Datapoint::maximum);
        Ok(rate.and_then(|rate| AwsRate::new(rate, now)))
    }
}
