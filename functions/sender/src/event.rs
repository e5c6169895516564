//! The events that the function is called with: batches of hints, and the schedule's sweep.

use domain::queue::Hint;
use domain::stream::Stream;
use runtime::batch::{self, ReceivedMessage, ReceivedRecord};
use sending::ReceivedHint;
use serde_json::Value;

/// The task that a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To work on these hints.
    Work(Batch),
    /// To sweep.
    Sweep,
}

/// The records of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) hints: Vec<ReceivedHint>,
    /// The ids of records that hold no hint; an empty one has no id.
    pub(crate) malformed: Vec<String>,
}

/// The event is none of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event is neither a batch of SQS nor a sweep of the schedule")]
pub struct UnknownEvent;

impl Task {
    /// Reads the task of an event. `stream_of` returns the stream of a queue by its ARN.
    pub(crate) fn of(event: Value, stream_of: impl Fn(&str) -> Stream) -> Result<Self, UnknownEvent> {
        if event["task"] == "sweep" {
            return Ok(Self::Sweep);
        }
        let records = batch::received(event).ok_or(UnknownEvent)?;
        Ok(Self::Work(Batch::of(records, stream_of)))
    }
}

impl Batch {
    fn of(records: Vec<ReceivedRecord>, stream_of: impl Fn(&str) -> Stream) -> Self {
        let mut batch = Self::default();
        for record in records {
            match record.and_then(|message| hint(message, &stream_of)) {
                Ok(hint) => batch.hints.push(hint),
                Err(id) => batch.malformed.push(id),
            }
        }
        batch
    }
}

/// Reads the hint in a message. Returns the id of a message that holds none.
fn hint(message: ReceivedMessage, stream_of: impl Fn(&str) -> Stream) -> Result<ReceivedHint, String> {
    match Hint::parse(&message.body) {
        Ok(hint) => Ok(ReceivedHint {
            message_id: message.id,
            hint,
            receive_count: message.receive_count,
            stream: stream_of(&message.queue_arn),
        }),
        Err(_) => Err(message.id),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn asked() -> Hint {
        Hint::new(Uuid::from_u128(1), Uuid::from_u128(2))
    }

    fn body() -> String {
        asked().to_body()
    }

    fn record(id: &str, body: &str) -> Value {
        json!({
            "messageId": id, "receiptHandle": "r", "body": body, "eventSource": "aws:sqs", "eventSourceARN": "mail",
            "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1800000000000" },
        })
    }

    fn task(event: Value) -> Result<Task, UnknownEvent> {
        Task::of(event, |arn| match arn {
            "bulk" => Stream::Bulk,
            _ => Stream::Transactional,
        })
    }

    fn batch(records: &Value) -> Batch {
        match task(json!({ "Records": records })) {
            Ok(Task::Work(batch)) => batch,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_batch_has_its_hints_with_their_ids_and_counts() {
        let received = |times| ReceivedHint {
            message_id: "a".to_owned(),
            hint: asked(),
            receive_count: times,
            stream: Stream::Transactional,
        };
        let mut without_count = record("a", &body());
        without_count["attributes"] = json!({});
        let batch = batch(&json!([record("a", &body()), without_count]));
        assert_eq!((batch.hints, batch.malformed), (vec![received(3), received(1)], vec![]));
    }

    #[test]
    fn a_hint_has_the_stream_of_its_queue() {
        let mut bulk = record("b", &body());
        bulk["eventSourceARN"] = json!("bulk");
        let mut without_queue = record("c", &body());
        without_queue.as_object_mut().unwrap().remove("eventSourceARN");
        let batch = batch(&json!([record("a", &body()), bulk, without_queue]));
        let streams: Vec<Stream> = batch.hints.iter().map(|hint| hint.stream).collect();
        assert_eq!(streams, [Stream::Transactional, Stream::Bulk, Stream::Transactional]);
    }

    #[test]
    fn a_malformed_record_is_told_by_its_id_and_takes_no_other_along() {
        let (mut no_body, mut elsewhere) = (record("no-body", ""), record("elsewhere", &body()));
        no_body["body"] = Value::Null;
        elsewhere["eventSource"] = json!("aws:sns");
        let mut odd = record("odd", &body());
        odd["attributes"] = json!([]);
        let batch = batch(&json!([
            no_body,
            elsewhere,
            odd,
            record("good", &body()),
            record("text", "hello"),
            record("other", r#"{"id":"1"}"#),
            record("", &body()),
            7,
        ]));
        assert_eq!(batch.hints.len(), 1);
        assert_eq!(batch.hints[0].message_id, "good");
        assert_eq!(
            batch.malformed,
            ["no-body", "elsewhere", "odd", "text", "other", "", ""]
        );
    }

    #[test]
    fn the_schedule_asks_for_a_sweep() {
        for event in [
            json!({ "source": "okite.schedule", "task": "sweep" }),
            json!({ "task": "sweep" }),
        ] {
            assert_eq!(task(event), Ok(Task::Sweep));
        }
    }

    #[test]
    fn every_other_event_is_refused() {
        for event in [
            json!({}),
            json!(null),
            json!([]),
            json!("sweep"),
            json!({ "task": "report" }),
            json!({ "Records": [] }),
            json!({ "Records": {} }),
        ] {
            assert_eq!(task(event), Err(UnknownEvent));
        }
    }
}
