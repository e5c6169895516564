//! The event that the function is called with: a batch of messages about deliveries, told apart by their endpoint.

use domain::webhook::DeliveryMessage;
use serde::Deserialize;
use serde_json::Value;

/// A batch of SQS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The messages of each endpoint, in the order of the batch.
    pub(crate) endpoints: Vec<(String, Vec<ReceivedDelivery>)>,
    /// The ids of records that hold no message about a delivery; an empty one has no id.
    pub(crate) malformed: Vec<String>,
}

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReceivedDelivery {
    /// The id of the message.
    pub(crate) message_id: String,
    /// The message.
    pub(crate) message: DeliveryMessage,
    /// Whether it was received before, by an invocation that did not finish.
    pub(crate) is_repeated: bool,
}

/// The event is no batch of SQS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event is not a batch of SQS")]
pub struct NotABatch;

/// A record of SQS. Only the parts that are needed are read; every other part may be missing.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: Option<String>,
    body: Option<String>,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: Option<String>,
}

impl Batch {
    /// Reads an event.
    ///
    /// # Errors
    /// [`NotABatch`] if it is no batch.
    pub(crate) fn of(mut event: Value) -> Result<Self, NotABatch> {
        let Some(Value::Array(records)) = event.get_mut("Records").map(Value::take) else {
            return Err(NotABatch);
        };
        if records.is_empty() {
            return Err(NotABatch);
        }
        let mut batch = Self::default();
        for record in records {
            let id = record["messageId"].as_str().unwrap_or_default().to_owned();
            match received(record) {
                Some(received) => batch.add(received),
                None => batch.malformed.push(id),
            }
        }
        Ok(batch)
    }

    fn add(&mut self, received: ReceivedDelivery) {
        let endpoint = received.message.endpoint();
        match self.endpoints.iter_mut().find(|(known, _)| known == endpoint) {
            Some((_, messages)) => messages.push(received),
            None => self.endpoints.push((endpoint.to_owned(), vec![received])),
        }
    }
}

/// Reads a record. Returns `None` if it holds no message about a delivery.
fn received(record: Value) -> Option<ReceivedDelivery> {
    if record["eventSource"] != "aws:sqs" {
        return None;
    }
    let record: Record = serde_json::from_value(record).ok()?;
    let count = record.attributes.approximate_receive_count;
    Some(ReceivedDelivery {
        message_id: record.message_id.filter(|id| !id.is_empty())?,
        message: DeliveryMessage::read(&record.body?).ok()?,
        is_repeated: count.is_some_and(|count| count != "1"),
    })
}

#[cfg(test)]
mod tests {
    use domain::webhook::EventId;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn message(endpoint: &str) -> DeliveryMessage {
        DeliveryMessage::Stored {
            endpoint: endpoint.to_owned(),
            event: EventId::of(Timestamp::UNIX_EPOCH, &[]),
        }
    }

    fn record(id: &str, body: &str) -> Value {
        json!({
            "messageId": id, "receiptHandle": "r", "body": body, "eventSource": "aws:sqs",
            "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1800000000000" },
        })
    }

    fn ids(messages: &[ReceivedDelivery]) -> Vec<&str> {
        messages.iter().map(|message| message.message_id.as_str()).collect()
    }

    #[test]
    fn the_messages_of_an_endpoint_are_together_and_in_order() {
        let [a, b] = ["a", "b"].map(|endpoint| message(endpoint).to_body());
        let mut again = record("3", &a);
        again["attributes"]["ApproximateReceiveCount"] = json!("2");
        let batch = Batch::of(json!({ "Records": [record("1", &a), record("2", &b), again] })).unwrap();
        let [(first, of_first), (second, of_second)] = &batch.endpoints[..] else {
            panic!("{batch:?}");
        };
        assert_eq!((first.as_str(), second.as_str()), ("a", "b"));
        assert_eq!((ids(of_first), ids(of_second)), (vec!["1", "3"], vec!["2"]));
        assert_eq!(of_first[0].message, message("a"));
        assert!(!of_first[0].is_repeated && of_first[1].is_repeated);
    }

    #[test]
    fn a_malformed_record_is_told_by_its_id_and_takes_no_other_along() {
        let good = message("a").to_body();
        let (mut no_body, mut elsewhere) = (record("no-body", ""), record("elsewhere", &good));
        no_body["body"] = Value::Null;
        elsewhere["eventSource"] = json!("aws:sns");
        let records = json!([
            no_body,
            elsewhere,
            record("good", &good),
            record("text", "hello"),
            record("", &good),
            7
        ]);
        let batch = Batch::of(json!({ "Records": records })).unwrap();
        assert_eq!(ids(&batch.endpoints[0].1), ["good"]);
        assert_eq!(batch.malformed, ["no-body", "elsewhere", "text", "", ""]);
    }

    #[test]
    fn every_other_event_is_refused() {
        for event in [
            json!({}),
            json!(null),
            json!([]),
            json!({ "Records": [] }),
            json!({ "task": "sweep" }),
        ] {
            assert_eq!(Batch::of(event), Err(NotABatch));
        }
    }
}
