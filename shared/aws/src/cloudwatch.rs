//! The bounce and complaint rates that SES publishes in CloudWatch, once it has any.
//!
//! `GetMetricStatistics` is among the million calls that are free each month; `GetMetricData` is not.
//! <https://docs.aws.amazon.com/ses/latest/dg/reputationdashboard-cloudwatch-alarm.html>

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{Datapoint, Statistic};
use aws_smithy_types::DateTime;
use aws_smithy_types::retry::RetryConfig;
use jiff::Timestamp;

use crate::connection::{CallTimeouts, client_config};
use crate::error_code::error_code;
use domain::reputation::{AwsRate, RateKind};

/// How old a figure may be. SES publishes a figure only when there was mail.
const LOOK_BACK: Duration = Duration::from_hours(24);
/// The time that one datapoint covers, in seconds.
const PERIOD: i32 = 300;

const TIMEOUTS: CallTimeouts = CallTimeouts {
    attempt: Some(Duration::from_secs(3)),
    operation: Duration::from_secs(8),
};

/// Makes a CloudWatch client. The SDK's retries stay on, because every call only reads.
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    Client::new(&settings(config))
}

/// Returns the configuration of the client.
pub(crate) fn settings(config: &SdkConfig) -> SdkConfig {
    let retries = RetryConfig::standard().with_max_attempts(3);
    client_config(config, retries, TIMEOUTS)
}

/// CloudWatch could not be read; the call may succeed later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GetMetricStatistics failed: {code}")]
pub struct MetricsError {
    /// CloudWatch's error code, or the kind of failure if there was no answer with one.
    pub code: String,
}

/// The metrics of CloudWatch in one region.
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
    /// [`MetricsError`] if the metric could not be read.
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
            // CloudWatch leaves the end out of its answer.
            .end_time(DateTime::from_secs(second.saturating_add(1)))
            .period(PERIOD)
            .statistics(Statistic::Maximum)
            .send()
            .await
            .map_err(|error| MetricsError {
                code: error_code(&error),
            })?;
        // Datapoints come in no particular order.
        let newest = answer.datapoints().iter().max_by_key(|datapoint| datapoint.timestamp());
        let rate = newest.and_then(Datapoint::maximum);
        Ok(rate.and_then(|rate| AwsRate::new(rate, now)))
    }
}
