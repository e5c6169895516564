//! `GetMetricStatistics`: one datapoint, for the current time.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html>

use aws_smithy_cbor::Encoder;
use aws_smithy_types::DateTime;
use serde::Deserialize;
use serde_json::Value;

use super::super::CloudWatch;
use super::super::error::CloudWatchError;

/// The most datapoints of one answer.
const DATAPOINTS_MAX: f64 = 1_440.0;
const STATISTICS: [&str; 5] = ["Average", "Maximum", "Minimum", "SampleCount", "Sum"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetMetricStatistics {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Value>,
    start_time: f64,
    end_time: f64,
    period: i64,
    #[serde(default)]
    statistics: Vec<String>,
}

impl GetMetricStatistics {
    fn check(&self) -> Result<(), CloudWatchError> {
        let invalid = |message: &str| Err(CloudWatchError::new("InvalidParameterValue", message));
        if self.period < 60 || self.period % 60 != 0 {
            return invalid("Period must be a multiple of 60.");
        }
        if self.statistics.is_empty() || self.statistics.iter().any(|name| !STATISTICS.contains(&name.as_str())) {
            return invalid("Statistics must be some of SampleCount, Average, Sum, Minimum and Maximum.");
        }
        if self.start_time >= self.end_time {
            return invalid("StartTime must be before EndTime.");
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a period that loses precision is longer than any span of time"
        )]
        let datapoints = (self.end_time - self.start_time) / self.period as f64;
        if datapoints > DATAPOINTS_MAX {
            let message = "You have requested more datapoints than the limit of 1440.";
            return Err(CloudWatchError::new("InvalidParameterCombination", message));
        }
        Ok(())
    }
}

impl CloudWatch {
    /// Answers with the reputation of the account at the current time. Other metrics have no datapoints.
    pub(in super::super) fn get_metric_statistics(&self, request: Value) -> Result<Vec<u8>, CloudWatchError> {
        let asked: GetMetricStatistics = serde_json::from_value(request)
            .map_err(|error| CloudWatchError::new("MissingParameter", &error.to_string()))?;
        asked.check()?;
        let now = self.clock.now();
        let account = self.ses.account();
        let value = match (asked.namespace.as_str(), asked.metric_name.as_str()) {
            ("AWS/SES", "Reputation.BounceRate") => account.bounce_rate,
            ("AWS/SES", "Reputation.ComplaintRate") => account.complaint_rate,
            _ => None,
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 have 53 bits for long")]
        let in_time = (asked.start_time..=asked.end_time).contains(&(now.as_second() as f64));
        let value = value.filter(|_| in_time && asked.dimensions.is_empty());

        let mut encoder = Encoder::new(Vec::new());
        encoder.map(2).str("Label").str(&asked.metric_name).str("Datapoints");
        encoder.array(usize::from(value.is_some()));
        if let Some(value) = value {
            encoder.begin_map();
            encoder
                .str("Timestamp")
                .timestamp(&DateTime::from_secs(now.as_second()));
            encoder.str("Unit").str("None");
            for statistic in &asked.statistics {
                let figure = if statistic == "SampleCount" { 1.0 } else { value };
                encoder.str(statistic).double(figure);
            }
            encoder.end();
        }
        Ok(encoder.into_writer())
    }
}
