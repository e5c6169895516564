//! A batch of messages of SQS: what is received, and the answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message of SQS, as Lambda hands it over. Only these parts are read.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The id of the message. It is not empty.
    pub id: String,
    /// The body.
    pub body: String,
    /// The ARN of the queue; empty if it is missing.
    pub queue_arn: String,
    /// How often the message was received. A message without the count was received, if only now.
    pub receive_count: u32,
}

/// A record of a batch: a message, or else the id of what is no message of SQS, which may be empty.
pub type ReceivedRecord = Result<ReceivedMessage, String>;

/// Reads the records of an event. Returns `None` if it is no batch, or an empty one.
#[must_use]
pub fn received(mut event: Value) -> Option<Vec<ReceivedRecord>> {
    match event.get_mut("Records").map(Value::take) {
        Some(Value::Array(records)) if !records.is_empty() => Some(records.into_iter().map(record).collect()),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: Option<String>,
    body: Option<String>,
    #[serde(default, rename = "eventSourceARN")]
    event_source_arn: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: Option<String>,
}

fn record(record: Value) -> ReceivedRecord {
    let id = record["messageId"].as_str().unwrap_or_default().to_owned();
    message(record).ok_or(id)
}

fn message(record: Value) -> Option<ReceivedMessage> {
    if record["eventSource"] != "aws:sqs" {
        return None;
    }
    let record: Record = serde_json::from_value(record).ok()?;
    let count = record.attributes.approximate_receive_count;
    Some(ReceivedMessage {
        id: record.message_id.filter(|id| !id.is_empty())?,
        body: record.body?,
        queue_arn: record.event_source_arn,
        receive_count: count.and_then(|count| count.parse().ok()).unwrap_or(1),
    })
}

/// The records of a queue that failed and come again; the others are done.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    /// The records that failed.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// A record that comes again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// The record's id. It is empty if the record has none: Lambda then counts the whole batch as failed.
    pub item_identifier: String,
}

impl FromIterator<String> for BatchAnswer {
    /// Makes the answer from the ids of the records that failed.
    fn from_iter<I: IntoIterator<Item = String>>(ids: I) -> Self {
        let failure = |item_identifier| BatchItemFailure { item_identifier };
        Self {
            batch_item_failures: ids.into_iter().map(failure).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sqs(id: &str) -> Value {
        json!({
            "messageId": id, "receiptHandle": "r", "body": "b", "eventSource": "aws:sqs", "eventSourceARN": "q",
            "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1800000000000" },
        })
    }

    fn without(name: &str, mut record: Value) -> Value {
        record.as_object_mut().unwrap().remove(name);
        record
    }

    fn message(queue_arn: &str, receive_count: u32) -> ReceivedMessage {
        ReceivedMessage {
            id: "1".to_owned(),
            body: "b".to_owned(),
            queue_arn: queue_arn.to_owned(),
            receive_count,
        }
    }

    #[test]
    fn a_message_may_lack_its_queue_and_its_count() {
        let records = [
            sqs("1"),
            without("eventSourceARN", sqs("1")),
            without("attributes", sqs("1")),
        ];
        let wanted = [message("q", 3), message("", 3), message("q", 1)].map(Ok);
        assert_eq!(received(json!({ "Records": records })).unwrap(), wanted);
        let mut odd = sqs("1");
        odd["attributes"] = json!({ "ApproximateReceiveCount": "often" });
        assert_eq!(received(json!({ "Records": [odd] })).unwrap(), [Ok(message("q", 1))]);
    }

    #[test]
    fn what_is_no_message_is_its_id_and_takes_no_other_along() {
        let (mut elsewhere, mut no_body, mut odd) = (sqs("elsewhere"), sqs("no-body"), sqs("odd"));
        elsewhere["eventSource"] = json!("aws:sns");
        no_body["body"] = Value::Null;
        odd["attributes"] = json!([]);
        let records = json!([
            elsewhere,
            sqs("1"),
            no_body,
            odd,
            sqs(""),
            without("messageId", sqs("")),
            7
        ]);
        let no_message = |id: &str| Err(id.to_owned());
        let wanted = [
            no_message("elsewhere"),
            Ok(message("q", 3)),
            no_message("no-body"),
            no_message("odd"),
            no_message(""),
            no_message(""),
            no_message(""),
        ];
        assert_eq!(received(json!({ "Records": records })).unwrap(), wanted);
    }

    #[test]
    fn every_other_event_is_no_batch() {
        for event in [
            json!(null),
            json!([]),
            json!("Records"),
            json!({}),
            json!({ "Records": [] }),
            json!({ "Records": {} }),
            json!({ "task": "sweep" }),
        ] {
            assert_eq!(received(event), None);
        }
    }

    #[test]
    fn the_answer_has_the_shape_that_lambda_reads() {
        let answer = |ids: &[&str]| {
            let answer: BatchAnswer = ids.iter().map(|id| (*id).to_owned()).collect();
            serde_json::to_string(&answer).unwrap()
        };
        assert_eq!(answer(&[]), r#"{"batchItemFailures":[]}"#);
        assert_eq!(
            answer(&["a", ""]),
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":""}]}"#
        );
    }
}
