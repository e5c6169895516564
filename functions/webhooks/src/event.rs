//! The event that the function is called with: a batch of messages about deliveries, told apart by their endpoint.

use domain::webhook::DeliveryMessage;
use runtime::batch::{self, ReceivedMessage};
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

impl Batch {
    /// Reads an event.
    ///
    /// # Errors
    /// [`NotABatch`] if it is no batch.
    pub(crate) fn of(event: Value) -> Result<Self, NotABatch> {
        let mut batch = Self::default();
        for record in batch::received(event).ok_or(NotABatch)? {
            match record.and_then(delivery) {
                Ok(received) => batch.add(received),
                Err(id) => batch.malformed.push(id),
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

/// Reads the message about a delivery. Returns the id of a message that is about none.
fn delivery(received: ReceivedMessage) -> Result<ReceivedDelivery, String> {
    match DeliveryMessage::read(&received.body) {
        Ok(message) => Ok(ReceivedDelivery {
            message_id: received.id,
            message,
            is_repeated: received.receive_count > 1,
        }),
        Err(_) => Err(received.id),
    }
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
