//! `GetQueueAttributes`: the settings of a queue, and the numbers of its messages.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Sqs;
use super::super::error::SqsError;
use super::{Answer, read};
use crate::template::Queue;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueAttributes {
    #[serde(default)]
    attribute_names: Vec<String>,
}

impl Sqs {
    /// Answers with the attributes that the request names: none, if it names none.
    pub(super) fn get_queue_attributes(&self, body: &Bytes) -> Answer {
        let queue = self.named_queue(body)?;
        let GetQueueAttributes { attribute_names } = read(body)?;
        let mut all = self.attributes(&queue)?;
        if !attribute_names.iter().any(|name| name == "All") {
            if let Some(unknown) = attribute_names.iter().find(|name| !all.contains_key(name.as_str())) {
                let message = format!("Unknown Attribute {unknown}.");
                return Err(SqsError::new("InvalidAttributeName", message));
            }
            all.retain(|name, _| attribute_names.iter().any(|asked| asked == name));
        }
        all.retain(|_, value| !value.is_null());
        if all.is_empty() {
            return Ok(json!({}));
        }
        Ok(json!({ "Attributes": all }))
    }

    fn attributes(&self, queue: &Queue) -> Result<BTreeMap<&'static str, Value>, SqsError> {
        let now = self.clock.now();
        let mut messages = self.messages();
        messages.expire(now)?;
        let counts = messages.count(&queue.arn, now);
        let redrive = queue.redrive.as_ref().map(|redrive| {
            let (arn, count) = (&redrive.queue_arn, redrive.max_receive_count);
            json!({ "deadLetterTargetArn": arn, "maxReceiveCount": count }).to_string()
        });
        let seconds = |time: std::time::Duration| json!(time.as_secs().to_string());
        Ok(BTreeMap::from([
            ("QueueArn", json!(queue.arn)),
            ("ApproximateNumberOfMessages", json!(counts.visible.to_string())),
            (
                "ApproximateNumberOfMessagesNotVisible",
                json!(counts.in_flight.to_string()),
            ),
            ("ApproximateNumberOfMessagesDelayed", json!(counts.delayed.to_string())),
            ("DelaySeconds", seconds(queue.delay)),
            ("MaximumMessageSize", json!(queue.message_max.to_string())),
            ("MessageRetentionPeriod", seconds(queue.retention)),
            ("ReceiveMessageWaitTimeSeconds", seconds(queue.receive_wait)),
            ("VisibilityTimeout", seconds(queue.visibility_timeout)),
            ("RedrivePolicy", json!(redrive)),
        ]))
    }
}
