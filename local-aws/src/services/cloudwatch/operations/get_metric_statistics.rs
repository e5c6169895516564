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
    dimensions: Vec<Dimension>,
    start_time: f64,
    end_time: f64,
    period: i64,
    #[serde(default)]
    statistics: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    name: String,
    value: String,
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
    /// Answers with the reputation of the account or the state of a queue at the current time. Other metrics have no
    /// datapoints.
    pub(in super::super) fn get_metric_statistics(&self, request: Value) -> Result<Vec<u8>, CloudWatchError> {
        let asked: GetMetricStatistics = serde_json::from_value(request)
            .map_err(|error| CloudWatchError::new("MissingParameter", &error.to_string()))?;
        asked.check()?;
        let now = self.clock.now();
        let value = match asked.dimensions.as_slice() {
            [] => self.reputation(&asked),
            [dimension] if dimension.name == "QueueName" => self.of_queue(&asked, &dimension.value),
            _ => None,
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 have 53 bits for long")]
        let in_time = (asked.start_time..=asked.end_time).contains(&(now.as_second() as f64));
        let value = value.filter(|_| in_time);

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
    fn reputation(&self, asked: &GetMetricStatistics) -> Option<f64> {
        let account = self.ses.account();
        match (asked.namespace.as_str(), asked.metric_name.as_str()) {
            ("AWS/SES", "Reputation.BounceRate") => account.bounce_rate,
            ("AWS/SES", "Reputation.ComplaintRate") => account.complaint_rate,
            _ => None,
        }
    }

    /// Returns a metric of a queue. An empty queue has an oldest message of no age, as on AWS.
    fn of_queue(&self, asked: &GetMetricStatistics, name: &str) -> Option<f64> {
        if asked.namespace != "AWS/SQS" {
            return None;
        }
        let queues = self.sqs.queues().ok()?;
        let queue = queues.iter().find(|queue| queue.name == name)?;
        let count = match asked.metric_name.as_str() {
            "ApproximateNumberOfMessagesVisible" => i64::try_from(queue.visible).ok()?,
            "ApproximateNumberOfMessagesNotVisible" => i64::try_from(queue.in_flight).ok()?,
            "ApproximateNumberOfMessagesDelayed" => i64::try_from(queue.delayed).ok()?,
            "ApproximateAgeOfOldestMessage" => queue.oldest_seconds.unwrap_or(0),
            _ => return None,
        };
        #[expect(clippy::cast_precision_loss, reason = "messages and seconds have 53 bits for long")]
        Some(count as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;
    use tokio::sync::mpsc::unbounded_channel;

    use super::super::super::cbor;
    use super::*;
    use crate::clock::Clock;
    use crate::services::ses::{Ses, SesLeniency, SesSettings};
    use crate::services::sqs::Sqs;
    use crate::template::Queue;

    #[test]
    fn a_queue_has_its_numbers_of_messages_and_the_age_of_the_oldest() {
        let clock = Clock::default();
        let ses = SesSettings {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            configuration_sets: Vec::new(),
            production_access: true,
            verified: Vec::new(),
            outbox_file: None,
            account_file: None,
            leniency: SesLeniency::default(),
            id_tag: None,
        };
        let ses = Ses::new(ses, clock.clone(), unbounded_channel().0).unwrap();
        let queue = Queue {
            name: "q".to_owned(),
            arn: "arn:q".to_owned(),
            ..Queue::default()
        };
        let sqs = Sqs::open(vec![queue], None, clock.clone()).unwrap();
        let cloudwatch = CloudWatch::new(ses, Arc::clone(&sqs), Vec::new(), clock.clone());
        let value = |metric: &str, queue: &str| {
            let now = clock.now().as_second();
            let request = json!({
                "Namespace": "AWS/SQS", "MetricName": metric, "Dimensions": [{ "Name": "QueueName", "Value": queue }],
                "StartTime": now - 60, "EndTime": now + 60, "Period": 60, "Statistics": ["Maximum"],
            });
            let answer = cbor::read(&cloudwatch.get_metric_statistics(request).unwrap()).unwrap();
            answer["Datapoints"][0]["Maximum"].as_f64()
        };
        assert_eq!(value("ApproximateAgeOfOldestMessage", "q"), Some(0.0));
        for _ in 0..2 {
            sqs.send("arn:q", "x".to_owned()).unwrap();
        }
        sqs.receive("arn:q", 1, Some(Duration::from_hours(1))).unwrap();
        clock.advance(Duration::from_mins(10)).unwrap();
        assert_eq!(value("ApproximateNumberOfMessagesVisible", "q"), Some(1.0));
        assert_eq!(value("ApproximateNumberOfMessagesNotVisible", "q"), Some(1.0));
        assert_eq!(value("ApproximateNumberOfMessagesDelayed", "q"), Some(0.0));
        assert!((600.0..660.0).contains(&value("ApproximateAgeOfOldestMessage", "q").unwrap()));
        assert_eq!(value("ApproximateNumberOfMessagesVisible", "other"), None);
        assert_eq!(value("NumberOfMessagesSent", "q"), None);
    }
}
